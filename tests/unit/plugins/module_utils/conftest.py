# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import SessionRecord
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import IDLE, clear_away
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import sign_in


@pytest.fixture
def empty(session):
    """A session without tokens."""
    session.make()
    session.write_record(SessionRecord(RenewalPolicy()))
    return session


@pytest.fixture
def issued(empty, keystone):
    """A session with a token of one identity."""
    sign_in(empty, keystone)
    return empty


@pytest.fixture
def environ(no_cloud, tmp_path):
    """Where the rate limiters and bulk runs of a test share what they know."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    return {"HOME": str(tmp_path), "XDG_STATE_HOME": str(state)}


@pytest.fixture
def start_python(environ, collections_path):
    """Start Python code that has the collection, in a process that shares what these of the test know."""
    started = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, **environ, "PYTHONPATH": collections_path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        clear_away(process)


@pytest.fixture(scope="session")
def site_path(tmp_path_factory):
    """The session's code, for processes that the tests start."""
    root = tmp_path_factory.mktemp("site")
    for name, text in site.files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(root)


@pytest.fixture
def python(no_cloud, site_path):
    """Start Python code in a process and a process group of its own, and return when it has written its first line."""
    started = []

    def start(code: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            env={**os.environ, "PYTHONPATH": site_path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 30)[0], "it is not ready in time"
        assert process.stdout.readline(), "it ended before it was ready"
        return process

    yield start
    for process in started:
        clear_away(process)


@pytest.fixture
def run(python):
    """A process that does nothing, until it is killed or its standard input is closed."""
    return python(IDLE)


@pytest.fixture
def use(python):
    """A process that works on a session, until it is killed or its standard input is closed."""
    code = (
        "import sys\n"
        "from onetoken_session.store import session, usage\n"
        "usage.hold(session.Session(sys.argv[1]))\n"
        "print('ready', flush=True)\n"
        "sys.stdin.read()\n"
    )
    return lambda session: python(code, session.path)


@pytest.fixture
def finish(python):
    """A process that is finishing its work on a session, until it is killed or its standard input is closed."""
    code = (
        "import sys\n"
        "from onetoken_session.store import session, usage\n"
        "with usage.finishing(session.Session(sys.argv[1])):\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    return lambda session: python(code, session.path)
