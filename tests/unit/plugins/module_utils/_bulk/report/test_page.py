# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTML page of a bulk run in a real browser."""

from __future__ import annotations

import pathlib
import re
import struct
import typing as t
import zlib

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.files import write_report
from ansible_collections.onetoken.openstack.tests.helpers.browser import Browser
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.report.reports import (
    make_report,
    make_result,
)

pytestmark = pytest.mark.processes

HOSTILE = (
    "<script>document.title = 'executed'</script><img src=http://outside.test/a onerror=\"document.title='executed'\">"
)
POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')
ROW = re.compile(r'<tr(?P<hidden> hidden="")?><th scope="row">(?P<name>[^<]*)<small>')


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Browser:
    return Browser(tmp_path_factory.mktemp("home"))


@pytest.fixture
def page(tmp_path) -> pathlib.Path:
    """Five servers, one of which failed."""
    results = [
        make_result(1, name="web-10", seconds=9.0),
        make_result(2, name="web-9", seconds=10.0),
        make_result(3, name="db-1", seconds=100.0),
        make_result(4, name="web-1", seconds=1.0, outcome="failed", reason="HTTP 409"),
        make_result(5, name="db-2", seconds=0.0, outcome="already", started_at=None, ended_at=None),
    ]
    return write_page(tmp_path, [{**result, "created": []} for result in results])


def write_page(directory: pathlib.Path, results: list[dict[str, t.Any]], **changes: t.Any) -> pathlib.Path:
    return pathlib.Path(write_report(make_report(results, **changes), str(directory / "report"))["html"])


def without_policy(page: pathlib.Path, addition: str) -> pathlib.Path:
    """The page as if it had no policy, with something more at its end."""
    text, count = POLICY.subn("", page.read_text(encoding="utf-8"))
    assert count == 1
    return written_beside(page, text.replace("</body>", f"{addition}</body>"))


def written_beside(page: pathlib.Path, text: str) -> pathlib.Path:
    copy = page.with_name("copy.html")
    copy.write_text(text, encoding="utf-8")
    return copy


def rows_after(browser: Browser, page: pathlib.Path, script: str) -> list[str]:
    """The names that are shown, in their order, after what a user did."""
    helpers = """
        const press = column => document.querySelectorAll("#items thead button")[column].click();
        const enter = (field, value) => {
          document.querySelector(field).value = value;
          document.querySelector(field).dispatchEvent(new Event("input", { bubbles: true }));
        };
    """
    dom = browser.visit(without_policy(page, f"<script>{helpers}{script}</script>")).dom
    rows = list(ROW.finditer(dom))
    assert rows
    return [row["name"] for row in rows if not row["hidden"]]


def corner(picture: bytes) -> tuple[int, int, int]:
    """The colour of a PNG's first pixel, which no filter changes."""
    assert picture.startswith(b"\x89PNG")
    data, place = b"", 8
    while place < len(picture):
        length, kind = struct.unpack(">I4s", picture[place : place + 8])
        if kind == b"IDAT":
            data += picture[place + 8 : place + 8 + length]
        place += 12 + length
    red, green, blue = zlib.decompress(data)[1:4]
    return red, green, blue


def test_the_policy_lets_the_pages_own_script_run(browser, page):
    visit = browser.visit(page)
    assert re.search(r'<form role="search">', visit.dom)
    assert '<output aria-live="polite">5 of 5</output>' in visit.dom
    assert visit.dom.count('<button type="button">') == 5
    assert visit.hosts == set()


def test_the_table_is_there_without_a_script(browser, page):
    text, count = re.subn(r"<script>.*</script>", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert count == 1
    dom = browser.visit(written_beside(page, text)).dom
    assert [row["name"] for row in ROW.finditer(dom)] == ["web-1", "db-1", "web-9", "web-10", "db-2"]
    assert '<form hidden=""' in dom


@pytest.mark.parametrize(
    ("script", "names"),
    [
        ("", ["web-1", "db-1", "web-9", "web-10", "db-2"]),
        ("press(0)", ["db-1", "db-2", "web-1", "web-9", "web-10"]),
        ("press(0); press(0)", ["web-10", "web-9", "web-1", "db-2", "db-1"]),
        ("press(3)", ["db-2", "web-1", "web-10", "web-9", "db-1"]),
        ("press(3); press(1)", ["web-1", "db-1", "web-9", "web-10", "db-2"]),
        ("enter('input', 'WEB')", ["web-1", "web-9", "web-10"]),
        ("enter('input', '409 web')", ["web-1"]),
        ("enter('select', 'done')", ["db-1", "web-9", "web-10"]),
        ("enter('input', 'db'); enter('select', 'done')", ["db-1"]),
        ("enter('input', 'nobody')", []),
        ("enter('input', 'web'); press(3)", ["web-1", "web-10", "web-9"]),
    ],
)
def test_items_are_sorted_and_filtered(browser, page, script, names):
    assert rows_after(browser, page, script) == names


def test_how_a_table_is_sorted_is_said_to_screen_readers(browser, page):
    script = 'for (const times of [1, 2]) document.querySelectorAll("#items thead button")[0].click();'
    dom = browser.visit(without_policy(page, f"<script>{script}</script>")).dom
    assert re.findall(r'aria-sort="(\w+)"', dom) == ["descending"]


@pytest.mark.parametrize("protected", [True, False], ids=["with the policy", "by its escaping alone"])
def test_a_hostile_name_is_shown_and_not_executed(browser, tmp_path, protected):
    image = {**make_result(1)["created"][0], "name": HOSTILE, "id": HOSTILE}
    results = [make_result(number, name=HOSTILE, id=HOSTILE, reason=HOSTILE, created=[image]) for number in range(3)]
    changes = dict.fromkeys(("run", "action", "cloud", "project", "region_name", "stopped"), HOSTILE)
    page = write_page(tmp_path, results, **changes)
    visit = browser.visit(page if protected else without_policy(page, ""))
    assert "<title>executed</title>" not in visit.dom
    assert visit.dom.count("<script>") == 1 and "<img" not in visit.dom
    assert visit.dom.count("&lt;script&gt;document.title") > 15
    assert visit.hosts == set()


def test_the_policy_stops_what_should_ever_slip_through(browser, page):
    text = page.read_text(encoding="utf-8").replace("</body>", f"{HOSTILE}</body>")
    visit = browser.visit(written_beside(page, text))
    assert "<img" in visit.dom
    assert "<title>executed</title>" not in visit.dom
    assert visit.hosts == set()


def test_without_the_policy_the_same_would_be_seen_to_do_harm(browser, page):
    visit = browser.visit(without_policy(page, HOSTILE))
    assert "<title>executed</title>" in visit.dom
    assert visit.hosts == {"outside.test"}


def test_it_is_light_or_dark_as_the_user_likes(browser, page):
    assert corner(browser.screenshot(page, 1280, 900)) == (255, 255, 255)
    assert max(corner(browser.screenshot(page, 1280, 900, dark=True))) < 64


def test_long_names_do_not_make_the_page_wider_than_the_window(browser, tmp_path):
    page = write_page(tmp_path, [make_result(1, name="x" * 255, reason="y" * 255)], run="z" * 128)
    script = (
        "const { scrollWidth, clientWidth } = document.documentElement; document.title = scrollWidth - clientWidth;"
    )
    assert "<title>0</title>" in browser.visit(without_policy(page, f"<script>{script}</script>")).dom


def test_ten_thousand_items_are_filtered(browser, tmp_path):
    page = write_page(tmp_path, [make_result(number) for number in range(10_000)])
    names = rows_after(browser, page, "press(0); press(0); enter('input', 'web-0999')")
    assert names == [f"web-{number:05}" for number in range(9999, 9989, -1)]
