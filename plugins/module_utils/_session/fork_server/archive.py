# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Archives that Ansible makes of modules and their library, compiled once for all programs with the same one.

The name of a compiled copy is a digest of the archive.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import json
import marshal
import os
import re
import sys
import zipfile

from ..store import directory
from .lock import locked

#: Nothing else in the wrapper that looks like this is as long.
_ARCHIVE = re.compile(rb"[A-Za-z0-9+/]{1000,}={0,2}")
#: The flag of a compiled file that is never compared with its source, which cannot change.
_UNCHECKED = 1
#: The suffix of compiled copies for this Python.
SUFFIX = f".{sys.implementation.cache_tag}.zip"
_CONTENTS = ".json"


def compiled(script: bytes, folder: int, path: str) -> str | None:
    """The name of the compiled copy of a script's archive; None without an archive.

    A damaged archive raises many kinds of exceptions of zipfile, zlib and the compiler.

    :param folder: a handle on the directory of the session that has the copies
    :param path: its path
    """
    found = max(_ARCHIVE.findall(script), key=len, default=None)
    if found is None:
        return None
    name = f"{hashlib.sha256(found).hexdigest()[:32]}{SUFFIX}"
    if not is_compiled(folder, name):
        _compile_once(folder, name, found, os.path.join(path, name))
    return name


def contents(folder: int, name: str) -> dict[str, str]:
    """The digest of each file in the archive of a compiled copy, by its path there."""
    found = directory.read(folder, f"{name}{_CONTENTS}")
    return {} if found is None else dict(json.loads(found))


def is_compiled(folder: int, name: str) -> bool:
    return os.access(name, os.R_OK, dir_fd=folder)


def _compile_once(folder: int, name: str, encoded: bytes, path: str) -> None:
    """Others that need the same copy wait: on a busy machine, that is faster than compiling it again."""
    with locked(folder, "compile.lock"):
        if not is_compiled(folder, name):
            copy, digests = compile_archive(base64.b64decode(encoded), path)
            # First: every copy needs its list of contents.
            directory.write(folder, f"{name}{_CONTENTS}", json.dumps(digests))
            directory.write_bytes(folder, name, copy)


def compile_archive(archive: bytes, path: str) -> tuple[bytes, dict[str, str]]:
    """The compiled copy, and the digest of each file in the archive."""
    copy, digests = io.BytesIO(), {}
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(copy, "w", zipfile.ZIP_STORED) as target:
        for name in source.namelist():
            data = source.read(name)
            digests[name] = hashlib.sha256(data).hexdigest()
            # With the source, for tracebacks.
            target.writestr(name, data)
            if name.endswith(".py"):
                code = compile(data, os.path.join(path, name), "exec", dont_inherit=True)
                header = importlib.util.MAGIC_NUMBER + _UNCHECKED.to_bytes(4, "little") + bytes(8)
                target.writestr(f"{name}c", header + marshal.dumps(code))
    return copy.getvalue(), digests
