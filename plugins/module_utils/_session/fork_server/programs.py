# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that a server runs in forks."""

from __future__ import annotations

import os

#: The name of all modules of openstack.cloud; the name of a command is its path.
MODULES = "modules"
COMMAND = "openstack"
#: In every script that Ansible makes of such a module.
_MODULE = b"ansible_collections.openstack.cloud.plugins.modules."


def is_module(script: bytes) -> bool:
    return b"_ansiballz_main" in script and _MODULE in script


def of_arguments(arguments: list[str]) -> str | None:
    """The name of the program that Python's arguments start; None if no server runs it."""
    if len(arguments) == 1 and os.path.basename(arguments[0]).startswith("AnsiballZ_"):
        with open(arguments[0], "rb") as stream:
            return MODULES if is_module(stream.read()) else None
    # Without a command it is interactive, and its user may stop and continue it.
    if len(arguments) > 1 and os.path.basename(arguments[0]) == COMMAND:
        return os.path.abspath(arguments[0])
    return None
