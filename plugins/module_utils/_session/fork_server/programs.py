# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs a server runs in a fork, and what it imports for them beforehand."""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import sys

#: The name that all modules of openstack.cloud have in common; a command has its path.
MODULES = "modules"
COMMAND = "openstack"
#: What is in every archive that Ansible makes of a module of theirs.
_MODULE = b"ansible_collections.openstack.cloud.plugins.modules."
#: What Ansible's library for modules imports, or openstacksdk when it is first used.
_LIBRARIES = (
    *("base64", "contextvars", "ctypes", "distro", "dogpile.cache.backends.null", "encodings.cp437", "encodings.idna"),
    *("grp", "json", "logging", "netrc", "pkgutil", "platform", "pwd", "runpy", "selectors", "shlex", "shutil"),
    *("syslog", "systemd.journal", "tempfile", "typing_extensions", "zipfile"),
)


def is_module(script: bytes) -> bool:
    return b"_ansiballz_main" in script and _MODULE in script


def of_arguments(arguments: list[str]) -> str | None:
    """The program of these arguments of Python; None for one that is run as ever."""
    if len(arguments) == 1 and os.path.basename(arguments[0]).startswith("AnsiballZ_"):
        with open(arguments[0], "rb") as stream:
            return MODULES if is_module(stream.read()) else None
    # Without a command of its own it talks with its user, who may stop it and let it go on.
    if len(arguments) > 1 and os.path.basename(arguments[0]) == COMMAND:
        return os.path.abspath(arguments[0])
    return None


def prepare(program: str) -> None:
    """Import what each fork would import."""
    _import_all("onetoken_session.sign_in")
    if program == MODULES:
        _prepare_for_modules()
    else:
        # The name under which the command speaks of itself is that of the program which imports it.
        sys.argv[0] = program
        importlib.import_module("openstackclient.shell")


def _import_all(package: str) -> None:
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")


def _prepare_for_modules() -> None:
    importlib.import_module("openstack.connection")
    # Reads the entry points of all that is installed.
    importlib.import_module("keystoneauth1.loading").get_plugin_loader("password")
    for name in _LIBRARIES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
