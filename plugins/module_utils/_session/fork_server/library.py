# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Ansible's library, which every module brings along in its archive, and imports.

Ansible's wrapper puts the archive in front of the search path, and Python would compile some seventy files in it for
each program. The first program imports them from a compiled copy instead. Then the server imports the library from
there, and later programs use it if theirs is the same.
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

#: The packages in the archive.
_TOP = ("ansible", "ansible_collections")
#: What all modules of openstack.cloud import; modules of other collections may not need the second.
_NEEDED = "ansible.module_utils.basic"
_COMMON = "ansible_collections.openstack.cloud.plugins.module_utils.openstack"
#: The module itself is below this in the archive.
_MODULES = "/plugins/modules/"


class Finder:
    """Finds the library in a compiled copy, before any other place."""

    def __init__(self, path: str) -> None:
        self._path = [path]

    def find_spec(self, name: str, path: t.Any = None, target: t.Any = None) -> t.Any:
        return importlib.machinery.PathFinder.find_spec(name, self._path) if name in _TOP else None


@dataclasses.dataclass(frozen=True)
class Library:
    """The library that a server has imported."""

    #: The path of its compiled copy.
    path: str
    #: The digest of each file, by its path in the archive.
    files: t.Mapping[str, str]

    def use(self, path: str, files: t.Mapping[str, str]) -> None:
        """Have a program with its own compiled copy use this library.

        :raises DeclinedError: the program's library differs
        """
        if any(files.get(file, digest) != digest for file, digest in self.files.items() if _MODULES not in file):
            raise DeclinedError("its archive has another library of Ansible's than the server has")
        for name, module in list(sys.modules.items()):
            if name.partition(".")[0] in _TOP and hasattr(module, "__path__"):
                # What has not been imported yet, such as the module itself, comes from its own copy.
                module.__path__[:] = [place.replace(self.path, path, 1) for place in module.__path__]


def find(folder: int, path: str) -> Library | None:
    """The compiled library that a program has left in this directory of the session, given by handle and path."""
    name = next((name for name in sorted(os.listdir(folder)) if name.endswith(archive.SUFFIX)), None)
    return None if name is None else Library(os.path.join(path, name), archive.contents(folder, name))


def import_from(path: str) -> None:
    """Import what modules need from a compiled copy."""
    finder = Finder(path)
    sys.meta_path.insert(0, finder)
    try:
        importlib.import_module(_NEEDED)
        with contextlib.suppress(ImportError):
            importlib.import_module(_COMMON)
    finally:
        sys.meta_path.remove(finder)


def use(script: bytes, folder: int, path: str, imported: Library | None) -> None:
    """Have a script use the imported library, or its own compiled copy, or else its archive.

    :param folder: a handle on the directory of the session that has the copies
    :param path: its path
    :raises DeclinedError: it cannot use the imported library
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
