# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cloud whose lists have some rows twice and lack others, as those do whose pages shift while they are read."""

from __future__ import annotations

import dataclasses
import json
import typing as t

from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_cloud import FakeResponse
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.fake_storage import FakeStorage
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime


@dataclasses.dataclass(frozen=True)
class Shift:
    """What is wrong with a list: which rows it lacks, and which it has a second time, and where."""

    gaps: tuple[int, ...] = ()
    repeats: tuple[tuple[int, int], ...] = ()

    def applied(self, rows: list[t.Any]) -> list[t.Any]:
        seen = list(rows)
        for place in self.gaps:
            if seen:
                del seen[place % len(seen)]
        for place, target in self.repeats:
            if seen:
                seen.insert(target % (len(seen) + 1), seen[place % len(seen)])
        return seen


class ShiftingStorage(FakeStorage):
    def __init__(self, time: FakeTime, shifts: t.Sequence[Shift] = ()) -> None:
        super().__init__(time)
        self._shifts = list(shifts)
        #: The rows of each list that was begun.
        self._lists: list[list[t.Any]] = []

    def _page(self, resources: list[t.Any], key: str, options: t.Any) -> FakeResponse:
        marker = options["params"].get("marker")
        if marker is None:
            shift = self._shifts[len(self._lists) % len(self._shifts)] if self._shifts else Shift()
            self._lists.append(shift.applied(resources))
            number, start = len(self._lists) - 1, 0
        else:
            number, start = map(int, marker.split("-"))
        page = self._lists[number][start : start + self.page]
        body: dict[str, t.Any] = {key: page}
        if start + self.page < len(self._lists[number]):
            following = f"http://elsewhere/{key}?sort=created_at:desc&marker={number}-{start + self.page}"
            body |= {"next": following} if key == "images" else {f"{key}_links": [{"rel": "next", "href": following}]}
        return FakeResponse(200, json.loads(json.dumps(body)))
