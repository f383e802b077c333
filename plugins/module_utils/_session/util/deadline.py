# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call that ends in time, whatever the other side does."""

from __future__ import annotations

import threading
import typing as t

Result = t.TypeVar("Result")


def within(seconds: float, call: t.Callable[[], Result]) -> Result:
    """What the call returns or raises; TimeoutError if it takes longer.

    The timeout of an HTTP library is for each read from the network, so an answer of a byte now and then never ends. A
    call that takes too long is left behind in its thread, which ends with the process.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as exc:  # pylint: disable=broad-exception-caught
            errors.append(exc)

    # Not of concurrent.futures, for whose threads Python waits at its end.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return results[0]
