# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud in the user's configuration, which openstacksdk reads at the moment of the sign-in."""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ..util.version import APPLICATION, VERSION
from . import openrc

#: The keys of a scope; in a configuration they are in auth or beside it.
SCOPE_KEYS = frozenset(
    {
        *("project_id", "project_name", "project_domain_id", "project_domain_name", "tenant_id", "tenant_name"),
        *("domain_id", "domain_name", "system_scope"),
    }
)
#: The name for a cloud without one: that of the OS_* variables, or of an explicit auth.
UNNAMED = "onetoken"

Check = t.Callable[["dict[str, t.Any]"], None]


@dataclasses.dataclass(frozen=True)
class Way:
    """How to sign in to a cloud again: no secret is in it."""

    #: The cloud's name; None for the OS_* variables.
    cloud: str | None
    #: The configuration files that were found for it.
    files: list[str] = dataclasses.field(default_factory=list)
    secure_files: list[str] = dataclasses.field(default_factory=list)
    #: Options that override the configuration.
    options: dict[str, t.Any] = dataclasses.field(default_factory=dict)
    #: A scope that overrides the configured one; an empty one asks for an unscoped token.
    scope: dict[str, str] | None = None

    @property
    def is_as_configured(self) -> bool:
        """Whether nothing but a region overrides the configuration."""
        return self.scope is None and not set(self.options) - {"region_name"}

    def region(self, check: Check | None = None) -> t.Any:
        """openstacksdk's configuration of the cloud, ready to authenticate."""
        if self.cloud is None:
            variables = openrc.cloud(os.environ, self.options.get("auth_type"))
            return unnamed(variables, self.options, self.scope, check)
        files = loader(self.scope, check, load_envvars=False, config_files=self.files, secure_files=self.secure_files)
        return files.get_one(self.cloud, **self.options)


def unnamed(
    config: dict[str, t.Any], options: dict[str, t.Any], scope: t.Mapping[str, str] | None, check: Check | None = None
) -> t.Any:
    """The same for a cloud that is in no file."""
    if "region_name" in options and "regions" not in config:
        # Otherwise, openstacksdk takes the configured region for the only one.
        config = {**config, "region_name": options["region_name"]}
    alone = loader(scope, check, load_yaml_config=False, load_envvars=False)
    alone.cloud_config = {"clouds": {UNNAMED: config}}
    return alone.get_one(UNNAMED, **options)


def loader(scope: t.Mapping[str, str] | None, check: Check | None = None, **options: t.Any) -> t.Any:
    """openstacksdk's loader of configuration, which overrides the scope and checks the result."""
    import openstack.config

    class Loader(openstack.config.OpenStackConfig):
        def auth_config_hook(self, config: dict[str, t.Any]) -> dict[str, t.Any]:
            config = super().auth_config_hook(config)
            if scope is not None:
                config = with_scope(config, scope)
            if check is not None:
                check(config)
            return config

    return Loader(app_name=APPLICATION, app_version=VERSION, **options)


def with_scope(config: dict[str, t.Any], scope: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The same configuration for another scope: a project, a domain, the system, or none if the scope is empty."""
    auth = dict(config.get("auth") or {})
    rescoped = {key: value for key, value in config.items() if key not in SCOPE_KEYS}
    rescoped["auth"] = {key: value for key, value in auth.items() if key not in SCOPE_KEYS}
    project_domain = ("project_domain_id", "project_domain_name")
    if "project_name" in scope and not scope.keys() & set(project_domain):
        # A project's name needs a domain: the configured one.
        for key in project_domain:
            value = config.get(key) or auth.get(key)
            if value:
                rescoped["auth"][key] = value
    rescoped["auth"].update(scope)
    return rescoped
