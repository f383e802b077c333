# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A token, with Keystone's answer that issued it."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import re
import typing as t

from ..util import boot, clock
from ..util.errors import KeystoneUnavailableError


class TokenId:
    """The secret part of a token: repr hides it, reveal() returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        # The HTTP library would refuse anything else in a message that shows it.
        if not re.fullmatch(r"[\x21-\x7e]+", text):
            raise ValueError("not a token's id")
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenId) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "TokenId(hidden)"

    def __reduce__(self) -> t.NoReturn:
        raise TypeError("a token's id must not be pickled")


@dataclasses.dataclass(frozen=True)
class Tls:
    """How to connect to a Keystone: trusted certificates, client certificate, strictness of TLS, and proxy."""

    verify: bool | str = True
    cert: str | tuple[str, str] | None = None
    #: keystoneauth's tls_min_version and tls_ciphers; None for its defaults.
    min_version: str | None = None
    ciphers: str | None = None
    #: The proxy, which may have a password; empty for none, None for that of the environment.
    proxy: str | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(frozen=True)
class Token:
    """A token and the body of Keystone's answer: catalog, project, roles and times."""

    id: TokenId
    body: dict[str, t.Any] = dataclasses.field(repr=False)
    auth_url: str
    #: When this machine requested it. Ages count from here, so it does not matter if the clock differs from Keystone's.
    obtained_at: datetime.datetime
    tls: Tls = Tls()
    #: Whether signing in again gives a token that lives longer: one that was exchanged for another ends with that.
    renewable: bool = True
    #: Where the request that issued it went, after redirects; None if that is not known.
    token_url: str | None = None
    #: The time of the request in seconds since a start of this machine, and the id of that start: a clock can be set.
    began: float = 0.0
    boot: str = ""
    #: The Python that requested it, and so can revoke it.
    python: str = ""

    @property
    def issued_at(self) -> datetime.datetime:
        return self._time("issued_at")

    @property
    def expires_at(self) -> datetime.datetime:
        return self._time("expires_at")

    def _time(self, key: str) -> datetime.datetime:
        try:
            return clock.parse(self.body[key])
        except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise self._unusable(key) from None

    def _unusable(self, key: str) -> KeystoneUnavailableError:
        return KeystoneUnavailableError(
            f"Keystone at {self.auth_url} issued a token whose {key} cannot be used: report it to the cloud's operator."
        )

    @property
    def end(self) -> datetime.datetime | None:
        """When it expires; None if Keystone's times make no sense."""
        try:
            return self.expires_at if self.lifetime > 0 else None
        except KeystoneUnavailableError:
            return None

    @property
    def lifetime(self) -> float:
        """The seconds from its issue to its expiry."""
        return (self.expires_at - self.issued_at).total_seconds()

    @property
    def age(self) -> float:
        """Seconds since it was requested."""
        if self.boot and self.boot == boot.identifier():
            return boot.now() - self.began
        return (clock.now() - self.obtained_at).total_seconds()

    @property
    def seconds_left(self) -> float:
        return self.lifetime - self.age

    @property
    def expired(self) -> bool:
        """Whether it has expired; False if its expiry is not known."""
        return self.end is not None and self.seconds_left <= 0

    @property
    def clock_difference(self) -> float:
        """Seconds by which this machine's clock is ahead of Keystone's."""
        return (self.obtained_at - self.issued_at).total_seconds()

    @property
    def audit_id(self) -> str:
        try:
            return self.body["audit_ids"][0]
        except (IndexError, KeyError, TypeError):
            raise self._unusable("audit_ids") from None

    @property
    def label(self) -> str:
        """Its user and its scope, for messages."""
        user, scope = self._part("user"), self._part(self.scope)
        return f"user {user.get('name')!r}" + (f" for {self.scope} {scope['name']!r}" if "name" in scope else "")

    @property
    def roles(self) -> list[str]:
        return sorted(role["name"] for role in self.body.get("roles", []))

    @property
    def regions(self) -> list[str]:
        """The regions in its catalog."""
        endpoints = (e for service in self.body.get("catalog", []) for e in service.get("endpoints", []))
        return sorted({e["region_id"] for e in endpoints if e.get("region_id")})

    @property
    def subjects(self) -> tuple[str, ...]:
        """Ids of what the token depends on: if one of these changes, Keystone's answer may change."""
        user, project, domain = (self._part(key) for key in ("user", "project", "domain"))
        trust = self._part("OS-TRUST:trust")
        parts = (
            *(user, project, domain),
            *(part.get("domain") for part in (user, project)),
            *(trust, trust.get("trustor_user"), self._part("application_credential")),
        )
        ids = (part.get("id") for part in parts if isinstance(part, dict))
        return (subject_of(self.id.reveal()), *(found for found in ids if isinstance(found, str)))

    @property
    def keystone_urls(self) -> tuple[str, ...]:
        """The addresses of its Keystone: where it was issued, and those in its catalog."""
        catalog = self.body.get("catalog")
        services = [service for service in catalog if isinstance(service, dict)] if isinstance(catalog, list) else []
        endpoints = (
            endpoint
            for service in services
            if str(service.get("type")).startswith("identity") and isinstance(service.get("endpoints"), list)
            for endpoint in service["endpoints"]
        )
        urls = (endpoint.get("url") for endpoint in endpoints if isinstance(endpoint, dict))
        return (self.auth_url, *(url.rstrip("/") for url in urls if isinstance(url, str)))

    @property
    def impersonates(self) -> bool:
        """Whether it belongs to a trust, and names the trustor as its user."""
        return bool(self._part("OS-TRUST:trust").get("impersonation"))

    @property
    def has_access_rules(self) -> bool:
        """Whether it belongs to an application credential that allows certain requests only."""
        return bool(self._part("application_credential").get("access_rules"))

    def _part(self, key: str) -> dict[str, t.Any]:
        part = self.body.get(key)
        return part if isinstance(part, dict) else {}

    @property
    def scope(self) -> str:
        for scope in ("project", "domain", "system"):
            if scope in self.body:
                return scope
        return "unscoped"


def subject_of(token: str) -> str:
    """A token as a subject of staleness.py, without the secret."""
    return f"token {hashlib.sha256(token.encode()).hexdigest()}"
