# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.plan import Plan
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import ALREADY, DONE, Item
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.quota import Quota


def items(waiting, settled=0):
    made = [Item(id=str(number), name=str(number), action="work") for number in range(waiting + settled)]
    for item in made[waiting:]:
        item.settle(ALREADY)
    return made


def action(each, polled_services=(), quotas=()):
    asked = []

    def quotas_of(waiting):
        asked.append(len(waiting))
        return list(quotas)

    def requests_of(waiting):
        return {service: count * len(waiting) for service, count in each.items()}

    return SimpleNamespace(requests_of=requests_of, polled_services=polled_services, quotas=quotas_of, asked=asked)


def test_what_is_there_already_costs_nothing():
    work = action({"compute": 1}, ("image",))
    plan = Plan.of(work, items(0, settled=5), lambda service: 20.0, 1000)
    assert plan.result() == {"requests": {"compute": 0}, "seconds": 0.0, "quotas": []}
    assert work.asked == []


def test_one_that_is_in_progress_already_is_not_submitted():
    under_way = items(2)
    under_way[0].accept(DONE)
    assert Plan.of(action({"compute": 1}), under_way, lambda service: 20.0, 1000).requests == {"compute": 1}


def test_requests_and_the_time_that_they_take_at_the_pace():
    plan = Plan.of(action({"compute": 1}, ("image",)), items(12, settled=3), lambda service: 20.0, 1000)
    assert plan.requests == {"compute": 12, "image": 3}
    assert plan.seconds == pytest.approx(0.6)


def test_the_slowest_service_counts():
    rates = {"image": 10.0, "compute": 1.0}
    assert Plan.of(action({"image": 2, "compute": 1}), items(30), rates.__getitem__, 1000).seconds == 30
    assert (
        Plan.of(action({"image": 2, "compute": 1}), items(30), {"image": 1.0, "compute": 1.0}.__getitem__, 1000).seconds
        == 60
    )


def test_a_poll_at_what_is_submitted_counts_with_it():
    plan = Plan.of(action({"compute": 1}, ("compute",)), items(1), lambda service: 20.0, 1000)
    assert plan.requests == {"compute": 1 + 2}


def test_polls_have_a_page_for_a_thousand():
    few = Plan.of(action({"compute": 1}, ("image",)), items(1000), lambda service: 1000.0, 1000)
    many = Plan.of(action({"compute": 1}, ("image",)), items(1001), lambda service: 1001.0, 1000)
    assert many.requests["image"] == 2 * few.requests["image"]


def test_polls_become_rarer():
    plan = Plan.of(action({"compute": 1}, ("image",)), items(1000), lambda service: 1.0, 1000)
    assert 1000 / 10 <= plan.requests["image"] <= 1000 / 10 + 10


def test_it_is_reported_in_a_few_sentences():
    quotas = [Quota("snapshots", 10, 9, 3), Quota("backups", -1, 5, 7)]
    work = action({"block_storage": 1}, ("image",), quotas)
    plan = Plan.of(work, items(3), lambda service: 1.0, 1000)
    assert plan.describe() == (
        "About 8 requests (3 to block storage, 5 to image), 3 s to submit all of it. "
        "The quota is too small: snapshots allows 10, 9 are used and 3 more are needed."
    )
    assert work.asked == [3]
    assert [quota["suffices"] for quota in plan.result()["quotas"]] == [False, True]
    assert "quota" not in Plan({}, 0.0, [quotas[1]]).describe()
