# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One sign-in for each identity of a run: the first process asks Keystone, and its answer serves the others.

Whatever is wrong with the session costs a sign-in and never a task: each operation on the session may fail, and then
the process asks Keystone by itself, once. The exception is a session that was revoked, with which nobody signs in.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import os
import secrets
import sys
import time
import typing as t

try:
    import requests
    from keystoneauth1 import exceptions
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    exceptions = None

from ..rate_limit.throttling import is_throttled
from ..revoke.keystone import PASSING, TOKEN_PATH, Connection, versioned
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

#: Seconds for which a process waits for another that signs the same identity in, before it does so by itself.
WAIT = 120
_POLL = 0.05
#: Seconds for which Keystone is asked again that is busy; with a token that still works; and when it cannot be reached.
BUSY = 120
BUSY_WITH_A_TOKEN = 5
UNREACHABLE = 10
#: Seconds for which a token that could not be renewed is used on before Keystone is asked again.
RENEWAL_PAUSE = 60
#: Seconds for which Keystone is asked whether a token lives that a service refused.
_QUESTION = 30

_SUBJECT_TOKEN = "X-Subject-Token"

Ask = t.Callable[[], "requests.Response"]

#: The tokens that a service refused to this process.
refused: set[TokenId] = set()
#: Who this process signed in as last.
latest: Identity | None = None
#: Seconds for which Keystone is asked again that is busy.
patience: float = BUSY


def refuse(token: str) -> None:
    """A service refused a token to this process."""
    with contextlib.suppress(ValueError):
        refused.add(TokenId(token))


def answer(request: SignInRequest, session: Session, ask: Ask) -> requests.Response:
    """The answer to a request to sign in.

    :raises SessionClosedError: the session was revoked
    """
    global latest
    latest = identity = Identity(session, request)
    try:
        turn = identity.turn()
    except SessionClosedError:
        raise
    except Exception:  # pylint: disable=broad-exception-caught
        session.note_trouble(BROKEN)
        turn = None
    if isinstance(turn, requests.Response):
        return turn
    if turn is None:
        return asked_besides(identity, ask)
    with turn:
        return turn.ask(ask)


def asked_besides(identity: Identity, ask: Ask) -> requests.Response:
    """The answer to a process that has no turn, as another one took too long, or something is wrong with the session:
    its token is on the list for the revoke, if that can be written."""
    began, obtained_at = boot.now(), clock.now()
    found = ask()
    try:
        record_unlisted(identity.session, found, identity.request, began, obtained_at)
    except Exception:  # pylint: disable=broad-exception-caught
        identity.session.note_trouble(UNRECORDED)
    return found


def record_unlisted(
    session: Session, found: requests.Response, request: SignInRequest, began: float, obtained_at: datetime.datetime
) -> None:
    """Put the token of an answer, if there is one, on the session's list; it is served to nobody."""
    token = _recordable(found, request, began, obtained_at)
    if token is None:
        return
    # Who revokes takes a file that is not in place yet for one of a writer that was killed.
    lock = session.signing_in(WAIT)
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

    def turn(self) -> requests.Response | Turn | None:
        """What the session answers; or the turn to ask Keystone; or None if neither is to be had in time."""
        arrived = boot.now()
        self.session.refuse_closed()
        usage.hold(self.session)
        policy = self.session.read_record().policy
        waiter = Waiter(WAIT)
        while True:
            stored = self._stored()
            if stored and serving.is_good(self.session, stored.current, policy, refused):
                return self.served(stored.current)
            lock = self.session.lock_for(self.name)
            if lock is not None:
                break
            if stored and serving.is_usable(self.session, stored.current, refused):
                # Somebody renews it; until that is done, it works.
                return self.served(stored.current)
            if not waiter.pause(_POLL):
                return None
        return self._turn_with(lock, arrived, policy)

    def _turn_with(self, lock: int, arrived: float, policy: RenewalPolicy) -> requests.Response | Turn | None:
        with contextlib.ExitStack() as stack:
            stack.callback(file_lock.unlock_and_close, lock)
            # Nobody revokes the session before this token is on its list.
            signing_in = self.session.signing_in(WAIT)
            stack.callback(file_lock.unlock_and_close, signing_in)
            self.session.refuse_closed()
            # Another process may have had its turn meanwhile.
            stored = self._stored()
            if stored and serving.is_good(self.session, stored.current, policy, refused):
                return self.served(stored.current)
            usable = stored is not None and serving.is_usable(self.session, stored.current, refused)
            refusal = refusals.read(self.session, self.name)
            if refusal and stored and usable and not refusal.is_final and refusal.age < RENEWAL_PAUSE:
                return self.served(stored.current)
            if refusal and refusal.answers(arrived):
                return response.of_refusal(refusal)
            if refusal and refusal.error and refusal.came_since(arrived):
                # Nobody was there. To find that out one after the other would take each as long as the first.
                return None
            if stored and not usable and is_accepted_after_all(self.session, stored.current):
                return self.served(stored.current)
            if refusal and refusal.pause:
                Waiter(refusals.PAUSE).pause(refusal.pause)
            stack.pop_all()
            return Turn(self, stored, usable, (lock, signing_in))

    def _stored(self) -> StoredTokens | None:
        try:
            return self.session.read_tokens(self.name)
        except SessionDamagedError:
            # The next token must not take the place of one that somebody may still be able to read.
            self.session.set_tokens_aside(self.name)
            self.session.note_trouble(BROKEN)
            return None

    def served(self, token: Token) -> requests.Response:
        self.session.count(AUTHENTICATIONS)
        return response.of_token(token, self.request.url)


def is_accepted_after_all(session: Session, token: Token) -> bool:
    """Whether the fault is the service's: Keystone accepts the token that the service refused."""
    if token.id not in refused or not serving.is_usable(session, token):
        return False
    # Where nobody can say, a new token is asked for. A RuntimeError: no thread is to be had.
    with contextlib.suppress(OneTokenError, OSError, RuntimeError):
        return is_accepted(session, token)
    return False


def is_accepted(session: Session, token: Token) -> bool:
    """Whether Keystone accepts a token.

    :raises KeystoneUnavailableError: it does not say
    """
    session.count(REQUESTS)
    return Connection.of_token(token).accepts(token.id, Waiter(_QUESTION)) is True


class Turn:
    """The one process that asks Keystone to sign an identity in."""

    def __init__(self, identity: Identity, stored: StoredTokens | None, usable: bool, locks: tuple[int, ...]) -> None:
        self._identity = identity
        self._session = identity.session
        self._stored = stored
        #: The token that works until this turn brings a new one.
        self._fallback = stored.current if stored and usable else None
        self._locks = locks

    def __enter__(self) -> Turn:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for lock in self._locks:
            os.close(lock)

    def end(self) -> None:
        """Let others have their turn. Not at the exit: of a process that was interrupted, the copy still asks."""
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
        if self._fallback is not None and not _is_token(found) and found.status_code not in (401, 403):
            return self._identity.served(self._fallback)
        return found

    def _detached(self, work: Ask) -> requests.Response:
        request = self._identity.request
        more = request.longest + max(0.0, patience - BUSY)
        try:
            return response.made(*detached.call(lambda: _parts(work()), self._session.path, more))
        except detached.NoAnswerError:
            return work()
        except detached.DeadlineError:
            # As keystoneauth says it; Keystone may have issued a token, and is not asked for another.
            error = exceptions.ConnectTimeout(f"Request to {public(request.url)} timed out")
            self._record_failure(error)
            self.end()
            raise error from None
        except detached.UnreadableError as exc:
            raise response.error_of(*exc.args) from None

    def _work(self, ask: Ask) -> requests.Response:
        """What is done here, or in a copy of this process, after which others have their turn."""
        try:
            return self._ask_and_record(ask)
        except exceptions.ClientException as exc:
            self._record_failure(exc)
            raise
        finally:
            self.end()

    def _record_failure(self, error: Exception) -> None:
        refusal = response.no_answer(error, self._identity.request.url)
        self._record(lambda: refusals.write(self._session, self._identity.name, refusal))

    def _ask_and_record(self, ask: Ask) -> requests.Response:
        busy = Waiter(
            patience if self._fallback is None else min(patience, BUSY_WITH_A_TOKEN),
            given_up=self._is_closed,
        )
        unreachable = Waiter(min(patience, UNREACHABLE))
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
        goes_on = busy.wait(found.headers)
        if is_throttled(found.status_code, found.headers):
            waited = Traffic(seconds=time.monotonic() - waiting_since)
            traffic.note(self._session, IDENTITY, waited)
        return goes_on

    def _is_closed(self) -> bool:
        """Whether nobody signs in with the session any more; of one that is gone, nobody can say so."""
        try:
            return self._session.closed
        except (SessionError, OSError):
            return False

    def record_token(self, found: requests.Response, began: float, obtained_at: datetime.datetime) -> None:
        """Put the token of an answer, if there is one, on the session's list, and there for the others."""
        token = _recordable(found, self._identity.request, began, obtained_at)
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
            self._session.note_trouble(UNRECORDED)


def _is_token(found: requests.Response) -> bool:
    """Whether who asked will use the answer as a token, which is so of some that are no 201."""
    return _SUBJECT_TOKEN in found.headers and found.status_code < 400


def _recordable(
    found: requests.Response, request: SignInRequest, began: float, obtained_at: datetime.datetime
) -> Token | None:
    """The token of an answer; None if there is none, or if nobody can use it, after which it is none any more."""
    if _SUBJECT_TOKEN not in found.headers:
        return None
    try:
        return _token_of(found, request, began, obtained_at)
    except (KeyError, RecursionError, TypeError, ValueError):
        with contextlib.suppress(Exception):
            url = _token_url(found)
            connection = Connection(url[: -len(TOKEN_PATH)], request.tls, token_url=url)
            connection.revoke(TokenId(found.headers[_SUBJECT_TOKEN]), Waiter(_QUESTION))
    return None


def _token_url(found: requests.Response) -> str:
    """Where the token of an answer is revoked."""
    url = public(str(found.url)).partition("?")[0]
    # Federation issues tokens at other addresses, where none is revoked.
    return url if url.endswith(TOKEN_PATH) else versioned(url.partition("/OS-FEDERATION/")[0]) + TOKEN_PATH


def _token_of(found: requests.Response, request: SignInRequest, began: float, obtained_at: datetime.datetime) -> Token:
    body, url = found.json()["token"], _token_url(found)
    if not isinstance(body, dict) or not _is_token(found):
        raise TypeError("an answer that is no token")
    return Token(
        TokenId(found.headers[_SUBJECT_TOKEN]),
        body,
        url[: -len(TOKEN_PATH)],
        obtained_at,
        request.tls,
        request.is_repeatable,
        url,
        began,
        boot.identifier(),
        sys.executable,
    )


def _parts(found: requests.Response) -> tuple[int, dict[str, str], str, str]:
    return found.status_code, dict(found.headers), found.text, str(found.url)
