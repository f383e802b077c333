# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import csv
import hashlib
import html.parser
import io
import json
import os
import pathlib
import re
import stat
import tempfile

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import OUTCOMES
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report import files as report_files
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report import page as report_page
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.report.files import (
    COLUMNS,
    ReportError,
    check,
    csv_text,
    json_text,
    paths_of,
    write_report,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import OneTokenError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.report.reports import (
    make_report,
    make_result,
)

UNSTARTED = {"seconds": 0.0, "created": [], "started_at": None, "ended_at": None}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"&'",
    "</title></style></svg><img src=x onerror=alert(1)>",
    "web 🚀",
    "two\nlines\ttabbed",
    "x" * 255,
    "",
]


class Page(html.parser.HTMLParser):
    """What a browser would find in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.content: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.content.setdefault(tag, []).append("")

    def handle_data(self, data):
        if self.tags:
            self.content[self.tags[-1][0]][-1] += data

    def handle_endtag(self, tag):
        self.tags.append((f"/{tag}", {}))
        self.content.setdefault(f"/{tag}", []).append("")

    def count(self, tag: str) -> int:
        return sum(found == tag for found, _attributes in self.tags)


def page_of(record) -> Page:
    return Page(report_page.render(record))


def rows_of(record) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_text(record).removeprefix("\ufeff"), newline="")))


def item_names(page: Page) -> list[str]:
    """The names in the table of items, in its order."""
    cells = [tag for tag, attributes in page.tags if tag == "th"]
    rows = [attributes.get("scope") == "row" for tag, attributes in page.tags if tag == "th"]
    assert len(cells) == len(page.content["th"])
    after_requests = [text for text, is_row in zip(page.content["th"], rows, strict=True) if is_row]
    return after_requests[after_requests.index("all") + 1 :]


# Where they are written


@pytest.mark.parametrize("path", ["nightly", "nightly.html", "nightly.json", "nightly.csv", "nightly.HTML"])
def test_an_ending_of_its_own_is_taken_off_the_path(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    stem = tmp_path / "nightly"
    assert paths_of(path) == {"json": f"{stem}.json", "csv": f"{stem}.csv", "html": f"{stem}.html"}


def test_any_other_ending_belongs_to_the_name(tmp_path):
    assert paths_of(f"{tmp_path}/2026.01.31")["html"] == f"{tmp_path}/2026.01.31.html"


def test_a_tilde_is_the_home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths_of("~/reports/nightly")["csv"] == f"{tmp_path}/reports/nightly.csv"


@pytest.mark.parametrize("path", ["", "reports/", ".html", "reports/.json", "..", "~", "~nobody-of-that-name/nightly"])
def test_a_path_that_names_no_file_is_an_error(path):
    with pytest.raises(ReportError, match="report"):
        paths_of(path)


def test_three_files_are_written_and_their_directory_is_made(tmp_path):
    written = write_report(make_report([make_result(1)]), f"{tmp_path}/reports/of/nightly.html")
    assert list(written) == ["json", "csv", "html"]
    assert all(os.path.isfile(path) for path in written.values())
    assert sorted(os.listdir(tmp_path / "reports" / "of")) == ["nightly.csv", "nightly.html", "nightly.json"]


def test_the_umask_says_who_may_read_them(tmp_path):
    before = os.umask(0o027)
    try:
        written = write_report(make_report([]), f"{tmp_path}/nightly")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in written.values()} == {0o640}


def test_an_earlier_report_is_replaced_whole(tmp_path):
    written = write_report(make_report([make_result(1)]), f"{tmp_path}/nightly")
    with open(written["html"], encoding="utf-8") as earlier:
        write_report(make_report([make_result(2)]), f"{tmp_path}/nightly")
        assert "web-00001" in earlier.read()
    assert "web-00002" in pathlib.Path(written["html"]).read_text(encoding="utf-8")


def test_when_one_cannot_be_written_all_stay_as_they_were(tmp_path, monkeypatch):
    written = write_report(make_report([make_result(1)]), f"{tmp_path}/nightly")
    earlier = {path: pathlib.Path(path).read_bytes() for path in written.values()}

    def disk_full(target, text, write=report_files._write_draft):
        if target.endswith(".html"):
            raise OSError(28, "No space left on device")
        return write(target, text)

    monkeypatch.setattr(report_files, "_write_draft", disk_full)
    with pytest.raises(ReportError, match=r"nightly\.html cannot be written: No space left on device"):
        write_report(make_report([make_result(2)]), f"{tmp_path}/nightly")
    assert {str(path): path.read_bytes() for path in tmp_path.iterdir()} == earlier


@pytest.mark.parametrize("act", [check, lambda path: write_report(make_report([]), path)], ids=["check", "write"])
class TestWhatCannotBeWrittenIsASentence:
    def test_with_a_directory_in_the_place_of_a_file(self, act, tmp_path):
        (tmp_path / "nightly.html").mkdir()
        with pytest.raises(OneTokenError, match=r"nightly\.html cannot be written: there is a directory of that name"):
            act(f"{tmp_path}/nightly")
        assert os.listdir(tmp_path) == ["nightly.html"]

    def test_with_a_file_in_the_place_of_a_directory(self, act, tmp_path):
        (tmp_path / "reports").write_text("")
        with pytest.raises(ReportError, match=rf"{tmp_path}/reports/nightly\.json cannot be written: "):
            act(f"{tmp_path}/reports/nightly")

    def test_with_a_name_that_is_too_long(self, act, tmp_path):
        with pytest.raises(ReportError, match="File name too long"):
            act(f"{tmp_path}/{'x' * 300}")

    def test_with_a_character_that_no_path_has(self, act, tmp_path):
        with pytest.raises(ReportError, match="null"):
            act(f"{tmp_path}/night\0ly")

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
    @pytest.mark.parametrize(
        ("mode", "reason"), [(0o755, "Permission denied"), (0o1777, "the file there belongs to another user")]
    )
    def test_with_a_directory_of_somebody_else(self, act, mode, reason):
        with tempfile.TemporaryDirectory() as directory:
            write_report(make_report([]), f"{directory}/nightly")
            os.chmod(directory, mode)
            os.seteuid(65534)
            try:
                with pytest.raises(ReportError, match=reason):
                    act(f"{directory}/nightly")
            finally:
                os.seteuid(0)


def test_a_check_makes_the_directory_and_leaves_what_is_in_it(tmp_path):
    check(f"{tmp_path}/reports/nightly")
    assert os.listdir(tmp_path / "reports") == []
    write_report(make_report([]), f"{tmp_path}/reports/nightly")
    check(f"{tmp_path}/reports/nightly")
    assert len(os.listdir(tmp_path / "reports")) == 3


# JSON


def test_the_json_has_all_of_the_record():
    record = make_report([make_result(1, name=name) for name in HOSTILE], stopped="Somebody pressed Ctrl-C.")
    assert json.loads(json_text(record)) == {
        **record.content(),
        "started": "2026-01-31T01:00:04Z",
        "ended": "2026-01-31T01:00:17Z",
        "refusals": [{"service": "compute", "seconds": 1.25}],
    }


def test_half_a_character_is_replaced(tmp_path):
    written = write_report(make_report([make_result(1, name="web-\ud83d")]), f"{tmp_path}/nightly")
    content = {ending: pathlib.Path(path).read_text(encoding="utf-8") for ending, path in written.items()}
    assert json.loads(content["json"])["results"][0]["name"] == "web-\ufffd"
    assert "web-\ufffd" in content["csv"] and "web-\ufffd" in content["html"]


# CSV


def test_the_csv_has_a_row_an_item():
    image = make_result(1)["created"][0]
    snapshot = {"type": "volume_snapshot", "id": "s1", "name": "disk", "status": "available", "size": 1000}
    record = make_report([make_result(1, created=[image, snapshot]), make_result(2, outcome="skipped", **UNSTARTED)])
    done, skipped = rows_of(record)
    assert done == {
        "run": "nightly",
        "action": "snapshot",
        "name": "web-00001",
        "id": "5f0c9e2b-1f3a-4c52-9d3e-000000000001",
        "outcome": "done",
        "reason_code": "",
        "reason": "",
        "seconds": "12.4",
        "started": "2026-01-31T01:00:04Z",
        "ended": "2026-01-31T01:00:16Z",
        "created_types": "image, volume_snapshot",
        "created_names": "web-00001-nightly, disk",
        "created_ids": f"{image['id']}, s1",
        "created_bytes": "2361394152",
    }
    assert (skipped["started"], skipped["created_ids"], skipped["created_bytes"]) == ("", "", "")


def test_every_text_survives_the_csv():
    rows = rows_of(make_report([make_result(1, name=name, reason=name) for name in HOSTILE]))
    assert [(row["name"], row["reason"]) for row in rows] == [(name, name) for name in HOSTILE]


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("＝1+1", "'＝1+1"),
        (" =1+1", "' =1+1"),
        ("\x00=1+1", "'=1+1"),
        ("web;=1+1", "web;'=1+1"),
        ("web\n=1+1", "web\n'=1+1"),
        ("web-01", "web-01"),
        ("a=b", "a=b"),
    ],
)
def test_no_cell_is_a_formula(name, cell):
    text = csv_text(make_report([make_result(1, name=name)]))
    assert f'"snapshot","{cell}",' in text
    if name != cell:
        assert f'"{name}"' not in text


def test_a_spreadsheet_is_reported_that_it_is_utf_8(tmp_path):
    written = write_report(make_report([]), f"{tmp_path}/nightly")
    with open(written["csv"], "rb") as stream:
        assert stream.read() == b"\xef\xbb\xbf" + ",".join(f'"{column}"' for column in COLUMNS).encode() + b"\r\n"


# HTML


def test_the_page_tells_what_when_and_where():
    text = report_page.render(make_report([make_result(1), make_result(2, outcome="failed", reason="HTTP 409")]))
    assert "<h1>nightly</h1>" in text and "Bulk run: snapshot" in text
    assert "2 items: 1 failed, 1 done." in text
    for fact in ("mycloud", "production", "RegionOne", "2026-01-31T01:00:04Z", "14.0 s"):
        assert f"{fact}</" in text
    assert "Ended early" not in text


def test_the_page_tells_why_the_run_ended_early():
    text = report_page.render(make_report([make_result(1)], stopped="it failed <often>."))
    assert "Ended early: it failed &lt;often&gt;.<" in text


def test_the_page_has_requests_and_refusals_by_service():
    record = make_report(
        [make_result(1), make_result(2)], refusals=[("compute", 1.0), ("compute", 2.0), ("image", 3.0)]
    )
    text = report_page.render(record)
    for name, *numbers in [
        ("compute", "1,013", "506.50", "2"),
        ("image", "12", "6.00", "1"),
        ("all", "1,026", "513.00", "3"),
    ]:
        cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
        assert f'<th scope="row">{name}</th>{cells}' in text


def test_what_needs_attention_comes_first_and_numbers_count_as_numbers():
    record = make_report(
        [
            make_result(1, name="a-10"),
            make_result(2, name="a-9"),
            make_result(3, name="z", outcome="failed"),
            make_result(4, name="y", outcome="skipped", **UNSTARTED),
        ]
    )
    assert item_names(page_of(record)) == ["z", "y", "a-9", "a-10"]


def test_every_text_is_shown_as_it_is():
    record = make_report(
        [
            make_result(
                1, name=name, reason=name, id=name, created=[{**make_result(1)["created"][0], "name": name, "id": name}]
            )
            for name in HOSTILE
        ],
        **dict.fromkeys(("run", "action", "cloud", "project", "region_name", "stopped"), HOSTILE[2]),
        requests={HOSTILE[0]: 1},
        refusals=[(HOSTILE[0], 1.0)],
    )
    plain = make_report(
        [make_result(1, reason="x") for _name in HOSTILE], stopped="x", requests={"x": 1}, refusals=[("x", 1.0)]
    )
    hostile_page, plain_page = page_of(record), page_of(plain)
    assert [tag for tag, _attributes in hostile_page.tags] == [tag for tag, _attributes in plain_page.tags]
    assert {name for _tag, attributes in hostile_page.tags for name in attributes} == {
        name for _tag, attributes in plain_page.tags for name in attributes
    }
    assert hostile_page.content["h1"] == [HOSTILE[2]]
    shown = [name.replace("\n", "␊").replace("\t", "␉") for name in HOSTILE]
    assert sorted(item_names(hostile_page)) == sorted(shown)


def test_labels_that_turn_the_text_around_them_are_shown_instead_of_obeyed():
    text = report_page.render(make_report([make_result(1, name="web\u202egpj.exe")]))
    assert "web\ufffdgpj.exe" in text and "\u202e" not in text


def test_the_policy_allows_what_is_in_the_page_and_nothing_else():
    page = page_of(make_report([make_result(1)]))
    policy = next(attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv"))
    directives = dict(directive.strip().split(" ", 1) for directive in policy.split(";"))
    assert directives.pop("default-src") == directives.pop("base-uri") == directives.pop("form-action") == "'none'"
    for tag in ("style", "script"):
        (content,) = page.content[tag]
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert directives.pop(f"{tag}-src") == f"'sha256-{digest}'"
    assert not directives


def test_the_page_refers_to_nothing_outside():
    page = page_of(make_report([make_result(1), make_result(2, outcome="failed")]))
    names = {name for _tag, attributes in page.tags for name in attributes}
    assert not names & {"src", "href", "srcset", "action", "style", "data"}
    assert not re.search(r"https?:|url\(|@import", report_page.render(make_report([make_result(1)])))


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (14, ["0", "2", "4", "6", "8", "10", "12", "14"]),
        (100, ["0", "15", "30", "45", "60", "75", "90"]),
        (700, ["0:00", "2:00", "4:00", "6:00", "8:00", "10:00"]),
        (4 * 3600, ["0:00", "0:30", "1:00", "1:30", "2:00", "2:30", "3:00", "3:30", "4:00"]),
        (20 * 3600, ["0:00", "3:00", "6:00", "9:00", "12:00", "15:00", "18:00"]),
        (20 * 86400, ["0:00", "72:00", "144:00", "216:00", "288:00", "360:00", "432:00"]),
    ],
)
def test_the_time_axis_has_round_numbers(seconds, labels):
    page = page_of(make_report([make_result(1)], seconds=seconds))
    assert page.content["text"] == labels


def test_a_bar_goes_from_start_to_end_in_the_colour_of_its_outcome():
    record = make_report(
        [
            make_result(1, name="second", started_at=50.0, ended_at=75.0, seconds=25.0),
            make_result(2, name="first", started_at=25.0, ended_at=50.0, outcome="failed"),
            make_result(3, name="unfinished", started_at=60.0, ended_at=None, outcome="failed"),
            make_result(4, name="never", outcome="already", **UNSTARTED),
        ],
        seconds=100.0,
    )
    text = report_page.render(record)
    bars = re.findall(r'<rect x="(\d+)" y="([\d.]+)" width="(\d+)" height="[\d.]+"><title>(\w+): (\w+)', text)
    assert bars == [
        ("5000", "1.15", "2500", "second", "done"),
        ("2500", "0.15", "2500", "first", "failed"),
        ("6000", "2.15", "4000", "unfinished", "failed"),
    ]
    assert '<g class="done">' in text and '<g class="failed">' in text
    assert "<li>first</li><li>second</li><li>unfinished</li>" in text


def test_refusals_are_ticks():
    text = report_page.render(
        make_report([make_result(1)], seconds=100.0, refusals=[("compute", 10.0), ("image", 20.0)])
    )
    assert 'd="M1000 0v1M2000 0v1"' in text
    assert 'class="ticks"' not in report_page.render(make_report([make_result(1)], refusals=[]))


def test_a_run_of_nothing_has_a_page(tmp_path):
    record = make_report([], seconds=0.0, requests={}, refusals=[])
    text = report_page.render(record)
    assert "no item was selected" in text and "<table id" not in text
    assert rows_of(record) == []
    assert json.loads(json_text(record))["results"] == []


def test_every_outcome_has_a_colour_and_is_shown_where_it_occurs():
    for outcome in OUTCOMES:
        assert f".{outcome} {{ --outcome: var(--{outcome}); }}" in report_page.STYLE
        # In light and in dark.
        assert report_page.STYLE.count(f"--{outcome}: #") == 2
        text = report_page.render(make_report([make_result(1, outcome=outcome)]))
        assert f'<dt class="mark {outcome}">{outcome}</dt><dd>1</dd>' in text and f"<option>{outcome}</option>" in text
    unusual = set(OUTCOMES) - set(report_page.USUAL)
    assert unusual == {"accepted", "incomplete", "blocked"}
    assert not any(f"mark {outcome}" in report_page.render(make_report([make_result(1)])) for outcome in unusual)


def test_a_planned_run_says_that_nothing_was_changed():
    text = report_page.render(make_report([make_result(1, outcome="planned", **UNSTARTED)]))
    assert "1 item: 1 planned. Nothing was changed." in text
    assert "No item was started." in text


def test_ten_thousand_items_stay_below_five_megabytes():
    results = [
        make_result(
            number, **({"outcome": "failed", "reason": "the image is in status killed" * 4} if number % 5 else {})
        )
        for number in range(10_000)
    ]
    page = report_page.render(make_report(results, refusals=[("compute", float(at)) for at in range(500)]))
    assert len(page.encode()) < 5_000_000
    assert item_names(Page(page))[-1] == "web-09995"
