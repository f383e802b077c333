# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lookup returns: a cloud's token in a session, and the variables that put a process there."""

from __future__ import annotations

import os
import sys
import typing as t

from ..module_utils._modules import signing_in
from ..module_utils._modules.task_cloud import SDK_NAMES, TaskCloud
from ..module_utils._modules.token_report import describe
from ..module_utils._session.store import serving
from ..module_utils._session.store.session import Session
from ..module_utils._session.store.token import Token
from ..module_utils._session.util.errors import ConfigurationError, SessionError, without_sdk
from ..module_utils._session_setup import environment, issued

#: Seconds for which a lookup waits while Keystone is busy.
_TIMEOUT = 120


def chosen_session(name: str | None, environ: t.Mapping[str, str]) -> Session:
    """The session of this name or path; without one, that of the environment."""
    session = Session.named(name, environ) if name else Session.of_environment(environ)
    if session is None:
        raise SessionError("No session is named: set session to what os_token_issue returned.")
    if not session.exists:
        raise SessionError(f"There is no session at {session.path}: issue one with os_token_issue.")
    return session


def report(session: Session, cloud: str | None, environ: t.Mapping[str, str], return_token: bool) -> dict[str, t.Any]:
    """The cloud's token, issued or renewed first if it is due, with the variables."""
    session.refuse_closed()
    one = _known(session, cloud or environ.get("OS_CLOUD"))
    token = _good_token(session, one)
    name, is_plain, region_name = (one.cloud, one.is_plain, one.region_name) if one else ("", True, None)
    if token is None:
        found, token = _signed_in(session, cloud)
        name, is_plain, region_name = found.name, found.is_plain, found.region_name
    return {
        "session": session.path,
        "cloud": name,
        "environment": environment.of_issued(session, environ, name, is_plain, region_name),
        **describe(token),
        **({"token": token.id.reveal()} if return_token else {}),
    }


def _known(session: Session, cloud: str | None) -> issued.Issued | None:
    """The token that os_token_issue issued for this cloud; without a name, the only one."""
    known = issued.read(session)
    named = [one for one in known if one.cloud == cloud]
    if cloud is None and len(known) > 1:
        clouds = ", ".join(one.cloud for one in known)
        raise SessionError(f"The session {session.path} has several clouds ({clouds}): name the cloud that is meant.")
    return named[0] if named else known[0] if known and cloud is None else None


def _good_token(session: Session, one: issued.Issued | None) -> Token | None:
    stored = session.read_tokens(one.identity) if one else None
    if one is None or stored is None:
        return None
    if serving.is_good(session, stored.current, session.read_record().policy):
        return stored.current
    # If it cannot be renewed, it is used until it expires, as for tasks.
    return stored.current if one.way is None and not stored.current.expired else None


def _signed_in(session: Session, cloud: str | None) -> tuple[TaskCloud, Token]:
    try:
        import openstack.config  # noqa: F401
    except ImportError:
        raise ConfigurationError(without_sdk(sys.executable)) from None
    params: dict[str, t.Any] = dict.fromkeys(("project", "project_domain", "domain", "system", "unscoped", *SDK_NAMES))
    params.update(cloud=cloud, auth=None, auth_type=None, session=session.path)
    # Signing in puts this process on the session; other lookups in it may be for another one.
    before = os.environ.copy()
    try:
        found = signing_in.cloud_of(params, session)
        identity = signing_in.sign_in(session, found, _TIMEOUT)
    finally:
        os.environ.clear()
        os.environ.update(before)
    stored = session.read_tokens(identity)
    if stored is None:
        raise SessionError(f"The token is not in the session {session.path}: let its files be written.")
    return found, stored.current
