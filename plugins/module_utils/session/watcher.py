# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that outlives a run, to revoke its session however the run ends.

It is started with the session, in a session of the operating system's own, so that no signal to the run, its group or
its terminal reaches it. It knows its run by name in the session, holds no secret, and reads the tokens only when it
revokes them. Told by the run that it is over, it waits for what still works on the session, and answers with what it
did; when the run ends without a word, it revokes at once, unless a process sees something through.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import typing as t

from . import owners, sweep, usage
from .errors import OneTokenError, SessionError
from .pacing import Waiter
from .site import PACKAGE
from .store import Session

#: Seconds between two looks at a run, where the system cannot tell of its end.
_LOOK = 1.0
#: Seconds for which Keystone is asked again before other clouds get their turn.
_TURN = 5
#: Seconds for which a bulk run that lost its playbook may still see through what it asked for.
FINISHING_TIMEOUT = 300
#: Seconds for which no token outlives a session that cannot be read any more.
_LONGEST = 7 * 24 * 3600
#: What a watcher reports, where there is nothing to report.
NOTHING_DONE: dict[str, t.Any] = {
    "drained": True,
    "left": False,
    "revoked": 0,
    "already_dead": 0,
    "tokens_issued": 0,
    "keystone_requests": 0,
    "sign_in_requests": 0,
    "authentications": 0,
    "problem": None,
}
#: What of the run's environment a watcher needs: to be found, to reach Keystone, and to check its certificate.
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
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    *(name for proxy in ("http_proxy", "https_proxy", "no_proxy", "all_proxy") for name in (proxy, proxy.upper())),
)


class Watcher:
    """A watcher, as the run that started it sees it."""

    def __init__(self, session: Session, owner: str, environ: t.Mapping[str, str]) -> None:
        kept = {name: environ[name] for name in _KEPT_VARIABLES if name in environ}
        paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(path)]
        # A process that stays, which no module's run_command is for.
        # pylint: disable-next=ansible-bad-function
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.watcher", session.path, owner],
            # The working directory comes first on Python's search path, and nothing can be unmounted under it.
            cwd="/",
            env={**kept, "PYTHONPATH": os.pathsep.join([session.site, *paths])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            bufsize=0,
        )
        self._orders = t.cast(t.IO[bytes], self._process.stdin)
        self._answers = t.cast(t.IO[bytes], self._process.stdout)

    def end(
        self, drain_timeout: float, revoke_timeout: float, keep: bool = False, patience: float = _TURN
    ) -> dict[str, t.Any] | None:
        """Say that the run is over: what the watcher did, or None if it is gone, or still at it after that time.

        A session that no token was issued into is removed, unless something that was started may still look for it.
        """
        order = json.dumps({"drain_timeout": drain_timeout, "keep": keep}) + "\n"
        try:
            os.write(self._orders.fileno(), order.encode())
        except OSError:
            self.wait()
            return None
        drained = self._answer(drain_timeout + patience)
        report = None if drained is None else self._answer(revoke_timeout)
        return None if drained is None or report is None else {**report, **drained}

    def _answer(self, timeout: float) -> dict[str, t.Any] | None:
        ready, _writable, _exceptional = select.select([self._answers], [], [], timeout)
        line = self._answers.readline() if ready else b""
        if ready and not line:
            # Its pipes are closed a moment before the system says that it is gone.
            self.wait()
        return json.loads(line) if line else None

    @property
    def gone(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> None:
        """Leave no zombie."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_TURN)


def main(path: str, name: str, revoke_now: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    session = Session(path)
    owners.hold(session, name)
    order: dict[str, t.Any] | None = None
    if not revoke_now:
        watch = owners.Watch(owners.read(session, name))
        _sweep_others(session)
        order = _wait_for_end(watch)
        _answer({"drained": _drain(session, name, order, watch)})
    _answer(_end(session, name, keep=order is None or order.get("keep", False)))


def _drain(session: Session, name: str, order: dict[str, t.Any] | None, watch: owners.Watch) -> bool:
    try:
        if owners.living(session, besides=name):
            return True
        if order is None or not order["drain_timeout"]:
            usage.wait_until_finished(session, Waiter(FINISHING_TIMEOUT))
        if order is None:
            return True
        return usage.wait_until_idle(session, Waiter(order["drain_timeout"], given_up=lambda: watch.ended))
    except (OneTokenError, OSError):
        # Something is wrong with the directory: that is told by what is done next.
        return True


def _end(session: Session, name: str, keep: bool) -> dict[str, t.Any]:
    """Again and again until Keystone confirmed, or every token has expired: a directory may be mended meanwhile."""
    waiter = Waiter(_LONGEST)
    while True:
        try:
            return _end_without_tokens(session, name, keep) or _revoke(session, name)
        except (OneTokenError, OSError) as exc:
            gone = not os.path.lexists(session.path)
            if gone or _expired(session) or not waiter.pause(_TURN):
                return {**NOTHING_DONE, "problem": str(exc)}


def _answer(answer: dict[str, t.Any]) -> None:
    # Who started this process may be gone.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")


def _wait_for_end(watch: owners.Watch) -> dict[str, t.Any] | None:
    """What the run says at its end; None when it ended without a word."""
    said = b""
    inputs: list[t.Any] = [sys.stdin.fileno(), *([] if watch.handle is None else [watch.handle])]
    while True:
        readable, _writable, _exceptional = select.select(inputs, [], [], None if watch.handle is not None else _LOOK)
        if sys.stdin.fileno() in readable:
            part = os.read(sys.stdin.fileno(), 4096)
            said += part
            if said.endswith(b"\n"):
                return json.loads(said)
            if not part:
                # Who started this process is not the run, and has left.
                inputs.remove(sys.stdin.fileno())
        if watch.ended:
            return None


def _sweep_others(session: Session) -> None:
    """What runs before this one left behind, when a machine or a container went down under them."""
    base = os.path.dirname(session.path)
    if not sweep.orphans(base):
        sweep.clear(base)
        return
    # A Keystone that does not answer for them is not to hold up the revoke of this run.
    # pylint: disable-next=ansible-bad-function
    subprocess.Popen(
        [sys.executable, "-m", f"{PACKAGE}.sweep", base],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _end_without_tokens(session: Session, name: str, keep: bool) -> dict[str, t.Any] | None:
    """End a session that holds no token, for which Keystone need not be asked; None when it does hold one."""
    if session.exists and not owners.living(session, besides=name):
        # Before the lock, which somebody holds who waits for Keystone to give a token: that one gives up now.
        with contextlib.suppress(SessionError):
            session.close()
    with session.locked():
        if session.has_tokens or owners.living(session, besides=name):
            return None
        report = _report(session)
        if report["tokens_issued"] or keep:
            # It stays, closed: what the run left behind must not find nothing, and use the password.
            owners.remove(session, name)
        else:
            session.discard()
    return report


def _revoke(session: Session, name: str) -> dict[str, t.Any]:
    if importlib.util.find_spec("keystoneauth1") is None:
        _go_on_with_the_python_that_signed_in(session, name)
    from . import lifecycle

    result = lifecycle.leave(session, name, _TURN)
    revoked = {"revoked": result.revoked, "already_dead": result.already_dead} if result else {"left": True}
    return {**_report(session), **revoked}


def _go_on_with_the_python_that_signed_in(session: Session, name: str) -> None:
    interpreter = session.read_record().interpreter
    if interpreter and interpreter != sys.executable:
        os.execv(interpreter, [interpreter, "-m", f"{PACKAGE}.watcher", session.path, name, "--now"])


def _expired(session: Session) -> bool:
    """Whether none of the session's tokens lives any more; of one that cannot be read, nobody knows."""
    try:
        stored = [session.read_tokens(cloud) for cloud in session.clouds_with_tokens()]
    except OneTokenError:
        return False
    return all(token.expired for tokens in stored if tokens for token in tokens.newest_first)


def _report(session: Session) -> dict[str, t.Any]:
    """What the session came to, as far as it is on record."""
    record = session.read_record() if session.exists else None
    if record is None:
        return NOTHING_DONE
    return {
        **NOTHING_DONE,
        "tokens_issued": record.tokens_issued,
        "keystone_requests": record.keystone_requests,
        "sign_in_requests": record.sign_in_requests,
        "authentications": usage.authentications(session),
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--now" in sys.argv[3:])
