# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Line charts, as SVG for light and dark pages."""

from __future__ import annotations

import typing as t
from html import escape

from ..benchmarks.bulk_comparison.chart import STYLE

WIDTH, HEIGHT = 860, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 190, 72, 52
#: The distance of two labels, one above the other.
LINE_HEIGHT = 20
LINES = """
.line { fill: none; stroke-width: 2.5; stroke-linejoin: round } .label { font-weight: 600 }
.other { stroke: #8c959f } .another { stroke: #bc4c00 } .ours { stroke: #0969da } .label.other { fill: #59636e }
.label.another { fill: #bc4c00 } .label.ours { fill: #0969da } text.label { stroke: none }
@media (prefers-color-scheme: dark) {
.other { stroke: #9198a1 } .another { stroke: #f0883e } .ours { stroke: #4493f8 } .label.other { fill: #9198a1 }
.label.another { fill: #f0883e } .label.ours { fill: #4493f8 }
}
"""


class Line(t.NamedTuple):
    label: str
    #: A class of STYLE or LINES.
    kind: str
    points: t.Sequence[tuple[int, int]]


class Axis(t.NamedTuple):
    title: str
    step: int
    end: int

    @property
    def ticks(self) -> range:
        return range(0, self.end + 1, self.step)


def svg(title: str, subtitle: str, across: Axis, up: Axis, lines: t.Sequence[Line]) -> str:
    parts = [
        f'<text class="title" x="16" y="28">{escape(title)}</text>',
        f'<text class="quiet" x="16" y="48">{escape(subtitle)}</text>',
        *_grid(across, up),
    ]
    for line in lines:
        places = [(_x(across, x), _y(up, y)) for x, y in line.points]
        way = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline class="line {line.kind}" points="{way}"/>')
        parts += [f'<circle class="label {line.kind}" cx="{x:.1f}" cy="{y:.1f}" r="3"/>' for x, y in places]
    parts += _labels(up, lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}{LINES}</style>\n'
        f'<rect class="page" width="{WIDTH}" height="{HEIGHT}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _x(axis: Axis, value: int) -> float:
    return LEFT + value / axis.end * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: int) -> float:
    return HEIGHT - BOTTOM - value / axis.end * (HEIGHT - TOP - BOTTOM)


def _grid(across: Axis, up: Axis) -> t.Iterator[str]:
    for value in up.ticks:
        y = _y(up, value)
        yield f'<line class="grid" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'
        yield f'<text class="quiet" x="{LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{value}</text>'
    for value in across.ticks:
        x = _x(across, value)
        yield f'<text class="quiet" x="{x:.1f}" y="{HEIGHT - BOTTOM + 20}" text-anchor="middle">{value}</text>'
    middle = _x(across, across.end) / 2 + LEFT / 2
    yield f'<text x="{middle:.1f}" y="{HEIGHT - 12}" text-anchor="middle">{escape(across.title)}</text>'
    height = (_y(up, 0) + _y(up, up.end)) / 2
    turned = f'transform="translate(18 {height:.1f}) rotate(-90)" text-anchor="middle"'
    yield f"<text {turned}>{escape(up.title)}</text>"


def _labels(up: Axis, lines: t.Sequence[Line]) -> t.Iterator[str]:
    """A label with the last value at the end of each line; none covers another one."""
    lowest = float("inf")
    for line in sorted(lines, key=lambda line: line.points[-1][1]):
        value = line.points[-1][1]
        lowest = min(_y(up, value) + 5, lowest - LINE_HEIGHT)
        label = f"{value} {line.label}"
        yield f'<text class="label {line.kind}" x="{WIDTH - RIGHT + 12}" y="{lowest:.1f}">{escape(label)}</text>'
