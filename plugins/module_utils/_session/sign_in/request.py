# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The request with which a process signs in, which identifies whom it signs in as."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import json
import os
import typing as t

with contextlib.suppress(ImportError):  # Ansible looks into every file of a collection; where this is used, it is there
    import requests

from ..store.token import Tls

#: The keywords and headers that are understood; a call with any other is left alone.
_KEYWORDS = {"json", "headers", "authenticated", "log"}
_HEADERS = {"accept", "x-auth-token"}
#: Methods whose request gets no second token, or none that lives longer.
_SINGLE_USE = {"token", "totp"}
#: Seconds for which keystoneauth waits at most before it tries again.
_LONGEST_PAUSE = 60
#: A handle begins with this.
HANDLE = "onetoken-session-"


@dataclasses.dataclass(frozen=True)
class SignInRequest:
    """A POST that asks Keystone for a token."""

    url: str = dataclasses.field(repr=False)
    body: dict[str, t.Any] = dataclasses.field(repr=False)
    canonical: bytes = dataclasses.field(repr=False)
    tls: Tls
    #: Whether the same request gets a token that lives longer later.
    is_repeatable: bool = True
    #: Seconds that it may take by the program's own timeouts and retries; 0 if it has none.
    longest: float = 0.0

    @classmethod
    def of_call(cls, session: t.Any, url: str, keywords: dict[str, t.Any]) -> SignInRequest | None:
        """The request of a call of Session.request; None if the call has something that is not understood."""
        headers = {str(name).lower(): value for name, value in (keywords.get("headers") or {}).items()}
        if set(keywords) - _KEYWORDS or set(headers) - _HEADERS or any(map(is_secret, session.additional_headers)):
            return None
        if _has_connection_parameters(session) or _has_credentials(session):
            return None
        tls = tls_of(session, url)
        identity = {
            "url": url,
            "json": keywords["json"],
            "token": headers.get("x-auth-token"),
            **connection_of(session, tls),
        }
        try:
            canonical = json.dumps(identity, sort_keys=True, separators=(",", ":")).encode()
        except (TypeError, ValueError):
            return None
        methods = keywords["json"].get("auth", {}).get("identity", {}).get("methods", ())
        return cls(url, keywords["json"], canonical, tls, not _SINGLE_USE & set(methods), _longest(session))

    def name(self, key: bytes) -> str:
        """The identity's name in a session."""
        return hmac.new(key, self.canonical, hashlib.sha256).hexdigest()

    @property
    def handle(self) -> str | None:
        """The handle of an explicit session that it has in place of a token."""
        token = self.body.get("auth", {}).get("identity", {}).get("token")
        text = token.get("id") if isinstance(token, dict) else None
        return text if isinstance(text, str) and text.startswith(HANDLE) else None


def is_secret(header: str) -> bool:
    return header.lower() in ("authorization", "x-auth-token", "cookie")


def _has_connection_parameters(session: t.Any) -> bool:
    """Whether the session's plugin adds parameters to each connection."""
    plugin = session.auth
    return plugin is not None and bool(plugin.get_connection_params(session))


def _has_credentials(session: t.Any) -> bool:
    """Whether requests itself sends credentials or other headers, as to a gateway in front of Keystone."""
    return bool(session.session.auth) or dict(session.session.headers) != dict(requests.utils.default_headers())


def _longest(session: t.Any) -> float:
    """The timeouts for a connection and for an answer, for all retries, with the pauses between them."""
    timeout = session.timeout or 0.0
    once = sum(part or 0.0 for part in timeout) if isinstance(timeout, tuple) else 2 * timeout
    retries = getattr(session, "_connect_retries", 0) or 0
    return float(once * (retries + 1) + _LONGEST_PAUSE * retries)


def connection_of(session: t.Any, tls: Tls) -> dict[str, t.Any]:
    """What a session adds to each of its requests."""
    return {
        "tls": dataclasses.asdict(tls),
        "headers": dict(session.additional_headers),
    }


def tls_of(session: t.Any, url: str) -> Tls:
    """The TLS settings with absolute paths and those of the environment, as the revoking process may have another."""
    found = session.session.merge_environment_settings(url, {}, None, session.verify, session.cert)
    # Without TLS, a task whose environment was cleared, as by sudo, has the same identity.
    verify, cert = (found["verify"], found["cert"]) if url.startswith("https:") else (session.verify, session.cert)
    paths = [os.path.abspath(path) for path in (cert if isinstance(cert, (tuple, list)) else [cert] if cert else [])]
    return Tls(
        # As in requests: None is true, and every text but an empty one is a path.
        os.path.abspath(verify) if isinstance(verify, str) and verify else verify is None or bool(verify),
        (paths[0], paths[1]) if len(paths) > 1 else paths[0] if paths else None,
        # Earlier releases of keystoneauth do not have these.
        getattr(session, "tls_min_version", None),
        getattr(session, "tls_ciphers", None),
        requests.utils.select_proxy(url, found["proxies"]) or "",
    )
