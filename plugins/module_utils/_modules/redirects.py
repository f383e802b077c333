# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refuses redirects to another host, which keystoneauth would follow with the token or the password."""

from __future__ import annotations

import typing as t
from urllib.parse import urljoin, urlsplit

from .._session.util.errors import OneTokenError, public

if t.TYPE_CHECKING:
    import openstack.connection
    import requests

#: The redirects that keystoneauth follows.
_REDIRECTS = (301, 302, 303, 305, 307, 308)


class RedirectedError(OneTokenError):
    """A service redirects to another host."""


def refuse_other_hosts(connection: openstack.connection.Connection) -> None:
    """Fail requests of this connection that are redirected to another host, port or scheme."""
    session = connection.session.session
    for prefix, adapter in list(session.adapters.items()):
        session.mount(prefix, _SameHostAdapter(adapter, session.should_strip_auth))


class _SameHostAdapter:
    """Wraps an adapter of requests, which keeps its TLS settings."""

    def __init__(self, adapter: t.Any, leads_elsewhere: t.Callable[[str, str], bool]) -> None:
        self._adapter = adapter
        self._leads_elsewhere = leads_elsewhere

    def init_poolmanager(self, *sizes: int) -> None:
        self._adapter.init_poolmanager(*sizes)

    def send(self, request: requests.PreparedRequest, **options: t.Any) -> requests.Response:
        response = self._adapter.send(request, **options)
        location = response.headers.get("Location")
        if response.status_code in _REDIRECTS and location:
            response.headers["Location"] = self._checked(request.url or "", location, response)
        return response

    def _checked(self, url: str, location: str, response: requests.Response) -> str:
        """The absolute address of a redirect, as keystoneauth follows no relative ones."""
        try:
            target = urljoin(url, location)
            elsewhere = self._leads_elsewhere(url, target)
        except ValueError:
            target, elsewhere = location, True
        if elsewhere:
            response.close()
            raise RedirectedError(
                f"{without_secrets(url)} redirects to {_host(target)}, where credentials for the first are not sent: "
                "correct the address, in the catalog, in auth_url or as an endpoint override."
            )
        return target

    def close(self) -> None:
        self._adapter.close()


def without_secrets(url: str) -> str:
    """An address without a user, a password and a query."""
    return public(url.partition("?")[0])


def _host(url: str) -> str:
    """The scheme, the host and the port of an address; the rest may be anything that a service sent."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "an address without a host"
    except ValueError:
        return "an address that cannot be read"
