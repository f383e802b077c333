# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A time limit for a whole call."""

from __future__ import annotations

import contextvars
import threading
import typing as t

Result = t.TypeVar("Result")


class LateError(Exception):
    """The call took too long. It may still be running, but its result is lost."""


def within(seconds: float, call: t.Callable[[], Result]) -> Result:
    """Return or raise what the call does; LateError if it takes longer than so many seconds.

    The timeouts of sockets start again with each byte, name servers have none, and signing in takes several requests.
    A call that takes too long is left behind in its thread, which ends with the process.
    """
    results: list[Result] = []
    errors: list[BaseException] = []
    context = contextvars.copy_context()

    def run() -> None:
        try:
            results.append(context.run(call))
        except BaseException as exc:  # pylint: disable=broad-exception-caught
            errors.append(exc)

    # Python waits for the threads of concurrent.futures at its end.
    thread = threading.Thread(target=run, name="within", daemon=True)
    thread.start()
    thread.join(max(0.0, min(seconds, threading.TIMEOUT_MAX)))
    if errors:
        raise errors[0]
    if not results:
        raise LateError
    return results[0]
