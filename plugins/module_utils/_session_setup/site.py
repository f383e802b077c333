# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The content of a session's site/: a copy of the package _session, for processes without Ansible."""

from __future__ import annotations

import importlib
import os
import pkgutil
import typing as t

from .. import _session
from .._session.store.session import PACKAGE
from .._session.util.errors import SessionError

if t.TYPE_CHECKING:
    # Ansible must ship these, and what they import, with a module. They are read as text: importing them would take
    # longer than everything else at the start of a run.
    from .._session import hook, sitecustomize  # noqa: F401  # pylint: disable=unused-import
    from .._session.fork_server import door, main, server  # noqa: F401  # pylint: disable=unused-import
    from .._session.revoke import sweep, watcher, watcher_client  # noqa: F401  # pylint: disable=unused-import
    from .._session.sign_in import instrumentation  # noqa: F401  # pylint: disable=unused-import
    from .._session.transport import sending  # noqa: F401  # pylint: disable=unused-import


def files() -> dict[str, str]:
    """The files of site/ by their path in it."""
    copied = {f"{PACKAGE}/{path}": text for path, text in _sources(_session.__name__, "")}
    copied["sitecustomize.py"] = copied.pop(f"{PACKAGE}/sitecustomize.py")
    return copied


def _sources(package: str, path: str) -> t.Iterator[tuple[str, str]]:
    # The loader knows where the code is: in a directory, or in the archive of a module.
    yield f"{path}__init__.py", _source(package, "__init__.py")
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        if module.ispkg:
            yield from _sources(f"{package}.{module.name}", f"{path}{module.name}/")
        else:
            yield f"{path}{module.name}.py", _source(package, f"{module.name}.py")


def _source(package: str, name: str) -> str:
    text = pkgutil.get_data(package, name)
    if text is None:
        raise SessionError(f"The collection's file {os.path.join(package, name)} cannot be read: install it again.")
    return text.decode("utf-8")
