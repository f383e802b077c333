# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import LEAST, RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    make_token,
)

HOUR = 3600
DAY = 24 * HOUR


@pytest.mark.parametrize(
    ("renew_after", "lifetime", "due_age"),
    [
        ("33%", DAY, 28512),
        ("33%", HOUR, 1188),
        ("100%", HOUR, HOUR - LEAST),
        ("100%", 100, 50),
        ("1%", HOUR, 36),
        ("1200", HOUR, 1200),
        ("7200", HOUR, HOUR - LEAST),
    ],
)
def test_due_age(renew_after, lifetime, due_age):
    assert RenewalPolicy(renew_after).due_age(lifetime) == due_age


def test_the_default_is_eight_hours_of_a_day_and_twenty_minutes_of_an_hour():
    assert RenewalPolicy().due_age(DAY) == pytest.approx(8 * HOUR, rel=0.02)
    assert RenewalPolicy().due_age(HOUR) == pytest.approx(20 * 60, rel=0.02)


@pytest.mark.parametrize(
    "renew_after", ["", "%", "0", "0%", "-1", "101%", "1.5", "8h", "33%%", "33 %", " 1200 ", "always", "²%", "²"]
)
def test_an_invalid_renew_after_is_reported_with_the_valid_values(renew_after):
    with pytest.raises(ConfigurationError) as caught:
        RenewalPolicy(renew_after)

    assert repr(renew_after) in str(caught.value)
    assert "3600" in str(caught.value)
    assert "1% to 100%" in str(caught.value)


def test_a_negative_min_remaining_is_refused():
    with pytest.raises(ConfigurationError, match="min_remaining is -1"):
        RenewalPolicy(min_remaining=-1)


@pytest.mark.parametrize(
    ("age", "min_remaining", "due"),
    [
        (0, 0, False),
        (1180, 0, False),
        (1190, 0, True),
        (HOUR, 0, True),
        (600, 2900, False),
        (600, 3100, True),
        # The next token would live no longer.
        (600, HOUR, False),
        (600, DAY, False),
    ],
)
def test_a_token_of_an_hour_is_due(age, min_remaining, due):
    assert RenewalPolicy(min_remaining=min_remaining).is_due(make_token(lifetime=HOUR, age=age)) is due


def test_an_expired_token_is_due_whatever_the_policy_says():
    assert RenewalPolicy("100%").is_due(make_token(lifetime=HOUR, age=HOUR + 1))


@pytest.mark.parametrize("policy", [RenewalPolicy(), RenewalPolicy("1"), RenewalPolicy("1%", 3000)], ids=str)
@pytest.mark.parametrize(("age", "due"), [(0, False), (HOUR - 60, False), (HOUR + 1, True)])
def test_a_token_that_cannot_be_renewed_is_due_when_it_has_expired(policy, age, due):
    token = dataclasses.replace(make_token(lifetime=HOUR, age=age), renewable=False)

    assert policy.is_due(token) is due
