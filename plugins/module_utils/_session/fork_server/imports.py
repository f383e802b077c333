# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server imports in advance for its forks."""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import pkgutil
import sys
import typing as t
from importlib import metadata

from .programs import MODULES

#: The session's code that a program needs.
_LAYERS = ("store", "rate_limit", "transport", "sign_in")
#: Installing another version of one of these changes its parent directory.
_PACKAGES = ("openstack", "keystoneauth1", "openstackclient")
#: The prefix of the groups of entry points with the commands of openstackclient.
_COMMANDS = "openstack."
#: What Ansible's library for modules imports, or openstacksdk at its first use.
_LIBRARIES = (
    *("base64", "contextvars", "ctypes", "distro", "dogpile.cache.backends.null", "encodings.cp437", "encodings.idna"),
    *("grp", "json", "logging", "netrc", "pkgutil", "platform", "pwd", "runpy", "selectors", "shlex", "shutil"),
    *("syslog", "systemd.journal", "tempfile", "typing_extensions", "zipfile"),
)


def at_once(program: str) -> None:
    """Import what every fork needs."""
    for layer in _LAYERS:
        _import_all(f"onetoken_session.{layer}")
    if program == MODULES:
        _import_for_modules()
    else:
        # cliff reads its name from there when it is imported.
        sys.argv[0] = program
        importlib.import_module("openstackclient.shell")


def when_idle(program: str) -> t.Iterator[t.Callable[[], object]]:
    """Imports for a server that is idle, one at a time: all commands, as each command imports all of them."""
    if program != MODULES:
        loading = importlib.import_module("keystoneauth1.loading")
        yield loading.get_available_plugin_loaders
        # The distribution of a command, for the end of its help, which each command makes and few show.
        yield getattr(importlib.import_module("cliff.command"), "_get_distributions_by_modules", lambda: None)
        points = [point for distribution in metadata.distributions() for point in distribution.entry_points]
        for name in sorted({point.value.partition(":")[0] for point in points if point.group.startswith(_COMMANDS)}):
            yield functools.partial(importlib.import_module, name)


def state_of_packages() -> list[tuple[int, ...] | None]:
    """A value that changes when the imported packages, or others beside them, are installed, upgraded or removed."""
    places = [os.path.dirname(sys.modules[name].__path__[0]) for name in _PACKAGES if name in sys.modules]
    return [_state_of(place) for place in sorted(set(places))]


def _state_of(directory: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(directory)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_mtime_ns


def _import_all(package: str) -> None:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")


def _import_for_modules() -> None:
    importlib.import_module("openstack.connection")
    # Reads all installed entry points.
    importlib.import_module("keystoneauth1.loading").get_plugin_loader("password")
    for name in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
