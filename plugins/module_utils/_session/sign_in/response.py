# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of Keystone, kept and given again."""

from __future__ import annotations

import http.client
import json
import typing as t

try:
    import requests
    from keystoneauth1 import exceptions
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    exceptions = None

from ..store.refusals import Refusal
from ..store.token import Token
from ..util import boot

#: Headers that belong to one transmission.
_OF_THE_TRANSMISSION = ("connection", "content-encoding", "content-length", "keep-alive", "transfer-encoding")


def of_token(token: Token, url: str) -> requests.Response:
    """The answer that brought a token."""
    headers = {"X-Subject-Token": token.id.reveal(), "Content-Type": "application/json"}
    return made(201, headers, json.dumps({"token": token.body}), token.token_url or url)


def made(status: int, headers: t.Mapping[str, str], body: str, url: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.reason = http.client.responses.get(status, "")
    response.headers.update(headers)
    response.url = url
    response.encoding = "utf-8"
    response._content = body.encode()
    return response


def kept_headers(response: requests.Response) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name.lower() not in _OF_THE_TRANSMISSION}


def refusal_of(response: requests.Response) -> Refusal:
    headers, url = kept_headers(response), str(response.url)
    return Refusal(response.status_code, headers, response.text, url, boot.now(), boot.identifier())


def refusal_of_error(error: Exception, url: str) -> Refusal:
    """What is kept of a connection that failed."""
    return Refusal(0, {}, str(error), url, boot.now(), boot.identifier(), error=type(error).__name__)


def of_refusal(refusal: Refusal) -> requests.Response:
    if refusal.error:
        raise error_of(refusal.error, refusal.body)
    return made(refusal.status, refusal.headers, refusal.body, refusal.url)


def error_of(name: str, text: str) -> Exception:
    """An error of which the class's name and the text are left, as near to that class as these suffice for."""
    error: Exception
    try:
        error = getattr(exceptions, name, exceptions.ConnectFailure)(text)
    except TypeError:
        # Some want the error that they were made of.
        error = exceptions.ConnectionError(text)
    return error
