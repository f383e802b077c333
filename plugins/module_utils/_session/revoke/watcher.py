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
import dataclasses
import importlib.util
import json
import os
import resource
import select
import signal
import subprocess
import sys
import typing as t

from ..store import key, owners, traffic, usage
from ..store.session import (
    AUTHENTICATIONS,
    DOCUMENTS_SERVED,
    IDENTITIES,
    ISSUED,
    PACKAGE,
    REQUESTS,
    SERVED,
    LivingToken,
    Session,
    last_end,
)
from ..util.errors import OneTokenError, SessionError
from ..util.waiting import Waiter
from . import sweep

#: Seconds between two looks at a run, where the system cannot tell of its end.
_LOOK = 1.0
#: Seconds for which Keystone is asked again before other clouds get their turn, and until the next turn at first.
_TURN = 5
#: The pause between two turns grows with the time that Keystone has been away for, to this share of it and so many
#: seconds.
_SHARE = 0.1
_LONGEST_PAUSE = 300
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
    "alive": 0,
    "alive_until": None,
    "tokens_issued": 0,
    "keystone_requests": 0,
    "authentications": 0,
    "identities": 0,
    "documents_served": 0,
    "served": 0,
    "traffic": {},
    "problem": None,
}
#: What of the run's environment a watcher needs. How Keystone is reached, each token has on record.
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
    """A watcher, as the run that started it sees it."""

    def __init__(self, session: Session, owner: str, environ: t.Mapping[str, str]) -> None:
        kept = {name: environ[name] for name in _KEPT_VARIABLES if name in environ}
        paths = [path for path in environ.get("PYTHONPATH", "").split(os.pathsep) if os.path.isabs(path)]
        # A process that stays, which no module's run_command is for.
        # pylint: disable-next=ansible-bad-function
        self._process = subprocess.Popen(
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
        self._orders = t.cast(t.IO[bytes], self._process.stdin)
        self._answers = t.cast(t.IO[bytes], self._process.stdout)

    def end(
        self, drain_timeout: float, revoke_timeout: float, keep: bool = False, patience: float = _TURN
    ) -> dict[str, t.Any] | None:
        """Say that the run is over: what the watcher did, or None if it is gone, or still at it after that time; then
        `pending` is what keeps it, if that is not Keystone.

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
        if drained is None or report is None:
            return None
        self.pending = report.get("pending")
        return None if self.pending else {**report, **drained}

    def _answer(self, timeout: float) -> dict[str, t.Any] | None:
        waiter = Waiter(timeout)
        while True:
            ready, _writable, _exceptional = select.select([self._answers], [], [], min(_LOOK, waiter.seconds_left))
            if ready or not waiter.seconds_left or self.stopped:
                break
        line = self._answers.readline() if ready else b""
        if ready and not line:
            # Its pipes are closed a moment before the system says that it is gone.
            self.wait()
        return json.loads(line) if line else None

    @property
    def gone(self) -> bool:
        return self._process.poll() is not None

    @property
    def stopped(self) -> bool:
        """Whether somebody has stopped it by a signal, so that it does nothing until it is let go on."""
        with contextlib.suppress(AttributeError, OSError):
            question = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, question) is not None
        return False

    def kill(self) -> None:
        """End it, and its locks with it."""
        self._process.kill()
        self._process.wait()

    def wait(self) -> None:
        """Leave no zombie."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_TURN)


def main(path: str, name: str, revoke_now: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    # Tokens are in its memory when it revokes them.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    session = Session(path)
    code = _own_files()
    # What is wrong with the directory may be mended when the tokens are to be revoked.
    with contextlib.suppress(OneTokenError, OSError):
        owners.hold(session, name)
    order: dict[str, t.Any] | None = None
    if not revoke_now:
        watch = _watch(session, name)
        _sweep_others(session, code)
        order = None if watch is None else _wait_for_end(watch)
        _answer({"drained": _drain(session, name, order, watch)})
    _answer(_end(session, name, order is None or order["keep"], code))


def _watch(session: Session, name: str) -> owners.Watch | None:
    """What tells of the end of the run; None if that has come."""
    try:
        return owners.Watch(owners.read(session, name))
    except (OneTokenError, OSError):
        return None


def _drain(session: Session, name: str, order: dict[str, t.Any] | None, watch: owners.Watch | None) -> bool:
    try:
        if owners.others(session, name):
            return True
        if order is None or not order["drain_timeout"]:
            usage.wait_until_finished(session, Waiter(FINISHING_TIMEOUT))
        if order is None or watch is None:
            return True
        return usage.wait_until_idle(session, Waiter(order["drain_timeout"], given_up=lambda: watch.ended))
    except (OneTokenError, OSError):
        # Something is wrong with the directory: that is told by what is done next.
        return True


def _end(session: Session, name: str, keep: bool, code: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Until nothing is left that time could change: Keystone may come back, a directory may be mended."""
    waiter = Waiter(_LONGEST)
    # Of all turns together.
    counts = {"revoked": 0, "already_dead": 0}
    told = False
    while True:
        report = {**NOTHING_DONE}
        try:
            report, pending = _take_turn(session, name, keep)
            counts = {key: count + report[key] for key, count in counts.items()}
            report.update(counts)
            if not pending:
                return report
        except (OneTokenError, OSError) as exc:
            problem = str(exc) if isinstance(exc, OneTokenError) else _unusable(session, exc)
            report.update(counts, problem=problem)
            if not told and os.path.lexists(session.path):
                # It may be mended later; the run does not wait for that.
                told = True
                _answer({"pending": problem})
        except (ImportError, EOFError):
            # The code of this process was removed or damaged under it.
            with contextlib.suppress(OneTokenError, OSError):
                session.write_site(code)
            importlib.invalidate_caches()
            report.update(
                counts, problem=f"The code of the session {session.path} was removed or damaged while its run went on."
            )
        except Exception as exc:  # pylint: disable=broad-exception-caught
            # Its text may quote anything, so only its kind is told.
            problem = (
                f"Revoking the session {session.path} ended in an unexpected {type(exc).__name__}: please report this "
                f"as a bug, and run os_token_revoke with session={session.path}."
            )
            return {**report, **counts, "problem": problem}
        if not os.path.lexists(session.path):
            return {**report, "problem": gone(session)}
        waited = _LONGEST - waiter.seconds_left
        if _expired(session) or not waiter.pause(min(_LONGEST_PAUSE, max(_TURN, waited * _SHARE))):
            return report


def _unusable(session: Session, error: OSError) -> str:
    return (
        f"The session {session.path} cannot be used ({error.strerror}): let its files be read and written, and run "
        f"os_token_revoke with session={session.path}."
    )


def gone(session: Session) -> str:
    """What to say of a session that was removed with its tokens."""
    return (
        f"The session {session.path} is gone, so its token may live until it expires: bring the directory back as it "
        f"was and run os_token_revoke with session={session.path}."
    )


def _take_turn(session: Session, name: str, keep: bool) -> tuple[dict[str, t.Any], bool]:
    """Revoke what can be revoked: what was done, and whether time may do more."""
    report = _end_without_tokens(session, name, keep)
    return (report, False) if report is not None else _revoke(session, name)


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
                return {"drain_timeout": 0, "keep": False, **json.loads(said)}
            if not part:
                # Who started this process is not the run, and has left.
                inputs.remove(sys.stdin.fileno())
        if watch.ended:
            return None


def _sweep_others(session: Session, code: t.Mapping[str, str]) -> None:
    """What runs before this one left behind, when a machine or a container went down under them."""
    # Whatever is wrong with those is not to keep this run's session from being watched.
    with contextlib.suppress(Exception):
        base = os.path.dirname(session.path)
        orphans = sweep.orphans(base)
        if not orphans:
            sweep.clear(base)
            return
        # A session with tokens stays where it is; this one goes, and its code with it, if the run needs no token. The
        # orphans are of this user, and get the code of this process first.
        lasting = next(orphan for orphan in orphans if _is_equipped(orphan, code))
        paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path != session.site]
        # A Keystone that does not answer for them is not to hold up the revoke of this run.
        # pylint: disable-next=ansible-bad-function
        subprocess.Popen(
            [_python(lasting), "-m", f"{PACKAGE}.revoke.sweep", base],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([lasting.site, *paths])},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _is_equipped(session: Session, code: t.Mapping[str, str]) -> bool:
    """Give a session this code; whether that was possible."""
    try:
        # Another run's watcher may do the same.
        with session.locked(_TURN):
            session.write_site(code)
    except (OneTokenError, OSError):
        return False
    return True


def _own_files() -> dict[str, str]:
    """The files of the site/ that this process was started from, by their path in it."""
    site = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    files = {}
    for folder, _folders, names in os.walk(site):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(folder, name)
                with open(path, encoding="utf-8") as stream:
                    files[os.path.relpath(path, site)] = stream.read()
    return files


def _python(session: Session) -> str:
    """A Python that can ask Keystone: this one, or else one that signed in."""
    if importlib.util.find_spec("keystoneauth1") is None:
        with contextlib.suppress(SessionError):
            for name in session.all_names():
                for token in session.readable_tokens(name)[0]:
                    if token.python:
                        return token.python
    return sys.executable


def _end_without_tokens(session: Session, name: str, keep: bool) -> dict[str, t.Any] | None:
    """End a session that holds no token, for which Keystone need not be asked; None when it does hold one."""
    if session.exists and not owners.others(session, name):
        # Before the lock, which somebody holds who waits for Keystone to give a token: that one gives up now.
        with contextlib.suppress(SessionError):
            session.close()
    with session.locked():
        if session.has_tokens or owners.others(session, name):
            return None
        report = _report(session)
        if report["tokens_issued"] or keep:
            # It stays, closed: what the run left behind must not find nothing, and use the password.
            key.remove(session.path)
            session.allow_fork_servers(False)
            owners.remove(session, name)
        else:
            session.discard()
    return report


def _revoke(session: Session, name: str) -> tuple[dict[str, t.Any], bool]:
    python = _python(session)
    if python != sys.executable:
        os.execv(python, [python, "-m", f"{PACKAGE}.revoke.watcher", session.path, name, "--now"])
    from . import revocation

    result = revocation.leave(session, name, _TURN)
    report = _report(session)
    if result is None:
        return {**report, "left": True}, False
    report.update(revoked=result.revoked, already_dead=result.already_dead)
    problems = [revocation.unconfirmed(session, result.problems)] if result.problems else []
    report.update(_alive(result.living, *problems, *result.damage))
    return report, bool(result.problems)


def _alive(living: list[LivingToken], *problems: str) -> dict[str, t.Any]:
    reasons = [*(token.reason for token in living), *problems]
    return {"alive": len(living), "alive_until": last_end(living), "problem": " ".join(reasons) or None}


def _expired(session: Session) -> bool:
    """Whether none of the session's tokens lives any more; of one that cannot be read, nobody knows."""
    try:
        lists = [session.readable_tokens(name) for name in session.all_names()]
    except (OneTokenError, OSError):
        return False
    return all(complete and all(token.expired for token in tokens) for tokens, complete in lists)


def _report(session: Session) -> dict[str, t.Any]:
    """What is on record of the session."""
    try:
        record = session.read_record()
    except SessionError:
        return {**NOTHING_DONE}
    return {
        **NOTHING_DONE,
        **_alive([token for token in record.living if not token.ended]),
        "tokens_issued": session.counted(ISSUED),
        "keystone_requests": session.counted(REQUESTS),
        "authentications": session.counted(AUTHENTICATIONS),
        "identities": session.counted(IDENTITIES),
        "documents_served": session.counted(DOCUMENTS_SERVED),
        "served": session.counted(SERVED),
        "traffic": {service: dataclasses.asdict(one) for service, one in traffic.read(session).items()},
    }


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--now" in sys.argv[3:])
