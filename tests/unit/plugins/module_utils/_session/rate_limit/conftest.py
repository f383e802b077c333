# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.rate_limit.sent_requests import (
    PROJECT,
)


@pytest.fixture
def fake():
    return FakeTime()


@pytest.fixture
def limiter(environ, fake):
    """Make a limiter; each has its own state, and shares the files with the others, as in several processes."""

    def make(rate="auto", key=PROJECT, sleep=fake.sleep):
        return RateLimiter(key, RateLimit.parse(rate), environ, fake.clock, sleep, fake.wall_clock)

    return make
