# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The layers of plugins/: a file imports only from its own layer and from those below it."""

from __future__ import annotations

import typing as t

from .imports import FILES, ours

SESSION = "module_utils._session"
BULK = "module_utils._bulk"


class Layer(t.NamedTuple):
    #: A file is of the layer with the longest of the names that its own name begins with.
    names: tuple[str, ...]
    holds: str


#: Lowest first.
LAYERS = (
    Layer((f"{SESSION}.util",), "clocks, waiting, locks, errors"),
    Layer((f"{SESSION}.store",), "the session's directory"),
    Layer((f"{SESSION}.rate_limit",), "one limit for all processes"),
    Layer((f"{SESSION}.transport",), "requests at that limit"),
    Layer((f"{SESSION}.revoke",), "revocation, watcher, sweep"),
    Layer((f"{SESSION}.sign_in",), "the sign-in cache"),
    Layer((f"{SESSION}.fork_server",), "programs in forks"),
    Layer((SESSION,), "sitecustomize and its hook"),
    Layer(("module_utils._session_setup",), "makes a session"),
    Layer(("module_utils._modules",), "what modules share"),
    Layer((f"{BULK}.model",), "items, actions, reasons, errors"),
    Layer((f"{BULK}.control",), "what limits and stops a run"),
    Layer((f"{BULK}.engine",), "the course of a run"),
    Layer((f"{BULK}.api",), "requests to the services"),
    Layer((f"{BULK}.resources",), "servers, volumes, images"),
    Layer((f"{BULK}.actions.common",), "what actions share"),
    Layer((f"{BULK}.actions",), "one for each bulk module"),
    Layer((f"{BULK}.retention",), "deletes expired copies"),
    Layer((f"{BULK}.report",), "results, files, page"),
    Layer((BULK,), "from options to a run"),
    Layer(("plugin_utils",), "on the controller only"),
    Layer(("modules", "doc_fragments", "callback", "inventory", "lookup", "action"), "what users call"),
)


def layer_of(name: str) -> int:
    """The number of a file's layer; 0 is the lowest."""
    matches = [
        (len(prefix), number)
        for number, layer in enumerate(LAYERS)
        for prefix in layer.names
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


def imported_layers() -> dict[int, set[int]]:
    """The other layers that each layer imports, by their numbers."""
    found: dict[int, set[int]] = {number: set() for number in range(len(LAYERS))}
    for name in FILES:
        found[layer_of(name)] |= {layer_of(module) for module in ours(name)} - {layer_of(name)}
    return found
