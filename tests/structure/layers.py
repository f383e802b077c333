# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of plugins/: a file imports only from its own layer and from those below it."""

from __future__ import annotations

import typing as t

from .imports import FILES, ours

SESSION = "module_utils._session"
BULK = "module_utils._bulk"
#: Lowest first. A file is of the layer with the longest of the names that its own name begins with.
LAYERS = (
    (f"{SESSION}.util",),
    (f"{SESSION}.store",),
    (f"{SESSION}.rate_limit",),
    (f"{SESSION}.transport",),
    (f"{SESSION}.revoke",),
    (f"{SESSION}.sign_in",),
    (f"{SESSION}.fork_server",),
    (SESSION,),
    ("module_utils._session_setup",),
    ("module_utils._modules",),
    (f"{BULK}.model",),
    (f"{BULK}.control",),
    (f"{BULK}.engine",),
    (f"{BULK}.api",),
    (f"{BULK}.resources",),
    (f"{BULK}.actions.common",),
    (f"{BULK}.actions",),
    (f"{BULK}.retention",),
    (f"{BULK}.report",),
    (BULK,),
    ("plugin_utils",),
    ("modules", "doc_fragments", "callback", "inventory", "lookup", "action"),
)


def layer_of(name: str) -> int:
    """The number of a file's layer; 0 is the lowest."""
    matches = [
        (len(prefix), number)
        for number, prefixes in enumerate(LAYERS)
        for prefix in prefixes
        if f"{name}.".startswith(f"{prefix}.")
    ]
    if not matches:
        raise LookupError(f"{name} is in no layer")
    return max(matches)[1]


def violations() -> t.Iterator[tuple[str, str]]:
    """Each import of a file from a layer above its own: the file, and what it imports."""
    for name in FILES:
        for module in sorted(ours(name)):
            if module not in FILES or layer_of(module) > layer_of(name):
                yield name, module
