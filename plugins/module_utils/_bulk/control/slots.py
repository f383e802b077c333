# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A limit on the actions in progress over all processes: each takes a slot, and frees it when it ends."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import typing as t

from ..._session.rate_limit.project_key import ProjectKey
from ..._session.rate_limit.shared_file import SharedFile
from ..._session.store.owners import Owner

Taken = dict[str, dict[str, t.Any]]


class Slots:
    """The slots of one project. Without the environment that says where the shared files are, a process has its own."""

    def __init__(self, key: ProjectKey, most: int, environ: t.Mapping[str, str] | None) -> None:
        self._file = SharedFile(environ, key.file_name("slots"))
        #: 0 is no limit; slots are taken nevertheless, as they count for other processes.
        self._most = most
        self._process = Owner.of_process(os.getpid())
        self._name = secrets.token_hex(8)
        self._own = 0

    def take(self) -> bool:
        """Take a slot for one more action; False when all are taken."""
        with self._file.locked():
            others = self._others()
            if self._is_full(others):
                others = {name: entry for name, entry in others.items() if Owner(**entry["process"]).alive}
                if self._is_full(others):
                    return False
            self._own += 1
            self._write(others)
            return True

    def free(self) -> None:
        with self._file.locked():
            self._own -= 1
            self._write(self._others())

    def _is_full(self, others: Taken) -> bool:
        return 0 < self._most <= self._own + sum(entry["slots"] for entry in others.values())

    def _others(self) -> Taken:
        """The slots that other processes have taken. A damaged file counts as empty; each process repairs its part."""
        try:
            taken = json.loads(self._file.read() or b"{}")
            return {name: entry for name, entry in taken.items() if name != self._name and _is_entry(entry)}
        except (ValueError, AttributeError, RecursionError):
            return {}

    def _write(self, others: Taken) -> None:
        taken = dict(others)
        if self._own and self._process:
            taken[self._name] = {"slots": self._own, "process": dataclasses.asdict(self._process)}
        self._file.write(json.dumps(taken).encode())


def _is_entry(entry: t.Any) -> bool:
    try:
        return isinstance(Owner(**entry["process"]).pid, int) and entry["slots"] > 0
    except (KeyError, TypeError):
        return False
