# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure which lines of plugins/ a process runs, from the first such line on.

Every process of .venv imports this while plugin_coverage.py runs. Usually, an environment variable has subprocesses
measured, but these tests check environments, and a watcher clears its own.
"""

from __future__ import annotations

import contextlib
import os
import sys
import typing as t

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
DATA = os.path.join(sys.prefix, "coverage")
#: The collection's files in the checkout, behind any link.
PLUGINS = f"{REPOSITORY}/plugins/"
#: The same files in Ansible's archives of modules, and in a session's site/.
ARCHIVED = "/ansible_collections/onetoken/openstack/plugins/"
SITE = "/onetoken_session/"

_decided = False


def begin_with_the_first_plugin() -> None:
    # exec runs each file that is imported by Python, by Ansible's loader, or by runpy from an archive.
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[t.Any, ...]) -> None:
    global _decided
    if event != "exec" or _decided:
        return
    filename = getattr(arguments[0], "co_filename", "")
    ours = ARCHIVED in filename or ("/plugins/" in filename and os.path.realpath(filename).startswith(PLUGINS))
    if ours or SITE in filename:
        _decided = True
        # Unit tests run modules in their own process; tracing them on hosts as well would take a third of the time of
        # the tests against the sandbox.
        if not any("AnsiballZ_" in argument for argument in sys.orig_argv):
            # A process that cannot be measured must work nevertheless.
            with contextlib.suppress(Exception):
                _begin()


def _begin() -> None:
    # A process of another user, or one that outlives the tests, would report at its end that it cannot write.
    if not os.access(DATA, os.W_OK):
        return
    import coverage

    coverage.Coverage(
        data_file=os.path.join(DATA, "lines"),
        config_file=os.path.join(REPOSITORY, ".coveragerc"),
        include=[f"{PLUGINS}*", f"*{ARCHIVED}*", f"*{SITE}*"],
        auto_data=True,
    ).start()
