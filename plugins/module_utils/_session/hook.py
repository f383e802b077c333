# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wraps methods of keystoneauth at the moment of its import.

A process that never imports it pays only for this file, which therefore imports nothing that Python has not loaded yet.
"""

import sys
from _thread import _local

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Importing this, or annotations from __future__, takes longer than all of this file.
    import typing as t

#: The modules of keystoneauth with methods that are wrapped.
WANTED = (
    "keystoneauth1.discover",
    "keystoneauth1.identity.base",
    "keystoneauth1.identity.v3.base",
    "keystoneauth1.identity.v3.federation",
    "keystoneauth1.session",
)
_busy = _local()


class Finder:
    """Wraps the loader that another finder returns."""

    @staticmethod
    def find_spec(name: str, path: "t.Any" = None, target: "t.Any" = None) -> "t.Any":
        if name not in WANTED or getattr(_busy, "found", False):
            return None
        # Another finder may ask all others again.
        _busy.found = True
        try:
            spec = _spec(name, path, target)
        finally:
            _busy.found = False
        plain = getattr(getattr(spec, "loader", None), "exec_module", None)
        if plain is None:
            return None

        def exec_module(module: "t.Any") -> None:
            plain(module)
            _wrap(module)

        try:
            # On the instance: pkgutil and zip files need the loader's own class.
            spec.loader.exec_module = exec_module
        except AttributeError:
            return None
        return spec


def install() -> None:
    """Wrap what is imported already, and what will be."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
    for name in WANTED:
        if name in sys.modules:
            _wrap(sys.modules[name])


def _spec(name: str, path: "t.Any", target: "t.Any") -> "t.Any":
    for finder in sys.meta_path:
        find_spec = None if isinstance(finder, Finder) else getattr(finder, "find_spec", None)
        spec = None if find_spec is None else find_spec(name, path, target)
        if spec is not None:
            return spec
    return None


def _wrap(module: "t.Any") -> None:
    try:
        from .sign_in import instrumentation

        instrumentation.wrap(module)
    except Exception:  # pylint: disable=broad-exception-caught
        from .util import broken

        broken.report()
