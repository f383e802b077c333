# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A piece of work that no signal to its process, its group or its terminal cuts in half.

Between Keystone's answer and the file that it is written to, a token is known to one process alone. If that one were
killed then, the token would live on for a day without anybody who could revoke it.
"""

from __future__ import annotations

import json
import os
import signal
import typing as t

from . import errors


def run(work: t.Callable[[], None]) -> None:
    """Do it in a child process with a session of its own, and wait for it; what it raises is raised here."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _work(work, writer)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as stream:
        answer = stream.read()
    os.waitpid(child, 0)
    if not answer:
        raise errors.SessionError("The process that asked Keystone for a token was killed: run the task again.")
    failure = json.loads(answer)
    if failure:
        raise getattr(errors, failure["kind"], errors.OneTokenError)(failure["message"])


def _work(work: t.Callable[[], None], writer: int) -> t.NoReturn:
    try:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        answer: dict[str, str] = {}
        try:
            work()
        except errors.OneTokenError as exc:
            answer = {"kind": type(exc).__name__, "message": str(exc)}
        except Exception as exc:  # pylint: disable=broad-exception-caught
            # Its text may quote anything, so only its kind is told.
            answer = {"kind": "", "message": f"Signing in ended in an unexpected {type(exc).__name__}: report this."}
        os.write(writer, json.dumps(answer).encode())
    finally:
        # Nothing of the process that this is a copy of is to be run here: no cleaning up, no buffered output.
        os._exit(0)  # pylint: disable=protected-access
