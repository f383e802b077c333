# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Redirects that lead to another host, which keystoneauth would follow with the token or the password."""

from __future__ import annotations

import typing as t
from urllib.parse import urljoin, urlsplit

from .._session.util.errors import OneTokenError, public

if t.TYPE_CHECKING:
    import openstack.connection
    import requests

#: What keystoneauth follows.
_REDIRECTS = (301, 302, 303, 305, 307, 308)


class RedirectedError(OneTokenError):
    """A server redirects to another host."""


def refuse_other_hosts(connection: openstack.connection.Connection) -> None:
    """Fail what this connection sends when it is redirected to another host, port or scheme."""
    session = connection.session.session
    for prefix, adapter in list(session.adapters.items()):
        session.mount(prefix, _SameHostAdapter(adapter, session.should_strip_auth))


class _SameHostAdapter:
    """In front of an adapter of requests, which has its settings for TLS already."""

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
        """The whole address of a redirect; keystoneauth follows no relative one."""
        try:
            target = urljoin(url, location)
            elsewhere = self._leads_elsewhere(url, target)
        except ValueError:
            target, elsewhere = location, True
        if elsewhere:
            response.close()
            raise RedirectedError(
                f"{_shown(url)} redirects to {_host(target)}, where credentials for the first are not sent: "
                "correct the address, in the catalog, in auth_url or as an endpoint override."
            )
        return target

    def close(self) -> None:
        self._adapter.close()


def _shown(url: str) -> str:
    """An address without what may be secret in it."""
    return public(url.partition("?")[0])


def _host(url: str) -> str:
    """Scheme, host and port; the rest of an address that a server made up may be anything."""
    try:
        parts = urlsplit(url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "an address without a host"
    except ValueError:
        return "an address that cannot be read"
