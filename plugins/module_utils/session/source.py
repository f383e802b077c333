# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a session's credentials come from; read again whenever a token is needed, never stored."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import typing as t

from . import cloud_entry
from .config_files import ConfigFiles
from .errors import ConfigurationError, SourceUnreadableError
from .version import APPLICATION, VERSION

if t.TYPE_CHECKING:
    from openstack.config.cloud_region import CloudRegion

#: The name, in a session, of a cloud that has none: OS_* variables, or an explicit auth.
UNNAMED = "onetoken"

CONFIG = "config"
ENVIRONMENT = "environment"
EXPLICIT = "explicit"

#: How messages call an environment source.
_VARIABLES = "the OS_* variables"
#: Variables that choose among configured clouds, or do not concern the connection.
_SELECTORS = ("OS_CLOUD", "OS_CLOUD_NAME", "OS_CLIENT_CONFIG_FILE", "OS_CLIENT_SECURE_FILE")
_UNRELATED = ("OS_TEST", "OS_STD", "OS_LOG")
_PASSWORD = ("password", "v3password")
_TOKEN = ("token", "v3token")
#: Others in which a user's name needs a domain.
_BY_NAME = ("v3multifactor", "v3totp")
#: Variables of another way to sign in, such as OS_TOKEN beside a password: openstacksdk hands them to every plugin, and
#: these plugins refuse them.
_LEFT_OVER = {
    **dict.fromkeys((*_PASSWORD, "v3applicationcredential"), ("auth_token", "passcode", "token")),
    **dict.fromkeys(_TOKEN, ("passcode", "user_domain_id", "user_domain_name")),
}


@contextlib.contextmanager
def explained(label: str) -> t.Iterator[None]:
    """Put what the libraries raise over a configuration into a sentence."""
    import keystoneauth1.exceptions
    import openstack.exceptions

    try:
        yield
    except keystoneauth1.exceptions.MissingRequiredOptions as exc:
        raise _incomplete(label, [option.dest for option in exc.options]) from None
    except (keystoneauth1.exceptions.ClientException, openstack.exceptions.SDKException) as exc:
        raise ConfigurationError(f"The configuration of {label} cannot be used: {exc}") from None
    except (AttributeError, IndexError, KeyError, OSError, ValueError) as exc:
        # What a value of another kind than expected leads to in the libraries; it may be quoted there, so not here.
        raise ConfigurationError(
            f"The configuration of {label} cannot be used, because a value in it is not of the kind that openstacksdk "
            f"expects ({type(exc).__name__}): check it."
        ) from None
    except TypeError as exc:
        # keystoneauth's plugins answer a key that they do not know with a TypeError of their constructor.
        key = str(exc).rpartition("argument ")[2].strip("'")
        raise ConfigurationError(
            f"The authentication of {label} has {_as_written(label, key) or 'a key'}, which its auth_type does not "
            "take: remove it."
        ) from None


def _incomplete(label: str, missing: list[str]) -> ConfigurationError:
    names = ", ".join(_as_written(label, name) for name in missing)
    if label != _VARIABLES:
        return ConfigurationError(f"The credentials of {label} are not complete: add {names}.")
    if "token" in missing:
        return ConfigurationError(
            f"The OS_* variables lack {names}, which OS_AUTH_TYPE needs: unset OS_AUTH_TYPE to sign in with a password."
        )
    why = ""
    if "user_domain_name" in missing:
        why = ", which step 3 of the provider's guide unsets"
    elif "password" in missing and os.environ.get("OS_TOKEN"):
        why = ", and OS_TOKEN is used only with OS_AUTH_TYPE=token"
    return ConfigurationError(
        f"The OS_* variables lack {names}{why}: source the openrc file again, or export what is missing."
    )


def _as_written(label: str, key: str) -> str:
    """A key as the user writes it: some write variables."""
    return f"OS_{key.upper()}" if key and label == _VARIABLES else key


@dataclasses.dataclass(frozen=True)
class Source:
    """Where the credentials for one cloud come from, and what of them is asked for."""

    kind: str
    #: The cloud's name in the config files, and in the session.
    cloud: str
    files: ConfigFiles = ConfigFiles()
    #: Connection options that take the place of the configured ones.
    options: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    #: A scope that takes the place of the configured one; an empty one asks for an unscoped token.
    scope: dict[str, str] | None = None
    #: The plugin's name that OS_AUTH_TYPE had before the session's took its place.
    auth_type: str | None = None
    #: Who authenticates and where, as far as it is no secret; not of a config source, where the cloud's name tells.
    public_auth: dict[str, str] = dataclasses.field(default_factory=dict)
    #: An explicit source, credentials included: never recorded, never shown.
    explicit: cloud_entry.Entry | None = dataclasses.field(default=None, repr=False, compare=False)

    @classmethod
    def of_environment(
        cls,
        environ: t.Mapping[str, str],
        files: ConfigFiles,
        options: dict[str, t.Any] | None = None,
        scope: dict[str, str] | None = None,
        auth_type: str | None = None,
    ) -> Source:
        """The OS_* variables of an openrc file that was sourced."""
        auth_type = auth_type or environ.get("OS_AUTH_TYPE") or None
        identity = cloud_entry.identity_of_variables(environ)
        return cls(ENVIRONMENT, UNNAMED, files, options or {}, scope, auth_type, identity)

    def record(self) -> dict[str, t.Any]:
        """What a session may keep of it."""
        return {
            "kind": self.kind,
            "cloud": self.cloud,
            "files": dataclasses.asdict(self.files),
            "options": self.options,
            "scope": self.scope,
            "auth_type": self.auth_type,
            "public_auth": self.public_auth,
        }

    @classmethod
    def of_record(cls, record: dict[str, t.Any]) -> Source:
        return cls(**{**record, "files": ConfigFiles(**record["files"])})

    def entry(self) -> cloud_entry.Entry:
        """The cloud with its credentials, as clouds.yaml would describe it; read now."""
        if self.kind == CONFIG:
            entry = self._configured()
        elif self.kind == ENVIRONMENT:
            entry = self._of_environment(os.environ)
        elif self.explicit is None:
            raise SourceUnreadableError(
                f"The token of cloud {self.cloud!r} cannot be renewed by itself because its credentials were given "
                "to the task that issued it: run os_token_issue again with the same credentials."
            )
        else:
            entry = self.explicit
        if self.scope is not None:
            if str(entry.get("auth_type")).endswith("applicationcredential"):
                raise ConfigurationError(
                    f"The application credential of {self.label()} is bound to its project: leave out the scope."
                )
            entry = cloud_entry.with_scope(entry, self.scope)
        return cloud_entry.with_options(entry, self.options)

    def region(self) -> CloudRegion:
        """openstacksdk's view of the cloud, ready to authenticate."""
        import keystoneauth1.exceptions
        import openstack.config

        config = openstack.config.OpenStackConfig(
            load_yaml_config=False, load_envvars=False, app_name=APPLICATION, app_version=VERSION
        )
        entry = self.entry()
        self._refuse_unusable(entry)
        config.cloud_config = {"clouds": {self.cloud: entry}}
        with explained(self.label()):
            try:
                region = config.get_one(self.cloud, region_name=self.options.get("region_name"))
                missing = _missing(cloud_entry.normalized(region.config))
            except (keystoneauth1.exceptions.OptionError, TypeError):
                missing = _missing(entry)
                if not missing:
                    raise
        if missing:
            raise _incomplete(self.label(), missing)
        return region

    def _refuse_unusable(self, entry: cloud_entry.Entry) -> None:
        """Refuse what would end in a message of a library that quotes it."""
        refuse_quoted_verify(self.label(), entry.get("verify"), cloud_entry.auth_value(entry, "auth_url"))
        for key, value in entry["auth"].items():
            if isinstance(value, (dict, list)):
                raise ConfigurationError(f"The {key} of {self.label()} is not a text: put it in quotes.")
        url = str(cloud_entry.auth_value(entry, "auth_url") or "")
        if url and not re.match(r"https?://[^/@{}]+(/[^{}]*)?$", url):
            raise ConfigurationError(
                f"The auth_url of {self.label()} is not an address such as https://auth.example.com/v3, without a user "
                "name or a password in it: correct it."
            )
        by_credential = any(cloud_entry.auth_value(entry, f"application_credential_{key}") for key in ("id", "name"))
        by_password = (entry.get("auth_type") or "password") in _PASSWORD
        if by_credential and by_password and not cloud_entry.auth_value(entry, "password"):
            raise ConfigurationError(
                f"The credentials of {self.label()} are an application credential: set "
                f"{_as_written(self.label(), 'auth_type')} to v3applicationcredential."
            )

    def label(self) -> str:
        """How messages call it."""
        if self.kind == ENVIRONMENT:
            return _VARIABLES
        if self.kind == EXPLICIT and self.cloud == UNNAMED:
            return "the auth option"
        return f"cloud {self.cloud!r}"

    def _configured(self) -> cloud_entry.Entry:
        entries = self.files.entries()
        if self.cloud not in entries:
            raise unknown_cloud(self.cloud, entries, self.files)
        return entries[self.cloud]

    def _of_environment(self, environ: t.Mapping[str, str]) -> cloud_entry.Entry:
        values = {
            name[len("OS_") :].lower(): value
            for name, value in environ.items()
            if name.startswith("OS_") and value and name not in _SELECTORS and not name.startswith(_UNRELATED)
        }
        if "auth_url" not in values:
            raise SourceUnreadableError(
                "The session's credentials come from OS_* variables, which this process does not have: source the "
                "openrc file before ansible-playbook, or issue the token again."
            )
        auth_type = values["auth_type"] = self.auth_type or "password"
        # Only the openstack command knows this one.
        default_domain = values.pop("default_domain", None)
        for key in ("user_domain", "project_domain"):
            if default_domain and not values.keys() & {f"{key}_id", f"{key}_name"}:
                values[f"{key}_id"] = default_domain
        for key in _LEFT_OVER.get(auth_type, ()):
            values.pop(key, None)
        return cloud_entry.normalized(values)


def _missing(entry: cloud_entry.Entry) -> list[str]:
    """What this way to sign in lacks. Without a domain, keystoneauth still asks, and Keystone answers HTTP 400."""
    auth_type = entry.get("auth_type") or "password"
    # Each: one of these will do.
    needs: list[tuple[str, ...]] = []
    if auth_type in _PASSWORD:
        needs = [("auth_url",), ("username", "user_id"), ("password",)]
    elif auth_type in _TOKEN:
        needs = [("auth_url",), ("token",)]
    # Version 2 of Keystone's interface knows no domains; issue() says what to do about it.
    if not str(cloud_entry.auth_value(entry, "auth_url")).rstrip("/").endswith("/v2.0"):
        domains = ("default_domain_name", "default_domain_id") if auth_type in ("password", "token") else ()
        if auth_type in (*_PASSWORD, *_TOKEN) and cloud_entry.auth_value(entry, "project_name"):
            needs.append(("project_domain_name", "project_domain_id", "project_id", "tenant_id", *domains))
        if auth_type in _PASSWORD or auth_type in _BY_NAME and cloud_entry.auth_value(entry, "username"):
            needs.append(("user_domain_name", "user_domain_id", "user_id", *domains))
    return [keys[0] for keys in needs if not any(cloud_entry.auth_value(entry, key) for key in keys)]


def unknown_cloud(name: str, entries: t.Mapping[str, t.Any], files: ConfigFiles) -> ConfigurationError:
    """What to say of a cloud that is not configured."""
    if why := absent_config_file(os.environ):
        return ConfigurationError(f"Cloud {name!r} is not known because {why}.")
    if files.unreadable:
        return ConfigurationError(
            f"Cloud {name!r} is not known because this user cannot read {files.unreadable}: change the file's owner or "
            "mode, or set OS_CLIENT_CONFIG_FILE to another."
        )
    if files.clouds is None:
        return ConfigurationError(
            f"Cloud {name!r} is not known because no clouds.yaml was found: write one, or set OS_CLIENT_CONFIG_FILE."
        )
    return ConfigurationError(
        f"Cloud {name!r} is not in {files.clouds}, which has {', '.join(sorted(entries)) or 'no cloud'}: name one of "
        "these, or add it there."
    )


def absent_config_file(environ: t.Mapping[str, str]) -> str:
    """Why the clouds.yaml that a variable names is not used; empty when it is, or when none is named."""
    named = environ.get("OS_CLIENT_CONFIG_FILE", "")
    if not named or os.path.exists(named):
        return ""
    if named.startswith("~"):
        return f"OS_CLIENT_CONFIG_FILE is {named}, in which nothing replaces the ~: write the whole path"
    return f"OS_CLIENT_CONFIG_FILE is {named}, which does not exist: correct it"


def refuse_quoted_verify(label: str, verify: t.Any, auth_url: t.Any) -> None:
    """Refuse a truth value that is a text: to requests, each text is the path of a file with certificates."""
    is_quoted = isinstance(verify, str) and verify.lower() in ("false", "true", "no", "yes", "off", "on")
    # Without TLS, it does no harm.
    if is_quoted and str(auth_url).startswith("https:"):
        raise ConfigurationError(
            f"The verify of {label} is the text {verify!r}, which is taken for a file with certificates: write it "
            "without quotes."
        )


def environment_has_credentials(environ: t.Mapping[str, str]) -> bool:
    """Whether an openrc file was sourced."""
    return bool(environ.get("OS_AUTH_URL"))
