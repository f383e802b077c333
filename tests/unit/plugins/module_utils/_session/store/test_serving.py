# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import serving, staleness
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import LEAST, RenewalPolicy
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import make_token

HOUR = 3600


@pytest.mark.parametrize(
    ("age", "good", "usable"),
    [(0, True, True), (0.4 * HOUR, False, True), (HOUR - LEAST, False, True), (HOUR + 1, False, False)],
)
def test_a_due_token_is_usable_until_it_expires(empty, age, good, usable):
    token = make_token(lifetime=HOUR, age=age)

    assert serving.is_good(empty, token, RenewalPolicy()) is good
    assert serving.is_usable(empty, token) is usable


def test_a_refused_or_stale_token_is_not_usable(empty):
    token = make_token()

    assert not serving.is_usable(empty, token, {token.id})
    staleness.mark(empty, [staleness.EVERYBODY])
    assert not serving.is_usable(empty, token)
    assert not serving.is_good(empty, token, RenewalPolicy())


def test_a_token_without_a_known_expiry_is_not_usable(empty):
    assert not serving.is_good(empty, make_token(expires_at="soon"), RenewalPolicy())
