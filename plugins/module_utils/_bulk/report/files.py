# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a bulk run as files: JSON for programs, CSV for spreadsheets, one HTML page for people."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import secrets
import stat
import typing as t

from ..._modules.valid_text import valid
from ..._session.util import clock
from ..._session.util.errors import OneTokenError
from . import page
from .report import Report

FORMATS = ("json", "csv", "html")
#: Spreadsheets take a cell that starts like this for a formula; some start a cell at a semicolon or a line's end.
_FORMULA = re.compile(r"(?:^|(?<=[;\t\r\n]))(?=[\s\x00-\x1f]*[=+\-@＝＋－＠])")
COLUMNS = (
    "run", "action", "name", "id", "outcome", "reason_code", "reason", "seconds", "started", "ended",
    "created_types", "created_names", "created_ids", "created_bytes",
)  # fmt: skip


class ReportError(OneTokenError):
    """The files of a report cannot be written where the user wants them."""


def paths_of(path: str) -> dict[str, str]:
    """The files of a report, by format; an ending of theirs that the path has already does not count."""
    stem = re.sub(rf"\.(?:{'|'.join(FORMATS)})$", "", path, flags=re.IGNORECASE)
    expanded = os.path.expanduser(stem)
    if expanded.startswith("~"):
        raise ReportError(
            f"The report {path} cannot be written, as there is no such home directory: name another path."
        )
    if os.path.basename(expanded) in ("", ".", "..") or expanded == os.path.expanduser("~"):
        raise ReportError(f"The report {path!r} is a directory's name: add the files' own, as in reports/nightly.")
    return {ending: f"{os.path.abspath(expanded)}.{ending}" for ending in FORMATS}


def check(path: str) -> None:
    """Fail now where write_report would fail at the end of the run; makes the directory."""
    for target in paths_of(path).values():
        with _writing(target):
            _refuse_irreplaceable(target)
            os.unlink(_write_draft(target, ""))


def write_report(report: Report, path: str) -> dict[str, str]:
    """Write all files, each whole or not at all; returns their paths by format."""
    targets = paths_of(path)
    contents = {"json": json_text(report), "csv": csv_text(report), "html": page.render(report)}
    drafts: dict[str, str] = {}
    try:
        for ending, target in targets.items():
            with _writing(target):
                _refuse_irreplaceable(target)
                drafts[target] = _write_draft(target, valid(contents[ending]))
        for target in targets.values():
            with _writing(target):
                os.replace(drafts[target], target)
                del drafts[target]
    finally:
        for draft in drafts.values():
            with contextlib.suppress(OSError):
                os.unlink(draft)
    return targets


def json_text(report: Report) -> str:
    """All of it, unchanged."""
    content = report.content()
    content["started"], content["ended"] = clock.show(report.started), clock.show(report.ended)
    return json.dumps(valid(content), indent=1, ensure_ascii=False) + "\n"


def csv_text(report: Report) -> str:
    """A row an item. It begins with the mark without which Excel does not read UTF-8."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(COLUMNS)
    for result in report.results:
        writer.writerow([_harmless(cell) if isinstance(cell, str) else cell for cell in _cells(report, result)])
    return "\ufeff" + stream.getvalue()


def _cells(report: Report, result: dict[str, t.Any]) -> list[str | float]:
    created = result["created"]
    sizes = [one["size"] for one in created if one["size"] is not None]
    return [
        report.run or "",
        result["action"],
        result["name"],
        result["id"],
        result["outcome"],
        result["reason_code"],
        result["reason"],
        result["seconds"],
        *(_moment(report, result[moment]) for moment in ("started_at", "ended_at")),
        *(", ".join(one[what] or "" for one in created) for what in ("type", "name", "id")),
        sum(sizes) if sizes else "",
    ]


def _moment(report: Report, seconds: float | None) -> str:
    return "" if seconds is None else clock.show(report.moment(seconds))


def _harmless(text: str) -> str:
    """An apostrophe before what a spreadsheet would run, as users name servers; no NUL, which CSV cannot have."""
    return _FORMULA.sub("'", text.replace("\0", ""))


@contextlib.contextmanager
def _writing(target: str) -> t.Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        raise ReportError(f"The report {target} cannot be written: {reason}; set report to a path that can.") from exc


def _refuse_irreplaceable(target: str) -> None:
    """Raise what a rename to the target would fail on, though its directory can be written."""
    try:
        existing = os.lstat(target)
    except FileNotFoundError:
        return
    if stat.S_ISDIR(existing.st_mode):
        raise IsADirectoryError(0, "there is a directory of that name")
    directory = os.stat(os.path.dirname(target))
    if directory.st_mode & stat.S_ISVTX and os.geteuid() not in (0, existing.st_uid, directory.st_uid):
        raise PermissionError(0, "the file there belongs to another user")


def _write_draft(target: str, text: str) -> str:
    """Write the text beside the target and return where; the mode is what the umask leaves."""
    directory, name = os.path.split(target)
    os.makedirs(directory, exist_ok=True)
    draft = os.path.join(directory, f".{name}.{secrets.token_hex(4)}")
    try:
        with open(draft, "x", encoding="utf-8", newline="") as stream:
            stream.write(text)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(draft)
        raise
    return draft
