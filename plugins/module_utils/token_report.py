# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the modules return of a token: everything but its id."""

from __future__ import annotations

import typing as t

from .session import clock
from .session.token import Token


def describe(token: Token) -> dict[str, t.Any]:
    """A token's owner, scope and times, under the names that the modules document."""
    body = token.body
    return {
        "issued_at": clock.show(token.issued_at),
        "expires_at": clock.show(token.expires_at),
        "seconds_left": max(0, int(token.seconds_left)),
        "audit_id": token.audit_id,
        "user": _named(body.get("user")),
        "scope": token.scope,
        "project": _named(body.get("project")),
        "domain": _named(body.get("domain")),
        "roles": token.roles,
        "regions": token.regions,
    }


def _named(thing: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """A user, project or domain as its id, its name, and the name of the domain that it is in."""
    if thing is None:
        return None
    named = {"id": thing["id"], "name": thing["name"]}
    if "domain" in thing:
        named["domain"] = thing["domain"].get("name") or thing["domain"].get("id")
    return named
