# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts a watcher before os_token_issue gets a token, so that a run that is killed leaves none behind."""

from __future__ import annotations

import os
import typing as t

from ansible.plugins.action.normal import ActionModule as NormalAction

from ..module_utils._session.revoke.watcher_client import Watcher
from ..module_utils._session.store import owners, site_code
from ..module_utils._session.store.session import Session
from ..module_utils._session.util.errors import OneTokenError
from ..module_utils._session_setup import site

#: Seconds for which a failed task waits for its session to be removed.
_REMOVAL_TIMEOUT = 5


class ActionModule(NormalAction):
    """Runs the module as usual, in a session that is chosen and watched here."""

    def run(self, tmp: t.Any = None, task_vars: t.Any = None) -> dict[str, t.Any]:
        session = None if self._task.check_mode else self._new_session()
        if session is None:
            return super().run(tmp, task_vars)
        try:
            watcher = self._watch(session)
        except (OneTokenError, OSError) as exc:
            return {
                "failed": True,
                "msg": f"No token is issued, because nothing would revoke it if the run died: {exc}",
            }
        self._task.args["session"] = session.path
        result = super().run(tmp, task_vars)
        if result.get("failed"):
            watcher.end(drain_timeout=0, revoke_timeout=_REMOVAL_TIMEOUT)
        return result

    def _new_session(self) -> Session | None:
        """A new session for this run; None if it has one, shares one, or the task runs elsewhere.

        On another host, nothing outlives the run to watch the session; and a session that another user makes cannot be
        revoked by this one.
        """
        if self._task.args.get("session") or self._connection.transport != "local" or self._play_context.become:
            return None
        environ: dict[str, t.Any] = {}
        self._compute_environment_string(environ)
        environ = {**os.environ, **environ}
        return None if Session.of_environment(environ) else Session.named(None, environ)

    @staticmethod
    def _watch(session: Session) -> Watcher:
        # This process is a worker, which ends with the task; its parent is the run.
        run = owners.Owner.of_process(os.getppid())
        if run is None:
            raise OneTokenError("it is ending already.")
        session.make()
        try:
            site_code.write(session, site.files())
            return Watcher(session, owners.add(session, run), os.environ)
        except (OneTokenError, OSError):
            session.discard()
            raise
