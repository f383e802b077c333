# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.control.max_failures import MaxFailures
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError


@pytest.mark.parametrize(
    ("text", "total", "allowed"),
    [
        ("0", 10, 0),
        ("5", 10, 5),
        ("10%", 10, 1),
        ("10 %", 19, 1),
        ("0%", 10, 0),
        (" 100% ", 10, 10),
        ("1%", 10_000, 100),
    ],
)
def test_more_than_the_number_or_the_share_is_too_many(text, total, allowed):
    limit = MaxFailures.parse(text)
    assert not limit.exceeded(allowed, total)
    assert limit.exceeded(allowed + 1, total)


def test_without_it_as_many_may_fail_as_there_are():
    assert MaxFailures.parse(None) is None


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "101%", "%", "5%%", "5 of 7"])
def test_what_is_neither_is_refused(text):
    with pytest.raises(
        ConfigurationError, match=r"^max_failures takes a number such as 5 or a share such as 10%, not "
    ):
        MaxFailures.parse(text)
