# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that outlives a run, to revoke its session however the run ends.

It is started with the session, in a session of the operating system's own, so that no signal to the run, its group or
its terminal reaches it. It knows its run by name in the session, holds no secret, and reads the tokens only when it
revokes them. When the run reports its end, it waits for the processes that still work on the session, and answers with
what it did; when the run ends without a report, it revokes at once, unless a process is finishing its work.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import resource
import select
import signal
import subprocess
import sys
import typing as t

from ..store import key, owners, site_code, usage
from ..store.session import PACKAGE, Session
from ..util.errors import OneTokenError, SessionError
from ..util.waiting import Waiter
from . import report, sweep

#: Seconds between two polls of a run, where the system cannot report its end.
_POLL = 1.0
#: Seconds for which Keystone is asked again in one attempt, before other clouds are asked; also the first pause between
#: two attempts.
ATTEMPT_TIMEOUT: float = 5
#: The pause grows with the time that Keystone has been away, to this share of it and so many seconds.
_PAUSE_SHARE = 0.1
_LONGEST_PAUSE = 300
#: Seconds for which a bulk run that lost its playbook may finish its work.
FINISHING_TIMEOUT = 300
#: Seconds after which the tokens of a session that cannot be read any more have expired.
LONGEST_LIFETIME: float = 7 * 24 * 3600


def main(path: str, name: str, revoke_now: bool) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    # Tokens are in its memory when it revokes them.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    session = Session(path)
    code = own_files()
    # What is wrong with the directory may be mended when the tokens are to be revoked.
    with contextlib.suppress(OneTokenError, OSError):
        owners.hold(session, name)
    order: dict[str, t.Any] | None = None
    if not revoke_now:
        watch = _watch(session, name)
        _sweep_others(session, code)
        order = None if watch is None else _wait_for_end(watch)
        _send({"drained": _drain(session, name, order, watch)})
    _send(end(session, name, order is None or order["keep"], code))


def _watch(session: Session, name: str) -> owners.Watch | None:
    """A watch on the run's process; None if it has ended."""
    try:
        return owners.Watch(owners.read(session, name))
    except (OneTokenError, OSError):
        return None


def _wait_for_end(watch: owners.Watch) -> dict[str, t.Any] | None:
    """The order that the run sends at its end; None if it ended without one."""
    received = b""
    inputs: list[t.Any] = [sys.stdin.fileno(), *([] if watch.handle is None else [watch.handle])]
    while True:
        readable, _writable, _exceptional = select.select(inputs, [], [], None if watch.handle is not None else _POLL)
        if sys.stdin.fileno() in readable:
            part = os.read(sys.stdin.fileno(), 4096)
            received += part
            if received.endswith(b"\n"):
                return {"drain_timeout": 0, "keep": False, **json.loads(received)}
            if not part:
                # The process that started this one is not the run, and has ended.
                inputs.remove(sys.stdin.fileno())
        if watch.ended:
            return None


def _drain(session: Session, name: str, order: dict[str, t.Any] | None, watch: owners.Watch | None) -> bool:
    """Wait for the processes that work on the session; False if one still did when the time was up."""
    try:
        if owners.others(session, name):
            return True
        if order is None or not order["drain_timeout"]:
            usage.wait_until_finished(session, Waiter(FINISHING_TIMEOUT))
        if order is None or watch is None:
            return True
        return usage.wait_until_idle(session, Waiter(order["drain_timeout"], cancelled=lambda: watch.ended))
    except (OneTokenError, OSError):
        # Something is wrong with the directory, which the revoke then reports.
        return True


def _send(message: dict[str, t.Any]) -> None:
    # The process that started this one may have ended.
    with contextlib.suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(message).encode() + b"\n")


def end(session: Session, name: str, keep: bool, code: t.Mapping[str, str]) -> dict[str, t.Any]:
    """Revoke the session, again and again while time may help: Keystone may come back, a directory may be mended."""
    waiter = Waiter(LONGEST_LIFETIME)
    # Of all attempts together.
    counts = {"revoked": 0, "already_dead": 0}
    has_sent_problem = False
    while True:
        found = {**report.NOTHING_DONE}
        try:
            found, is_unfinished = _attempt(session, name, keep)
            counts = {key: count + found[key] for key, count in counts.items()}
            found.update(counts)
            if not is_unfinished:
                return found
        except (OneTokenError, OSError) as exc:
            problem = str(exc) if isinstance(exc, OneTokenError) else report.unusable(session, exc)
            found.update(counts, problem=problem)
            if not has_sent_problem and os.path.lexists(session.path):
                # It may be mended later; the run does not wait for that.
                has_sent_problem = True
                _send({"pending": problem})
        except (ImportError, EOFError):
            # The code of this process was removed or damaged under it.
            with contextlib.suppress(OneTokenError, OSError):
                site_code.write(session, code)
            importlib.invalidate_caches()
            found.update(counts, problem=report.code_gone(session))
        except Exception as exc:  # pylint: disable=broad-exception-caught
            return {**found, **counts, "problem": report.unexpected(session, exc)}
        if not os.path.lexists(session.path):
            return {**found, "problem": report.gone(session)}
        waited = LONGEST_LIFETIME - waiter.seconds_left
        pause = min(_LONGEST_PAUSE, max(ATTEMPT_TIMEOUT, waited * _PAUSE_SHARE))
        if _is_expired(session) or not waiter.pause(pause):
            return found


def _attempt(session: Session, name: str, keep: bool) -> tuple[dict[str, t.Any], bool]:
    """Revoke what can be revoked: the report, and whether a later attempt may revoke more."""
    found = _end_without_tokens(session, name, keep)
    return (found, False) if found is not None else _revoke(session, name)


def _end_without_tokens(session: Session, name: str, keep: bool) -> dict[str, t.Any] | None:
    """End a session without tokens, which needs no request to Keystone; None if it has some."""
    if session.exists and not owners.others(session, name):
        # Before the lock: a process that holds it while it waits for Keystone to issue a token gives up now.
        with contextlib.suppress(SessionError):
            session.close()
    with session.locked():
        if session.has_tokens or owners.others(session, name):
            return None
        found = report.of_session(session)
        if found["tokens_issued"] or keep:
            # It stays, closed: what the run left behind must not find nothing, and use the password.
            key.remove(session.path)
            session.allow_fork_servers(False)
            owners.remove(session, name)
        else:
            session.discard()
    return found


def _revoke(session: Session, name: str) -> tuple[dict[str, t.Any], bool]:
    python = _python(session)
    if python != sys.executable:
        os.execv(python, [python, "-m", f"{PACKAGE}.revoke.watcher", session.path, name, "--now"])
    from . import revocation

    result = revocation.leave(session, name, ATTEMPT_TIMEOUT)
    found = report.of_session(session)
    if result is None:
        return {**found, "left": True}, False
    found.update(revoked=result.revoked, already_dead=result.already_dead)
    problems = [revocation.unconfirmed(session, result.problems)] if result.problems else []
    found.update(report.of_living(result.living, *problems, *result.damage))
    return found, bool(result.problems)


def _is_expired(session: Session) -> bool:
    """Whether all of the session's tokens have expired; of one that cannot be read, nobody knows."""
    try:
        lists = [session.readable_tokens(name) for name in session.all_names()]
    except (OneTokenError, OSError):
        return False
    return all(complete and all(token.expired for token in tokens) for tokens, complete in lists)


def _python(session: Session) -> str:
    """A Python that has keystoneauth: this one, or else one that signed in."""
    if importlib.util.find_spec("keystoneauth1") is None:
        with contextlib.suppress(SessionError):
            for name in session.all_names():
                for token in session.readable_tokens(name)[0]:
                    if token.python:
                        return token.python
    return sys.executable


def _sweep_others(session: Session, code: t.Mapping[str, str]) -> None:
    """Sweep the sessions of earlier runs, whose machine or container went down under them."""
    # Whatever is wrong with those is not to keep this run's session from being watched.
    with contextlib.suppress(Exception):
        base = os.path.dirname(session.path)
        orphans = sweep.orphans(base)
        if not orphans:
            sweep.clear(base)
            return
        # A session with tokens stays where it is; this one goes, and its code with it, if the run needs no token. The
        # orphans are of this user, and get the code of this process first.
        lasting = next(orphan for orphan in orphans if _can_write_code(orphan, code))
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


def _can_write_code(session: Session, code: t.Mapping[str, str]) -> bool:
    """Write this code into a session; False if that is not possible."""
    try:
        # Another run's watcher may do the same.
        with session.locked(ATTEMPT_TIMEOUT):
            site_code.write(session, code)
    except (OneTokenError, OSError):
        return False
    return True


def own_files() -> dict[str, str]:
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


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], "--now" in sys.argv[3:])
