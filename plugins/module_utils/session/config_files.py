# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clouds.yaml and secure.yaml of the user, found where openstacksdk finds them.

Read without openstacksdk, whose import takes longer than all else that a playbook's start costs.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import sys
import typing as t

from . import cloud_entry
from .errors import ConfigurationError, SourceUnreadableError

_ENDINGS = (".yaml", ".yml", ".json")


@dataclasses.dataclass(frozen=True)
class ConfigFiles:
    """Which files the user's clouds come from."""

    clouds: str | None = None
    secure: str | None = None
    #: Where there is no clouds: the first that would have been it, if this user could read it.
    unreadable: str | None = None

    @classmethod
    def of_user(cls, environ: t.Mapping[str, str] | None = None) -> ConfigFiles:
        """The files that openstacksdk uses in this process, or in one with the given environment."""
        environ = os.environ if environ is None else environ
        named = environ.get("OS_CLIENT_CONFIG_FILE")
        clouds = _first_readable(_existing("clouds", named, environ))
        secure = _first_readable(_existing("secure", environ.get("OS_CLIENT_SECURE_FILE"), environ))
        return cls(clouds, secure, None if clouds else next(_existing("clouds", named, environ), None))

    def entries(self) -> dict[str, cloud_entry.Entry]:
        """Every cloud of these files, secrets included."""
        merged: dict[str, t.Any] = {}
        for path in (self.clouds, self.secure):
            if path is None:
                continue
            if not os.access(path, os.R_OK):
                raise SourceUnreadableError(
                    f"The credentials cannot be read again from {path}: make that file readable for this user, or "
                    "renew the token where it is."
                )
            merged = _merged(merged, _clouds_of(path))
        # What is no mapping is no cloud, to openstacksdk neither, and keeps no other from being used.
        return {str(name): cloud_entry.normalized(entry) for name, entry in merged.items() if isinstance(entry, dict)}


def _existing(stem: str, named: str | None, environ: t.Mapping[str, str]) -> t.Iterator[str]:
    """The files that are there, the one that a variable names before all others."""
    paths = itertools.chain([named] if named else [], _searched(stem, environ))
    return (os.path.abspath(path) for path in paths if os.path.exists(path) and not os.path.isdir(path))


def _first_readable(paths: t.Iterable[str]) -> str | None:
    """Like openstacksdk, pass over what this user cannot read."""
    for path in paths:
        if os.access(path, os.R_OK):
            _clouds_of(path)
            return path
    return None


def _searched(stem: str, environ: t.Mapping[str, str]) -> t.Iterator[str]:
    home = environ.get("HOME") or os.path.expanduser("~")
    unix_home = os.path.join(environ.get("SNAP_REAL_HOME") or home, ".config")
    if sys.platform == "darwin":
        user, site = os.path.join(home, "Library", "Application Support"), "/Library/Application Support"
    else:
        user = environ.get("XDG_CONFIG_HOME", "")
        user = user if os.path.isabs(user) else os.path.join(home, ".config")
        sites = [path for path in environ.get("XDG_CONFIG_DIRS", "").split(os.pathsep) if os.path.isabs(path)]
        # Of several, openstacksdk makes one path that leads nowhere.
        site = sites[0] if len(sites) == 1 else "" if sites else "/etc/xdg"
    parents = [parent for parent in (user, unix_home, site, "/etc") if parent]
    folders = [os.getcwd(), *(os.path.join(parent, "openstack") for parent in parents)]
    return (os.path.join(folder, stem + ending) for folder in folders for ending in _ENDINGS)


def _clouds_of(path: str) -> dict[str, t.Any]:
    import yaml

    try:
        with open(path, encoding="utf-8") as stream:
            content = json.load(stream) if path.endswith(".json") else yaml.safe_load(stream)
    except yaml.MarkedYAMLError as exc:
        # The line itself may hold the password.
        where = f" near line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        raise ConfigurationError(f"{path} cannot be used because it is not valid YAML{where}: correct it.") from None
    except (yaml.YAMLError, ValueError, OSError) as exc:
        form = "JSON" if path.endswith(".json") else "YAML"
        raise ConfigurationError(f"{path} cannot be used ({type(exc).__name__}): write it as UTF-8 {form}.") from None
    if content is None:
        return {}
    clouds = content.get("clouds") or {} if isinstance(content, dict) else None
    if not isinstance(clouds, dict):
        raise ConfigurationError(f"{path} cannot be used because it has no mapping of clouds: correct it.")
    return clouds


def _merged(first: t.Mapping[str, t.Any], second: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """One mapping laid over the other, at every level."""
    merged = dict(first)
    for key, value in second.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged
