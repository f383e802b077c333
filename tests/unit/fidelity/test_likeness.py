# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two runs are compared without what differs in any two runs."""

from __future__ import annotations

import uuid

import pytest
from ansible_collections.onetoken.openstack.tests.fidelity.likeness import Normaliser, differences


def compared(one: dict, other: dict) -> list[str]:
    return differences(Normaliser().answer(one), Normaliser().answer(other))


def test_ids_times_and_addresses_may_differ():
    def answer(minute: int) -> dict:
        made, owner = str(uuid.uuid4()), uuid.uuid4().hex
        return {
            "server": {
                "id": made,
                "project": owner,
                "links": [f"https://cloud.example.com/{owner}/servers/{made}"],
                "created_at": f"2026-01-31T12:{minute}:00Z",
                "updated_at": f"2026-01-31T12:{minute}:00.000123",
                "address": f"10.0.{minute}.{minute - 10}",
            }
        }

    assert compared(answer(10), answer(20)) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "web"}, {"name": "db"}),
        ({"size": 1}, {"size": 2}),
        ({"size": 1}, {"size": "1"}),
        ({"size": 1}, {"size": True}),
        ({"size": 1}, {}),
        ({"size": None}, {}),
        ({"names": ["a"]}, {"names": ["a", "a"]}),
        ({"id": uuid.uuid4().hex}, {"id": None}),
        ({"created_at": "2026-01-31T12:00:00Z"}, {"created_at": None}),
        ({"warnings": ["Take care."]}, {}),
        ({"cidr": "10.0.0.0/16"}, {"cidr": "10.0.1.0/24"}),
    ],
)
def test_everything_else_is_a_difference(one, other):
    assert len(compared(one, other)) == 1
    assert len(compared({"deep": [{"down": one}]}, {"deep": [{"down": other}]})) == 1


def test_a_reference_to_another_resource_is_a_difference():
    first, second = uuid.uuid4().hex, uuid.uuid4().hex
    right = {"networks": {"a": first, "b": second}, "subnet": {"network": first}}
    wrong = {"networks": {"a": first, "b": second}, "subnet": {"network": second}}
    assert compared(right, wrong) == ["subnet.network: '<id 1>' and '<id 2>'"]


def test_an_id_has_the_same_number_in_later_results():
    normaliser, made = Normaliser(), uuid.uuid4().hex
    assert normaliser.answer({"id": made}) == {"id": "<id 1>"}
    assert normaliser.answer({"first": uuid.uuid4().hex, "id": made}) == {"first": "<id 2>", "id": "<id 1>"}


def test_lists_may_be_in_the_order_of_random_ids():
    def answer(*names: str) -> dict:
        return {"rules": [{"id": uuid.uuid4().hex, "name": name} for name in names]}

    assert compared(answer("a", "b", "c"), answer("c", "a", "b")) == []


def test_the_arguments_of_a_module_are_not_compared():
    assert compared({"invocation": {"module_args": {"cloud": "one"}}}, {"invocation": {}}) == []
