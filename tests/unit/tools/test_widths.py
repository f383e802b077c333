# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What scrolls sideways is found in a browser."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.tools import widths

pytestmark = pytest.mark.processes

PAGES = {
    "code.html": '<pre style="overflow-x: auto">' + "word " * 500 + "</pre>",
    "table.html": '<div class="table-wrapper" style="overflow-x: auto"><p style="width: 600px">A table.</p></div>',
    "wide.html": '<div class="table-wrapper" style="overflow-x: auto"><p style="width: 2000px">A table.</p></div>',
    "box.html": '<div class="wide" style="overflow-x: auto"><p style="width: 600px">A paragraph.</p></div>',
    "page.html": '<p style="width: 600px">A paragraph.</p>',
}


def test_what_scrolls_is_found_but_not_tables_on_a_phone(tmp_path):
    for name, body in PAGES.items():
        (tmp_path / name).write_text(f"<!doctype html><body>{body}", encoding="utf-8")
    assert sorted(widths.scrolling(tmp_path)) == [
        "box.html at 390 px: div wide",
        "code.html at 1280 px: pre ",
        "code.html at 390 px: pre ",
        "page.html at 390 px",
        "wide.html at 1280 px: div table-wrapper",
    ]
