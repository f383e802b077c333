# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionClosedError,
    SessionError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.plugins.module_utils.session_report import (
    chosen_cloud,
    chosen_session,
    report,
)
from ansible_collections.onetoken.openstack.plugins.module_utils.token_report import describe
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import let_it_age

pytestmark = pytest.mark.processes


@pytest.fixture
def issued(session, source):
    """A session with a token for the cloud sandbox; the cloud second was not issued yet."""
    lifecycle.issue(session, source, RenewalPolicy(), timeout=10)
    return session


def injected(session, cloud: str = "sandbox") -> dict[str, str]:
    return {"OS_CLIENT_CONFIG_FILE": session.clouds_file, "OS_CLOUD": cloud}


def test_a_session_is_named_or_that_of_the_environment(issued, tmp_path):
    assert chosen_session(None, injected(issued)).path == issued.path
    assert chosen_session(str(tmp_path), injected(issued)).path == str(tmp_path)


def test_no_session_at_all_is_a_sentence():
    with pytest.raises(SessionError, match="No session is named"):
        chosen_session(None, {})


@pytest.mark.parametrize(
    ("environ", "chosen"),
    [({}, "sandbox"), ({"OS_CLOUD": "sandbox"}, "sandbox"), ({"OS_CLOUD": "of-something-else"}, "sandbox")],
)
def test_the_only_cloud_of_a_session_needs_no_name(issued, environ, chosen):
    assert chosen_cloud(issued, environ) == chosen


def test_os_cloud_chooses_in_the_session_of_the_environment_even_what_has_no_token_yet(issued):
    assert chosen_cloud(issued, injected(issued, "second")) == "second"


def test_of_several_clouds_os_cloud_chooses_and_else_one_is_to_be_named(issued):
    lifecycle.current_token(issued, "second")

    assert chosen_cloud(issued, {"OS_CLOUD": "second"}) == "second"
    with pytest.raises(SessionError, match=r"several clouds \(sandbox, second\)"):
        chosen_cloud(issued, {})


def test_it_tells_of_the_token_and_how_to_sign_in_with_it(issued, keystone):
    asked = len(keystone.requests)

    told = report(issued, "sandbox", {"PYTHONPATH": "/opt/own"}, return_token=False)

    assert told["environment"] == {
        "OS_CLIENT_CONFIG_FILE": issued.clouds_file,
        "OS_CLOUD": "sandbox",
        "OS_AUTH_TYPE": site.AUTH_TYPE,
        "PYTHONPATH": f"{issued.site}{os.pathsep}/opt/own",
    }
    assert (told["session"], told["cloud"]) == (issued.path, "sandbox")
    described = describe(issued.read_tokens("sandbox").current)
    assert {key: told[key] for key in described if key != "seconds_left"} == {
        key: value for key, value in described.items() if key != "seconds_left"
    }
    assert issued.read_tokens("sandbox").current.id.reveal() not in json.dumps(told)
    assert len(keystone.requests) == asked


def test_the_token_is_told_to_who_asks_for_it(issued):
    told = report(issued, "sandbox", {}, return_token=True)

    assert told["token"] == issued.read_tokens("sandbox").current.id.reveal()


def test_a_cloud_without_a_token_gets_one_and_one_that_is_due_a_new_one(issued, keystone):
    report(issued, "second", {}, return_token=False)
    assert len(keystone.asked("POST")) == 2

    old = issued.read_tokens("sandbox").current
    let_it_age(issued, "sandbox", 12 * 3600)
    told = report(issued, "sandbox", {}, return_token=True)

    assert len(keystone.asked("POST")) == 3
    assert told["token"] != old.id.reveal()


def test_a_revoked_session_is_refused(issued):
    lifecycle.revoke(issued, timeout=10)

    with pytest.raises(SessionClosedError):
        report(issued, "sandbox", {}, return_token=False)
