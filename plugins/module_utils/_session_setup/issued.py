# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens that os_token_issue issued into a session, by the name of the cloud: to renew and to describe them."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import hmac
import json
import typing as t

from .._session.sign_in.clouds import Way
from .._session.store import directory
from .._session.store.session import HANDLES, Session

_PREFIX = "issued-"


@dataclasses.dataclass(frozen=True)
class Issued:
    """A token that os_token_issue issued."""

    cloud: str
    #: The identity's name in the session.
    identity: str
    #: Identifies the credentials; without the session's key, it reveals no secret.
    fingerprint: str
    #: Tasks without credentials sign in with it; it stays the same when the token is renewed.
    handle: str = dataclasses.field(repr=False)
    #: Whether every task on this host can sign in to the cloud by its name.
    is_plain: bool
    region_name: str | None
    #: How to sign in again; None if the credentials were given to the task.
    way: dict[str, t.Any] | None = dataclasses.field(default=None, repr=False)


def fingerprint(session: Session, config: t.Mapping[str, t.Any]) -> str:
    """The fingerprint of the configuration that openstacksdk loaded."""
    credentials = json.dumps(
        {key: config.get(key) for key in ("auth", "auth_type", "verify", "cert")}, sort_keys=True, default=str
    )
    return hmac.new(session.key(), credentials.encode(), hashlib.sha256).hexdigest()


def read(session: Session) -> list[Issued]:
    """All of them, sorted by the name of the cloud."""
    found = []
    with session.opened() as handle:
        for name in directory.names(handle, HANDLES):
            if name.startswith(_PREFIX):
                with contextlib.suppress(TypeError, ValueError):
                    found.append(Issued(**json.loads(directory.read(handle, f"{HANDLES}/{name}") or "")))
    return sorted(found, key=lambda token: token.cloud)


def of_cloud(session: Session, cloud: str) -> Issued | None:
    return next((token for token in read(session) if token.cloud == cloud), None)


def name_for(session: Session, cloud: str, credentials: str) -> str:
    """The name in the session for a cloud with the credentials and the scope of this fingerprint.

    The first ones get the cloud's own name, by which tasks sign in. Others must not replace them.
    """
    first, other = of_cloud(session, cloud), f"{cloud}-{credentials[:8]}"
    return cloud if first is None or first.fingerprint == credentials else other


def write(session: Session, token: Issued) -> None:
    name = hashlib.sha256(token.cloud.encode()).hexdigest()[:32]
    with session.opened() as handle, directory.subdirectory(handle, HANDLES) as folder:
        directory.write(folder, f"{_PREFIX}{name}.json", json.dumps(dataclasses.asdict(token)))


def way_of(token: Issued) -> Way | None:
    return None if token.way is None else Way(**token.way)
