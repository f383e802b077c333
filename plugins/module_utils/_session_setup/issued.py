# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What os_token_issue was asked for in a session, by the name of the cloud: to renew it, and to describe it."""

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
    """A token that a task asked for."""

    cloud: str
    #: The identity's name in the session.
    identity: str
    #: What tells the same credentials from others; no secret can be found out from it without the session's key.
    fingerprint: str
    #: What tasks sign in with that have no credentials; it stays the same when the token is renewed.
    handle: str = dataclasses.field(repr=False)
    #: Whether each task of this host can name the cloud itself.
    is_plain: bool
    region_name: str | None
    #: How to sign in again; None where the credentials were given to the task.
    way: dict[str, t.Any] | None = dataclasses.field(default=None, repr=False)


def fingerprint(session: Session, config: t.Mapping[str, t.Any]) -> str:
    """Of a configuration as openstacksdk settled on it."""
    told = json.dumps(
        {key: config.get(key) for key in ("auth", "auth_type", "verify", "cert")}, sort_keys=True, default=str
    )
    return hmac.new(session.key(), told.encode(), hashlib.sha256).hexdigest()


def read(session: Session) -> list[Issued]:
    """All of them, by the name of the cloud."""
    found = []
    with session.opened() as handle:
        for name in directory.names(handle, HANDLES):
            if name.startswith(_PREFIX):
                with contextlib.suppress(TypeError, ValueError):
                    found.append(Issued(**json.loads(directory.read(handle, f"{HANDLES}/{name}") or "")))
    return sorted(found, key=lambda one: one.cloud)


def of_cloud(session: Session, cloud: str) -> Issued | None:
    return next((one for one in read(session) if one.cloud == cloud), None)


def name_for(session: Session, cloud: str, told: str) -> str:
    """What the session calls a cloud for certain credentials and a certain scope.

    The first ones have the cloud's own name. Others must not take it over: tasks sign in by it.
    """
    first, other = of_cloud(session, cloud), f"{cloud}-{told[:8]}"
    return cloud if first is None or first.fingerprint == told else other


def write(session: Session, one: Issued) -> None:
    name = hashlib.sha256(one.cloud.encode()).hexdigest()[:32]
    with session.opened() as handle, directory.subdirectory(handle, HANDLES) as folder:
        directory.write(folder, f"{_PREFIX}{name}.json", json.dumps(dataclasses.asdict(one)))


def way_of(one: Issued) -> Way | None:
    return None if one.way is None else Way(**one.way)
