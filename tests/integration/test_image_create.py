# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""os_image_create makes images of files, URLs and volumes once, resumes them, and deletes those that fail."""

from __future__ import annotations

import json
import pathlib
import secrets
import typing as t
import uuid

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import Run
from ansible_collections.onetoken.openstack.tests.helpers.http_server import serving_directory
from ansible_collections.onetoken.openstack.tests.integration.bulk_results import Result, outcomes

CONTENT = secrets.token_bytes(600 * 1024)
OCTETS = {"Content-Type": "application/octet-stream"}


@pytest.fixture
def web(tmp_path: pathlib.Path) -> t.Iterator[str]:
    """The URL of a directory with one file, disk.raw."""
    directory = tmp_path / "web"
    directory.mkdir()
    (directory / "disk.raw").write_bytes(CONTENT)
    with serving_directory(directory) as url:
        yield url


@pytest.fixture
def run_name(demo_cloud, run_name) -> t.Iterator[str]:
    """The images of the run are deleted at the end."""
    yield run_name
    for image in images_of(demo_cloud, run_name):
        demo_cloud.image.update_image(image["id"], is_protected=False)
        demo_cloud.image.delete_image(image["id"])


def images_of(cloud, run_name: str) -> list[dict[str, t.Any]]:
    images = cloud.image.get("/images", params={"owner": cloud.current_project_id, "limit": 1000}).json()["images"]
    return [image for image in images if run_name in (image.get("onetoken_run") or image["name"])]


def call(controller, *arguments: str, **options: t.Any) -> tuple[Run, Result]:
    """Run the module; the run, and what the module returned."""
    task = {"onetoken.openstack.os_image_create": {"cloud": "sandbox", **options}, "ignore_errors": True}
    run, (result,) = controller.results([task], *arguments)
    return run, result


@pytest.fixture
def file(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "disk.raw"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.versions
def test_files_become_images_once_and_a_second_run_makes_none(controller, demo_cloud, keystone, run_name, file):
    images = [{"name": f"{run_name}-{number}", "file": str(file), "min_disk": 1} for number in range(3)]
    images[1].update(protected=True, tags=["a", "b"], properties={"hw_disk_bus": "scsi"}, visibility="shared")
    options = {"run": run_name, "images": images, "properties": {"team": "platform"}}
    planned = call(controller, "--check", **options)[1]
    assert set(outcomes(planned).values()) == {"planned"} and images_of(demo_cloud, run_name) == []
    keystone.restart()
    answer = call(controller, **options)[1]
    assert answer["changed"] and answer["counts"]["done"] == 3, answer
    assert keystone.count("POST") == 1

    made = sorted(images_of(demo_cloud, run_name), key=lambda image: image["name"])
    assert [(image["status"], image["size"], image["disk_format"]) for image in made] == [
        ("active", len(CONTENT), "raw")
    ] * 3
    assert {image["onetoken_source"] for image in made} == {str(file)}
    assert {image["team"] for image in made} == {"platform"}
    special = made[1]
    assert (special["protected"], special["visibility"], special["hw_disk_bus"]) == (True, "shared", "scsi")
    assert sorted(special["tags"]) == ["a", "b"] and special["min_disk"] == 1

    again = call(controller, **options)[1]
    assert not again["changed"] and set(outcomes(again).values()) == {"already"}
    assert len(images_of(demo_cloud, run_name)) == 3


def test_an_image_left_without_content_by_a_killed_run_is_replaced(controller, demo_cloud, run_name, file):
    labels = {"onetoken_run": run_name, "onetoken_name": "disk", "onetoken_source": str(file)}
    left = str(uuid.uuid4())
    body = {"id": left, "name": "disk", "disk_format": "raw", "container_format": "bare", "protected": True, **labels}
    demo_cloud.image.post("/images", json={**body, "onetoken_image_id": left}).raise_for_status()
    answer = call(controller, run=run_name, images=[{"name": "disk", "file": str(file)}])[1]
    assert outcomes(answer) == {"disk": "done"}, answer
    (image,) = images_of(demo_cloud, run_name)
    assert image["id"] != left and image["status"] == "active"


def test_images_that_fail_have_a_reason_and_leave_nothing_behind(controller, demo_cloud, run_name, file, tmp_path):
    images = [
        {"name": "good", "file": str(file)},
        {"name": "absent", "file": str(tmp_path / "absent.raw")},
        {"name": "directory", "file": str(tmp_path), "disk_format": "raw"},
        {"name": "wrong", "file": str(file), "checksum": "sha512:" + "0" * 128, "protected": True},
        {"name": "foreign", "file": str(file), "disk_format": "nonsense"},
    ]
    run, answer = call(controller, run=run_name, images=images)
    assert answer["failed"] and outcomes(answer) == {
        "good": "done", "absent": "failed", "directory": "failed", "wrong": "failed", "foreign": "failed"
    }  # fmt: skip
    reasons = {result["name"]: result["reason"] for result in answer["results"]}
    assert "No such file" in reasons["absent"] and "not a regular file" in reasons["directory"]
    assert "sha512" in reasons["wrong"] and "deleted" in reasons["wrong"]
    assert "nonsense" in reasons["foreign"]
    assert [image["name"] for image in images_of(demo_cloud, run_name)] == ["good"]


def test_the_cloud_imports_a_url_whose_secrets_are_shown_nowhere(controller, demo_cloud, run_name, web):
    url = web.replace("http://", "http://reader:s3cretword@") + "/disk.raw?signature=s1gnature"
    options = {"run": run_name, "images": [{"name": "web", "url": url}]}
    run, answer = call(controller, "-vvv", **options)
    shown = run.output + json.dumps(answer) + json.dumps(images_of(demo_cloud, run_name))
    assert "s3cretword" not in shown and "s1gnature" not in shown
    assert outcomes(answer) == {"web": "done"}, answer
    (image,) = images_of(demo_cloud, run_name)
    assert (image["status"], image["size"]) == ("active", len(CONTENT))
    assert image["onetoken_source"] == f"{web}/disk.raw"
    assert outcomes(call(controller, **options)[1]) == {"web": "already"}


@pytest.mark.repeats
def test_a_url_without_a_file_fails_soon_and_leaves_nothing_behind(controller, demo_cloud, run_name, web):
    answer = call(controller, run=run_name, timeout=120, images=[{"name": "web", "url": f"{web}/absent.raw"}])[1]
    assert outcomes(answer) == {"web": "failed"}, answer
    assert answer["seconds"] < 60 and images_of(demo_cloud, run_name) == []


@pytest.mark.repeats
def test_volumes_become_images_with_labels(controller, demo_cloud, run_name):
    volumes = [volume for volume in demo_cloud.block_storage.volumes() if volume.name in ("data-02", "data-03")]
    options = {"run": run_name, "from_volumes": True, "volumes": [volume.name for volume in volumes], "timeout": 120}
    answer = call(controller, **options)[1]
    assert set(outcomes(answer).values()) == {"done"}, answer
    assert set(answer["requests"]) >= {"block_storage", "image"}
    made = {image["name"]: image for image in images_of(demo_cloud, run_name)}
    assert set(made) == {f"{volume.name}-{run_name}" for volume in volumes}
    for volume in volumes:
        image = made[f"{volume.name}-{run_name}"]
        assert (image["onetoken_volume_id"], image["onetoken_name"]) == (volume.id, image["name"])
        assert image["onetoken_image_id"] == image["id"]
    assert set(outcomes(call(controller, **options)[1]).values()) == {"already"}


def test_an_image_of_a_volume_that_has_no_name_yet_is_resumed(controller, demo_cloud, run_name):
    (volume,) = (volume for volume in demo_cloud.block_storage.volumes() if volume.name == "data-02")
    name = f"onetoken {run_name} {volume.id}"
    # Labels of another run's image, from which the volume was made.
    inherited = {"onetoken_run": "older", "onetoken_name": "older", "onetoken_server_id": "1"}
    body = {"name": name, "disk_format": "raw", "container_format": "bare", **inherited}
    left = demo_cloud.image.post("/images", json=body).json()["id"]
    demo_cloud.image.put(f"/images/{left}/file", data=CONTENT, headers=OCTETS)
    answer = call(controller, run=run_name, from_volumes=True, volumes=["data-02"])[1]
    assert outcomes(answer) == {"data-02": "already"}, answer
    image = demo_cloud.image.get(f"/images/{left}").json()
    assert image["name"] == image["onetoken_name"] == f"data-02-{run_name}"
    assert image["onetoken_volume_id"] == volume.id and "onetoken_server_id" not in image


@pytest.mark.repeats
def test_incompatible_options_are_refused(controller, file):
    wrong: list[tuple[dict[str, t.Any], str]] = [
        ({}, "Either images or from_volumes"),
        ({"images": [{"name": "a", "file": str(file)}] * 2}, "Several of the images are called a"),
        ({"images": [{"name": "a", "file": str(file), "url": "http://a/a.raw"}]}, "mutually exclusive"),
        ({"images": [{"name": "a", "url": "http://a/a.img"}]}, "disk_format of image a"),
        ({"images": [], "name_pattern": "*"}, "name_pattern selects volumes"),
    ]
    tasks = [
        {"onetoken.openstack.os_image_create": {"cloud": "sandbox", **options}, "ignore_errors": True}
        for options, _message in wrong
    ]
    _run, found = controller.results(tasks)
    for (_options, expected), result in zip(wrong, found, strict=True):
        assert result["failed"] and expected in result["msg"], result
