# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bar charts with a logarithmic scale, as SVG for light and dark pages."""

from __future__ import annotations

import math
import typing as t
from html import escape

WIDTH, LABELS, RIGHT = 860, 330, 70
BAR, GAP, HEAD, FOOT = 18, 8, 44, 30
STYLE = """
svg { font-family: system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; font-size: 13px }
.page { fill: #ffffff } text { fill: #1f2328 } .title { font-weight: 600; font-size: 15px } .quiet { fill: #59636e }
.grid { stroke: #d1d9e0; stroke-width: 1 } .other { fill: #8c959f } .ours { fill: #0969da } .floor { fill: #1a7f37 }
@media (prefers-color-scheme: dark) {
.page { fill: #0d1117 } text { fill: #f0f6fc } .quiet { fill: #9198a1 } .grid { stroke: #3d444d }
.other { fill: #848d97 } .ours { fill: #4493f8 } .floor { fill: #3fb950 }
}
"""


class Bar(t.NamedTuple):
    label: str
    value: float
    #: A class of STYLE.
    kind: str


class Panel(t.NamedTuple):
    title: str
    bars: t.Sequence[Bar]
    #: Formats the value at a bar.
    written: t.Callable[[float], str]

    @property
    def height(self) -> int:
        return HEAD + len(self.bars) * (BAR + GAP) + FOOT


def svg(title: str, panels: t.Sequence[Panel]) -> str:
    height = sum(panel.height for panel in panels)
    parts = []
    top = 0
    for panel in panels:
        parts.append(f'<g transform="translate(0 {top})">\n{drawn(panel)}\n</g>')
        top += panel.height
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img">\n<title>{escape(title)}</title>\n<style>{STYLE}</style>\n'
        f'<rect class="page" width="{WIDTH}" height="{height}"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def drawn(panel: Panel) -> str:
    low, high = decades(row.value for row in panel.bars)
    scale = Scale(low, high)
    bottom = panel.height - FOOT
    lines = [f'<text class="title" x="16" y="26">{escape(panel.title)}</text>']
    for exponent in range(low, high + 1):
        x = scale.place(10.0**exponent)
        lines.append(f'<line class="grid" x1="{x:.1f}" y1="{HEAD - 6}" x2="{x:.1f}" y2="{bottom}"/>')
        text = f"{10.0**exponent:g}"
        lines.append(f'<text class="quiet" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>')
    for number, row in enumerate(panel.bars):
        y = HEAD + number * (BAR + GAP)
        x = scale.place(row.value)
        middle = y + BAR - 5
        lines += [
            f'<text x="{LABELS - 10}" y="{middle}" text-anchor="end">{escape(row.label)}</text>',
            f'<rect class="{row.kind}" x="{LABELS}" y="{y}" width="{x - LABELS:.1f}" height="{BAR}" rx="2"/>',
            f'<text x="{x + 6:.1f}" y="{middle}">{escape(panel.written(row.value))}</text>',
        ]
    return "\n".join(lines)


def decades(values: t.Iterable[float]) -> tuple[int, int]:
    """The exponents of powers of ten below and above all values, so that even the lowest bar has a length."""
    values = list(values)
    low = math.floor(math.log10(min(values)))
    if min(values) < 1.2 * 10.0**low:
        low -= 1
    return low, max(low + 1, math.ceil(math.log10(max(values))))


class Scale(t.NamedTuple):
    low: int
    high: int

    def place(self, value: float) -> float:
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return LABELS + part * (WIDTH - LABELS - RIGHT)
