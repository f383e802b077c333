# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module that Ansible has prepared for this machine in a fork of the session's server."""

from __future__ import annotations

import os
import re
import select
import shlex
import typing as t

from ..module_utils._session.fork_server import client, programs
from ..module_utils._session.fork_server.call import Call, DeclinedError
from ..module_utils._session.store.session import SITE, VARIABLE
from ..module_utils._session.util.errors import OneTokenError

_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
#: A path that every shell leaves unchanged.
_PLAIN_PATH = re.compile(r"/[\w@%+:,./-]+")


class KilledError(OneTokenError):
    """The server was killed with its fork, so the result of the module is unknown."""


class Result(t.NamedTuple):
    status: int
    output: bytes
    errors: bytes


def run(command: str, script: bytes, directory: str, environ: t.Mapping[str, str]) -> Result:
    """What the shell would return for this command, in this directory, with the script for its input.

    :raises DeclinedError: the shell has to run it
    """
    variables, interpreter = _parse(command)
    directory = os.path.realpath(directory)
    environment = {**environ, **variables}
    if "PWD" not in variables and not _is_same(environ.get("PWD", directory), directory):
        # As a shell sets it.
        environment["PWD"] = directory
    if not programs.is_module(script):
        raise DeclinedError("it is no module of openstack.cloud")
    session = environment.get(VARIABLE)
    # A playbook may replace PYTHONPATH, and a process that does not load the session's code is not for its servers.
    if not session or os.path.join(session, SITE) not in environment.get("PYTHONPATH", "").split(os.pathsep):
        raise DeclinedError("it is not on the session")
    with _Files(script) as files:
        call = Call(programs.MODULES, interpreter, [interpreter], environment, directory)
        running = client.ask(session, call, {0: files.script, 1: files.output[1], 2: files.errors[1]})
        try:
            running.begin()
            output, errors = files.read()
            status = running.wait()
        finally:
            running.close()
    if status is None:
        raise KilledError(
            "The fork server was killed while it ran this task, so its result is unknown: see what the task has done, "
            "then run it again."
        )
    # As a shell reports a signal.
    return Result(128 - status if status < 0 else status, output, errors)


def _parse(command: str) -> tuple[dict[str, str], str]:
    """The variables and the interpreter of a command that Ansible's shell plugin for sh made."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    count = next((number for number, word in enumerate(words) if not _ASSIGNMENT.match(word)), 0)
    if len(words) != count + 1 or not _PLAIN_PATH.fullmatch(words[count]):
        raise DeclinedError("its command is not the path of an interpreter alone")
    pairs = (word.split("=", 1) for word in words[:count])
    return dict(pairs), words[count]


def _is_same(path: str, directory: str) -> bool:
    return os.path.isabs(path) and os.path.realpath(path) == directory


class _Files:
    """The script as a file, and pipes for its output."""

    def __init__(self, script: bytes) -> None:
        self.output = os.pipe()
        self.errors = os.pipe()
        self.script = os.memfd_create("script")
        self._open = {*self.output, *self.errors, self.script}
        with os.fdopen(os.dup(self.script), "wb") as stream:
            stream.write(script)
        os.lseek(self.script, 0, os.SEEK_SET)

    def __enter__(self) -> _Files:
        return self

    def __exit__(self, *_exc: object) -> None:
        for number in self._open:
            os.close(number)

    def _close(self, number: int) -> None:
        self._open.discard(number)
        os.close(number)

    def read(self) -> tuple[bytes, bytes]:
        """The output, until nobody can write any more."""
        self._close(self.output[1])
        self._close(self.errors[1])
        parts: dict[int, list[bytes]] = {self.output[0]: [], self.errors[0]: []}
        poller = select.poll()
        for number in parts:
            poller.register(number, select.POLLIN)
        left = len(parts)
        while left:
            for number, _events in poller.poll():
                part = os.read(number, 1 << 16)
                parts[number].append(part)
                if not part:
                    poller.unregister(number)
                    left -= 1
        return b"".join(parts[self.output[0]]), b"".join(parts[self.errors[0]])
