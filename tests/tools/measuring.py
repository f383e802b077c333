# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure which lines of plugins/ a process runs, from the first of them on.

Every process of .venv imports this while plugin_coverage.py is at work. An environment variable would be the usual way
to have subprocesses measured, but the tests judge environments, and a watcher keeps next to nothing of its own.
"""

from __future__ import annotations

import contextlib
import os
import sys
import typing as t

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
DATA = os.path.join(sys.prefix, "coverage")
#: The collection's files in the checkout, by whatever links to them.
PLUGINS = f"{REPOSITORY}/plugins/"
#: The same in the archives that Ansible makes of modules, and in a session's site/.
ARCHIVED = "/ansible_collections/onetoken/openstack/plugins/"
SITE = "/onetoken_session/"

_decided = False


def begin_with_the_first_plugin() -> None:
    # Each file is run by exec, whoever imports it: Python, Ansible's own loader, or runpy out of an archive.
    sys.addaudithook(_look)


def _look(event: str, arguments: tuple[t.Any, ...]) -> None:
    global _decided
    if event != "exec" or _decided:
        return
    filename = getattr(arguments[0], "co_filename", "")
    ours = ARCHIVED in filename or ("/plugins/" in filename and os.path.realpath(filename).startswith(PLUGINS))
    if ours or SITE in filename:
        _decided = True
        # What a module runs on a host, unit tests run in their own process; to trace it there as well would take a
        # third of the time of the tests against the sandbox.
        if not any("AnsiballZ_" in argument for argument in sys.orig_argv):
            # A process that cannot be measured does its work all the same.
            with contextlib.suppress(Exception):
                _begin()


def _begin() -> None:
    # What a process of another user, or one that is left over, cannot write, it would complain of at its end.
    if not os.access(DATA, os.W_OK):
        return
    import coverage

    coverage.Coverage(
        data_file=os.path.join(DATA, "lines"),
        config_file=os.path.join(REPOSITORY, ".coveragerc"),
        include=[f"{PLUGINS}*", f"*{ARCHIVED}*", f"*{SITE}*"],
        auto_data=True,
    ).start()
