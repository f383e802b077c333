# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import signing_in
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.token_status import status
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import staleness
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import LEAST, RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import REQUESTS, SessionRecord
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import issued as issued_clouds
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    make_token,
)

HOURS = 3600


@pytest.fixture
def issued(session, sandbox):
    signing_in.issue(session, sandbox, RenewalPolicy(), 10)
    return session


def let_age(session, seconds: float) -> None:
    one = issued_clouds.of_cloud(session, "sandbox")
    assert one is not None
    let_it_age(session, one.identity, seconds)


@pytest.mark.parametrize("cloud", [None, "sandbox"])
def test_a_session_that_does_not_exist(session, cloud):
    found = status(session, cloud, validate=True, timeout=10)

    assert (found.cloud, found.state, found.token, found.validated) == (cloud or "", "absent", None, False)


@pytest.mark.parametrize(
    ("age", "state", "renews_in"),
    [(0, "valid", 7.92 * HOURS), (9 * HOURS, "due", 0), (25 * HOURS, "expired", 0)],
)
def test_a_token_s_age_needs_no_request(issued, keystone, age, state, renews_in):
    let_age(issued, age)
    asked = len(keystone.requests)

    found = status(issued, None, validate=False, timeout=10)

    assert (found.cloud, found.state, found.validated) == ("sandbox", state, False)
    assert found.renews_in == pytest.approx(renews_in, abs=60)
    assert found.token is not None
    assert len(keystone.requests) == asked


def test_a_write_to_keystone_makes_it_due_at_once(issued):
    staleness.mark(issued, [staleness.EVERYBODY])

    found = status(issued, "sandbox", validate=True, timeout=10)

    assert (found.state, found.renews_in) == ("due", 0)


@pytest.mark.parametrize("seconds_left", [LEAST - 20, LEAST + 600])
def test_one_that_is_too_short_lived_for_the_next_sign_in_is_due(session, sandbox, keystone, task_cloud, seconds_left):
    signing_in.issue(session, sandbox, RenewalPolicy("100%"), 10)
    let_age(session, 24 * HOURS - seconds_left)

    found = status(session, None, validate=False, timeout=10)

    assert found.renews_in == pytest.approx(max(0, seconds_left - LEAST), abs=60)
    assert found.state == ("valid" if found.renews_in else "due")
    next_one = signing_in.issue(session, task_cloud(cloud="sandbox"), RenewalPolicy("100%"), 10)
    assert next_one.changed is (found.state == "due")


def test_min_remaining_counts(issued):
    issued.write_record(SessionRecord(RenewalPolicy("100%", min_remaining=23 * HOURS)))

    found = status(issued, None, validate=False, timeout=10)

    assert (found.state, found.renews_in) == ("valid", pytest.approx(HOURS, abs=60))


def test_a_token_that_cannot_be_renewed_is_valid_until_it_expires(issued):
    one = issued_clouds.of_cloud(issued, "sandbox")
    stored = issued.read_tokens(one.identity)
    issued.write_tokens(one.identity, StoredTokens(dataclasses.replace(stored.current, renewable=False)))
    let_age(issued, 9 * HOURS)

    found = status(issued, None, validate=False, timeout=10)

    assert (found.state, found.renews_in) == ("valid", pytest.approx(15 * HOURS, abs=60))


@pytest.mark.parametrize(("alive", "state"), [(True, "valid"), (False, "refused")])
def test_keystone_validates_it_if_asked(issued, keystone, alive, state):
    if not alive:
        keystone.alive.clear()
    counted = issued.counted(REQUESTS)

    found = status(issued, "sandbox", validate=True, timeout=10)

    assert (found.state, found.validated) == (state, True)
    assert len(keystone.asked("GET")) == 1
    assert issued.counted(REQUESTS) == counted + 1


def test_an_expired_token_needs_no_validation(issued, keystone):
    let_age(issued, 25 * HOURS)

    assert not status(issued, "sandbox", validate=True, timeout=10).validated
    assert keystone.asked("GET") == []


def test_a_revoked_session(issued):
    issued.close()

    assert status(issued, None, validate=True, timeout=10).state == "closed"


def test_a_cloud_without_an_issued_token(issued):
    found = status(issued, "second", validate=False, timeout=10)

    assert (found.cloud, found.state) == ("second", "absent")


def test_one_of_several_clouds_must_be_named(issued, task_cloud):
    signing_in.issue(issued, task_cloud(cloud="second"), RenewalPolicy(), 10)

    with pytest.raises(SessionError, match=r"several clouds \(sandbox, second\): name one with cloud"):
        status(issued, None, validate=False, timeout=10)
    assert status(issued, "second", validate=False, timeout=10).state == "valid"


class TestTheSessionOfARun:
    """It has identities, and no names of clouds."""

    @pytest.fixture
    def of_run(self, session):
        session.make()
        session.write_record(SessionRecord(RenewalPolicy(), of_runs=True))

        def sign_in(name: str) -> None:
            session.write_tokens(name, StoredTokens(make_token()))

        return session, sign_in

    @pytest.mark.parametrize("cloud", [None, "sandbox"])
    def test_the_only_identity_is_used(self, of_run, cloud):
        session, sign_in = of_run
        assert status(session, cloud, validate=False, timeout=10).state == "absent"

        sign_in("0123")
        assert status(session, cloud, validate=False, timeout=10).state == "valid"

    def test_several_identities_are_ambiguous(self, of_run):
        session, sign_in = of_run
        sign_in("0123")
        sign_in("4567")

        with pytest.raises(SessionError, match="the tokens of 2 identities, without the names of their clouds"):
            status(session, "sandbox", validate=False, timeout=10)
