# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress of a bulk run: lines of JSON through a named pipe, to the task's action plugin.

A pipe, because the module also notices by it that nobody listens any more, and because it leaves nothing behind.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import errno
import json
import os
import select
import stat
import threading
import time
import typing as t

from ..model.item import OUTCOMES, PLANNED

#: The outcomes that an item can come to, other than being planned.
SETTLED = tuple(outcome for outcome in OUTCOMES if outcome != PLANNED)
#: The path of the pipe on which the action plugin listens.
VARIABLE = "ONETOKEN_PROGRESS"
#: Seconds between two lines.
INTERVAL = 0.5
#: Seconds that count for the rate.
RATE_WINDOW = 120.0
#: How long the first items are counted before a rate is made of them, in seconds.
FIRST_COUNT = 3.0


@dataclasses.dataclass(frozen=True)
class RunStatus:
    """Where a run stands. While it plans, it does not know its total."""

    action: str
    resources: str
    total: int = 0
    done: int = 0
    already: int = 0
    accepted: int = 0
    incomplete: int = 0
    blocked: int = 0
    failed: int = 0
    skipped: int = 0
    in_progress: int = 0
    #: Those that were not submitted yet.
    waiting: int = 0
    #: What of those in progress is waited for, such as ``the images``.
    awaited: str = ""
    #: Seconds for which the cloud's limit lets no request through.
    throttled: float = 0.0
    #: Why nothing more is submitted.
    stopped: str = ""
    elapsed: float = 0.0
    #: Items a minute.
    rate: float | None = None
    seconds_left: float | None = None

    @property
    def settled(self) -> int:
        return sum(getattr(self, outcome) for outcome in SETTLED)

    @property
    def phase(self) -> str:
        if not self.total:
            return "planning"
        return f"waiting for {self.awaited}" if self.in_progress and not self.waiting and self.awaited else "working"

    def line(self) -> bytes:
        return json.dumps(dataclasses.asdict(self)).encode() + b"\n"

    @classmethod
    def of_line(cls, line: bytes) -> RunStatus | None:
        """What a line says; None where it is none."""
        try:
            return cls(**json.loads(line))
        except (ValueError, TypeError):
            return None


class Rate:
    """How fast items come to an end, of late, or in all while nothing ended of late.

    It counts from the first that ended: what came before is how long one takes, however many there are.
    """

    def __init__(self, clock: t.Callable[[], float]) -> None:
        self._clock = clock
        self._counts: collections.deque[tuple[float, int]] = collections.deque()
        self._first: tuple[float, int] | None = None

    def count(self, ended: int) -> float | None:
        """Items a minute, now that so many have ended; None while that is not known."""
        if not ended:
            return None
        now = self._clock()
        self._first = self._first or (now, ended)
        self._counts.append((now, ended))
        while now - self._counts[0][0] > RATE_WINDOW:
            self._counts.popleft()
        since, before = self._counts[0] if ended > self._counts[0][1] else self._first
        return (ended - before) / (now - since) * 60 if ended > before and now - since >= FIRST_COUNT else None


class Progress:
    """Reports where a run stands, if anybody listens."""

    def __init__(self, pipe: int | None, listener_gone: bool = False, clock: t.Callable[[], float] = time.monotonic):
        self._pipe = pipe
        self._listener_gone = listener_gone
        #: The run reports, and another thread may ask whether anybody listens.
        self._lock = threading.Lock()
        self._clock = clock
        self._begun = clock()
        self._rate = Rate(clock)
        self._standing = RunStatus("", "")
        self._reported: RunStatus | None = None
        self._reported_at = 0.0

    @classmethod
    def of_environment(cls, environ: t.Mapping[str, str], clock: t.Callable[[], float] = time.monotonic) -> Progress:
        """For the listener that the environment names; another user, as whom a task may run, cannot open its pipe."""
        path = environ.get(VARIABLE)
        if not path:
            return cls(None, clock=clock)
        try:
            pipe = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as exc:
            # So answers a pipe that nobody reads from, or one that went with its listener before the module came.
            return cls(None, exc.errno in (errno.ENXIO, errno.ENOENT), clock)
        if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
            os.close(pipe)
            return cls(None, clock=clock)
        # From here on the pipe needs no name, so a process that is killed leaves none behind.
        with contextlib.suppress(OSError):
            os.unlink(path)
            os.rmdir(os.path.dirname(path))
        return cls(pipe, clock=clock)

    def begin(self, action: str, resources: str) -> None:
        """Report what the run is going to do, before it knows on how many."""
        self._standing = RunStatus(action, resources)
        self._send(self._standing)

    def update(
        self,
        total: int,
        outcomes: t.Mapping[str, int],
        in_progress: int,
        waiting: int,
        awaited: str = "",
        throttled: float = 0.0,
        stopped: str = "",
    ) -> None:
        """Report where the run stands: now and then, however often this is called."""
        if self._pipe is None:
            return
        counts: dict[str, t.Any] = {outcome: outcomes.get(outcome, 0) for outcome in SETTLED}
        standing = dataclasses.replace(
            self._standing,
            **counts,
            total=total,
            in_progress=in_progress,
            waiting=waiting,
            awaited=awaited,
            throttled=throttled,
            stopped=stopped,
        )
        if self._is_news(standing) or self._clock() - self._reported_at >= INTERVAL:
            self._send(self._timed(standing))

    def _is_news(self, standing: RunStatus) -> bool:
        """Whether it is to be reported at once: a change of phase, a stop, the end."""
        return self._reported is None or self._phase(standing) != self._phase(self._reported)

    @staticmethod
    def _phase(standing: RunStatus) -> t.Any:
        return standing.phase, standing.stopped, standing.settled == standing.total

    def _timed(self, standing: RunStatus) -> RunStatus:
        rate = self._rate.count(standing.settled - standing.already - standing.skipped - standing.blocked)
        left = standing.total - standing.settled
        return dataclasses.replace(
            standing,
            elapsed=round(self._clock() - self._begun, 1),
            rate=rate,
            # Items that are not submitted any more have no time left.
            seconds_left=left / rate * 60 if rate and not standing.stopped else None,
        )

    def _send(self, standing: RunStatus) -> None:
        self._reported, self._reported_at = standing, self._clock()
        with self._lock:
            if self._pipe is None:
                return
            try:
                os.write(self._pipe, standing.line())
            except BlockingIOError:
                # The listener is slow, and needs the newest only.
                pass
            except OSError:
                self._close()

    @property
    def listener_gone(self) -> bool:
        """Whether there was a listener that is gone, and with it the playbook run that started the task."""
        with self._lock:
            if self._pipe is not None:
                poll = select.poll()
                poll.register(self._pipe, 0)
                if poll.poll(0):
                    self._close()
            return self._listener_gone

    def _close(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
        self._pipe = None
        self._listener_gone = True
