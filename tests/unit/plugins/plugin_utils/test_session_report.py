# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import signing_in
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.token_report import describe
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import VARIABLE
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    ConfigurationError,
    SessionClosedError,
    SessionError,
    SourceUnreadableError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import issued as issued_clouds
from ansible_collections.onetoken.openstack.plugins.plugin_utils.session_report import chosen_session, report
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age


@pytest.fixture
def issued(session, sandbox, monkeypatch):
    """A session with a token for the cloud sandbox; the cloud second was not issued yet."""
    signing_in.issue(session, sandbox, RenewalPolicy(), timeout=10)
    monkeypatch.setenv(VARIABLE, "")
    return session


def stored(session, cloud: str = "sandbox"):
    one = issued_clouds.of_cloud(session, cloud)
    assert one is not None
    return session.read_tokens(one.identity).current


def test_a_session_is_named_or_that_of_the_environment(issued, tmp_path):
    assert chosen_session(None, {VARIABLE: issued.path}).path == issued.path
    assert chosen_session(issued.path, {VARIABLE: str(tmp_path)}).path == issued.path


@pytest.mark.parametrize(
    ("name", "reported"), [(None, "No session is named"), ("/nowhere/at/all", "There is no session at")]
)
def test_a_missing_session_is_reported(name, reported):
    with pytest.raises(SessionError, match=reported):
        chosen_session(name, {})


@pytest.mark.parametrize(
    ("cloud", "environ", "chosen"),
    [
        (None, {}, "sandbox"),
        (None, {"OS_CLOUD": "sandbox"}, "sandbox"),
        ("sandbox", {"OS_CLOUD": "second"}, "sandbox"),
        ("second", {}, "second"),
    ],
)
def test_it_reports_the_named_cloud_or_else_the_only_one(issued, cloud, environ, chosen):
    assert report(issued, cloud, environ, return_token=False)["cloud"] == chosen


def test_one_of_several_clouds_must_be_named(issued, task_cloud):
    signing_in.issue(issued, task_cloud(cloud="second"), RenewalPolicy(), timeout=10)

    with pytest.raises(SessionError, match=r"several clouds \(sandbox, second\)"):
        report(issued, None, {}, return_token=False)
    assert report(issued, None, {"OS_CLOUD": "second"}, return_token=False)["cloud"] == "second"


def test_it_reports_the_token_and_how_to_sign_in_with_it(issued, keystone):
    asked = len(keystone.requests)

    reported = report(issued, "sandbox", {"PYTHONPATH": "/opt/own"}, return_token=False)

    assert reported["environment"] == {
        "OS_CLOUD": "sandbox",
        VARIABLE: issued.path,
        "PYTHONPATH": f"{issued.site}{os.pathsep}/opt/own",
    }
    assert (reported["session"], reported["cloud"]) == (issued.path, "sandbox")
    described = describe(stored(issued))
    assert {key: reported[key] for key in described if key != "seconds_left"} == {
        key: value for key, value in described.items() if key != "seconds_left"
    }
    assert stored(issued).id.reveal() not in json.dumps(reported)
    assert len(keystone.requests) == asked


def test_explicit_credentials_are_reported_as_a_handle(session, task_cloud, keystone, monkeypatch):
    signing_in.issue(session, task_cloud(auth=keystone.entry()["auth"]), RenewalPolicy(), timeout=10)

    reported = report(session, None, {}, return_token=False)

    assert (reported["cloud"], reported["environment"]["OS_CLOUD"]) == ("onetoken", "onetoken")
    assert reported["environment"]["OS_CLIENT_CONFIG_FILE"] == session.clouds_file
    assert stored(session, "onetoken").id.reveal() not in json.dumps(reported)


def test_the_token_is_returned_on_request(issued):
    reported = report(issued, "sandbox", {}, return_token=True)

    assert reported["token"] == stored(issued).id.reveal()


def test_a_cloud_of_the_same_identity_costs_no_sign_in_and_another_one_does(issued, write_clouds, keystone):
    report(issued, "second", {}, return_token=False)
    assert len(keystone.asked("POST")) == 1

    other = keystone.entry()
    other["auth"]["project_name"] = "other"
    write_clouds({"clouds": {"sandbox": keystone.entry(), "third": other}})
    report(issued, "third", {}, return_token=False)
    assert len(keystone.asked("POST")) == 2


def test_a_due_token_is_renewed(issued, keystone):
    old = stored(issued)
    let_it_age(issued, issued_clouds.of_cloud(issued, "sandbox").identity, 12 * 3600)

    reported = report(issued, "sandbox", {}, return_token=True)

    assert len(keystone.asked("POST")) == 2
    assert reported["token"] == stored(issued).id.reveal() != old.id.reveal()


def test_a_due_token_that_cannot_be_renewed_is_returned_until_it_expires(session, task_cloud, keystone):
    """So it is served to tasks."""
    auth = keystone.entry()["auth"]
    token = signing_in.issue(session, task_cloud(auth=auth), RenewalPolicy(), timeout=10).token.id.reveal()
    identity = issued_clouds.of_cloud(session, "onetoken").identity
    let_it_age(session, identity, 12 * 3600)

    assert report(session, None, {}, return_token=True)["token"] == token

    let_it_age(session, identity, 13 * 3600)
    with pytest.raises(SourceUnreadableError, match="run os_token_issue again with the same credentials"):
        report(session, None, {}, return_token=True)


def test_the_process_itself_is_on_the_session_only_meanwhile(issued, keystone, monkeypatch):
    before = dict(os.environ)
    report(issued, "second", {}, return_token=False)
    assert dict(os.environ) == before

    with pytest.raises(ConfigurationError, match="'sandbocks' is not in"):
        report(issued, "sandbocks", {}, return_token=False)
    assert dict(os.environ) == before


def test_a_revoked_session_is_refused(issued):
    issued.close()

    with pytest.raises(SessionClosedError):
        report(issued, "sandbox", {}, return_token=False)
