# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that sign in on a session: the one of the tests, and others that have the session's environment."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session import hook
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import site_code
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    VARIABLE,
    Session,
    SessionRecord,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import environment, site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import copies_of_handles
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    GenerousKeystone,
    password_plugin,
)
from keystoneauth1 import session as keystone_session


@pytest.fixture
def generous_keystone():
    with GenerousKeystone() as running:
        yield running


@pytest.fixture
def make_session(no_cloud, tmp_path):
    """A session as a run prepares it, which belongs to nobody."""

    def make(name: str = "session", policy: RenewalPolicy | None = None) -> Session:
        session = Session(str(tmp_path / name))
        session.make()
        site_code.write(session, site.files())
        session.write_record(SessionRecord(policy or RenewalPolicy()))
        return session

    return make


@pytest.fixture
def prepared(make_session):
    return make_session()


@pytest.fixture
def on_session(prepared, monkeypatch):
    """The session that the process of the tests is on."""
    monkeypatch.setenv(VARIABLE, prepared.path)
    hook.install()
    return prepared


@pytest.fixture
def sign_in(keystone):
    """Sign in as a process does that was just started; the token."""
    return lambda **options: password_plugin(keystone, **options).get_token(keystone_session.Session())


@pytest.fixture
def copied(on_session, keystone, monkeypatch):
    """Copies of the session's handles, as a fork in another thread makes them while Keystone is asked."""
    handles: list[int] = []
    plain = keystone._answer

    def answer(request):
        handles.extend(copies_of_handles(on_session.path))
        return plain(request)

    monkeypatch.setattr(keystone, "_answer", answer)
    return handles


@pytest.fixture
def start(no_cloud, tmp_path):
    """Start Python code on a session, in a process and a process group of its own."""
    started = []

    def new(
        session: Session | None, code: str, *arguments: str, options: t.Sequence[str] = (), **environ: str
    ) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", VARIABLE)}
        variables = {} if session is None else environment.of_session(session, environ)
        process = subprocess.Popen(
            [sys.executable, *options, "-c", code, *arguments],
            env={**inherited, **environ, **variables},
            cwd=tmp_path / "work",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield new
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def run(start):
    """Run Python code on a session; what it wrote, and with which code it ended."""

    def finished(session: Session | None, code: str, *arguments: str, **more: t.Any) -> tuple[str, str, int]:
        process = start(session, code, *arguments, **more)
        output, errors = process.communicate(timeout=60)
        return output, errors, process.returncode

    return finished
