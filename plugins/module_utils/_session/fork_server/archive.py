# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library in an archive of Ansible's, compiled once for all programs that have the same one.

Ansible's wrapper puts its archive in front of the search path, from which Python would compile some seventy files, each
time. What it imports is taken from a compiled copy instead; the name of that is made of the archive's content.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import importlib.machinery
import importlib.util
import io
import marshal
import os
import re
import sys
import typing as t
import zipfile

from ..store import directory
from .lock import locked

#: In the wrapper, nothing else that looks like this is that long.
_ARCHIVE = re.compile(rb"[A-Za-z0-9+/]{1000,}={0,2}")
#: For a compiled file: never compared with its source, which cannot change.
_UNCHECKED = 1
_TOP = ("ansible", "ansible_collections")


class Finder:
    """Finds the library in the compiled copy, wherever else it is."""

    def __init__(self, path: str) -> None:
        self._path = [path]

    def find_spec(self, name: str, path: t.Any = None, target: t.Any = None) -> t.Any:
        return importlib.machinery.PathFinder.find_spec(name, self._path) if name in _TOP else None


def use_compiled(script: bytes, folder: int, path: str) -> None:
    """Have the script find its library compiled, in this folder of the session; if that cannot be, in its archive."""
    # What is wrong with an archive, zipfile, zlib and the compiler report by exceptions of many kinds.
    with contextlib.suppress(Exception):
        found = max(_ARCHIVE.findall(script), key=len, default=None)
        if found is not None:
            name = f"{hashlib.sha256(found).hexdigest()[:32]}.{sys.implementation.cache_tag}.zip"
            if not _is_there(folder, name):
                _compile_once(folder, name, found, os.path.join(path, name))
            sys.meta_path.insert(0, Finder(os.path.join(path, name)))


def _is_there(folder: int, name: str) -> bool:
    return os.access(name, os.R_OK, dir_fd=folder)


def _compile_once(folder: int, name: str, encoded: bytes, path: str) -> None:
    """Others that need the same wait meanwhile: on a busy machine, that is faster than to do the same."""
    with locked(folder, "compile.lock"):
        if not _is_there(folder, name):
            directory.write_bytes(folder, name, _compiled(base64.b64decode(encoded), path))


def _compiled(archive: bytes, path: str) -> bytes:
    copy = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            data = source.read(name)
            # With the source, for tracebacks.
            target.writestr(name, data)
            if name.endswith(".py"):
                code = compile(data, os.path.join(path, name), "exec", dont_inherit=True)
                header = importlib.util.MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + bytes(8)
                target.writestr(f"{name}c", header + marshal.dumps(code))
    return copy.getvalue()
