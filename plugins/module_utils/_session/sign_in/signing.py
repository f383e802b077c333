# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers keystoneauth's request to sign in from the session."""

from __future__ import annotations

import contextlib
import os
import typing as t

try:
    import requests
    from keystoneauth1 import exceptions
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    exceptions = None

from ..store.session import BROKEN, Session
from ..transport.errors import of_program
from ..util.errors import OneTokenError
from . import cache, handle
from .request import SignInRequest

Answer = t.Callable[[t.Callable[..., "requests.Response"]], "requests.Response"]


def prepare(keystone_session: t.Any, url: str, keywords: dict[str, t.Any]) -> Answer | None:
    """A function that answers this request; None if it is not for the session."""
    session = Session.of_environment(os.environ)
    request = None if session is None else SignInRequest.of_call(keystone_session, url, keywords)
    if session is None or request is None:
        return None
    is_readable = _is_readable(session)
    granted = request.handle and is_readable and handle.read(session, request.handle)

    def answer(call: t.Callable[..., requests.Response]) -> requests.Response:
        def ask(**changes: t.Any) -> requests.Response:
            return call(raise_exc=False, **changes)

        found: requests.Response | None
        try:
            if not is_readable:
                found = cache.ask_without_lock(cache.Identity(session, request), ask)
            elif granted:
                found = handle.answer(granted, request, session, ask)
            else:
                found = cache.answer(request, session, ask)
        except OneTokenError as exc:
            raise of_program(exc) from None
        if found is None:
            return call()
        if found.status_code >= 400:
            raise exceptions.from_response(found, "POST", url)
        return found

    return answer


def _is_readable(session: Session) -> bool:
    with contextlib.suppress(OneTokenError, OSError):
        if session.is_of_this_format:
            return True
    session.report_problem(BROKEN)
    return False
