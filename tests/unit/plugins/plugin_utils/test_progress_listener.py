# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.progress import (
    VARIABLE,
    Progress,
)
from ansible_collections.onetoken.openstack.plugins.plugin_utils.progress_listener import Listener

PATIENCE = 30


@pytest.fixture
def heard():
    return []


def listener(tmp_path, heard, environ, run=None):
    def hear(standing):
        heard.append(standing)
        came.set()

    came = threading.Event()
    return Listener(str(tmp_path), hear, environ, os.getppid() if run is None else run), came


def test_a_module_s_reports_reach_the_listener_through_a_private_pipe(tmp_path, heard):
    environ: dict[str, str] = {}
    listening, came = listener(tmp_path, heard, environ)
    with listening:
        path = environ[VARIABLE]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o700
        progress = Progress.of_environment(environ)
        progress.begin("snapshot", "servers")
        assert came.wait(PATIENCE)
        progress.update(100, {"done": 7}, in_progress=0, waiting=93)
    assert [standing.done for standing in heard] == [0, 7]
    assert environ == {}
    assert list(tmp_path.iterdir()) == []


def test_a_task_whose_module_reports_nothing_leaves_no_files(tmp_path, heard):
    listening, _came = listener(tmp_path, heard, {})
    with pytest.raises(KeyError), listening:
        raise KeyError
    assert (heard, list(tmp_path.iterdir())) == ([], [])


def test_the_listener_ends_when_its_run_is_gone(tmp_path, heard):
    environ: dict[str, str] = {}
    # No process has its grandchild for a parent.
    listening, _came = listener(tmp_path, heard, environ, run=-1)
    with listening:
        listening._thread.join(PATIENCE)
        assert Progress.of_environment(environ).listener_gone


def test_without_a_pipe_no_files_are_left(tmp_path, heard, monkeypatch):
    def refuse(path, mode):
        raise OSError("not supported")

    monkeypatch.setattr(os, "mkfifo", refuse)
    listening, _came = listener(tmp_path, heard, {})
    with pytest.raises(OSError, match="not supported"), listening:
        pass
    assert list(tmp_path.iterdir()) == []
