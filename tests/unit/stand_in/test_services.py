# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The answers of the stand-in's services to openstacksdk."""

from __future__ import annotations

import json
import typing as t

import pytest

pytestmark = pytest.mark.processes


def status_of(call: t.Callable[[], t.Any]) -> int:
    """The HTTP status of the error that a call raises."""
    from openstack import exceptions

    with pytest.raises(exceptions.HttpException) as caught:
        call()
    return caught.value.status_code


def test_openstacksdk_finds_the_services_and_their_microversions(start: t.Any, connect: t.Any) -> None:
    from openstack import utils

    connection = connect(start())

    assert connection.compute.get_endpoint_data().max_microversion == (2, 96)
    assert connection.block_storage.get_endpoint_data().max_microversion == (3, 71)
    assert utils.supports_microversion(connection.compute, "2.45")
    assert not utils.supports_microversion(connection.compute, "2.97")
    assert connection.current_project_id


def test_servers_are_listed_in_pages_each_once(start: t.Any, connect: t.Any) -> None:
    cloud = start(servers=25, volume_backed=3, broken=1, busy=1)
    connection = connect(cloud)

    names = [server.name for server in connection.compute.servers(limit=10)]

    assert names[:2] == ["web-00001", "web-00002"]
    assert sorted(set(names)) == sorted(names)
    assert len(names) == 30
    # openstacksdk requests a page after the last one only if that was full.
    assert cloud.count("nova", "GET", "/servers/detail") in (3, 4)


def test_a_server_shows_what_it_was_booted_from(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(servers=1, volume_backed=1))

    bodies = {}
    for microversion in ("2.1", "2.96"):
        for body in connection.compute.get("/servers/detail", microversion=microversion).json()["servers"]:
            bodies[body["name"], microversion] = body

    assert bodies["db-00001", "2.1"]["image"] == ""
    assert bodies["db-00001", "2.1"]["os-extended-volumes:volumes_attached"][0].keys() == {"id"}
    assert bodies["web-00001", "2.1"]["image"]["id"]
    assert "tags" not in bodies["web-00001", "2.1"]
    assert bodies["web-00001", "2.96"]["tags"] == []
    assert bodies["web-00001", "2.96"]["flavor"]["original_name"] == "m1.small"
    assert 1500 < len(json.dumps(bodies["web-00001", "2.96"])) < 3000


def test_servers_are_filtered_by_name_and_status(start: t.Any, connect: t.Any) -> None:
    compute = connect(start(servers=12, broken=2)).compute

    assert [server.name for server in compute.servers(name="web-0000[12]")] == ["web-00001", "web-00002"]
    assert [server.name for server in compute.servers(status="ERROR")] == ["broken-00001", "broken-00002"]


def test_create_image_makes_an_active_image_with_its_metadata(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(servers=1))
    server = next(connection.compute.servers())

    response = connection.compute.post(
        f"/servers/{server.id}/action",
        json={"createImage": {"name": "before", "metadata": {"onetoken_run": "nightly"}}},
        microversion="2.45",
    )
    body = connection.image.get(f"/images/{response.json()['image_id']}").json()

    assert response.status_code == 202
    assert "Location" not in response.headers
    assert (body["status"], body["name"], body["onetoken_run"]) == ("active", "before", "nightly")
    assert body["instance_uuid"] == server.id
    assert body["size"] > 2**30
    assert 1000 < len(json.dumps(body)) < 1600


def test_before_2_45_create_image_names_the_image_in_a_header(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(servers=1))
    server = next(connection.compute.servers())

    response = connection.compute.post(
        f"/servers/{server.id}/action", json={"createImage": {"name": "x"}}, microversion="2.1"
    )

    image_id = response.headers["Location"].rpartition("/")[2]
    assert response.content == b""
    assert connection.image.get_image(image_id).name == "x"


def test_create_image_of_volumes_makes_snapshots_and_an_empty_image(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(volume_backed=1))
    server = next(connection.compute.servers())

    connection.compute.create_server_image(server, "before")
    (snapshot,) = connection.block_storage.snapshots()
    body = next(image for image in connection.image.get("/images").json()["images"] if image["name"] == "before")

    assert snapshot.name == "snapshot for before"
    assert (body["status"], body["size"]) == ("active", 0)
    assert [disk["snapshot_id"] for disk in json.loads(body["block_device_mapping"])] == [snapshot.id]


@pytest.mark.parametrize(
    ("action", "name", "status"),
    [
        ({"createImage": {"name": "x"}}, "broken", 409),
        ({"createBackup": {"name": "x", "backup_type": "daily", "rotation": 1}}, "broken", 409),
        ({"shelve": None}, "broken", 409),
        ({"createImage": {"name": "x"}}, "busy", 409),
        ({"createBackup": {"name": "x", "backup_type": "daily", "rotation": 1}}, "busy", 409),
        ({"shelve": None}, "busy", 409),
        ({"createBackup": {"name": "x", "backup_type": "daily", "rotation": 1}}, "db", 400),
        ({"unshelve": None}, "web", 409),
        ({"os-start": None}, "web", 409),
        ({"shelveOffload": None}, "web", 403),
        ({"reboot": {"type": "SOFT"}}, "broken", 409),
        ({"nonsense": None}, "web", 400),
    ],
)
def test_the_same_actions_are_refused_as_by_nova(
    start: t.Any, connect: t.Any, action: t.Any, name: str, status: int
) -> None:
    compute = connect(start(servers=1, volume_backed=1, broken=1, busy=1)).compute
    server = next(compute.servers(name=name))

    assert compute.post(f"/servers/{server.id}/action", json=action).status_code == status


def test_a_conflict_has_novas_message(start: t.Any, connect: t.Any) -> None:
    compute = connect(start(broken=1)).compute
    server = next(compute.servers())

    body = compute.post(f"/servers/{server.id}/action", json={"createImage": {"name": "x"}}).json()

    message = f"Cannot 'createImage' instance {server.id} while it is in vm_state error"
    assert body == {"conflictingRequest": {"code": 409, "message": message}}


def test_a_server_is_shelved_and_unshelved(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(servers=1))
    server = next(connection.compute.servers())

    connection.compute.shelve_server(server)
    shelved = connection.compute.get_server(server.id)
    images = [image.name for image in connection.image.images()]
    refused = status_of(lambda: connection.compute.set_server_metadata(server, key="value"))
    connection.compute.unshelve_server(server)

    assert shelved.status == "SHELVED_OFFLOADED"
    assert "web-00001-shelved" in images
    assert refused == 409
    assert connection.compute.get_server(server.id).status == "ACTIVE"
    assert "web-00001-shelved" not in [image.name for image in connection.image.images()]


def test_administrators_offload_shelved_servers(start: t.Any, connect: t.Any) -> None:
    compute = connect(start(servers=1, shelved_offload_seconds=-1, admin=True)).compute
    server = next(compute.servers())

    compute.shelve_server(server)
    before = compute.get_server(server.id).status
    compute.shelve_offload_server(server)

    assert (before, compute.get_server(server.id).status) == ("SHELVED", "SHELVED_OFFLOADED")


def test_backups_of_a_server_rotate_by_type(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(servers=1))
    server = next(connection.compute.servers())

    for name, kind in (("d1", "daily"), ("w1", "weekly"), ("d2", "daily"), ("d3", "daily")):
        connection.compute.backup_server(server, name, kind, 2)

    assert {"d2", "d3", "w1"} == {image.name for image in connection.image.images()} - {"debian-12"}


def test_metadata_is_merged(start: t.Any, connect: t.Any) -> None:
    compute = connect(start(servers=1)).compute
    server = next(compute.servers())

    compute.set_server_metadata(server, more="yes")

    assert compute.get_server(server.id).metadata == {"role": "web", "environment": "test", "more": "yes"}


def test_images_are_listed_in_pages_and_filtered_by_any_property(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(servers=7))
    for server in connection.compute.servers():
        arguments = {"name": f"copy of {server.name}", "metadata": {"onetoken_run": server.name[-1]}}
        connection.compute.post(f"/servers/{server.id}/action", json={"createImage": arguments})

    names, url = [], "/images?limit=3&sort=name:asc&visibility=private"
    while url:
        page = connection.image.get(url).json()
        names += [image["name"] for image in page["images"]]
        url = page.get("next", "").replace("/v2", "", 1)
    found = connection.image.get("/images?onetoken_run=4").json()["images"]
    ids = ",".join(image["id"] for image in connection.image.get("/images?limit=2").json()["images"])

    assert names == [f"copy of web-0000{number}" for number in range(1, 8)]
    assert [image["name"] for image in found] == ["copy of web-00004"]
    assert len(connection.image.get(f"/images?id=in:{ids}").json()["images"]) == 2
    assert connection.image.get("/images?sort_key=colour").status_code == 400


def test_an_image_is_uploaded_changed_and_deleted(start: t.Any, connect: t.Any) -> None:
    image_service = connect(start()).image

    image = image_service.create_image(name="up", data=b"x" * 100_000, disk_format="raw", container_format="bare")
    uploaded = image_service.get_image(image.id)
    changes = [
        {"op": "add", "path": "/onetoken_run", "value": "nightly"},
        {"op": "replace", "path": "/name", "value": "n"},
    ]
    media_type = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    changed = image_service.patch(f"/images/{image.id}", json=changes, headers=media_type).json()
    impossible = [{"op": "replace", "path": "/colour", "value": "red"}]
    refused = image_service.patch(f"/images/{image.id}", json=impossible, headers=media_type).status_code
    image_service.delete_image(image.id)

    assert (uploaded.status, uploaded.size) == ("active", 100_000)
    assert (changed["onetoken_run"], changed["name"]) == ("nightly", "n")
    assert refused == 409
    assert image_service.get(f"/images/{image.id}").status_code == 404
    assert image_service.delete(f"/images/{image.id}").status_code == 404


def test_an_import_takes_staged_data_or_a_url(start: t.Any, connect: t.Any) -> None:
    image_service = connect(start()).image
    formats = {"disk_format": "raw", "container_format": "bare"}
    ids = [image_service.post("/images", json={"name": name, **formats}).json()["id"] for name in ("web", "staged")]
    by_web = {"method": {"name": "web-download", "uri": "http://example.org/image"}}
    directly = {"method": {"name": "glance-direct"}}

    early = image_service.post(f"/images/{ids[1]}/import", json=directly).status_code
    image_service.put(f"/images/{ids[1]}/stage", data=b"12345", headers={"Content-Type": "application/octet-stream"})
    taken = [
        image_service.post(f"/images/{ids[0]}/import", json=by_web).status_code,
        image_service.post(f"/images/{ids[1]}/import", json=directly).status_code,
    ]

    assert (early, taken) == (409, [202, 202])
    assert [image_service.get_image(image_id).status for image_id in ids] == ["active", "active"]
    assert image_service.get_image(ids[1]).size == 5


def test_a_body_may_come_in_chunks(start: t.Any, connect: t.Any) -> None:
    image_service = connect(start()).image
    image_id = image_service.post("/images", json={"name": "chunks"}).json()["id"]

    image_service.put(f"/images/{image_id}/file", data=iter([b"123", b"4567"]))

    assert image_service.get_image(image_id).size == 7


def test_quotas_are_shown_and_enforced(start: t.Any, connect: t.Any) -> None:
    cloud = start(servers=2, volumes=2, image_quota=1, snapshot_quota=1)
    connection = connect(cloud)
    servers, volumes = list(connection.compute.servers()), list(connection.block_storage.volumes())

    made = [connection.image.post("/images", json={"name": "x"}).status_code for _turn in range(2)]
    by_nova = connection.compute.post(f"/servers/{servers[0].id}/action", json={"createImage": {"name": "x"}})
    snapshots = [
        connection.block_storage.post("/snapshots", json={"snapshot": {"volume_id": volume.id}}) for volume in volumes
    ]

    assert made == [201, 413]
    assert by_nova.status_code == 500
    assert connection.image.get("/info/usage").json() == {"usage": {"image_count_total": {"limit": 1, "usage": 1}}}
    assert [answer.status_code for answer in snapshots] == [202, 413]
    assert snapshots[1].json()["overLimit"]["retryAfter"] == "0"
    assert connection.block_storage.get("/limits").json()["limits"]["absolute"]["maxTotalSnapshots"] == 1
    cloud.control(image_quota=0)
    assert connection.image.get("/info/usage").status_code == 404


def test_a_volume_in_use_is_snapshotted_with_force(start: t.Any, connect: t.Any) -> None:
    storage = connect(start(volume_backed=1)).block_storage
    volume = next(storage.volumes())

    plain = storage.post("/snapshots", json={"snapshot": {"volume_id": volume.id}}, microversion="3.0")
    forced = storage.post(
        "/snapshots",
        json={"snapshot": {"volume_id": volume.id, "name": "s", "force": True, "metadata": {"onetoken_run": "r"}}},
        microversion="3.0",
    )
    found = storage.get("/snapshots/detail", params={"metadata": "{'onetoken_run': 'r'}"}).json()["snapshots"]
    others = storage.get("/snapshots/detail", params={"metadata": "{'onetoken_run': 'other'}"}).json()["snapshots"]

    assert (plain.status_code, forced.status_code) == (400, 202)
    assert [snapshot["name"] for snapshot in found] == ["s"]
    assert others == []


def test_incremental_backups_depend_on_earlier_ones(start: t.Any, connect: t.Any) -> None:
    storage = connect(start(volumes=1)).block_storage
    volume = next(storage.volumes())
    body = {"volume_id": volume.id, "incremental": True, "metadata": {"onetoken_run": "r"}}

    without_parent = storage.post("/backups", json={"backup": body}, microversion="3.43").status_code
    too_early = storage.post("/backups", json={"backup": body}, microversion="3.42").status_code
    full, child = (
        storage.post("/backups", json={"backup": {**body, "incremental": more}}, microversion="3.43").json()["backup"]
        for more in (False, True)
    )
    in_use = storage.delete(f"/backups/{full['id']}").status_code
    shown = storage.get("/backups/detail", microversion="3.43").json()["backups"]
    deleted = [storage.delete(f"/backups/{backup['id']}").status_code for backup in (child, full)]

    assert (without_parent, too_early) == (400, 400)
    assert [(backup["is_incremental"], backup["has_dependent_backups"]) for backup in shown] == [
        (True, False),
        (False, True),
    ]
    assert shown[0]["metadata"] == {"onetoken_run": "r"}
    assert in_use == 400
    assert deleted == [202, 202]
    assert storage.get("/backups/detail").json() == {"backups": []}


def test_a_volume_becomes_an_image(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(volumes=1))
    volume = next(connection.block_storage.volumes())

    answer = connection.block_storage.post(
        f"/volumes/{volume.id}/action", json={"os-volume_upload_image": {"image_name": "data"}}, microversion="3.1"
    )
    image = connection.image.get_image(answer.json()["os-volume_upload_image"]["image_id"])

    assert answer.status_code == 202
    assert (image.name, image.status, image.size) == ("data", "active", volume.size * 2**30)


def test_an_unknown_marker_is_refused_as_by_each_service(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(servers=1))

    assert connection.compute.get("/servers/detail?marker=gone").status_code == 400
    assert connection.image.get("/images?marker=gone").status_code == 400
    assert connection.block_storage.get("/volumes/detail?marker=gone").status_code == 404


def test_an_unsupported_microversion_is_refused(start: t.Any, connect: t.Any) -> None:
    connection = connect(start())

    versions = {"OpenStack-API-Version": "compute 2.97"}
    assert connection.compute.get("/servers/detail", headers=versions).status_code == 406
