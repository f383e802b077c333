# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that write to Keystone, and the tokens that they make stale."""

from __future__ import annotations

import os
import typing as t
import urllib.parse

from ..store import staleness
from ..store.session import Session
from ..store.token import subject_of
from ..util.errors import public

#: A change of these may concern every token: roles, the catalog, and the mapping of federated users.
_OF_EVERYBODY = {
    *("roles", "role_assignments", "groups", "OS-INHERIT", "OS-FEDERATION"),
    *("services", "endpoints", "regions", "OS-EP-FILTER"),
}
#: A user's credentials: a new one changes no token, and a deleted one only the tokens that it was used for.
_OWN = {"application_credentials", "access_rules", "credentials", "OS-TRUST"}
_TOKENS = "/auth/tokens"


def note(method: str, url: str, keywords: t.Mapping[str, t.Any]) -> None:
    """Make the tokens stale that a request to Keystone may have changed."""
    session = Session.of_environment(os.environ)
    if not urllib.parse.urlsplit(url).netloc:
        url = f"{keywords.get('endpoint_override') or ''}/{url}"
    path = urllib.parse.urlsplit(url).path
    # A session that is being revoked serves no tokens.
    if session is None or session.closed or not _is_to_keystone(session, url, keywords):
        return
    if path.endswith(_TOKENS):
        subject = _header(keywords, "X-Subject-Token")
        if method == "DELETE" and subject:
            staleness.mark(session, [subject_of(subject)])
        return
    segments = set(path.split("/"))
    if "auth" in segments:
        # A federated sign-in.
        return
    if segments & _OF_EVERYBODY:
        staleness.mark(session, [staleness.EVERYBODY])
    elif segments & _OWN:
        staleness.mark(session, [path.rpartition("/")[2]])
    else:
        # The URL names what is changed; ids in the body are those of new things, or of what they belong to.
        staleness.mark(session, segments - {""})


def _is_to_keystone(session: Session, url: str, keywords: t.Mapping[str, t.Any]) -> bool:
    service = (keywords.get("endpoint_filter") or {}).get("service_type")
    if service:
        return str(service).startswith("identity")
    # An absolute URL is Keystone's if a token of the session was issued there, or its catalog says so.
    url = public(url)
    tokens = (token for name in session.names() for token in session.readable_tokens(name)[0][:1])
    return any(url.startswith(f"{address}/") for token in tokens for address in token.keystone_urls)


def _header(keywords: t.Mapping[str, t.Any], name: str) -> str:
    headers = keywords.get("headers") or {}
    return next((str(value) for key, value in headers.items() if str(key).lower() == name.lower()), "")
