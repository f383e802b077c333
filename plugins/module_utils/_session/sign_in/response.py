# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone's answers: the token in them, and how they are kept and served again."""

from __future__ import annotations

import contextlib
import datetime
import http.client
import json
import sys
import typing as t
import urllib.parse

with contextlib.suppress(ImportError):  # Ansible looks into every file of a collection; where this is used, it is there
    import requests
    from keystoneauth1 import exceptions

from ..revoke.keystone import TOKEN_PATH, versioned
from ..store.refusals import Refusal
from ..store.token import Token, TokenId
from ..util import boot
from ..util.errors import public
from .request import SignInRequest

_SUBJECT_TOKEN = "X-Subject-Token"
#: The headers that keystoneauth and openstacksdk read; any other may be a secret, and none of these is one.
_KEPT = ("content-type", "retry-after", "x-compute-request-id", "x-openstack-request-id")
#: The same for headers of one service each.
_KEPT_SUFFIXES = ("-api-minimum-version", "-api-maximum-version")
_RECEIPT = "Openstack-Auth-Receipt"
_BAD_REQUEST = 400


def of_token(token: Token, url: str) -> requests.Response:
    """The answer that brought a token, to a request to this URL."""
    body = token.body
    if "nocatalog" in urllib.parse.urlsplit(url).query:
        body = {key: value for key, value in body.items() if key != "catalog"}
    headers = {_SUBJECT_TOKEN: token.id.reveal(), "Content-Type": "application/json"}
    return made(201, headers, json.dumps({"token": body}), token.token_url or url)


def made(status: int, headers: t.Mapping[str, str], body: str, url: str) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.reason = http.client.responses.get(status, "")
    response.headers.update(headers)
    response.url = url
    response.encoding = "utf-8"
    response._content = body.encode()
    return response


def parts(response: requests.Response) -> tuple[int, dict[str, str], str, str]:
    """What `made` makes the same answer of."""
    return response.status_code, dict(response.headers), response.text, str(response.url)


def token_id(response: requests.Response) -> str | None:
    return response.headers.get(_SUBJECT_TOKEN)


def is_token(response: requests.Response) -> bool:
    """Whether keystoneauth uses the answer as a token, whatever status of success it has."""
    return token_id(response) is not None and response.status_code < 400


def token_url(response: requests.Response) -> str:
    """Where the token of an answer is revoked."""
    url = public(str(response.url)).partition("?")[0]
    # Federation issues tokens at other addresses, where none is revoked.
    return url if url.endswith(TOKEN_PATH) else versioned(url.partition("/OS-FEDERATION/")[0]) + TOKEN_PATH


def token_of(
    response: requests.Response, request: SignInRequest, began: float, obtained_at: datetime.datetime
) -> Token:
    """The token of an answer to a request that was sent at this moment.

    :raises KeyError, RecursionError, TypeError, ValueError: there is none that can be used
    """
    body, url = response.json()["token"], token_url(response)
    if not isinstance(body, dict) or not is_token(response):
        raise TypeError("an answer that is no token")
    return Token(
        TokenId(response.headers[_SUBJECT_TOKEN]),
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


def kept_headers(response: requests.Response) -> dict[str, str]:
    headers = response.headers.items()
    return {name: value for name, value in headers if name.lower() in _KEPT or name.lower().endswith(_KEPT_SUFFIXES)}


def is_refusal(response: requests.Response) -> bool:
    """Whether others may be given this answer: it holds no secret of the process that asked.

    Where Keystone cannot read a request, it quotes a part of it, which may be the password. A receipt, which it gives
    for one of several methods, is as good as that method, and keystoneauth misreads the answer without it.
    """
    return response.status_code >= 400 and response.status_code != _BAD_REQUEST and _RECEIPT not in response.headers


def refusal_of(response: requests.Response) -> Refusal:
    headers, url = kept_headers(response), public(str(response.url))
    return Refusal(response.status_code, headers, response.text, url, boot.now(), boot.identifier())


def no_answer(error: Exception, url: str) -> Refusal:
    """What is kept of a connection that failed."""
    return Refusal(0, {}, "", public(url), boot.now(), boot.identifier(), error=type(error).__name__)


def of_refusal(refusal: Refusal) -> requests.Response:
    return made(refusal.status, refusal.headers, refusal.body, refusal.url)


def error_of(name: str, text: str) -> Exception:
    """An error of keystoneauth with this name and text, or the nearest one that can be made of these."""
    error: Exception
    try:
        error = getattr(exceptions, name, exceptions.ConnectFailure)(text)
    except TypeError:
        # Some want the error that they were made of.
        error = exceptions.ConnectionError(text)
    return error
