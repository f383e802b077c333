# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._modules.valid_text import valid
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-01", "web-01"),
        ("web \N{ROCKET}\x00\n", "web \N{ROCKET}\x00\n"),
        ("\ud83d\ude80", "\N{ROCKET}"),
        ("web-\udc80", "web-\ufffd"),
        ("\ud800\ud83d\ude80", "\ufffd\N{ROCKET}"),
        ("\ude80\ud83d", "\ufffd\ufffd"),
        ("\ufeffweb", "\ufeffweb"),
    ],
    ids=ascii,
)
def test_what_is_no_character_is_replaced(text, shown):
    assert valid(text) == shown


def test_values_are_made_valid_however_deep_they_are():
    value = {"results": [{"na\udc80me": "\udc80", "size": float("nan")}, ("\udc80", 1.5, None, True)]}
    assert valid(value) == {"results": [{"na\ufffdme": "\ufffd", "size": None}, ["\ufffd", 1.5, None, True]]}


@given(st.text(st.characters()))
def test_every_text_can_be_written_as_utf_8(text):
    made = valid(text)
    made.encode("utf-8")
    assert valid(made) == made


@given(st.text())
def test_what_is_valid_is_not_changed(text):
    assert valid(text) == text
