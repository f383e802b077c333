# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules return about a token: everything but its id."""

from __future__ import annotations

import typing as t

from .._session.store.renewal import RenewalPolicy
from .._session.store.token import Token
from .._session.util import clock

#: Clocks that differ by less than this, in seconds, are no problem for a token.
CLOCK_TOLERANCE = 60


def describe(token: Token) -> dict[str, t.Any]:
    """A token's user, scope and times, under the names that the modules document."""
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


def still_good(cloud: str, token: Token, reason: str) -> str:
    """The warning about a token that is due and could not be renewed."""
    minutes = int(token.seconds_left // 60)
    return (
        f"The token of cloud {cloud!r} is not renewed, and the run continues with its last {minutes} minutes: {reason}"
    )


def counts_of_revoke(result: dict[str, t.Any]) -> str:
    """How many tokens were revoked, now or before, and how many are still valid, for the user."""
    counts = f"revoked: {result['revoked']}"
    if result["already_dead"]:
        counts += f", revoked or expired before: {result['already_dead']}"
    if not result["alive"]:
        return counts
    until = f" until {result['alive_until']}" if result["alive_until"] else ""
    return f"{counts}, alive{until}: {result['alive']}"


def warnings_of(token: Token, policy: RenewalPolicy) -> list[str]:
    """Warnings about a token that works."""
    warnings = []
    if 0 < token.lifetime <= policy.min_remaining:
        warnings.append(
            f"min_remaining asks for {policy.min_remaining} s, but this cloud's tokens live {token.lifetime:.0f} s."
        )
    if not token.renewable:
        warnings.append(
            "This token was issued in exchange for another one and ends with it, at "
            f"{clock.show(token.expires_at)}: for a run that takes longer, unset OS_TOKEN and OS_AUTH_TYPE if they are "
            "set, and sign in with a password or an application credential."
        )
    if "OS-TRUST:trust" in token.body:
        warnings.append("This token comes from a trust, which may allow only so many tokens: renew it rarely.")
    ahead = token.clock_difference
    if abs(ahead) > CLOCK_TOLERANCE:
        direction = "ahead of" if ahead > 0 else "behind"
        warnings.append(
            f"This machine's clock is {abs(ahead):.0f} s {direction} Keystone's, so other programs may treat a "
            "new token as expired: set the clock right."
        )
    return warnings


def _named(thing: dict[str, t.Any] | None) -> dict[str, t.Any] | None:
    """The id and the name of a user, project or domain, and the name of its domain."""
    if thing is None:
        return None
    named = {"id": thing["id"], "name": thing["name"]}
    if "domain" in thing:
        named["domain"] = thing["domain"].get("name") or thing["domain"].get("id")
    return named
