# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which programs a server runs in a fork."""

from __future__ import annotations

import os

#: The name that all modules of openstack.cloud have in common; a command has its path.
MODULES = "modules"
COMMAND = "openstack"
#: What is in every archive that Ansible makes of a module of theirs.
_MODULE = b"ansible_collections.openstack.cloud.plugins.modules."


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
