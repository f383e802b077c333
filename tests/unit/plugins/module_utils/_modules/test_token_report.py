# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import datetime
import json
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.token_report import (
    CLOCK_TOLERANCE,
    counts_of_revoke,
    describe,
    still_good,
    warnings_of,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    SECRET,
    make_token,
)

BODY: dict[str, t.Any] = {
    "user": {"id": "u1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
    "project": {"id": "p1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
    "roles": [{"name": "reader"}, {"name": "member"}],
    "catalog": [{"endpoints": [{"region_id": "B"}, {"region_id": "A"}]}],
    "audit_ids": ["audit-1", "audit-0"],
}


def test_it_has_everything_but_the_id():
    token = make_token(lifetime=3600, age=600, **BODY)

    assert describe(token) == {
        "issued_at": clock.show(token.obtained_at),
        "expires_at": clock.show(token.expires_at),
        "seconds_left": pytest.approx(3000, abs=5),
        "audit_id": "audit-1",
        "user": {"id": "u1", "name": "demo", "domain": "Default"},
        "scope": "project",
        "project": {"id": "p1", "name": "demo", "domain": "Default"},
        "domain": None,
        "roles": ["member", "reader"],
        "regions": ["A", "B"],
    }
    assert SECRET not in json.dumps(describe(token))


def test_an_expired_token_has_no_time_left():
    assert describe(make_token(lifetime=3600, age=9999, **BODY))["seconds_left"] == 0


@pytest.mark.parametrize(
    ("scope", "described"),
    [
        ({"domain": {"id": "d1", "name": "Users"}}, {"scope": "domain", "domain": {"id": "d1", "name": "Users"}}),
        ({"system": {"all": True}}, {"scope": "system", "domain": None}),
        ({}, {"scope": "unscoped", "domain": None}),
    ],
)
def test_a_token_without_a_project(scope, described):
    body = {key: value for key, value in BODY.items() if key not in ("project", "roles", "catalog")}

    reported = describe(make_token(**body, **scope))

    assert {key: reported[key] for key in described} == described
    assert (reported["project"], reported["roles"], reported["regions"]) == (None, [], [])


def test_a_domain_without_a_name_has_its_id():
    token = make_token(**{**BODY, "user": {"id": "u1", "name": "demo", "domain": {"id": "default"}}})

    assert describe(token)["user"]["domain"] == "default"


def test_it_can_be_returned_by_a_module():
    token = dataclasses.replace(make_token(**BODY))

    assert json.loads(json.dumps(describe(token))) == describe(token)


class TestWarnings:
    def with_clock(self, ahead: float):
        """A token that was got by a machine whose clock differs from Keystone's."""
        token = make_token(**BODY)
        issued_at = token.obtained_at - datetime.timedelta(seconds=ahead)
        times = {"issued_at": issued_at, "expires_at": issued_at + datetime.timedelta(hours=1)}
        return dataclasses.replace(token, body={**token.body, **{key: at.isoformat() for key, at in times.items()}})

    def test_a_good_token_has_no_warnings(self):
        assert warnings_of(make_token(**BODY), RenewalPolicy()) == []

    @pytest.mark.parametrize("ahead", [CLOCK_TOLERANCE, -CLOCK_TOLERANCE, 0])
    def test_a_small_difference_of_the_clocks_is_no_warning(self, ahead):
        assert warnings_of(self.with_clock(ahead), RenewalPolicy()) == []

    @pytest.mark.parametrize(("ahead", "reported"), [(7200, "7200 s ahead of"), (-90, "90 s behind")])
    def test_a_wrong_clock_is_reported_with_its_direction(self, ahead, reported):
        (warning,) = warnings_of(self.with_clock(ahead), RenewalPolicy())

        assert f"This machine's clock is {reported} Keystone's" in warning
        assert "set the clock right" in warning

    def test_a_token_that_comes_from_a_trust_is_to_be_renewed_rarely(self):
        (warning,) = warnings_of(make_token(**BODY, **{"OS-TRUST:trust": {"id": "t1"}}), RenewalPolicy())

        assert "comes from a trust" in warning

    def test_a_token_that_was_exchanged_for_another_ends_with_it(self):
        token = dataclasses.replace(make_token(**BODY), renewable=False)

        (warning,) = warnings_of(token, RenewalPolicy())

        assert f"ends with it, at {clock.show(token.expires_at)}: for a run that takes longer" in warning

    @pytest.mark.parametrize(("min_remaining", "warned"), [(3599, False), (3600, True), (7200, True)])
    def test_a_min_remaining_above_the_lifetime_is_reported(self, min_remaining, warned):
        token = make_token(lifetime=3600, **BODY)

        warnings = warnings_of(token, RenewalPolicy(min_remaining=min_remaining))

        reported = f"min_remaining asks for {min_remaining} s, but this cloud's tokens live 3600 s."
        assert warnings == ([reported] if warned else [])

    def test_all_warnings_are_reported(self):
        token = dataclasses.replace(self.with_clock(90), renewable=False)
        token.body["OS-TRUST:trust"] = {}

        assert len(warnings_of(token, RenewalPolicy(min_remaining=7200))) == 4


def test_a_token_that_could_not_be_renewed_is_reported_with_the_time_left():
    reported = still_good("sandbox", make_token(lifetime=3600, age=1790, **BODY), "Keystone is out of service.")

    assert reported == (
        "The token of cloud 'sandbox' is not renewed, and the run continues with its last 30 minutes: "
        "Keystone is out of service."
    )


@pytest.mark.parametrize(
    ("dead", "alive", "until", "counts"),
    [
        (0, 0, None, "revoked: 1"),
        (0, 2, "2026-01-31T14:05:00Z", "revoked: 1, alive until 2026-01-31T14:05:00Z: 2"),
        (0, 1, None, "revoked: 1, alive: 1"),
        (2, 1, None, "revoked: 1, revoked or expired before: 2, alive: 1"),
    ],
)
def test_each_token_is_counted_by_its_end(dead, alive, until, counts):
    found = {"revoked": 1, "already_dead": dead, "alive": alive, "alive_until": until}
    assert counts_of_revoke(found) == counts
