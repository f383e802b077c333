# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What listings of Nova and Cinder share: a limit, a marker, an order, and a link to the next page."""

from __future__ import annotations

import typing as t
from urllib.parse import urlencode

from .messages import Answer, Request, fault
from .resources import Collection, MarkerError, Resource

#: The largest and default size of a page.
PAGE = 1000

R = t.TypeVar("R", bound=Resource)
Order = list[tuple[t.Callable[[t.Any], t.Any], bool]]


def page_size(parameters: dict[str, str]) -> int:
    text = parameters.get("limit", str(PAGE))
    if not text.isdigit():
        message = f"Invalid input for query parameters limit. Value: {text}. '{text}' does not match '^[0-9]*$'"
        raise fault(400, message)
    return min(int(text), PAGE) or PAGE


def page(
    collection: Collection[R],
    parameters: dict[str, str],
    wanted: t.Callable[[R], bool] | None,
    order: Order,
    no_marker: t.Callable[[str], Exception],
) -> tuple[list[R], bool]:
    try:
        return collection.page(page_size(parameters), parameters.get("marker"), wanted, order)
    except MarkerError as exc:
        raise no_marker(str(exc)) from exc


def listing_answer(key: str, bodies: list[bytes], next_page: str | None, headers: t.Any) -> Answer:
    """An answer with bodies that are encoded already."""
    links = f', "{key}_links": [{{"rel": "next", "href": "{next_page}"}}]' if next_page else ""
    return Answer(200, b'{"%s": [%s]%s}' % (key.encode(), b", ".join(bodies), links.encode()), headers)


def link_to_next(url: str, request: Request, parameters: dict[str, str], last: Resource) -> str:
    return f"{url}{request.path}?{urlencode({**parameters, 'marker': last.id})}"


def version_asked(request: Request, service: str, most: int) -> int:
    """The minor of the requested microversion, such as 2.45, 3.43 or latest; the smallest by default."""
    asked = request.headers.get("openstack-api-version", "").split()
    lowest = {"compute": "2.1", "volume": "3.0"}[service]
    version = asked[1] if len(asked) == 2 and asked[0] == service else lowest
    major, _dot, minor = version.partition(".")
    if version == "latest":
        return most
    if f"{major}." != lowest[:2] or not minor.isdigit() or not int(lowest[2:]) <= int(minor) <= most:
        message = f"Version {version} is not supported by the API. Minimum is {lowest} and maximum is {major}.{most}."
        raise fault(406, message)
    return int(minor)
