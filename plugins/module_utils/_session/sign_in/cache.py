# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sign-in for each identity of a run: the first process asks Keystone, and its answer serves the others.

Whatever is wrong with the session costs a sign-in and never a task: each operation on the session may fail, and then
the process asks Keystone by itself, once. The exception is a session that was revoked: nobody signs in with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import os
import secrets
import time
import typing as t

try:
    import requests
    from keystoneauth1 import exceptions
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    exceptions = None

from ..rate_limit.throttling import is_throttled
from ..revoke.keystone import PASSING, TOKEN_PATH, Connection
from ..store import refusals, serving, traffic, usage
from ..store.renewal import RenewalPolicy
from ..store.session import AUTHENTICATIONS, BROKEN, IDENTITIES, ISSUED, REQUESTS, UNRECORDED, Session
from ..store.token import Token, TokenId
from ..store.tokens import StoredTokens
from ..store.traffic import Traffic
from ..transport.target import IDENTITY
from ..util import boot, clock, file_lock
from ..util.errors import OneTokenError, SessionClosedError, SessionDamagedError, SessionError, public
from ..util.waiting import Waiter
from . import detached, response
from .request import SignInRequest

#: Seconds for which a process waits for another that signs in as the same identity, before it does so by itself.
LOCK_TIMEOUT = 120
_POLL = 0.05
#: Seconds for which requests are repeated while Keystone is busy, the same with a token that still works, and while
#: Keystone cannot be reached.
BUSY_TIMEOUT = 120
BUSY_TIMEOUT_WITH_TOKEN = 5
UNREACHABLE_TIMEOUT = 10
#: Seconds for which a token that could not be renewed is served before Keystone is asked again.
RENEWAL_PAUSE = 60
#: Seconds for which Keystone is asked whether it accepts a token, or to revoke one that nobody can use.
TOKEN_TIMEOUT = 30

Ask = t.Callable[[], "requests.Response"]

#: The tokens that a service refused to this process.
refused: set[TokenId] = set()
#: The identity that this process signed in as last.
latest: Identity | None = None
#: This process's own BUSY_TIMEOUT.
busy_timeout: float = BUSY_TIMEOUT


def refuse(token: str) -> None:
    """Remember that a service refused a token to this process."""
    with contextlib.suppress(ValueError):
        refused.add(TokenId(token))


def answer(request: SignInRequest, session: Session, ask: Ask) -> requests.Response:
    """The answer to a request to sign in.

    :raises SessionClosedError: the session was revoked
    """
    global latest
    latest = identity = Identity(session, request)
    try:
        found = identity.begin()
    except SessionClosedError:
        raise
    except Exception:  # pylint: disable=broad-exception-caught
        session.report_problem(BROKEN)
        found = None
    if found is None:
        return ask_without_lock(identity, ask)
    if isinstance(found, requests.Response):
        return found
    with found:
        return found.ask(ask)


def ask_without_lock(identity: Identity, ask: Ask) -> requests.Response:
    """Ask Keystone where another process holds the lock for too long, or something is wrong with the session.

    The token is on the list for the revoke, if that can be written.
    """
    began, obtained_at = boot.now(), clock.now()
    found = ask()
    try:
        record_for_revoke(identity.session, found, identity.request, began, obtained_at)
    except Exception:  # pylint: disable=broad-exception-caught
        identity.session.report_problem(UNRECORDED)
    return found


def record_for_revoke(
    session: Session, found: requests.Response, request: SignInRequest, began: float, obtained_at: datetime.datetime
) -> None:
    """Put the token of an answer, if there is one, on the session's list; it is served to nobody."""
    token = _usable_token(found, request, began, obtained_at)
    if token is None:
        return
    # To a process that revokes, a file that is not in place yet is one of a writer that was killed.
    lock = session.signing_in(LOCK_TIMEOUT)
    try:
        session.write_tokens(f"unlisted-{secrets.token_hex(8)}", StoredTokens(token))
    finally:
        file_lock.unlock_and_close(lock)
    session.count(ISSUED)


@dataclasses.dataclass(frozen=True)
class Identity:
    """Who a process signs in as, in a session."""

    session: Session
    request: SignInRequest = dataclasses.field(repr=False)

    @functools.cached_property
    def name(self) -> str:
        return self.request.name(self.session.key())

    def begin(self) -> requests.Response | SignIn | None:
        """The session's answer, or a sign-in under the identity's lock; None if neither is possible in time."""
        arrived = boot.now()
        self.session.refuse_closed()
        usage.hold(self.session)
        policy = self.session.read_record().policy
        waiter = Waiter(LOCK_TIMEOUT)
        while True:
            stored = self._stored()
            if stored and serving.is_good(self.session, stored.current, policy, refused):
                return self.served(stored.current)
            lock = self.session.lock_for(self.name)
            if lock is not None:
                return self._begin_with(lock, arrived, policy)
            if stored and self._is_usable(stored):
                # Another process renews it; until that is done, it works.
                return self.served(stored.current)
            if not waiter.pause(_POLL):
                return None

    def _begin_with(self, lock: int, arrived: float, policy: RenewalPolicy) -> requests.Response | SignIn | None:
        with contextlib.ExitStack() as stack:
            stack.callback(file_lock.unlock_and_close, lock)
            # Nobody revokes the session before this token is on its list.
            signing_in = self.session.signing_in(LOCK_TIMEOUT)
            stack.callback(file_lock.unlock_and_close, signing_in)
            self.session.refuse_closed()
            # Another process may have signed in before this one got the lock.
            stored = self._stored()
            if stored and serving.is_good(self.session, stored.current, policy, refused):
                return self.served(stored.current)
            usable = stored if stored and self._is_usable(stored) else None
            refusal = refusals.read(self.session, self.name)
            if refusal and usable and not refusal.is_final and refusal.age < RENEWAL_PAUSE:
                return self.served(usable.current)
            if refusal and refusal.answers(arrived):
                return response.of_refusal(refusal)
            if refusal and refusal.error and refusal.came_since(arrived):
                # Keystone could not be reached. If each process tried in turn, each would wait as long as the first.
                return None
            if stored and not usable and _is_refused_by_mistake(self.session, stored.current):
                return self.served(stored.current)
            if refusal and refusal.pause:
                Waiter(refusals.PAUSE).pause(refusal.pause)
            stack.pop_all()
            return SignIn(self, stored, usable is not None, (lock, signing_in))

    def _stored(self) -> StoredTokens | None:
        try:
            return self.session.read_tokens(self.name)
        except SessionDamagedError:
            # The next token must not replace one that somebody may still be able to read.
            self.session.set_tokens_aside(self.name)
            self.session.report_problem(BROKEN)
            return None

    def _is_usable(self, stored: StoredTokens) -> bool:
        return serving.is_usable(self.session, stored.current, refused)

    def served(self, token: Token) -> requests.Response:
        self.session.count(AUTHENTICATIONS)
        return response.of_token(token, self.request.url)


def _is_refused_by_mistake(session: Session, token: Token) -> bool:
    """Whether Keystone accepts a token that a service refused."""
    if token.id not in refused or not serving.is_usable(session, token):
        return False
    # If nobody can say, a new token is requested. RuntimeError: no thread could be started.
    with contextlib.suppress(OneTokenError, OSError, RuntimeError):
        return is_accepted(session, token)
    return False


def is_accepted(session: Session, token: Token) -> bool:
    """Whether Keystone accepts a token.

    :raises KeystoneUnavailableError: it does not say
    """
    session.count(REQUESTS)
    return Connection.of_token(token).accepts(token.id, Waiter(TOKEN_TIMEOUT)) is True


class SignIn:
    """A sign-in under the identity's lock: this process asks Keystone, and the others wait for its answer."""

    def __init__(self, identity: Identity, stored: StoredTokens | None, usable: bool, locks: tuple[int, ...]) -> None:
        self._identity = identity
        self._session = identity.session
        self._stored = stored
        #: The token that works until there is a new one.
        self._fallback = stored.current if stored and usable else None
        self._locks = locks

    def __enter__(self) -> SignIn:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for lock in self._locks:
            os.close(lock)

    def unlock(self) -> None:
        """Let other processes sign in. Not at the exit: if this process is interrupted, its copy still asks."""
        for lock in self._locks:
            file_lock.unlock(lock)

    def ask(self, ask: Ask) -> requests.Response:
        """Ask Keystone, and put its answer into the session."""
        work = functools.partial(self._work, ask)
        try:
            found = self._detached(work) if detached.is_possible() else work()
        except exceptions.ClientException:
            if self._fallback is None:
                raise
            return self._identity.served(self._fallback)
        # Credentials that are refused now are refused, though the token that they got before still works.
        if self._fallback is not None and not response.is_token(found) and found.status_code not in (401, 403):
            return self._identity.served(self._fallback)
        return found

    def _detached(self, work: Ask) -> requests.Response:
        request = self._identity.request
        more = request.longest + max(0.0, busy_timeout - BUSY_TIMEOUT)
        try:
            return response.made(*detached.call(lambda: response.parts(work()), self._session.path, more))
        except detached.NoAnswerError:
            return work()
        except detached.DeadlineError:
            # As keystoneauth says it; Keystone may have issued a token, and is not asked for another.
            error = exceptions.ConnectTimeout(f"Request to {public(request.url)} timed out")
            self._record_failure(error)
            self.unlock()
            raise error from None
        except detached.UnreadableError as exc:
            raise response.error_of(*exc.args) from None

    def _work(self, ask: Ask) -> requests.Response:
        """What this process, or a copy of it, does before it unlocks the identity."""
        try:
            return self._ask_and_record(ask)
        except exceptions.ClientException as exc:
            self._record_failure(exc)
            raise
        finally:
            self.unlock()

    def _record_failure(self, error: Exception) -> None:
        refusal = response.no_answer(error, self._identity.request.url)
        self._record(lambda: refusals.write(self._session, self._identity.name, refusal))

    def _ask_and_record(self, ask: Ask) -> requests.Response:
        busy = Waiter(
            busy_timeout if self._fallback is None else min(busy_timeout, BUSY_TIMEOUT_WITH_TOKEN),
            cancelled=self._is_closed,
        )
        unreachable = Waiter(min(busy_timeout, UNREACHABLE_TIMEOUT))
        while True:
            began, obtained_at = boot.now(), clock.now()
            self._session.count(REQUESTS)
            try:
                found = ask()
            except exceptions.RetriableConnectionFailure:
                if not unreachable.wait():
                    raise
                continue
            self.record_token(found, began, obtained_at)
            if found.status_code not in PASSING or not self._wait(busy, found):
                break
        if response.is_refusal(found):
            self._record(lambda: refusals.write(self._session, self._identity.name, response.refusal_of(found)))
        return found

    def _wait(self, busy: Waiter, found: requests.Response) -> bool:
        """Wait as long as Keystone asks; False when the time is up."""
        waiting_since = time.monotonic()
        has_waited = busy.wait(found.headers)
        if is_throttled(found.status_code, found.headers):
            waited = Traffic(seconds=time.monotonic() - waiting_since)
            traffic.note(self._session, IDENTITY, waited)
        return has_waited

    def _is_closed(self) -> bool:
        """Whether the session was revoked; False if that cannot be read."""
        try:
            return self._session.closed
        except (SessionError, OSError):
            return False

    def record_token(self, found: requests.Response, began: float, obtained_at: datetime.datetime) -> None:
        """Make the token of an answer, if there is one, the identity's; the ones before stay on the session's list."""
        token = _usable_token(found, self._identity.request, began, obtained_at)
        if token is None:
            return

        def write() -> None:
            replaced = self._stored.newest_first if self._stored else ()
            self._session.write_tokens(self._identity.name, StoredTokens(token, replaced))
            refusals.remove(self._session, self._identity.name)
            self._session.count(ISSUED)
            if self._stored is None:
                self._session.count(IDENTITIES)

        self._record(write)

    def _record(self, write: t.Callable[[], None]) -> None:
        try:
            write()
        except Exception:  # pylint: disable=broad-exception-caught
            self._session.report_problem(UNRECORDED)


def _usable_token(
    found: requests.Response, request: SignInRequest, began: float, obtained_at: datetime.datetime
) -> Token | None:
    """The token of an answer; None if there is none. One that nobody can use is revoked at once."""
    token_id = response.token_id(found)
    if token_id is None:
        return None
    try:
        return response.token_of(found, request, began, obtained_at)
    except (KeyError, RecursionError, TypeError, ValueError):
        with contextlib.suppress(Exception):
            url = response.token_url(found)
            connection = Connection(url[: -len(TOKEN_PATH)], request.tls, token_url=url)
            connection.revoke(TokenId(token_id), Waiter(TOKEN_TIMEOUT))
    return None
