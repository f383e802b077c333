# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone: tokens for a password or for another token, with the catalog, and their revocation."""

from __future__ import annotations

import base64
import dataclasses
import secrets
import time
import typing as t
import uuid

from .cloud import PROJECT_NAME, REGION, USER_NAME, Cloud
from .messages import Answer, Request, json_answer, keystone_error
from .resources import in_microseconds

DOMAIN = {"id": "default", "name": "Default"}
UNAUTHENTICATED = "The request you have made requires authentication."
MALFORMED = (
    "The server could not comply with the request since it is either malformed or otherwise incorrect. "
    "The client is assumed to be in error."
)


@dataclasses.dataclass(eq=False, slots=True)
class Token:
    id: str
    method: str
    audit_ids: list[str]
    issued: float
    expires: float
    scoped: bool
    revoked: bool = False

    @property
    def live(self) -> bool:
        return not self.revoked and time.time() < self.expires

    def as_json(self) -> dict[str, t.Any]:
        return {
            "id": self.id,
            "method": self.method,
            "audit_ids": self.audit_ids,
            "issued_at": in_microseconds(self.issued) + "Z",
            "expires_at": in_microseconds(self.expires) + "Z",
            "revoked": self.revoked,
            "live": self.live,
        }


class Keystone:
    def __init__(self, cloud: Cloud, password: str) -> None:
        self.cloud = cloud
        self.password = password
        self.tokens: dict[str, Token] = {}

    @property
    def url(self) -> str:
        return self.cloud.urls["keystone"]

    def live_token(self, token_id: str | None) -> Token | None:
        token = self.tokens.get(token_id or "")
        return token if token and token.live else None

    def revoke_all(self) -> int:
        """Revoke all tokens; how many were valid."""
        live = [token for token in self.tokens.values() if token.live]
        for token in live:
            token.revoked = True
        return len(live)

    def answer(self, request: Request, version: object = None) -> Answer:
        path = request.path.rstrip("/")
        if path == "/v3/auth/tokens":
            if request.method == "POST":
                return self.issue(request)
            if request.method in ("GET", "HEAD"):
                return self.show(request)
            if request.method == "DELETE":
                return self.revoke(request)
        if request.method == "GET" and path in ("/v3/auth/projects", "/v3/auth/catalog"):
            self.authenticate(request)
            return self.projects() if path.endswith("projects") else json_answer(200, {"catalog": self.catalog()})
        raise keystone_error(404, "The requested URL was not found on the server.")

    def versions(self, request: Request) -> Answer | None:
        """The list of versions, if that is requested."""
        version = {
            "id": "v3.14",
            "status": "stable",
            "updated": "2020-04-07T00:00:00Z",
            "links": [{"rel": "self", "href": f"{self.url}/v3/"}],
            "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
        }
        if request.path == "/":
            return json_answer(300, {"versions": {"values": [version]}}, ("Location", f"{self.url}/v3/"))
        if request.path.rstrip("/") == "/v3":
            return json_answer(200, {"version": version})
        return None

    def claimed_user(self, request: Request) -> str:
        """The user whose limit a token request counts against."""
        try:
            identity = request.json()["auth"]["identity"]
            if "password" in identity["methods"]:
                user = identity["password"]["user"]
                return USER_NAME if self.is_the_user(user) else str(user.get("name") or user.get("id"))
            return USER_NAME if identity["token"]["id"] in self.tokens else "unknown"
        except (ValueError, KeyError, TypeError, AttributeError):
            return "unreadable"

    def is_the_user(self, user: dict[str, t.Any]) -> bool:
        if "id" in user:
            return user["id"] == self.cloud.user_id
        return user.get("name") == USER_NAME and is_the_domain(user.get("domain"))

    def issue(self, request: Request) -> Answer:
        try:
            auth = request.json()["auth"]
            identity = auth["identity"]
            method = identity["methods"][0]
            claim = identity[method]
            root = self.proven(method, claim)
            scoped = self.is_scoped(auth.get("scope"))
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as exc:
            raise keystone_error(400, f"Expecting to find auth in request body. {MALFORMED}") from exc
        now = time.time()
        token = Token(
            id=f"gAAAAAB{secrets.token_urlsafe(132)}",
            method=method,
            audit_ids=[new_audit_id(), *root.audit_ids[-1:]] if root else [new_audit_id()],
            issued=now,
            # A token exchanged for another one expires with it.
            expires=root.expires if root else now + self.cloud.settings.token_seconds,
            scoped=scoped,
        )
        self.tokens[token.id] = token
        return json_answer(201, self.described(token), ("X-Subject-Token", token.id), ("Vary", "X-Auth-Token"))

    def proven(self, method: str, claim: dict[str, t.Any]) -> Token | None:
        """Check the credentials; the token, if that is one of them."""
        if method == "password":
            if self.is_the_user(claim["user"]) and claim["user"].get("password") == self.password:
                return None
        elif method == "token":
            token = self.live_token(claim["id"])
            if token:
                return token
        raise self.unauthenticated()

    def is_scoped(self, scope: t.Any) -> bool:
        if not scope or scope == "unscoped":
            return False
        project = scope["project"]
        named = project.get("name") == PROJECT_NAME and is_the_domain(project.get("domain"))
        if project.get("id") == self.cloud.project_id or named:
            return True
        raise self.unauthenticated()

    def show(self, request: Request) -> Answer:
        self.authenticate(request)
        token = self.live_token(request.headers.get("x-subject-token"))
        if not token:
            raise keystone_error(404, "Could not recognize Fernet token")
        return json_answer(200, self.described(token), ("X-Subject-Token", token.id), ("Vary", "X-Auth-Token"))

    def revoke(self, request: Request) -> Answer:
        self.authenticate(request)
        token = self.live_token(request.headers.get("x-subject-token"))
        if not token:
            raise keystone_error(404, "Could not recognize Fernet token")
        token.revoked = True
        if len(token.audit_ids) == 1:
            # With the first token, all that were exchanged for it are revoked.
            for other in self.tokens.values():
                other.revoked |= other.audit_ids[-1] == token.audit_ids[0]
        return Answer(204, headers=(("Vary", "X-Auth-Token"),))

    def authenticate(self, request: Request) -> Token:
        token = self.live_token(request.headers.get("x-auth-token"))
        if not token:
            raise self.unauthenticated()
        return token

    def unauthenticated(self) -> Exception:
        return keystone_error(401, UNAUTHENTICATED, ("WWW-Authenticate", f'Keystone uri="{self.url}/v3"'))

    def described(self, token: Token) -> dict[str, t.Any]:
        content: dict[str, t.Any] = {
            "methods": ["token", "password"] if token.method == "token" else ["password"],
            "user": {
                "domain": DOMAIN,
                "id": self.cloud.user_id,
                "name": USER_NAME,
                "password_expires_at": None,
            },
            "audit_ids": token.audit_ids,
            "expires_at": in_microseconds(token.expires) + "Z",
            "issued_at": in_microseconds(token.issued) + "Z",
        }
        if token.scoped:
            roles = ("reader", "member", "admin") if self.cloud.settings.admin else ("reader", "member")
            content |= {
                "project": {"domain": DOMAIN, "id": self.cloud.project_id, "name": PROJECT_NAME},
                "is_domain": False,
                "roles": [{"id": uuid.uuid5(uuid.NAMESPACE_DNS, role).hex, "name": role} for role in roles],
                "catalog": self.catalog(),
            }
        return {"token": content}

    def catalog(self) -> list[dict[str, t.Any]]:
        urls = self.cloud.urls
        services = (
            ("image", "glance", urls["glance"]),
            ("identity", "keystone", f"{urls['keystone']}/v3"),
            ("volumev3", "cinder", f"{urls['cinder']}/v3/{self.cloud.project_id}"),
            ("compute", "nova", f"{urls['nova']}/v2.1"),
        )
        return [
            {
                "endpoints": [
                    {
                        "id": uuid.uuid5(uuid.NAMESPACE_DNS, f"{name} {interface}").hex,
                        "interface": interface,
                        "region_id": REGION,
                        "url": url,
                        "region": REGION,
                    }
                    for interface in ("internal", "public")
                ],
                "id": uuid.uuid5(uuid.NAMESPACE_DNS, name).hex,
                "type": type_,
                "name": name,
            }
            for type_, name, url in services
        ]

    def projects(self) -> Answer:
        project = {
            "id": self.cloud.project_id,
            "name": PROJECT_NAME,
            "domain_id": DOMAIN["id"],
            "description": "",
            "enabled": True,
            "parent_id": DOMAIN["id"],
            "is_domain": False,
            "tags": [],
            "options": {},
            "links": {"self": f"{self.url}/v3/projects/{self.cloud.project_id}"},
        }
        links = {"next": None, "self": f"{self.url}/v3/auth/projects", "previous": None}
        return json_answer(200, {"projects": [project], "links": links})


def is_the_domain(domain: t.Any) -> bool:
    return bool(domain) and (domain.get("id") == DOMAIN["id"] or domain.get("name") == DOMAIN["name"])


def new_audit_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
