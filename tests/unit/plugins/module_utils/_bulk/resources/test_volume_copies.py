# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import Created, Item, State
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.description_labels import (
    describe,
    described,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.resources.volume_copies import (
    BACKUPS,
    BACKUPS_WITHOUT_METADATA,
    SNAPSHOTS,
    VolumeCopy,
    is_ours,
    kind_of_backups,
    update_from_volume_copies,
    volume_copies,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_storage import FakeStorage

MARKS = {"onetoken_run": "r1", "onetoken_volume_id": "v", "onetoken_volume_name": "data", "onetoken_name": "data-r1"}
BODY = {"id": "c", "name": "data-r1", "status": "available", "volume_id": "v", "created_at": "2026-01-31T12:00:00"}


@pytest.fixture
def storage(time):
    return FakeStorage(time)


def copy(**body):
    return VolumeCopy.from_body({**BODY, **body})


def test_what_a_run_made_is_ours_until_it_gets_another_name():
    assert is_ours(copy(metadata=MARKS))
    assert not is_ours(copy(metadata=MARKS, name="keep this"))
    assert not is_ours(copy(metadata=MARKS, volume_id="another"))
    assert not is_ours(copy(metadata={}))
    assert not is_ours(copy(metadata={"onetoken_name": "data-r1", "onetoken_volume_id": "v"}))
    assert not is_ours(copy(metadata={"onetoken_run": "r1"}, name=""))


def test_the_snapshots_of_a_server_have_their_places_in_their_names():
    marks = {"onetoken_run": "r1", "onetoken_server_id": "s", "onetoken_name": "db.1"}
    assert [is_ours(copy(metadata=marks, name=name)) for name in ("db.1", "db.1-1", "db.1-12")] == [True] * 3
    assert [is_ours(copy(metadata=marks, name=name)) for name in ("db.1-x", "dbx1-1", "mine", "")] == [False] * 4


@pytest.mark.parametrize("name", ["data", "with spaces = and more", "of two\nlines", ""])
def test_a_description_tells_its_labels(name):
    text = describe({**MARKS, "onetoken_volume_name": name})
    assert described(text) == {"onetoken_run": "r1", "onetoken_volume_id": "v", "onetoken_volume_name": name}
    assert is_ours(copy(description=text))


def test_a_description_has_255_characters_at_most_and_the_labels_in_any_case():
    marks = {"onetoken_run": "r" * 128, "onetoken_volume_id": "i" * 36, "onetoken_volume_name": "n" * 255}
    text = describe(marks)
    assert len(text) <= 255
    assert described(text) == {"onetoken_run": "r" * 128, "onetoken_volume_id": "i" * 36}


@pytest.mark.parametrize("text", ["", "nightly", "see onetoken_run=r1 onetoken_volume_id=v", "onetoken_run=r1"])
def test_somebodys_own_description_has_no_labels(text):
    assert described(text) == {}
    assert not is_ours(copy(description=text))


def test_the_kind_of_backups_is_the_clouds(time, new_client):
    for microversion, kind in (((3, 43), BACKUPS), ((3, 42), BACKUPS_WITHOUT_METADATA)):
        assert kind_of_backups(new_client(connection=FakeStorage(time, microversion))) is kind


def test_copies_come_the_newest_first_over_all_pages(storage, new_client):
    storage.page = 2
    ids = [storage.add_snapshot(days) for days in (5, 1, 3, 2, 4)]
    listed = [one.id for one in volume_copies(new_client(connection=storage), SNAPSHOTS)]
    assert listed == [ids[place] for place in (1, 3, 2, 4, 0)]
    assert storage.count("GET", "/snapshots") == 3


def under_way(*created):
    item = Item("v", "data", "snapshot")
    item.accept("done", *created)
    return item


def test_a_poll_takes_in_what_is_there_and_reads_no_further_than_it_must(storage, new_client):
    storage.page = 1
    storage.add_snapshot(days=3)
    id = storage.add_snapshot(name="new")
    item = under_way(Created("volume_snapshot", id), Created("image", "i"))
    update_from_volume_copies(new_client(connection=storage), SNAPSHOTS, [item])
    assert (item.created[0].name, item.created[0].status, item.created[0].size) == ("new", "available", 10 * 1024**3)
    assert item.state is State.IN_PROGRESS
    assert storage.count("GET", "/snapshots") == 1
    update_from_volume_copies(new_client(connection=storage), SNAPSHOTS, [item])
    assert storage.count("GET", "/snapshots") == 1


def test_what_failed_or_disappeared_settles_the_item(storage, new_client):
    failed, lost = (
        under_way(Created("volume_snapshot", storage.add_snapshot(status="error"))),
        under_way(Created("volume_snapshot", "nowhere")),
    )
    for _look in range(3):
        assert not lost.settled
        update_from_volume_copies(new_client(connection=storage), SNAPSHOTS, [failed, lost])
    assert failed.outcome == "failed" and failed.reason_text.endswith("is in status error")
    assert lost.outcome == "failed" and "does not exist any more" in lost.reason_text
