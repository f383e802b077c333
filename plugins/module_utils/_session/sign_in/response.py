# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of Keystone, kept and given again."""

from __future__ import annotations

import contextlib
import http.client
import json
import typing as t
import urllib.parse

with contextlib.suppress(ImportError):  # Ansible looks into every file of a collection; where this is used, it is there
    import requests
    from keystoneauth1 import exceptions

from ..store.refusals import Refusal
from ..store.token import Token
from ..util import boot
from ..util.errors import public

#: The headers that keystoneauth and openstacksdk look at; any other may be a secret, and none of these is one.
_KEPT = ("content-type", "retry-after", "x-compute-request-id", "x-openstack-request-id")
#: The same for headers of one service each.
_KEPT_ENDINGS = ("-api-minimum-version", "-api-maximum-version")
_RECEIPT = "Openstack-Auth-Receipt"
_UNREADABLE = 400


def of_token(token: Token, url: str) -> requests.Response:
    """The answer that brought a token, to a request to this URL."""
    body = token.body
    if "nocatalog" in urllib.parse.urlsplit(url).query:
        body = {key: value for key, value in body.items() if key != "catalog"}
    headers = {"X-Subject-Token": token.id.reveal(), "Content-Type": "application/json"}
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


def kept_headers(response: requests.Response) -> dict[str, str]:
    headers = response.headers.items()
    return {name: value for name, value in headers if name.lower() in _KEPT or name.lower().endswith(_KEPT_ENDINGS)}


def is_refusal(response: requests.Response) -> bool:
    """Whether it may be given to others, without any secret of who asked.

    Keystone quotes what it cannot read of a request, which may be the password. A receipt, which it gives for one
    method of several, is as good as that method, and keystoneauth takes the answer for something else without it.
    """
    return response.status_code >= 400 and response.status_code != _UNREADABLE and _RECEIPT not in response.headers


def refusal_of(response: requests.Response) -> Refusal:
    headers, url = kept_headers(response), public(str(response.url))
    return Refusal(response.status_code, headers, response.text, url, boot.now(), boot.identifier())


def no_answer(error: Exception, url: str) -> Refusal:
    """What is kept of a connection that failed."""
    return Refusal(0, {}, "", public(url), boot.now(), boot.identifier(), error=type(error).__name__)


def of_refusal(refusal: Refusal) -> requests.Response:
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
