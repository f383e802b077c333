# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bar charts of the benchmarks."""

from __future__ import annotations

from xml.etree import ElementTree

from ansible_collections.onetoken.openstack.tests.benchmarks.bulk_comparison.chart import (
    LABELS,
    RIGHT,
    WIDTH,
    Bar,
    Panel,
    decades,
    svg,
)


def bars_of(*values: float) -> list[ElementTree.Element]:
    panel = Panel("a < b", [Bar(f"<{value}>", value, "ours") for value in values], str)
    root = ElementTree.fromstring(svg("title", [panel]))
    return [element for element in root.iter() if element.get("class") == "ours"]


def test_bars_grow_by_the_same_length_for_the_same_factor() -> None:
    first, second, third = (float(rectangle.attrib["width"]) for rectangle in bars_of(0.2, 2, 20))
    assert abs((second - first) - (third - second)) < 0.2


def test_every_bar_has_a_length_and_stays_in_the_picture() -> None:
    for rectangle in bars_of(0.1, 1, 1000):
        assert 0 < float(rectangle.attrib["width"]) <= WIDTH - LABELS - RIGHT


def test_equal_values_have_a_scale() -> None:
    low, high = decades([5.0])
    assert (low, high) == (0, 1)
