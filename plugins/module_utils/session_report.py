# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process that signs in with a session would work with: a cloud's token and the variables that lead to it."""

from __future__ import annotations

import typing as t

from .session import environment, lifecycle
from .session.errors import SessionError
from .session.store import Session
from .token_report import describe


def chosen_session(name: str | None, environ: t.Mapping[str, str]) -> Session:
    """The session of this name or path, else the one of the environment; none is made here."""
    session = Session.named(name, environ) if name else Session.of_environment(environ)
    if session is None:
        raise SessionError("No session is named: set session to what os_token_issue returned.")
    return session


def chosen_cloud(session: Session, environ: t.Mapping[str, str]) -> str:
    """The cloud that is meant where none is named.

    OS_CLOUD chooses among the clouds of the environment's session. Of another session it may know nothing.
    """
    clouds = sorted({*session.read_record().sources, *session.clouds_with_tokens()})
    default = environ.get("OS_CLOUD")
    injected = Session.of_environment(environ)
    if default and (default in clouds or (injected and injected.path == session.path)):
        return default
    if len(clouds) == 1:
        return clouds[0]
    known = f"has several clouds ({', '.join(clouds)})" if clouds else "has no cloud yet"
    raise SessionError(f"The session {session.path} {known}: name the cloud that is meant.")


def report(session: Session, cloud: str, environ: t.Mapping[str, str], return_token: bool) -> dict[str, t.Any]:
    """The cloud's token, issued or renewed first where that is due, with the variables that lead to it."""
    token = lifecycle.current_token(session, cloud)
    source = session.read_record().source(cloud)
    region_name = source.options.get("region_name") if source else None
    return {
        "session": session.path,
        "cloud": cloud,
        "environment": environment.of_session(session, cloud, environ, region_name),
        **describe(token),
        **({"token": token.id.reveal()} if return_token else {}),
    }
