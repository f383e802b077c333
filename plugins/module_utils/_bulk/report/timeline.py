# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The timeline of the report's page: each item as a bar, over a time axis."""

from __future__ import annotations

import typing as t

from ..._modules.duration import duration
from ..model.item import ACCEPTED, ALREADY, BLOCKED, DONE, FAILED, INCOMPLETE, PLANNED, SKIPPED
from .markup import number, text
from .report import Report

#: What needs attention comes first.
ORDER = (FAILED, INCOMPLETE, BLOCKED, SKIPPED, PLANNED, ACCEPTED, DONE, ALREADY)

#: A timeline of so many items names each beside its bar; one of more has thinner bars.
NAMED = 40
#: A timeline of so many items has a title on each bar; of more, no bar can be pointed at.
TITLED = 1000
#: Heights in the timeline, in pixels; the first is also in the style.
NAMED_ROW, ROW, LONGEST_PLOT, STRIP, AXIS = 22, 8, 520, 16, 26
#: A failure is so many pixels high at least, however many items there are.
VISIBLE = 1.5
#: The bars' own width of the plot.
WIDTH = 10_000
#: No bar is narrower than this.
NARROWEST = 25

#: Steps of a time axis, in seconds.
STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12, 24)),
)
MOST_STEPS = 8


class _Bar(t.NamedTuple):
    """An item in the timeline: where it starts, how long it is, on which row."""

    start: int
    width: int
    row: int
    result: dict[str, t.Any]


def timeline(report: Report) -> str:
    """Each item's time as a bar, over a time axis; refusals as ticks above them."""
    started = sorted(
        (result for result in report.results if result["started_at"] is not None),
        key=lambda result: (result["started_at"], result["name"]),
    )
    if not started:
        return "<p>No item was started.</p>\n"
    length = max(report.seconds, *(result["ended_at"] or 0 for result in started), *_moments(report), 1)
    strip = STRIP if report.refusals else 0
    plot = NAMED_ROW * len(started) if len(started) <= NAMED else min(LONGEST_PLOT, ROW * len(started))
    bars = [_bar(result, row, report.seconds, length) for row, result in enumerate(started)]
    names = "".join(f"<li>{text(result['name'])}</li>" for result in started) if len(started) <= NAMED else ""
    return (
        f'<figure><div class="chart{" refused" if strip else ""}">\n'
        + (f'<ol aria-hidden="true">{names}</ol>\n' if names else "")
        + f'<svg width="100%" height="{strip + plot + AXIS}" role="img" aria-label="{_summary(report, started)}">\n'
        + _axis(length, strip + plot)
        + (_ticks(report, length) if strip else "")
        + f'<svg y="{strip}" width="100%" height="{plot}" viewBox="0 0 {WIDTH} {len(bars)}" '
        + f'preserveAspectRatio="none">\n{_bars(bars, plot / len(bars))}</svg>\n</svg>\n</div>\n'
        + f"<figcaption>{_caption(report, length)}</figcaption></figure>\n"
    )


def _moments(report: Report) -> list[float]:
    return [seconds for _service_name, seconds in report.refusals]


def _summary(report: Report, started: list[dict[str, t.Any]]) -> str:
    return (
        f"{number(len(started))} items over {duration(report.seconds, exact=True)}, "
        f"{number(len(report.refusals))} requests refused by the limit. The table of items has the same in words."
    )


def _caption(report: Report, length: float) -> str:
    bars = f"Each bar is an item from its start to its end, in the order of their starts; time in {_unit(length)}."
    return bars + (" A tick above is a request that the cloud's limit refused." if report.refusals else "")


def _bar(result: dict[str, t.Any], row: int, seconds: float, length: float) -> _Bar:
    """The bar of an item that did not end reaches to the end of the run."""
    start = result["started_at"]
    end = seconds if result["ended_at"] is None else result["ended_at"]
    width = max(NARROWEST, round((end - start) / length * WIDTH))
    return _Bar(min(round(start / length * WIDTH), WIDTH - NARROWEST), width, row, result)


def _bars(bars: list[_Bar], pixels: float) -> str:
    """The bars, each so many pixels high; those that matter most are drawn last, over the others."""
    by_outcome = {outcome: [one for one in bars if one.result["outcome"] == outcome] for outcome in reversed(ORDER)}
    draw = _titled if len(bars) <= TITLED else _joined
    return "".join(
        f'<g class="{outcome}{" solid" if pixels < ROW else ""}">{draw(drawn, _thickness(outcome, pixels))}</g>\n'
        for outcome, drawn in by_outcome.items()
        if drawn
    )


def _thickness(outcome: str, pixels: float) -> float:
    """Of a bar, in rows."""
    if pixels >= ROW:
        return 0.7
    return max(1, VISIBLE / pixels) if outcome == FAILED else 1


def _titled(bars: list[_Bar], thickness: float) -> str:
    return "".join(_titled_bar(one, thickness) for one in bars)


def _titled_bar(one: _Bar, thickness: float) -> str:
    result, top = one.result, one.row + (1 - thickness) / 2
    title = f"{text(result['name'])}: {result['outcome']}, {result['seconds']:.1f} s"
    place = f'x="{one.start}" y="{top:.2f}" width="{one.width}" height="{thickness:.2f}"'
    return f"<rect {place}><title>{title}</title></rect>"


def _joined(bars: list[_Bar], thickness: float) -> str:
    lines = "".join(f"M{one.start} {one.row + 0.5}h{one.width}" for one in bars)
    return f'<path stroke-width="{thickness:.2f}" d="{lines}"/>'


def _ticks(report: Report, length: float) -> str:
    """Where the limit refused requests, in the strip above the bars."""
    places = sorted({round(seconds / length * WIDTH) for seconds in _moments(report)})
    lines = "".join(f"M{place} 0v1" for place in places)
    return (
        f'<svg width="100%" height="{STRIP - 6}" viewBox="0 0 {WIDTH} 1" preserveAspectRatio="none">'
        f'<path class="ticks" d="{lines}"><title>{number(len(report.refusals))} requests refused by the limit</title>'
        "</path></svg>\n"
    )


def _step(length: float) -> int:
    return next((step for step in STEPS if length / step <= MOST_STEPS), STEPS[-1] * (int(length / STEPS[-1]) // 8 + 1))


def _axis(length: float, bottom: int) -> str:
    """Lines at round times, and what times they are."""
    step = _step(length)
    lines = [f'<line class="base" y1="{bottom}" x2="100%" y2="{bottom}"/>']
    for seconds in range(0, int(length) + 1, step):
        x = f"{seconds / length:.3%}"
        lines.append(f'<line class="grid" x1="{x}" x2="{x}" y2="{bottom}"/>')
        lines.append(f'<text x="{x}" y="{bottom + 18}">{_clock(seconds, _unit(length))}</text>')
    return "\n".join(lines) + "\n"


def _unit(length: float) -> str:
    if length <= 120:
        return "seconds"
    return "minutes:seconds" if length <= 7200 else "hours:minutes"


def _clock(seconds: int, unit: str) -> str:
    if unit == "seconds":
        return str(seconds)
    whole, rest = divmod(seconds if unit == "minutes:seconds" else seconds // 60, 60)
    return f"{whole}:{rest:02}"
