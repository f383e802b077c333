# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session's watcher, as the run that starts it sees it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import typing as t

from ..store.session import PACKAGE, Session
from ..util.waiting import Waiter

#: Seconds between two checks whether the watcher was stopped, while waiting for its report.
_POLL = 1.0
#: Seconds that a watcher has to report beyond those for which it waits itself.
_GRACE = 5
#: The variables of the run's environment that a watcher needs. How to reach Keystone is on record with each token.
_KEPT_VARIABLES = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "TZ",
    "PYTHONHOME",
    "PYTHONUSERBASE",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)


class Watcher:
    """A watcher's process, from its start to its last report."""

    def __init__(self, session: Session, owner: str, environ: t.Mapping[str, str]) -> None:
        kept = {name: environ[name] for name in _KEPT_VARIABLES if name in environ}
        paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(path)]
        # It outlives the task, which no module's run_command is for.
        # pylint: disable-next=ansible-bad-function
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.revoke.watcher", session.path, owner],
            # The working directory comes first on Python's search path, and nothing can be unmounted under it.
            cwd="/",
            env={**kept, "PYTHONPATH": os.pathsep.join([session.site, *paths])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        #: What keeps it from revoking, other than Keystone.
        self.pending: str | None = None
        self._input = t.cast(t.IO[bytes], self.process.stdin)
        self._output = t.cast(t.IO[bytes], self.process.stdout)

    def end(
        self, drain_timeout: float, revoke_timeout: float, keep: bool = False, grace: float = _GRACE
    ) -> dict[str, t.Any] | None:
        """Report the end of the run, and return what the watcher did.

        None if it is gone or did not finish in time; `pending` then says why, unless it waits for Keystone. A session
        without any token issued into it is removed, unless something that the run started may still look for it.
        """
        order = json.dumps({"drain_timeout": drain_timeout, "keep": keep}) + "\n"
        try:
            os.write(self._input.fileno(), order.encode())
        except OSError:
            self.wait()
            return None
        drained = self.receive(drain_timeout + grace)
        report = None if drained is None else self.receive(revoke_timeout)
        if drained is None or report is None:
            return None
        self.pending = report.get("pending")
        return None if self.pending else {**report, **drained}

    def receive(self, timeout: float) -> dict[str, t.Any] | None:
        """The next thing that it reports; None if it does not in time, was stopped, or is gone."""
        waiter = Waiter(timeout)
        while True:
            ready, _writable, _exceptional = select.select([self._output], [], [], min(_POLL, waiter.seconds_left))
            if ready or not waiter.seconds_left or self.stopped:
                break
        line = self._output.readline() if ready else b""
        if ready and not line:
            # Its pipes are closed a moment before the system says that it is gone.
            self.wait()
        return json.loads(line) if line else None

    @property
    def gone(self) -> bool:
        return self.process.poll() is not None

    @property
    def stopped(self) -> bool:
        """Whether a signal has stopped it, so that it does nothing until it is continued."""
        with contextlib.suppress(AttributeError, OSError):
            options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self.process.pid, options) is not None
        return False

    def kill(self) -> None:
        """End it, which also releases its locks."""
        self.process.kill()
        self.process.wait()

    def wait(self) -> None:
        """Leave no zombie."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_GRACE)
