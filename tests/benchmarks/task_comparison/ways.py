# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The ways to run the tasks of a playbook."""

from __future__ import annotations

import typing as t

from ...helpers.controller import CALLBACK

Task = dict[str, t.Any]
Play = dict[str, t.Any]


class Way(t.NamedTuple):
    key: str
    #: For tables.
    title: str
    title_fr: str
    #: A class of the chart's STYLE.
    kind: str = "other"
    environment: t.Mapping[str, str] = {}
    #: Whether the playbook issues and revokes the session itself, and has no callback.
    issues: bool = False

    def plays(self, play: Play) -> list[Play]:
        """The playbook, with what this way adds to it."""
        if not self.issues:
            return [play]
        own = {"hosts": "localhost", "gather_facts": False}
        issue: Task = {"onetoken.openstack.os_token_issue": {"cloud": "sandbox"}}
        revoke: Task = {"onetoken.openstack.os_token_revoke": {"session": "{{ issued.session }}"}}
        # A lookup on the controller, which takes no process.
        served: Task = {
            "ansible.builtin.assert": {"that": "lookup('file', issued.session + '/served') | length > 0", "quiet": True}
        }
        on_session = {**play, "environment": "{{ hostvars.localhost.issued.environment }}"}
        return [{**own, "tasks": [{**issue, "register": "issued"}]}, on_session, {**own, "tasks": [served, revoke]}]


PING = Way("ping", "`ansible.builtin.ping`, for comparison", "`ansible.builtin.ping`, pour comparer", "floor")
PASSWORD = Way("password", "with the password", "avec le mot de passe")
COLD = Way(
    "cold",
    "on a session, without the fork server",
    "sur une session, sans le serveur de forks",
    "ours",
    {**CALLBACK, "ONETOKEN_FORK_SERVER": "false"},
)
GENERAL = Way("general", "on a session of the role", "sur une session du rôle", "ours", {}, True)
DIRECT = Way("direct", "on a session of the callback", "sur une session du callback", "ours", CALLBACK)


def mitogen(strategies: str) -> Way:
    """Mitogen on a session, as it does not change sign-ins."""
    strategy = {"ANSIBLE_STRATEGY_PLUGINS": strategies, "ANSIBLE_STRATEGY": "mitogen_linear"}
    title = "on a session without the fork server, by Mitogen"
    title_fr = "sur une session sans le serveur de forks, par Mitogen"
    # Its processes outlive the run, which would wait for them before it revokes the token.
    return Way("mitogen", title, title_fr, "other", {**COLD.environment, **strategy, "ONETOKEN_DRAIN": "false"})
