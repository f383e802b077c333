# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session's clouds.yaml: every cloud that the user knows by name, signing in with the session."""

from __future__ import annotations

import os
import typing as t

from . import cloud_entry
from .errors import SessionError
from .site import AUTH_TYPE
from .source import ENVIRONMENT
from .store import Session, SessionRecord


def write(session: Session, record: SessionRecord, cloud: str | None) -> None:
    """Write the clouds of the config files, and this one as it was issued, over what the session has already."""
    import yaml

    clouds = _read(session)
    for name, entry in record.files.entries().items():
        if name not in record.sources:
            clouds[name] = _of_session(session, record, name, entry)
    if cloud is not None:
        clouds[cloud] = _of_session(session, record, cloud, cloud_entry.normalized(record.sources[cloud].entry()))
    text = yaml.safe_dump({"clouds": clouds}, default_flow_style=False, allow_unicode=True)
    session.write_clouds(text)


def own_part(session: Session, cloud: str) -> dict[str, t.Any]:
    """What the session itself has noted in its clouds.yaml of a cloud; nothing of one that is not there."""
    return _read(session).get(cloud, {}).get(AUTH_TYPE) or {}


def _read(session: Session) -> dict[str, t.Any]:
    import yaml

    try:
        clouds = (yaml.safe_load(session.read_clouds() or "") or {"clouds": {}})["clouds"]
        return {name: dict(entry) for name, entry in clouds.items()}
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError):
        raise SessionError(f"{session.clouds_file} is damaged: issue the token again in another session.") from None


def _of_session(session: Session, record: SessionRecord, name: str, entry: cloud_entry.Entry) -> dict[str, t.Any]:
    public = cloud_entry.without_secrets(entry)
    public["auth_type"] = AUTH_TYPE
    source = record.sources.get(name)
    # Beside auth, not in it: there it would be in the way of a task that brings an auth_type of its own. A mapping,
    # because openstacksdk takes braces in a text for placeholders, and a path may have some.
    public[AUTH_TYPE] = {
        "session": session.path,
        "cloud": name,
        "identity": cloud_entry.identity(entry),
        # The openrc file that was sourced when the session was made.
        "variables": cloud_entry.identity_of_variables(os.environ),
        "from_variables": source is not None and source.kind == ENVIRONMENT,
        "covered": record.clouds is None or name in record.clouds,
    }
    return public
