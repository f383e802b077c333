# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The versions of a service, asked for once in ten minutes and not by each process."""

from __future__ import annotations

import contextlib
import json
import os
import typing as t
import urllib.parse

try:
    import requests
    from keystoneauth1 import exceptions
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    exceptions = None

from ..store import documents
from ..store.documents import Document
from ..store.session import DOCUMENTS_SERVED, REQUESTS, Session
from ..util import boot, file_lock
from ..util.errors import public
from ..util.waiting import Waiter
from . import response
from .request import connection_of, is_secret, tls_of

_KEYWORDS = {"headers", "authenticated"}
_UNAUTHENTICATED = 401
#: What is in Keystone's documents alone, of either version of its interface.
_KEYSTONE_S = "application/vnd.openstack.identity-"
#: Seconds for which a process waits for another that asks for the same document, before it does so by itself.
WAIT = 5
_POLL = 0.02
#: The hosts of which this process was served a document.
_served: set[str] = set()


def answer(call: t.Callable[..., requests.Response], self: t.Any, url: str, keywords: dict[str, t.Any]) -> t.Any:
    """The session's answer to a request for versions, or the service's."""
    session = name = kept = lock = None
    authenticated = keywords.get("authenticated")
    if authenticated is None:
        authenticated = bool(self.auth)
    with contextlib.suppress(Exception):
        session = Session.of_environment(os.environ)
        if session is not None and not session.closed and session.is_of_this_format:
            name = _name(self, url, keywords, authenticated)
            kept, lock = _kept_or_lock(session, name) if name else (None, None)
    if session is not None and kept is not None:
        _served.add(urllib.parse.urlsplit(url).netloc)
        session.count(DOCUMENTS_SERVED)
        if kept.status_code >= 400:
            raise exceptions.from_response(kept, "GET", url)
        return kept
    try:
        return _ask(call, session, name, authenticated)
    finally:
        if lock is not None:
            file_lock.unlock_and_close(lock)


def _kept_or_lock(session: Session, name: str) -> tuple[requests.Response | None, int | None]:
    """A document that is kept; or else the lock for which others wait while this process asks.

    Neither, if another process asks for too long, or its answer was not kept: then all who waited ask at once.
    """
    waiter, waited = Waiter(WAIT), False
    while True:
        kept = _kept(session, name)
        if kept is not None:
            return kept, None
        lock = session.lock_for(name)
        if lock is not None:
            break
        if not waiter.pause(_POLL):
            return None, None
        waited = True
    with contextlib.ExitStack() as stack:
        stack.callback(file_lock.unlock_and_close, lock)
        # Another process may have kept it between the look and the lock.
        kept = _kept(session, name)
        if kept is None and not waited:
            stack.pop_all()
            return None, lock
    return kept, None


def _ask(
    call: t.Callable[..., requests.Response], session: Session | None, name: str | None, authenticated: bool
) -> requests.Response:
    """The service's answer, which the session keeps for others."""
    try:
        found = call()
    except exceptions.Unauthorized as exc:
        # That it has to be asked with a token is all that Cinder says at first, each time.
        if not authenticated and session and name and exc.response is not None:
            _keep(session, name, exc.response)
        raise
    if session and name:
        _keep(session, name, found)
    return found


def doubt(what: t.Any) -> None:
    """Something was not found, or nobody listens: documents that this process was served may be out of date."""
    hosts = set(_served)
    if isinstance(what, requests.Response):
        hosts &= {urllib.parse.urlsplit(str(what.url)).netloc}
    elif isinstance(what, exceptions.NotFound) and what.url:
        hosts &= {urllib.parse.urlsplit(what.url).netloc}
    elif not isinstance(what, exceptions.ConnectFailure):
        return
    session = Session.of_environment(os.environ) if hosts else None
    if session is not None:
        for host in hosts:
            documents.forget(session, host)
        _served.difference_update(hosts)


def _name(self: t.Any, url: str, keywords: dict[str, t.Any], authenticated: bool) -> str | None:
    """What the session calls the document; None for a request that has something in it that is not understood."""
    # What is kept is for everybody, and its file's name is made of the question.
    if set(keywords) - _KEYWORDS or public(url) != url or any(is_secret(name) for name in self.additional_headers):
        return None
    question = {
        "url": url,
        "asked with": dict(keywords.get("headers") or {}),
        "authenticated": authenticated,
        **connection_of(self, tls_of(self, url)),
    }
    return documents.name_of(url, json.dumps(question, sort_keys=True))


def _kept(session: Session, name: str) -> requests.Response | None:
    document = documents.read(session, name)
    if document is None:
        return None
    found = response.made(document.status, document.headers, document.body, document.url)
    # What is no JSON, was damaged.
    found.json()
    return found


def _keep(session: Session, name: str, found: requests.Response) -> None:
    with contextlib.suppress(Exception):
        if found.status_code in (200, 300, _UNAUTHENTICATED):
            # What is no JSON is no document of versions.
            found.json()
            if _KEYSTONE_S in found.text:
                session.count(REQUESTS)
            headers = response.kept_headers(found)
            documents.write(
                session,
                name,
                Document(found.status_code, headers, found.text, public(str(found.url)), boot.now(), boot.identifier()),
            )
