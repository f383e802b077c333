# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import public


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:secret@k:5000/v3", "https://k:5000/v3"),
        ("https://secret@k", "https://k"),
        ("https://user:se@cret@k/v3", "https://k/v3"),
        ("https://@k/v3", "https://k/v3"),
        ("http://a:b@k/x and http://c:d@[::1]:80/y", "http://k/x and http://[::1]:80/y"),
    ],
)
def test_an_address_is_shown_without_a_user_and_a_password(text, shown):
    assert public(text) == shown


@pytest.mark.parametrize(
    "text", ["https://k:5000/v3", "https://k/~user@host", "https://k?mail=a@b", "https://k#a@b", "to a@b", ""]
)
def test_any_other_text_stays_as_it_is(text):
    assert public(text) == text
