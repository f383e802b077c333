# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: one_token
type: aggregate
short_description: One Keystone token for an unmodified playbook
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - Signs in once for each identity of a run. The first process that signs in as somebody asks Keystone; all others that
    sign in as the same user, for the same project, get its answer. This holds for C(openstack.cloud) modules, the
    C(openstack) command, openstacksdk scripts, lookups, and whatever else signs in with keystoneauth.
  - Every process reads its own configuration and signs in as the same user as without this callback.
  - The first process that finds a token due renews it. At the end of the run all tokens are revoked. A run without an
    OpenStack task sends Keystone no request.
  - A small process, the watcher, revokes the tokens also when the run is interrupted, cancelled or killed.
  - The last line of the run counts the identities, and the tokens that were revoked or cannot be, with the time at
    which those expire (UTC). A warning then says why, and what to do.
  - Tasks over another connection than C(local) are not touched. Use the role P(onetoken.openstack.os_token#role) for
    those.
  - A task, a block or a play with the variable C(one_token=false) does not use the session, and signs in by itself.
  - A problem with the session costs a sign-in and never fails a task. The run then warns once.
  - Within a run that has a session already, it does nothing. It takes over a session that the inventory
    P(onetoken.openstack.one_token#inventory) began.
requirements:
  - enable in configuration
extends_documentation_fragment:
  - onetoken.openstack.playbook_run
"""

EXAMPLES = r"""
# ansible.cfg: all that an existing playbook needs
# [defaults]
# callbacks_enabled = onetoken.openstack.one_token
#
# [callback_one_token]
# renew_after = 28800
"""

import atexit
import configparser
import contextlib
import os
import signal
import typing as t

from ansible import constants, context
from ansible.plugins.callback import CallbackBase

from ..module_utils._session.util.errors import OneTokenError, SessionAbsentError, without_sdk
from ..module_utils._session_setup.preparation import exposure
from ..plugin_utils import ansible_internals, ending
from ..plugin_utils.closing_line import traffic_lines
from ..plugin_utils.playbook_task import PlaybookTask
from ..plugin_utils.run import Run, begin_or_join, settings_of

#: Options of earlier versions, and why they are not needed.
_DROPPED = {
    "clouds": "a process signs in as whoever it is, and all identities are on the session",
    "fallback": "a process that cannot use the session always signs in by itself",
}
_SECTION = "callback_one_token"
_STILL_USED = (
    "A process was still using the session when its token was revoked, and may fail: wait for asynchronous tasks with "
    "async_status, or raise drain_timeout."
)
#: From -vvv on, Ansible shows how each module is run.
_VERBOSE = 3


class CallbackModule(CallbackBase):
    """Begins a run on a session, puts its tasks there, and ends it."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "onetoken.openstack.one_token"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._run: Run | None = None
        self._play: t.Any = None
        self._warned: set[str] = set()
        self._lost = False
        self._unreadable = False
        self._interrupted = False
        self._process = os.getpid()
        self._playbooks_left = len(context.CLIARGS.get("args") or ())

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        if self._run is not None:
            # The second playbook of one command line.
            return
        try:
            self._run = begin_or_join(settings_of(self.get_option))
        except (OneTokenError, OSError) as exc:
            self._display.warning(f"one_token: this run has no session, and its tasks sign in by themselves: {exc}")
        if self._run is None:
            return
        self._warn_of_options()
        if exposed := exposure(self._run.session):
            self._display.warning(exposed)
        if self.get_option("fork_server"):
            self._take_over(self._run)
        atexit.register(self._at_exit)
        # Python allows signal handlers only in the main thread.
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, self._on_interrupt(signal.getsignal(signal.SIGINT)))

    def v2_playbook_on_play_start(self, play: t.Any) -> None:
        self._play = play

    def v2_playbook_on_task_start(self, task: t.Any, is_conditional: bool) -> None:
        if self._run is not None:
            become = bool(context.CLIARGS.get("become"))
            self._put_on_session(self._run, PlaybookTask(task, self._play, become))

    def v2_playbook_on_handler_task_start(self, task: t.Any) -> None:
        self.v2_playbook_on_task_start(task, False)

    def v2_runner_on_ok(self, result: t.Any) -> None:
        self._show_warnings()

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        self._show_warnings()
        self._explain(result)

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        self._playbooks_left -= 1
        # The session ends with the last playbook of the command line, or with this process, if an earlier one fails.
        if self._playbooks_left <= 0:
            self._end()

    def _take_over(self, run: Run) -> None:
        reason = ansible_internals.take_over()
        if reason is not None:
            self._display.vvv(f"one_token: modules are processes of their own, because {reason}")
        if self._display.verbosity >= _VERBOSE:
            run.log_programs()

    def _warn_of_options(self) -> None:
        """Warn of options that have no effect, because this version does not have them."""
        file = constants.CONFIG_FILE
        settings = configparser.ConfigParser(inline_comment_prefixes=(";",))
        # Ansible itself reports what is wrong with its file.
        with contextlib.suppress(OSError, ValueError, configparser.Error):
            settings.read(file or (), encoding="utf-8")
        for name, why in _DROPPED.items():
            variable = f"ONETOKEN_{name.upper()}"
            places = [variable] if os.environ.get(variable) else []
            places += [f"{name} in {file}"] if settings.has_option(_SECTION, name) else []
            if places:
                self._display.warning(
                    f"one_token: the option {name} has no effect any more, because {why}: remove "
                    f"{' and '.join(places)}."
                )
        known = {place["key"] for option in self.option_definitions.values() for place in option.get("ini") or ()}
        for name in settings.options(_SECTION) if settings.has_section(_SECTION) else ():
            if name not in known and name not in _DROPPED:
                self._display.warning(
                    f"one_token: there is no option {name}, which is in {file}: it has {', '.join(sorted(known))}."
                )

    def _put_on_session(self, run: Run, task: PlaybookTask) -> None:
        run.keep = run.keep or task.is_asynchronous
        if not self._lost and run.session.state is None:
            self._lost = True
            run.exit()
            self._display.warning(
                f"one_token: the session {run.session.path} is gone: tasks sign in by themselves. What is left of it "
                "is revoked at the end; a token that was removed with it stays valid until it expires."
            )
        if self._lost:
            return
        if task.declines:
            task.add_environment(_without(run))
            return
        if not task.runs_here or not (task.becomes or task.becomes_by_host):
            task.prepend_python_path(run.session.site)
            return
        users = {"root", self._user()}
        if task.becomes_by_host:
            # Some programs fail if their search path has a directory that they cannot read.
            task.add_environment_of(users, run.variables, _without(run))
        elif task.becomes in users:
            # sudo clears the environment, but keeps what the task sets.
            task.prepend_python_path(run.session.site)
            task.add_environment(run.variables)
        else:
            task.add_environment(_without(run))
            if task.is_openstack:
                self._warn_once(
                    task,
                    f"The task {task.label} becomes {task.becomes}, who must not read the session of {self._user()}, "
                    "so it signs in by itself: leave out become, or become root.",
                )

    @staticmethod
    def _user() -> str:
        import getpass

        try:
            return getpass.getuser()
        except (KeyError, OSError):
            # In a container, the user may have no name.
            return str(os.getuid())

    def _warn_once(self, task: PlaybookTask, text: str) -> None:
        if task.key not in self._warned:
            self._warned.add(task.key)
            self._display.warning(text)

    def _show_warnings(self) -> None:
        if self._run is None:
            return
        for line in self._run.logged_programs():
            self._display.vvv(f"one_token: {line}")
        try:
            warnings = self._run.new_warnings()
        except SessionAbsentError:
            # The next task reports that, and is taken off the session.
            return
        except (OneTokenError, OSError) as exc:
            warnings = [] if self._unreadable else [f"one_token: tasks may sign in by themselves: {exc}"]
            self._unreadable = True
        for text in warnings:
            self._display.warning(text)

    def _explain(self, result: t.Any) -> None:
        """Explain a failure whose own message does not."""
        message = str(result._result.get("msg"))
        if message == "openstacksdk is required for this module":
            self._display.warning(without_sdk(self._interpreter(result)))
        if "has no attribute 'version'" in str(result._result) and "openstack" in str(result._result):
            self._display.warning(
                "The openstack.cloud collection in use does not work with the openstacksdk of the task's Python: "
                "install openstacksdk below 4.15, or openstack.cloud 2.6.0 or later."
            )

    def _interpreter(self, result: t.Any) -> str:
        """The Python that a task ran on, as far as the variables of its host show."""
        variables = self._play.get_variable_manager().get_vars(play=self._play)["hostvars"]
        host = variables.get(result._host.get_name(), {})
        found = host.get("ansible_facts", {}).get("discovered_interpreter_python")
        return host.get("ansible_python_interpreter") or found or "a Python"

    def _on_interrupt(self, before: t.Any) -> t.Any:
        def handler(number: int, frame: t.Any) -> None:
            self._interrupted = True
            if callable(before):
                before(number, frame)
            else:
                raise KeyboardInterrupt

        return handler

    def _at_exit(self) -> None:
        # Workers are forks of this process.
        if self._run is None or os.getpid() != self._process:
            return
        # If this is interrupted again, the watcher continues when this process ends.
        with contextlib.suppress(KeyboardInterrupt):
            self._end()

    def _end(self) -> None:
        if self._run is None:
            return
        self._show_warnings()
        run, self._run = self._run, None
        report = ending.end(
            run,
            self._interrupted,
            _STILL_USED,
            show=lambda text: self._display.display(f"one_token: {text}"),
            warn=self._display.warning,
        )
        if report is not None:
            self._show(report)

    def _show(self, report: dict[str, t.Any]) -> None:
        if report["problem"] and not self._lost:
            self._display.warning(report["problem"])
        if not ending.tokens_issued(report):
            return
        for line in traffic_lines(report, self._display.verbosity > 0):
            self._print(line)
        # The counts are those of the session, which other runs may share.
        name = "one_token (all runs of the shared session)" if self.get_option("session") else "one_token"
        self._print(f"{name}: identities: {report['identities']}, {ending.counts(report)}")

    def _print(self, line: str) -> None:
        # Programs read the output of these callbacks.
        is_for_programs = any(form in str(constants.DEFAULT_STDOUT_CALLBACK) for form in ("json", "yaml"))
        self._display.display(line, stderr=is_for_programs)


def _without(run: Run) -> dict[str, str]:
    """The variables that take a task off the session; an empty one counts as unset."""
    return {name: value or "" for name, value in run.own_variables.items()}
