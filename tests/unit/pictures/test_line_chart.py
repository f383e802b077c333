# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Line charts."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from ansible_collections.onetoken.openstack.tests.pictures.line_chart import HEIGHT, LINE_HEIGHT, Axis, Line, svg


def drawn(*lines: Line) -> ElementTree.Element:
    return ElementTree.fromstring(svg("title", "a < b", Axis("tasks", 5, 20), Axis("requests", 10, 50), lines))


def labels(picture: ElementTree.Element) -> dict[str, float]:
    """The vertical position of each label."""
    texts = [element for element in picture.iter() if element.tag.endswith("text")]
    return {str(text.text): float(text.attrib["y"]) for text in texts if "label" in text.attrib.get("class", "")}


def test_a_line_rises_with_its_values() -> None:
    picture = drawn(Line("steep", "other", [(0, 0), (10, 20), (20, 40)]), Line("flat", "ours", [(0, 3), (20, 3)]))
    steep, flat = (
        [tuple(map(float, point.split(","))) for point in element.attrib["points"].split()]
        for element in picture.iter()
        if element.tag.endswith("polyline")
    )
    assert steep[0][1] - steep[1][1] == pytest.approx(steep[1][1] - steep[2][1]) and steep[0][1] > steep[1][1]
    assert flat[0][1] == flat[1][1] < HEIGHT


def test_labels_of_close_lines_do_not_overlap() -> None:
    found = labels(drawn(Line("first", "other", [(1, 2), (20, 40)]), Line("second", "ours", [(1, 3), (20, 41)])))
    assert found["40 first"] - found["41 second"] > LINE_HEIGHT - 1
