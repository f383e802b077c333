# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.server_backup import ServerBackup
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeConnection


class Cloud(FakeConnection):
    """Keeps what Nova is asked for."""

    def __init__(self, time):
        super().__init__(time)
        self.actions = []

    def make_image(self, server, action):
        self.actions.append(action)
        super().make_image(server, action)


@pytest.fixture
def cloud(time):
    return Cloud(time)


@pytest.fixture
def backup(carry_out):
    def run(run="r1", backup_type="daily", rotation=7, **options):
        marks = Labels(run, "server", "{server}-{run}", "backup_name", {"team": "red"})
        return carry_out(
            lambda requests: ServerBackup(requests, Criteria(), marks, 3600, backup_type, rotation), **options
        )

    return run


def test_each_server_gets_a_backup_that_nova_rotates_and_that_carries_the_run(cloud, backup):
    cloud.server("a")
    report = backup(backup_type="weekly", rotation=4)
    assert report.outcomes == {"a": "done"}
    assert cloud.actions == [
        {
            "name": "a-r1",
            "backup_type": "weekly",
            "rotation": 4,
            "metadata": {
                "team": "red",
                "onetoken_run": "r1",
                "onetoken_server_id": "id-0",
                "onetoken_server_name": "a",
                "onetoken_name": "a-r1",
                "onetoken_asked_at": "2027-01-15T08:00:00Z",
            },
        }
    ]
    first = report.answer()["results"][0]
    assert first["action"] == "backup"
    assert first["created"] == [{"type": "image", "id": "image-0", "name": "a-r1", "status": "active", "size": 7}]


def test_a_run_backs_a_server_up_once(cloud, backup):
    cloud.server("a")
    backup()
    cloud.server("b")
    assert backup().outcomes == {"a": "already", "b": "done"}
    assert backup("r2").outcomes == {"a": "done", "b": "done"}


def test_a_server_that_was_booted_from_a_volume_fails_without_being_submitted(cloud, backup):
    cloud.server("a", volumes=1)
    cloud.server("b")
    report = backup()
    assert report.outcomes == {"a": "failed", "b": "done"}
    assert "booted from a volume: use os_server_snapshot" in report.failure()
    assert cloud.count("POST", "/action") == 1


def test_a_rotation_that_keeps_nothing_is_refused_before_anything_is_sent(cloud, backup):
    with pytest.raises(ConfigurationError, match="rotation must be at least 1"):
        backup(rotation=0)
    assert cloud.requests == []
