# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pathlib
import time

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import boot


def test_it_is_independent_of_the_wall_clock(monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 0.0)
    before = boot.now()

    assert before <= boot.now() < before + 60


def test_on_a_system_without_such_a_clock_it_is_the_monotonic_one(monkeypatch):
    monkeypatch.setattr(boot, "CLOCK", None)

    assert boot.now() == pytest.approx(time.monotonic(), abs=5)


def test_the_boot_id_is_the_kernel_s():
    assert boot.identifier() == pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def test_on_a_system_without_an_id_it_is_empty(monkeypatch):
    def fails(*args, **options):
        raise FileNotFoundError

    boot.identifier.cache_clear()
    monkeypatch.setattr("builtins.open", fails)
    try:
        assert boot.identifier() == ""
    finally:
        boot.identifier.cache_clear()
