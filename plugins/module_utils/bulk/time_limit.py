# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An end to whatever waits for a network.

The timeouts of sockets start again with each byte, name servers have none, and signing in takes several requests. So
the work is done in a thread of its own, which is abandoned when the time is up and ends with the process.
"""

from __future__ import annotations

import contextvars
import threading
import typing as t
from concurrent import futures

T = t.TypeVar("T")


class LateError(Exception):
    """The work was not finished in time. It may go on, but nobody learns its result."""


def in_time(work: t.Callable[[], T], seconds: float) -> T:
    """Return what the work returns, or raise what it raises."""
    result: futures.Future[T] = futures.Future()
    context = contextvars.copy_context()

    def do() -> None:
        try:
            result.set_result(context.run(work))
        except BaseException as exc:  # pylint: disable=broad-exception-caught
            result.set_exception(exc)

    # A daemon, because the interpreter waits for all other threads before it exits.
    threading.Thread(target=do, name="in-time", daemon=True).start()
    if not futures.wait([result], max(0.0, min(seconds, threading.TIMEOUT_MAX))).done:
        raise LateError
    return result.result()
