# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.actions.image_create.glance import (
    SECRET_URL,
    URL,
    lost,
    once,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import (
    FakeResponse,
)


class TestUrls:
    def test_each_costs_two_requests_and_is_waited_for(self, cloud, create):
        report = create({"name": "a", "url": URL}, {"name": "b", "url": URL})
        assert set(report.outcomes.values()) == {"done"}
        assert (cloud.count("POST", "/images"), cloud.count("POST", "/import")) == (2, 2)

    def test_an_import_that_goes_on_is_watched_and_one_that_never_began_is_made_again(self, cloud, create):
        marks = {"onetoken_run": "r1", "onetoken_source": URL}

        def add(name, **body):
            return cloud.add(id=name, name=name, onetoken_name=name, onetoken_image_id=name, **marks, **body)

        at_work = add("a", os_glance_import_task="t", done_at=3.0)
        stuck = add("b", age=7200, os_glance_import_task="t")
        never = add("c")
        report = create(*({"name": name, "url": URL} for name in "abc"))
        assert report.outcomes == {"a": "already", "b": "done", "c": "done"}
        assert at_work["id"] in cloud.images
        assert stuck["id"] not in cloud.images and never["id"] not in cloud.images
        assert len(cloud.images) == 3

    def test_an_import_that_was_accepted_without_an_answer_is_watched(self, cloud, create):
        cloud.after["POST", "/import"] = lost
        assert create({"name": "a", "url": URL}).outcomes == {"a": "done"}
        assert cloud.count("POST", "/import") == 1

    def test_a_refused_import_is_reported_with_advice_and_leaves_nothing_behind(self, cloud, create):
        cloud.before["POST", "/import"] = lambda options: FakeResponse(400, {"message": "Unknown import method"})
        report = create({"name": "a", "url": URL})
        reason = report.items[0].reason_text
        assert "Unknown import method" in reason and "give file instead of url" in reason
        assert cloud.images == {}

    @pytest.mark.parametrize("told", ["told", "untold"])
    def test_an_import_that_failed_is_reported_soon_and_leaves_nothing_behind(self, cloud, create, time, told):
        cloud.import_fails, cloud.task_message = told, "the staging area is full"
        report = create({"name": "a", "url": URL})
        assert report.outcomes == {"a": "failed"} and "the staging area is full" in report.items[0].reason_text
        assert cloud.images == {} and time.clock() < 60

    def test_an_import_that_never_begins_is_reported(self, cloud, create):
        def accept(_options):
            (image,) = cloud.images.values()
            image["os_glance_import_task"] = "task"
            return FakeResponse(202)

        cloud.before["POST", "/import"] = accept
        report = create({"name": "a", "url": URL}, queued_timeout=10)
        assert report.outcomes == {"a": "failed"}
        assert report.items[0].reason_text.startswith(f"Glance did not begin to import {URL}")
        assert cloud.images == {}

    @pytest.mark.parametrize("status", ["killed", "deactivated"])
    def test_an_import_that_ends_otherwise_is_reported(self, cloud, create, status):
        def spoil(_options):
            for image in cloud.images.values():
                image["status"] = status
                image.pop("done_at", None)

        cloud.before["GET", "/images"] = spoil
        report = create({"name": "a", "url": URL})
        assert report.outcomes == {"a": "failed"}
        assert report.items[0].reason_text.startswith(f"the image is in status {status}")

    def test_a_failed_import_whose_tasks_cannot_be_read_is_reported_without_them(self, cloud, create):
        cloud.import_fails = "told"
        cloud.before["GET", "/tasks"] = lambda options: FakeResponse(403, {"message": "policy"})
        report = create({"name": "a", "url": URL})
        assert report.outcomes == {"a": "failed"}
        text = f"Glance could not import {URL}: check that it exists and that the cloud can reach it;"
        assert text in report.items[0].reason_text

    def test_the_secrets_of_a_url_are_reported_to_glance_alone(self, cloud, create):
        sent = []
        cloud.before["POST", "/import"] = sent.append
        create({"name": "a", "url": SECRET_URL})
        assert sent[0]["json"]["method"]["uri"] == SECRET_URL and sent[0]["log"] is False
        shown = json.dumps(list(cloud.images.values()))
        assert "s3cretword" not in shown and "s1gnature" not in shown
        assert '"onetoken_source": "https://images.example/debian.qcow2"' in shown

    @pytest.mark.parametrize(
        "text", [f"URI does not pass: {SECRET_URL}", "no such user: reader:s3cretword", "s1gnature"]
    )
    def test_what_glance_says_is_reported_without_them(self, cloud, create, text):
        cloud.before["POST", "/import"] = once(lambda options: FakeResponse(400, {"message": text}))
        refused = create({"name": "a", "url": SECRET_URL})
        cloud.import_fails, cloud.task_message = "told", text
        failed = create({"name": "a", "url": SECRET_URL})
        for report in (refused, failed):
            assert report.outcomes == {"a": "failed"}
            told = report.items[0].reason_text + report.failure()
            assert "s3cretword" not in told and "s1gnature" not in told

    def test_a_refusal_as_busy_is_no_failure_while_the_import_is_at_work(self, cloud, create):
        def busy(options):
            (image,) = cloud.images.values()
            image.update(os_glance_import_task="task", done_at=cloud.time.clock() + 5)

        cloud.before["POST", "/import"] = once(busy)
        assert create({"name": "a", "url": URL}).outcomes == {"a": "done"}
        assert cloud.count("POST", "/images") == 1

    def test_a_refusal_as_busy_with_nothing_at_work_is_a_failure(self, cloud, create):
        cloud.before["POST", "/import"] = lambda options: FakeResponse(409, {"message": "disk_format needs to be set"})
        report = create({"name": "a", "url": URL})
        assert report.outcomes == {"a": "failed"} and "disk_format needs to be set" in report.items[0].reason_text
        assert cloud.images == {}
