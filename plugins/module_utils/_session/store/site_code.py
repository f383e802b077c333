# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code that the processes of a run load from their session: written as it was shipped, and nothing else left."""

from __future__ import annotations

import contextlib
import os
import stat
import typing as t

from . import directory
from .session import SITE, Session


def write(session: Session, files: t.Mapping[str, str]) -> None:
    """Put these files, by their path in site/, in place and remove all others; those that are unchanged stay."""
    with session.opened() as handle:
        with session.changing(SITE), directory.subdirectory(handle, SITE) as folder:
            _remove_others(folder, "", files)
        for path, text in sorted(files.items()):
            _write_file(session, handle, path, text)


def _write_file(session: Session, handle: int, path: str, text: str) -> None:
    *folders, name = path.split("/")
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(directory.subdirectory(handle, SITE))
        for inner in folders:
            folder = stack.enter_context(directory.subdirectory(folder, inner))
        # Made by the superuser later, under become, its owner could not clear it away.
        with directory.subdirectory(folder, "__pycache__"):
            pass
        if directory.read(folder, name) != text:
            # After a crash, the next run writes them again, and no other process runs them.
            directory.write_bytes(folder, name, text.encode("utf-8"), outlasts_crash=False)
        # What was compiled before was removed, as nobody can see what is in it.
        _compile(os.path.join(session.site, path))


def _remove_others(folder: int, path: str, files: t.Mapping[str, str]) -> None:
    """Remove what is in a folder of site/ and was not shipped, and what was compiled."""
    folders = {os.path.dirname(file) for file in files}
    for name in os.listdir(folder):
        inner_path = os.path.join(path, name)
        # Processes that load the code at this moment compile it, too.
        with contextlib.suppress(FileNotFoundError):
            mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                with directory.nested(folder, name) as inner:
                    _remove_others(inner, inner_path, files)
                if inner_path not in folders and (name != "__pycache__" or path not in folders):
                    os.rmdir(name, dir_fd=folder)
            elif inner_path not in files or not stat.S_ISREG(mode):
                directory.remove(folder, name)


def _compile(path: str) -> None:
    """With PYTHONDONTWRITEBYTECODE, as in many containers, each process would compile it again."""
    # Lookups and fork servers import this file and compile nothing.
    import py_compile

    with contextlib.suppress(OSError, py_compile.PyCompileError):
        py_compile.compile(path, doraise=True)
