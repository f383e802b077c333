# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.actions.volume_backup import VolumeBackup
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.labels import Labels
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.selection import Criteria
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_storage import FakeStorage


@pytest.fixture
def storage(time):
    return FakeStorage(time)


@pytest.fixture
def backup(carry_out):
    def run(storage, run="r1", force=True, incremental=False, container=None, properties=None, **options):
        marks = Labels(run, "volume", "{volume}-{run}", "backup_name", properties or {})
        return carry_out(
            lambda requests: VolumeBackup(requests, Criteria(), None, marks, force, incremental, container),
            connection=storage,
            **options,
        )

    return run


def test_each_volume_gets_a_backup_once_a_run(storage, backup):
    volume_id = storage.volume("a")
    report = backup(storage, properties={"team": "db"})
    assert report.outcomes == {"a": "done"}
    (made,) = storage.backups.values()
    assert made["metadata"]["onetoken_volume_id"] == volume_id and made["metadata"]["team"] == "db"
    assert made["description"] is None
    created = report.answer()["results"][0]["created"]
    assert created == [
        {"type": "volume_backup", "id": made["id"], "name": "a-r1", "status": "available", "size": 10 * 1024**3}
    ]
    assert backup(storage).outcomes == {"a": "already"}
    assert backup(storage, run="r2").outcomes == {"a": "done"}


def test_where_cinder_keeps_no_metadata_the_description_has_the_labels(time, backup):
    storage = FakeStorage(time, microversion=(3, 42))
    volume_id = storage.volume("data 01")
    assert backup(storage).outcomes == {"data 01": "done"}
    (made,) = list(storage.backups.values())
    assert made["description"] == f"onetoken_run=r1 onetoken_volume_id={volume_id} onetoken_volume_name=data 01"
    assert made["metadata"] == {}
    assert backup(storage).outcomes == {"data 01": "already"}


def test_where_cinder_keeps_no_metadata_properties_are_refused(time, backup):
    storage = FakeStorage(time, microversion=(3, 42))
    storage.volume("a")
    with pytest.raises(ConfigurationError, match="leave properties out"):
        backup(storage, properties={"team": "db"})
    assert storage.backups == {}


def test_an_incremental_backup_without_a_full_one_fails_with_cinders_reason(storage, backup):
    storage.volume("a")
    report = backup(storage, incremental=True)
    assert report.outcomes == {"a": "failed"}
    assert "No backups available to do an incremental backup" in report.items[0].reason_text
    assert storage.backups == {}
    backup(storage, run="r2")
    assert backup(storage, incremental=True).outcomes == {"a": "done"}


def test_why_cinder_failed_is_reported(storage, backup):
    storage.volume("a")
    storage.made_as = "error"

    def fail(method, path):
        for body in storage.backups.values():
            body["fail_reason"] = "Swift is full"

    storage.intercept = fail
    report = backup(storage)
    assert report.outcomes == {"a": "failed"}
    assert report.items[0].reason_text.endswith("is in status error: Swift is full")


def test_the_container_is_only_sent_where_there_is_one(storage, new_client):
    marks = Labels("r1", "volume", "{volume}", "backup_name")
    sent = []
    requests = new_client(connection=storage)
    requests.post = lambda service, path, body, *_others: sent.append(body["backup"]) or _Answer()
    for container in (None, "nightly"):
        action = VolumeBackup(requests, Criteria(), None, marks, False, True, container)
        storage.volume("a")
        action.submit(action.plan()[0])
    assert [body.get("container") for body in sent] == [None, "nightly"]
    assert "container" not in sent[0]
    assert [(body["force"], body["incremental"]) for body in sent] == [(False, True)] * 2


class _Answer:
    def json(self):
        return {"backup": {"id": "backup-1"}}
