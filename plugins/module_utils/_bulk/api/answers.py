# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service says in an answer, and in an error."""

from __future__ import annotations

import html
import re
import typing as t
from urllib.parse import parse_qsl, urlsplit

from ..._session.util.errors import OneTokenError
from ..model.errors import SERVER_ERROR, CloudError, RefusedError, UnconfirmedError
from .services import Service, display_name

if t.TYPE_CHECKING:
    import requests

#: What Nova's "unexpected error" says when Glance refuses another image: asking again is of no use.
IMAGE_QUOTA = "HTTPOverLimit"
UNAUTHORIZED = 401
#: So much of what a service says is shown, in characters.
LONGEST_MESSAGE = 500


def content(response: requests.Response, *keys: str) -> str:
    """The text that an answer has below these keys. One that lacks it is as good as none: it does not say what was
    made."""
    try:
        found = response.json()
        for key in keys:
            found = found[key]
        if not found or not isinstance(found, str):
            raise KeyError(keys)
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        raise UnconfirmedError(f"an answer (HTTP {response.status_code}) came without {' '.join(keys)}") from exc
    return found


def error_of(service: Service, response: requests.Response) -> OneTokenError:
    """What an answer that is an error means for its request."""
    status, text = response.status_code, said_by(service, response)
    if status >= SERVER_ERROR and IMAGE_QUOTA in text:
        return RefusedError(f"the project's quota of images is used up: {text}", status)
    if status >= SERVER_ERROR:
        return UnconfirmedError(text)
    return CloudError(text) if status == UNAUTHORIZED else RefusedError(text, status)


def said_by(service: Service, response: requests.Response) -> str:
    """What a service says in an error, with its name and the status."""
    return f"{_message(response)} ({display_name(service)} service, HTTP {response.status_code})"


def _message(response: requests.Response) -> str:
    """What a service says in an error: under {"conflictingRequest": {"message": ...}}, or as a web page."""
    reason = response.reason or "no reason is given"
    try:
        body = response.json()
    except (ValueError, RecursionError):
        text = re.sub(r"<(title|style|script)\b.*?</\1>|<[^>]+>", " ", response.text, flags=re.DOTALL | re.IGNORECASE)
        return _shortened(html.unescape(text)) or reason
    for part in [*body.values(), body] if isinstance(body, dict) else []:
        if isinstance(part, dict) and part.get("message"):
            return _shortened(str(part["message"]))
    return reason


def _shortened(text: str) -> str:
    return " ".join(text.split())[:LONGEST_MESSAGE]


def next_page(page: dict[str, t.Any], key: str) -> dict[str, t.Any] | None:
    """The query of the next page; only its query, as a service behind a proxy may not know its own address."""
    try:
        links = [link["href"] for link in page.get(f"{key}_links") or [] if link.get("rel") == "next"]
        following = links[0] if links else page.get("next")
        return dict(parse_qsl(urlsplit(following).query)) if following else None
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise CloudError(f"The link to the next page of a list of {key} cannot be read.") from exc
