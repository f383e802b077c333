# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import USED_SHARE, RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import (
    FIRST_RATE,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError


class TestRateLimit:
    @pytest.mark.parametrize("option", [20, 20.0, "20", " 20 ", "2e1"], ids=repr)
    def test_a_number_is_for_each_service(self, option):
        assert RateLimit.parse(option).highest_rate("compute") == pytest.approx(20 * USED_SHARE)
        assert RateLimit.parse(option).highest_rate("identity") == pytest.approx(20 * USED_SHARE)

    @pytest.mark.parametrize("option", ["auto", "AUTO", " auto"])
    def test_auto_has_no_number(self, option):
        assert RateLimit.parse(option).highest_rate("compute") is None

    def test_a_cloud_s_name_stands_for_its_limits(self):
        assert RateLimit.parse("ovhcloud").highest_rate("image") == pytest.approx(20 * USED_SHARE)
        assert RateLimit.parse("ovhcloud").highest_rate("identity") == pytest.approx(1 * USED_SHARE)
        assert RateLimit.parse("rackspace").highest_rate("compute") == pytest.approx(100 / 60 * USED_SHARE)

    def test_the_slices_of_a_job_share_it_evenly(self):
        share = RateLimit.parse("ovhcloud").share(4)
        assert share.highest_rate("image") == pytest.approx(5 * USED_SHARE)
        assert share.highest_rate("identity") == pytest.approx(0.25 * USED_SHARE)
        assert RateLimit.parse("auto").share(4).highest_rate("image") is None
        assert RateLimit.parse("auto").share(4).first_rate == FIRST_RATE / 4

    @pytest.mark.parametrize(
        "option",
        [0, -1, "0", "-3", "nan", "inf", "-inf", True, False, None, "", "fast", "20/s", [], 10**400, 0.001],
        ids=repr,
    )
    def test_anything_else_is_refused_with_the_known_names(self, option):
        with pytest.raises(ConfigurationError, match="auto, ovhcloud, rackspace"):
            RateLimit.parse(option)
