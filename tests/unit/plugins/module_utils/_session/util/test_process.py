# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import subprocess
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import process
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import wait_until


def test_a_process_has_a_group_and_a_start():
    found = process.stat(os.getpid())

    assert found is not None
    assert found.process_group == str(os.getpgrp())
    assert found.started.isdecimal()


def test_no_process_has_an_id_below_zero():
    assert process.stat(-1) is None


@pytest.mark.processes
def test_a_zombie_is_none():
    child = subprocess.Popen(["true"])

    wait_until(lambda: process.stat(child.pid) is None)
    child.wait()


def test_an_open_file_is_among_the_open_files(tmp_path):
    with (tmp_path / "file").open("w") as stream:
        assert stream.fileno() in process.open_files()


def test_a_second_thread_is_counted():
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()

    assert not process.has_one_thread()
    over.set()
    thread.join()
