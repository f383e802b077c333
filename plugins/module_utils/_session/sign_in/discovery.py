# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The discovery cache: the versions of a service are requested once in ten minutes, for all processes."""

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
#: What only Keystone's documents contain, of either version of its API.
_OF_KEYSTONE = "application/vnd.openstack.identity-"
#: Seconds for which a process waits for another that requests the same document, before it does so itself.
LOCK_TIMEOUT = 5
_POLL = 0.02
#: The hosts whose documents were served to this process.
served_hosts: set[str] = set()


def answer(call: t.Callable[..., requests.Response], self: t.Any, url: str, keywords: dict[str, t.Any]) -> t.Any:
    """The answer to a request for versions, from the session or from the service."""
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
        served_hosts.add(urllib.parse.urlsplit(url).netloc)
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
    """A document from the session, or the lock for which others wait while this process requests it.

    Neither if another process takes too long, or its answer was not kept: then all that waited request it at once.
    """
    waiter, waited = Waiter(LOCK_TIMEOUT), False
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
        # Another process may have kept it meanwhile.
        kept = _kept(session, name)
        if kept is None and not waited:
            stack.pop_all()
            return None, lock
    return kept, None


def _ask(
    call: t.Callable[..., requests.Response], session: Session | None, name: str | None, authenticated: bool
) -> requests.Response:
    """Request a document, and keep it for others."""
    try:
        found = call()
    except exceptions.Unauthorized as exc:
        # Cinder always answers a request without a token like this.
        if not authenticated and session and name and exc.response is not None:
            _keep(session, name, exc.response)
        raise
    if session and name:
        _keep(session, name, found)
    return found


def forget_outdated(outcome: t.Any) -> None:
    """Something was not found, or a connection failed: forget the documents that may have led there."""
    hosts = set(served_hosts)
    if isinstance(outcome, requests.Response):
        hosts &= {urllib.parse.urlsplit(str(outcome.url)).netloc}
    elif isinstance(outcome, exceptions.NotFound) and outcome.url:
        hosts &= {urllib.parse.urlsplit(outcome.url).netloc}
    elif not isinstance(outcome, exceptions.ConnectFailure):
        return
    session = Session.of_environment(os.environ) if hosts else None
    if session is not None:
        for host in hosts:
            documents.forget(session, host)
        served_hosts.difference_update(hosts)


def _name(self: t.Any, url: str, keywords: dict[str, t.Any], authenticated: bool) -> str | None:
    """The name of the document in the session; None for a request with options that are not understood."""
    # The document is for all processes, and its name is made from the request.
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
    # Raises if the file was damaged.
    found.json()
    return found


def _keep(session: Session, name: str, found: requests.Response) -> None:
    with contextlib.suppress(Exception):
        if found.status_code in (200, 300, _UNAUTHENTICATED):
            # Raises if it is no document of versions.
            found.json()
            if _OF_KEYSTONE in found.text:
                session.count(REQUESTS)
            headers = response.kept_headers(found)
            documents.write(
                session,
                name,
                Document(found.status_code, headers, found.text, public(str(found.url)), boot.now(), boot.identifier()),
            )
