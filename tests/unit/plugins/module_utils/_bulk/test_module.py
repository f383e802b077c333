# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bulk modules as Ansible runs them: a process each, options on its input, an answer on its output."""

from __future__ import annotations

import json
import os

import pytest
from ansible.module_utils.common.parameters import PASS_VARS
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import (
    CUT,
    DRIPPING,
    SILENT,
    answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session import stand_in_keystone

pytestmark = pytest.mark.processes

PASSWORD = "s3cret-word"
#: What each needs, beside a criterion.
BULK = {
    "os_server_snapshot": {},
    "os_server_backup": {},
    "os_server_power": {"state": "stopped"},
    "os_server_shelve": {"state": "shelved"},
    "os_image_create": {"from_volumes": True},
    "os_volume_snapshot": {},
    "os_volume_backup": {},
    "os_retention": {"kind": "image", "keep_last": 3},
}
EVERYTHING = {"name_pattern": "**"}
NO_CRITERION = (
    "No criterion was given: select with one such as name_pattern: 'web-*', or give name_pattern: '**' for all of the "
    "project."
)


class Ran:
    def __init__(self, process):
        self.output = process.stdout + process.stderr
        assert process.stdout.strip(), process.stderr
        assert "Traceback" not in self.output
        assert PASSWORD not in self.output
        self.result = json.loads(process.stdout.strip().splitlines()[-1])
        # Ansible drops a whole result that has half a surrogate pair in it.
        json.dumps(self.result, ensure_ascii=False, allow_nan=False).encode("utf-8")

    def __getitem__(self, key):
        return self.result[key]

    @property
    def sentence(self):
        """What it failed with: one sentence that is no bug's."""
        assert self.result["failed"] is True
        message = self.result["msg"]
        assert message.endswith(".") and "\n" not in message and "unexpected" not in message
        return message


@pytest.fixture
def auth(wire, monkeypatch):
    monkeypatch.setattr(stand_in_keystone, "PASSWORD", PASSWORD)
    return wire.entry()["auth"]


@pytest.fixture
def run_module(no_cloud, module_processes, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(name="os_server_snapshot", check=False, **options):
        control = {"_ansible_check_mode": check}
        if "inject_invocation" in PASS_VARS:
            # From ansible-core 2.20 on, the options are returned only where that is asked for.
            control["_ansible_inject_invocation"] = True
        return Ran(module_processes.run(name, {**EVERYTHING, **options, **control}, os.environ))

    return run


def empty(exchange):
    return answer(200, {"servers": [], "images": []})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"requests_per_second": "fast"},
            "requests_per_second is 'fast', which is not a rate: give a number of at least 0.01",
        ),
        ({"requests_per_second": "0"}, "requests_per_second is '0', which is not a rate"),
        ({"max_failures": "x"}, "max_failures takes a number such as 5 or a share such as 10%, not 'x'"),
        ({"timeout": 0}, "timeout must be at least 1, not 0"),
        ({"concurrency": -1}, "concurrency must be at least 0, not -1"),
        ({"slices": 0}, "slices must be at least 1, not 0"),
        ({"slices": 4, "concurrency": 3}, "concurrency is 3, which is less than one for each of 4 slices"),
        ({"slices": 501}, "slices is 501, so each slice would send less than 0.01 requests a second"),
        ({"report": "/dev/null/nightly"}, "The report /dev/null/nightly.json cannot be written"),
        ({"report": "/"}, "is a directory's name"),
    ],
    ids=str,
)
def test_an_option_that_cannot_be_used_is_a_sentence_before_anything_is_asked(run_module, auth, wire, options, message):
    assert message in run_module(auth=auth, **options).sentence
    assert wire.requests == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": "two words"}, "run must be 1 to 128 letters"),
        ({"older_than": -1}, "older_than is -1: give a number of seconds from 0 on"),
        ({"newer_than": -1}, "newer_than is -1: give a number of seconds from 0 on"),
        ({"image_name": "{flavor}"}, "image_name '{flavor}' has a placeholder that is not known"),
        ({"properties": {"onetoken_run": "x"}}, "Properties that start with onetoken_ are reserved"),
        ({"metadata": {"a": {"b": 1}}}, "The value of 'a' in metadata must be a text or a number"),
    ],
    ids=str,
)
def test_an_option_of_the_action_that_cannot_be_used_changes_nothing(run_module, auth, wire, options, message):
    wire.react = lambda exchange: answer(200, {"servers": [{"id": "1", "name": "a", "status": "ACTIVE"}], "images": []})
    assert message in run_module(auth=auth, **options).sentence
    assert wire.sent("POST", "/compute") == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("os_server_shelve", {"state": "shelved", "mark": False, "run": "r1"}, "run has no effect without mark"),
        ("os_server_shelve", {"state": "offloaded", "wait": False}, "state offloaded needs wait"),
        ("os_server_power", {"state": "rebooted", "run": "two words"}, "run must be 1 to 128 letters"),
    ],
    ids=["mark", "wait", "run"],
)
def test_options_that_do_not_go_together_change_nothing(run_module, auth, wire, name, options, message):
    assert message in run_module(name, auth=auth, **options).sentence
    assert wire.sent("POST", "/compute") == []


@pytest.mark.parametrize(("name", "check"), [*((name, False) for name in BULK), ("os_server_snapshot", True)])
def test_a_call_without_a_criterion_is_refused_before_anything_is_asked(run_module, auth, wire, name, check):
    assert run_module(name, check=check, auth=auth, **BULK[name], name_pattern=None).sentence == NO_CRITERION
    assert wire.requests == []


@pytest.mark.parametrize(
    ("name", "criterion"),
    [
        ("os_server_shelve", {"state": "unshelved", "run": "night-1"}),
        ("os_volume_snapshot", {"servers": []}),
        ("os_volume_backup", {"servers": []}),
        ("os_retention", {"run_pattern": "nightly-*"}),
    ],
    ids=str,
)
def test_what_a_module_selects_by_besides_the_common_criteria_is_one(run_module, auth, wire, name, criterion):
    wire.react = empty
    assert NO_CRITERION not in run_module(name, auth=auth, **{**BULK[name], **criterion}, name_pattern=None).output
    assert wire.requests != []


@pytest.mark.parametrize("name", BULK)
def test_every_bulk_module_says_which_option_it_cannot_use(run_module, auth, name):
    assert "timeout must be at least 1" in run_module(name, auth=auth, timeout=0, **BULK[name]).sentence


@pytest.mark.parametrize("name", BULK)
def test_every_bulk_module_says_that_it_does_not_know_a_cloud(run_module, name):
    assert "nowhere" in run_module(name, cloud="nowhere", **BULK[name]).sentence


def test_a_password_that_is_refused_is_shown_nowhere(run_module, auth, wire):
    wire.stuck["POST"] = answer(401, {"error": {"message": "The request you have made requires authentication."}})
    ran = run_module(auth=auth)
    assert ran["failed"] is True and "requires authentication" in ran["msg"]
    assert len(wire.asked("POST")) == 1


@pytest.mark.parametrize("where", ["auth", "cloud"])
def test_a_run_that_works_shows_the_password_nowhere_either(run_module, auth, wire, where):
    wire.react = empty
    ran = run_module(**({"auth": auth} if where == "auth" else {"cloud": {"auth": auth}}))
    assert (ran["changed"], ran["results"], ran["tokens_issued"]) == (False, [], 1)
    assert "No server matches the selection, so nothing was done." in json.dumps(ran["warnings"])
    assert sum(ran["requests"].values()) == len(wire.requests)


def snapshot_one(exchange):
    """One server, of which Nova makes an image."""
    image = {
        "id": "i-1", "name": "web-r1", "status": "active", "size": 7, "created_at": "2026-01-31T12:00:00Z",
        "onetoken_run": "r1", "onetoken_name": "web-r1", "onetoken_server_id": "1", "onetoken_server_name": "web",
        "instance_uuid": "1",
    }  # fmt: skip
    if exchange.request.method == "POST":
        snapshot_one.made = True
        return answer(202, {"image_id": "i-1"}, Location="http://glance/images/i-1")
    images = [image] if getattr(snapshot_one, "made", False) else []
    return answer(200, {"servers": [{"id": "1", "name": "web", "status": "ACTIVE"}], "images": images})


@pytest.fixture
def one_server(wire):
    snapshot_one.made = False
    wire.react = snapshot_one


def test_a_report_is_written_and_named(run_module, auth, one_server, tmp_path):
    ran = run_module(auth=auth, run="r1", report=str(tmp_path / "reports" / "nightly"))
    assert ran["counts"]["done"] == 1 and ran["changed"] is True
    assert sorted(ran["report"]) == ["csv", "html", "json"]
    written = json.loads((tmp_path / "reports" / "nightly.json").read_text())
    assert written["results"][0]["name"] == "web" and written["project"] == "demo"


def test_a_report_that_cannot_be_written_any_more_loses_no_result(run_module, auth, wire, one_server, tmp_path):
    folder = tmp_path / "reports"

    def put_a_file_there(exchange):
        if exchange.request.method == "POST":
            folder.rmdir()
            folder.write_text("in the way")
        return snapshot_one(exchange)

    wire.react = put_a_file_there
    ran = run_module(auth=auth, run="r1", report=str(folder / "nightly"))
    assert "cannot be written" in ran.sentence
    assert (ran["counts"]["done"], ran["results"][0]["created"][0]["id"]) == (1, "i-1")


def test_check_mode_writes_no_report_and_makes_nothing(run_module, auth, wire, one_server, tmp_path):
    ran = run_module(check=True, auth=auth, run="r1", report=str(tmp_path / "reports" / "nightly"))
    assert (ran["counts"]["planned"], ran["report"]) == (1, {})
    assert ran["plan"]["requests"] == {"compute": 1, "image": 2}
    assert not (tmp_path / "reports").exists() and wire.sent("POST", "/compute") == []


def test_a_failed_run_returns_its_results_and_can_be_ignored(run_module, auth, wire, one_server):
    wire.react = lambda exchange: (
        answer(403, {"forbidden": {"message": "policy"}})
        if exchange.request.method == "POST"
        else snapshot_one(exchange)
    )
    ran = run_module(auth=auth, run="r1")
    assert ran.sentence == ("The snapshot of run r1 failed for 1 of 1 server: web: policy (compute service, HTTP 403).")
    assert (ran["counts"]["failed"], ran["results"][0]["outcome"], ran["changed"]) == (1, "failed", False)
    ignored = run_module(auth=auth, run="r1", ignore_failures=True)
    assert (ignored.result.get("failed", False), ignored["counts"]["failed"]) == (False, 1)


@pytest.mark.parametrize(
    ("reaction", "words"),
    [
        (answer(200, "<html>Maintenance</html>"), "not JSON"),
        (answer(200, "{}"), "without a list of servers"),
        (answer(403, "<html><h1>Forbidden</h1></html>"), "Forbidden (compute service, HTTP 403)"),
        (answer(300), "HTTP 300"),
        (CUT, "the compute service got no answer"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_cloud_that_answers_nonsense_is_reported_of_in_a_sentence(run_module, auth, wire, reaction, words):
    wire.react = lambda exchange: reaction
    assert words in run_module(auth=auth, timeout=10).sentence


@pytest.mark.parametrize("reaction", [SILENT, DRIPPING])
def test_the_process_ends_with_the_timeout_though_a_request_still_waits(run_module, auth, wire, one_server, reaction):
    wire.react = lambda exchange: reaction if exchange.request.method == "POST" else snapshot_one(exchange)
    ran = run_module(auth=auth, run="r1", timeout=10)
    assert "no answer before the time of 10 s was up" in ran.sentence
    assert ran["results"][0]["reason_code"] == "unconfirmed"
    assert ran["seconds"] < 30


def test_a_list_of_nonsense_ends_in_a_failure_without_a_traceback(run_module, auth, wire):
    wire.react = lambda exchange: answer(200, {"servers": [{"name": "no id"}], "images": []})
    assert "list of servers has a row without an id" in run_module(auth=auth).sentence


def test_what_is_no_character_in_an_answer_does_not_lose_the_result(run_module, auth, wire, tmp_path):
    """A name as JSON lets a cloud write it: with half of a surrogate pair."""

    def react(exchange):
        if exchange.request.method == "POST":
            return answer(403, {"forbidden": {"message": "not \ud83d allowed"}})
        return answer(200, {"servers": [{"id": "1", "name": "web-\udc80", "status": "ACTIVE"}], "images": []})

    wire.react = react
    ran = run_module(auth=auth, run="r1", report=str(tmp_path / "report"))
    (item,) = ran["results"]
    assert (item["name"], item["created"][0]["name"]) == ("web-\ufffd", "web-\ufffd-r1")
    assert item["reason"] == "not \ufffd allowed (compute service, HTTP 403)" and item["reason_code"] == "refused"
    assert "web-\ufffd: not \ufffd allowed" in ran.sentence
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["results"][0]["name"] == "web-\ufffd"
