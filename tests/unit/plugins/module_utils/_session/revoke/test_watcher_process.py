# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of a watcher: its environment, and its Python."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import venv

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    kill,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.revoke.watching import (
    is_on_watch,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import IDENTITY

pytestmark = pytest.mark.processes

PASSWORD = "s3cret"


def test_it_holds_no_secret_and_no_variable_of_the_cloud(issued, run, watch, keystone, tmp_path):
    watcher, name = watch(
        issued,
        run,
        OS_PASSWORD=PASSWORD,
        OS_AUTH_URL=keystone.auth_url,
        OS_CLOUD="sandbox",
        ANSIBLE_VAULT_PASSWORD=PASSWORD,
        AWS_PASSWORD_ACCESS_KEY=PASSWORD,
        HTTPS_PROXY=f"http://user:{PASSWORD}@proxy",
        PYTHONPATH=f"relative::{tmp_path}/mine",
    )
    wait_until(lambda: is_on_watch(issued, name))
    with open(f"/proc/{watcher.process.pid}/environ", encoding="utf-8") as stream:
        environ = dict(variable.split("=", 1) for variable in stream.read().split("\0") if variable)
    with open(f"/proc/{watcher.process.pid}/cmdline", encoding="utf-8") as stream:
        command = stream.read()

    assert not [name for name in environ if name.startswith(("OS_", "ANSIBLE_", "AWS_"))]
    assert environ["PATH"] == os.environ["PATH"]
    assert environ["PYTHONPATH"] == f"{issued.site}:{tmp_path}/mine"
    for secret in (PASSWORD, *keystone.alive):
        assert secret not in json.dumps(environ) + command


def test_without_keystoneauth_it_continues_in_the_python_that_signed_in(
    issued, run, watch, keystone, tmp_path, monkeypatch
):
    token = issued.read_tokens(IDENTITY).current
    issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(token, python=sys.executable)))
    venv.create(tmp_path / "bare", symlinks=True, with_pip=False)
    bare = str(tmp_path / "bare" / "bin" / "python")
    with_it = subprocess.run([bare, "-c", "import keystoneauth1"], stderr=subprocess.DEVNULL, check=False)
    assert with_it.returncode == 1
    monkeypatch.setattr(sys, "executable", bare)
    watcher, _name = watch(issued, run)

    report = watcher.end(drain_timeout=0, revoke_timeout=30)

    assert (report["drained"], report["revoked"]) == (True, 1)
    assert keystone.alive == {}


class TestProcess:
    def test_a_stopped_watcher_is_recognized(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        assert not watcher.stopped
        watcher.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: watcher.stopped)

        assert watcher.end(drain_timeout=600, revoke_timeout=600) is None
        assert not watcher.gone

        watcher.process.send_signal(signal.SIGCONT)
        wait_until(lambda: keystone.alive == {})
        assert not watcher.stopped

    def test_a_watcher_that_is_gone_reports_nothing(self, issued, run, watch):
        watcher, _name = watch(issued, run)
        kill(watcher.process)

        assert watcher.gone
        assert watcher.end(drain_timeout=0, revoke_timeout=30) is None

    @pytest.mark.parametrize("code", ["", "onetoken_session", "onetoken_session/revoke/revocation.py"])
    def test_it_revokes_though_its_code_was_removed(self, issued, run, watch, keystone, code):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        path = pathlib.Path(issued.site, code)
        path.unlink() if path.is_file() else shutil.rmtree(path)
        for compiled in pathlib.Path(issued.path).rglob("revocation*.pyc"):
            compiled.unlink()

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert report is not None
        assert (report["revoked"], report["problem"]) == (1, None)
        assert keystone.alive == {}
