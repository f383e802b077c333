# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud that a task's options name, loaded by openstacksdk as for the modules of openstack.cloud."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import typing as t

from .._session.sign_in import clouds, openrc
from .._session.sign_in.clouds import UNNAMED, Way
from .._session.util.errors import ConfigurationError
from . import configuration
from .configuration import explained

if t.TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

#: Connection options, and openstacksdk's names for them.
SDK_NAMES = {
    "region_name": "region_name",
    "interface": "interface",
    "validate_certs": "verify",
    "ca_cert": "cacert",
    "client_cert": "cert",
    "client_key": "key",
    "api_timeout": "api_timeout",
}
_ID = re.compile(r"[0-9a-f]{32}")
#: The cloud that openstacksdk makes if none is configured.
_DEFAULTS = "defaults"


@dataclasses.dataclass(frozen=True)
class TaskCloud:
    """A cloud that a task named, ready to sign in to."""

    #: Its name in a session's clouds.yaml.
    name: str
    #: Its name in messages.
    label: str
    region: CloudRegion = dataclasses.field(repr=False)
    #: How another process signs in to it; None if the credentials were given to the task.
    way: Way | None
    #: Whether every task on this host can sign in to it: it is a configured cloud or the OS_* variables, unchanged.
    is_plain: bool

    @property
    def region_name(self) -> str | None:
        """The region that the task asked for, which its variables must name."""
        return self.region.region_name or None if self.way is None else self.way.options.get("region_name")

    @classmethod
    def of_params(cls, params: t.Mapping[str, t.Any], environ: t.Mapping[str, str], validate: bool = True) -> TaskCloud:
        """The cloud of a task's options. If it is not validated, it has an address, but may have no credentials."""
        options: dict[str, t.Any] = {**sdk_options(params), **({} if validate else {"validate": False})}
        scope = scope_of(params)
        cloud, auth = params["cloud"], params["auth"]
        refuse_quoted_mapping(cloud)
        if isinstance(cloud, dict) or auth:
            return cls._explicit(params, environ, options, scope)
        if params["auth_type"]:
            options["auth_type"] = params["auth_type"]
        if cloud := cloud or environ.get("OS_CLOUD"):
            return cls._configured(cloud, f"cloud {cloud!r}", options, scope)
        if openrc.is_sourced(environ):
            return cls._of_way(UNNAMED, configuration.VARIABLES, Way(None, options=options, scope=scope))
        # openstacksdk makes a cloud of these variables too.
        is_partly_sourced = openrc.cloud(environ).keys() > {"auth", "auth_type"}
        label = configuration.VARIABLES if is_partly_sourced else "the only cloud"
        return cls._configured(None, label, options, scope)

    @classmethod
    def of_way(cls, name: str, way: Way, options: dict[str, t.Any], scope: dict[str, str] | None) -> TaskCloud:
        """A cloud that was signed in to before, with further options of a task."""
        way = dataclasses.replace(way, options={**way.options, **options}, scope=way.scope if scope is None else scope)
        label = f"cloud {name!r}" if way.cloud else configuration.VARIABLES
        return cls._of_way(name, label, way)

    @classmethod
    def _of_way(cls, name: str, label: str, way: Way) -> TaskCloud:
        with explained(label):
            region = way.region(_checked(label, way.scope, way.options))
        is_plain = way.is_as_configured and (way.cloud is not None or _is_read_alike_by_tasks(region))
        return cls(name, label, region, way, is_plain)

    @classmethod
    def _configured(
        cls,
        cloud: str | None,
        label: str,
        options: dict[str, t.Any],
        scope: dict[str, str] | None,
    ) -> TaskCloud:
        refuse_quoted_mapping(cloud)
        with explained(label):
            configuration.refuse_malformed_file()
            loader = _loader(label, options, scope)
            if not cloud:
                cloud = _only_cloud(loader)
                label = f"cloud {cloud!r}"
            elif cloud not in loader.get_cloud_names():
                raise unknown_cloud(cloud, loader)
            region = loader.get_one(cloud, **options)
        files = [
            [os.path.abspath(path)] if path else [] for path in (loader.config_filename, loader.secure_config_filename)
        ]
        way = Way(cloud, files[0], files[1], options, scope)
        return cls(cloud, label, region, way, way.is_as_configured)

    @classmethod
    def _explicit(
        cls,
        params: t.Mapping[str, t.Any],
        environ: t.Mapping[str, str],
        options: dict[str, t.Any],
        scope: dict[str, str] | None,
    ) -> TaskCloud:
        """Credentials that are given to the task, with a cloud or the OS_* variables for the rest."""
        cloud, auth, label = params["cloud"], params["auth"] or {}, label_of(params)
        given = dict(cloud) if isinstance(cloud, dict) else {"cloud": cloud}
        given = {key.replace("-", "_"): value for key, value in given.items()}
        if params["auth_type"]:
            given["auth_type"] = params["auth_type"]
        given["auth"] = {**(given.get("auth") or {}), **auth}
        name = given.pop("cloud", None)
        refuse_quoted_mapping(name)
        if not name and openrc.is_sourced(environ) and not environ.get("OS_CLOUD") and not isinstance(cloud, dict):
            base = openrc.cloud(environ, params["auth_type"])
            given = {**base, **given}
        with explained(label):
            if not name:
                region = clouds.unnamed(given, options, scope, _checked(label, scope, options))
            else:
                region = _loader(label, options, scope).get_one(name, **{**given, **options})
        return cls(name or UNNAMED, label, region, None, False)


def sdk_options(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The connection options that were given, under openstacksdk's names."""
    given = {sdk_name: params[name] for name, sdk_name in SDK_NAMES.items()}
    return {name: value for name, value in given.items() if value is not None}


def is_name(cloud: t.Any) -> bool:
    """Whether a message may quote it: a mapping has a password, also one that was converted to a string."""
    return not isinstance(cloud, (dict, list, tuple)) and not set("{\n") & set(str(cloud))


def refuse_quoted_mapping(cloud: t.Any) -> None:
    if not isinstance(cloud, dict) and not is_name(cloud):
        raise ConfigurationError(
            "The cloud is not known because its name looks like a mapping in quotes: give the option cloud the name of "
            "a cloud, or a mapping without quotes, and OS_CLOUD a name."
        )


def label_of(params: t.Mapping[str, t.Any]) -> str:
    """The name in messages of the cloud of these options."""
    cloud = params["cloud"]
    if isinstance(cloud, str) and cloud and is_name(cloud):
        return f"cloud {cloud!r}"
    return "the cloud option" if cloud else "the auth option" if params["auth"] else "the environment"


def scope_of(params: t.Mapping[str, t.Any]) -> dict[str, str] | None:
    """The scope that the options ask for; None for the configured one."""
    asked = [name for name in ("project", "domain", "system", "unscoped") if params.get(name)]
    if len(asked) > 1:
        raise ConfigurationError(f"A token has one scope, but {' and '.join(asked)} are given: keep one of them.")
    if not asked:
        return None
    if params.get("project"):
        scope = _name_or_id("project", params["project"])
        if params.get("project_domain"):
            scope.update(_name_or_id("project_domain", params["project_domain"]))
        return scope
    if params.get("domain"):
        return _name_or_id("domain", params["domain"])
    return {"system_scope": "all"} if params.get("system") else {}


def unknown_cloud(name: str, loader: t.Any) -> ConfigurationError:
    """The error for a cloud that is not configured."""
    if why := configuration.absent_config_file(os.environ):
        return ConfigurationError(f"Cloud {name!r} is not known because {why}.")
    unreadable = next(
        (path for path in loader._config_files if os.path.exists(path) and not os.access(path, os.R_OK)), ""
    )
    if unreadable:
        return ConfigurationError(
            f"Cloud {name!r} is not known because this user cannot read {unreadable}: change the file's owner or mode, "
            "or set OS_CLIENT_CONFIG_FILE to another."
        )
    if loader.config_filename is None:
        return ConfigurationError(
            f"Cloud {name!r} is not known because no clouds.yaml was found: write one, or set OS_CLIENT_CONFIG_FILE."
        )
    known = _of_files(loader)
    if not known:
        return ConfigurationError(
            f"Cloud {name!r} is not in {loader.config_filename}, which has no cloud: add it there."
        )
    return ConfigurationError(
        f"Cloud {name!r} is not in {loader.config_filename}, which has {', '.join(known)}: name one of these, or add "
        "it there."
    )


def _loader(label: str, options: dict[str, t.Any], scope: dict[str, str] | None, **sources: bool) -> t.Any:
    """openstacksdk's loader of configuration, with a check that the cloud can be signed in to."""
    return clouds.loader(scope, _checked(label, scope, options), **sources)


def _checked(label: str, scope: dict[str, str] | None, options: dict[str, t.Any]) -> clouds.Check:
    return functools.partial(_check, label, scope, options.get("validate", True))


def _check(label: str, scope: dict[str, str] | None, validate: bool, config: dict[str, t.Any]) -> None:
    if scope is not None and str(config.get("auth_type")).endswith("applicationcredential"):
        raise ConfigurationError(f"The application credential of {label} is bound to its project: leave out the scope.")
    configuration.refuse_unusable(label, config)
    if validate:
        configuration.refuse_incomplete(label, config)


def _is_read_alike_by_tasks(region: CloudRegion) -> bool:
    """Whether openstacksdk by itself loads the same cloud from the OS_* variables."""
    try:
        config = clouds.loader(None, load_yaml_config=False).get_one().config
    # openstacksdk cannot load them.
    except Exception:  # pylint: disable=broad-exception-caught
        return False
    return all(config.get(key) == region.config.get(key) for key in ("auth", "auth_type"))


def _name_or_id(key: str, value: str) -> dict[str, str]:
    # Keystone's ids are 32 hexadecimal digits, except that of its first domain.
    is_id = _ID.fullmatch(value) or ("domain" in key and value == "default")
    return {f"{key}_id" if is_id else f"{key}_name": value}


def _only_cloud(loader: t.Any) -> str:
    configured = _of_files(loader)
    # Of variables without an address: with one, they are used without a cloud's name.
    of_variables = [name for name in loader.get_cloud_names() if name == loader.envvar_key]
    names = [*configured, *of_variables]
    if len(names) == 1:
        return names[0]
    found = [f"{loader.config_filename} has {', '.join(configured)}"] if configured else []
    found += ["the OS_* variables lack OS_AUTH_URL"] if of_variables else []
    choice = f" ({'; '.join(found)})" if found else ""
    raise ConfigurationError(
        f"No cloud is named: set the option cloud (--os-cloud of onetoken) or the variable OS_CLOUD{choice}, or source "
        "an openrc file."
    )


def _of_files(loader: t.Any) -> list[str]:
    """The clouds of clouds.yaml, without that of the OS_* variables."""
    names = loader.get_cloud_names()
    return [] if names == [_DEFAULTS] else sorted(str(name) for name in names if name != loader.envvar_key)
