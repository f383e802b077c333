# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import dataclasses
import datetime
import json

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.session import clock
from ansible_collections.onetoken.openstack.plugins.module_utils.session.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils.token_report import describe, warnings_of
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.session.tokens import (
    SECRET,
    make_token,
)

BODY = {
    "user": {"id": "u1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
    "project": {"id": "p1", "name": "demo", "domain": {"id": "default", "name": "Default"}},
    "roles": [{"name": "reader"}, {"name": "member"}],
    "catalog": [{"endpoints": [{"region_id": "B"}, {"region_id": "A"}]}],
    "audit_ids": ["audit-1", "audit-0"],
}


def test_it_tells_everything_but_the_id():
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
def test_a_token_for_something_else_than_a_project(scope, described):
    body = {key: value for key, value in BODY.items() if key not in ("project", "roles", "catalog")}

    told = describe(make_token(**body, **scope))

    assert {key: told[key] for key in described} == described
    assert (told["project"], told["roles"], told["regions"]) == (None, [], [])


def test_a_domain_without_a_name_is_told_by_its_id():
    token = make_token(**{**BODY, "user": {"id": "u1", "name": "demo", "domain": {"id": "default"}}})

    assert describe(token)["user"]["domain"] == "default"


def test_what_it_tells_can_be_returned_by_a_module():
    token = dataclasses.replace(make_token(**BODY))

    assert json.loads(json.dumps(describe(token))) == describe(token)


@pytest.mark.parametrize(("seconds", "direction"), [(7200, "ahead of"), (-7200, "behind")])
def test_a_clock_that_differs_from_keystone_s_is_told_with_the_remedy(seconds, direction):
    token = make_token(**BODY)
    skewed = dataclasses.replace(token, obtained_at=token.issued_at + datetime.timedelta(seconds=seconds))

    (warning,) = warnings_of(skewed, RenewalPolicy())

    assert f"clock is 7200 s {direction} Keystone's" in warning and warning.endswith("set the clock right.")


def test_clocks_that_differ_by_less_than_a_minute_are_no_news():
    token = make_token(**BODY)
    skewed = dataclasses.replace(token, obtained_at=token.issued_at + datetime.timedelta(seconds=50))

    assert warnings_of(skewed, RenewalPolicy()) == []
