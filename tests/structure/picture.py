# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Draw the layers of plugins/ and what they import: docs/images/layers.svg, which docs/design.md shows.

.venv/bin/python tests/structure/picture.py
"""

from __future__ import annotations

import pathlib
import sys
import typing as t
from html import escape

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# The checkout stands there as the collection onetoken.openstack.
sys.path.insert(0, str(REPOSITORY / ".venv" / "collections"))

from ansible_collections.onetoken.openstack.tests.structure.layers import (  # noqa: E402
    BULK,
    LAYERS,
    imported_layers,
)

PICTURE = REPOSITORY / "docs" / "images" / "layers.svg"
COLUMNS, COLUMN, BOX_WIDTH, BOX_HEIGHT, ROW, MARGIN = 4, 236, 214, 50, 84, 20
WIDTH = COLUMNS * COLUMN
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328; text-anchor: middle }
.name { font-weight: 600 } .quiet { fill: #59636e; font-size: 12px }
.page { fill: #fff } .box { fill: #f6f8fa; stroke: #8c959f } .line { stroke: #8c959f; stroke-width: 1.3; fill: none }
.head { fill: #8c959f }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 } .quiet { fill: #9198a1 } .page { fill: #0d1117 } .box { fill: #161b22; stroke: #6e7681 }
.line { stroke: #6e7681 } .head { fill: #6e7681 }
}
"""


def main() -> int:
    PICTURE.write_text(svg(), encoding="utf-8")
    print(f"Wrote {PICTURE.relative_to(REPOSITORY)}.")
    return 0


def svg() -> str:
    """A box for each layer, above all that it imports, with lines to those that no other one leads to."""
    imported = imported_layers()
    lines = {number: _direct(number, imported) for number in range(len(LAYERS))}
    places = _places({number: _row(number, lines) for number in range(len(LAYERS))})
    height = max(y for _x, y in places.values()) + BOX_HEIGHT + MARGIN
    title = "The layers of plugins/: each imports only those below it"
    drawn = [_line(places[upper], places[lower]) for upper, below in lines.items() for lower in sorted(below)]
    drawn += [_box(number, places[number]) for number in places]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img">\n<title>{title}</title>\n<style>{STYLE}</style>\n<defs><marker id="head" viewBox="0 0 8 8" '
        'refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="head" d="M0 0l8 4-8 4z"/>'
        f'</marker></defs>\n<rect class="page" width="{WIDTH}" height="{height}"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


def _places(rows: t.Mapping[int, int]) -> dict[int, tuple[float, float]]:
    """The middle of each box and its top: bulk runs from the right, all else from the left."""
    taken: set[tuple[int, int]] = set()
    places: dict[int, tuple[float, float]] = {}
    for number, row in rows.items():
        columns = range(COLUMNS)
        is_of_bulk_runs = any(name.startswith(BULK) for name in LAYERS[number].names)
        column = next(one for one in (reversed(columns) if is_of_bulk_runs else columns) if (row, one) not in taken)
        taken.add((row, column))
        places[number] = (COLUMN * (column + 0.5), MARGIN + (max(rows.values()) - row) * ROW)
    return places


def _direct(number: int, imported: t.Mapping[int, set[int]]) -> set[int]:
    """The layers that a layer imports, and that it does not reach by another one."""
    return {
        lower for lower in imported[number] if not any(lower in _reached(one, imported) for one in imported[number])
    }


def _reached(number: int, imported: t.Mapping[int, set[int]]) -> set[int]:
    return imported[number].union(*(_reached(lower, imported) for lower in imported[number]))


def _row(number: int, lines: t.Mapping[int, set[int]]) -> int:
    return max((_row(lower, lines) + 1 for lower in lines[number]), default=0)


def _line(upper: tuple[float, float], lower: tuple[float, float]) -> str:
    (x, y), (to_x, to_y) = upper, lower
    begin, middle = y + BOX_HEIGHT, (y + BOX_HEIGHT + to_y) / 2
    curve = f"M{x:.0f} {begin:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"
    return f'<path class="line" marker-end="url(#head)" d="{curve}"/>'


def _box(number: int, place: tuple[float, float]) -> str:
    x, y = place
    layer = LAYERS[number]
    names = [name.removeprefix("module_utils.").replace(".", "/") for name in layer.names]
    title = ", ".join(names) if len(names) < 3 else "modules, callback ..."
    return (
        f'<rect class="box" x="{x - BOX_WIDTH / 2:.0f}" y="{y:.0f}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="5"/>'
        f'<text class="name" x="{x:.0f}" y="{y + 21:.0f}">{escape(title)}</text>'
        f'<text class="quiet" x="{x:.0f}" y="{y + 39:.0f}">{escape(layer.holds)}</text>'
    )


if __name__ == "__main__":
    sys.exit(main())
