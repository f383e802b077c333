# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's library, which every module brings along in its archive, and imports.

Ansible's wrapper puts the archive in front of the search path, from which Python would compile some seventy files for
each program. The first program takes them from a compiled copy instead. Then the server imports the library from there:
the next ones have it, as long as theirs is the same.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import importlib.machinery
import os
import sys
import typing as t

from . import archive
from .call import DeclinedError

#: The packages that are looked for in the archive.
_TOP = ("ansible", "ansible_collections")
#: What all modules of openstack.cloud import; one that is not of that collection's own may do without the second.
_NEEDED = "ansible.module_utils.basic"
_COMMON = "ansible_collections.openstack.cloud.plugins.module_utils.openstack"
#: In the archive, the module itself is there.
_MODULES = "/plugins/modules/"


class Finder:
    """Finds the library in a compiled copy, wherever else it is."""

    def __init__(self, path: str) -> None:
        self._path = [path]

    def find_spec(self, name: str, path: t.Any = None, target: t.Any = None) -> t.Any:
        return importlib.machinery.PathFinder.find_spec(name, self._path) if name in _TOP else None


@dataclasses.dataclass(frozen=True)
class Library:
    """The library that a server has imported."""

    #: The compiled copy that it is from.
    path: str
    #: The digest of each file, by its path in the archive.
    files: t.Mapping[str, str]

    def use(self, path: str, files: t.Mapping[str, str]) -> None:
        """Have a program use it that has this compiled copy of its own.

        :raises DeclinedError: when its library is another one
        """
        if any(files.get(file, digest) != digest for file, digest in self.files.items() if _MODULES not in file):
            raise DeclinedError("its archive has another library of Ansible's than the server has")
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in _TOP and hasattr(module, "__path__"):
                # What has not been imported is looked for in its own copy, as is the module itself.
                module.__path__[:] = [place.replace(self.path, path, 1) for place in module.__path__]


def find(folder: int, path: str) -> Library | None:
    """The library that a program has left compiled in this folder of the session, which has this path."""
    name = next((name for name in sorted(os.listdir(folder)) if name.endswith(archive.ENDING)), None)
    return None if name is None else Library(os.path.join(path, name), archive.contents(folder, name))


def import_from(path: str) -> None:
    """Import from a compiled copy what modules import."""
    finder = Finder(path)
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module(_NEEDED)
        with contextlib.suppress(ImportError):
            importlib.import_module(_COMMON)
    finally:
        sys.meta_path.remove(finder)


def use(script: bytes, folder: int, path: str, imported: Library | None) -> None:
    """Have the script use the library that is imported, or else find its own compiled, in this folder of the session
    with this path; if that cannot be, in its archive.

    :raises DeclinedError: when it cannot use what is imported
    """
    name = None
    with contextlib.suppress(Exception):
        name = archive.compiled(script, folder, path)
    if imported is not None:
        if name is None:
            raise DeclinedError("its archive cannot be compiled")
        imported.use(os.path.join(path, name), archive.contents(folder, name))
    elif name is not None:
        sys.meta_path.insert(0, Finder(os.path.join(path, name)))
