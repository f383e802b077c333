# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of an action that needs no cloud."""

from __future__ import annotations

import collections
import threading

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.action import Action
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    ALREADY,
    DONE,
    Created,
    Item,
    State,
)

BUG = "there was an unexpected {}, please report this as a bug"


class Work(Action):
    """Makes one thing of each item, which takes the cloud some seconds."""

    name = "work"
    past = "worked on"
    resources = "things"
    awaited = "the works"
    requests_each = {"compute": 1}
    polled_services = ("compute",)

    def __init__(self, client, names):
        self.client = client
        self.planned = [Item(name, name, self.name, name) for name in names]
        self.seconds = 5.0
        #: Ids in the order in which they were asked for, and the numbers of items at each look.
        self.asked = []
        self.looks = []
        #: When each was made, how often, and which are not there yet.
        self.made = {}
        self.times_made = collections.Counter()
        self.counts_under_way = True
        self.under_way_at_most = 0
        self.on_ask = lambda item: None
        self.on_look = lambda items: None
        self.lock = threading.Lock()

    def plan(self):
        return self.planned

    def make(self, item):
        with self.lock:
            self.times_made[item.id] += 1
            self.made.setdefault(item.id, self.client.budget.spent)
            if self.counts_under_way:
                under_way = sum(moment + self.seconds > self.client.budget.spent for moment in self.made.values())
                self.under_way_at_most = max(self.under_way_at_most, under_way)

    def submit(self, item):
        with self.lock:
            self.asked.append(item.id)
        self.on_ask(item)
        self.make(item)
        item.accept(DONE, Created("image", item.id, status="saving"))

    def poll(self, items):
        self.looks.append(len(items))
        self.on_look(items)
        for item in items:
            if item.id in self.made:
                if item.state is State.UNCONFIRMED:
                    item.accept(ALREADY if item.was_busy_before else DONE, Created("image", item.id))
                if self.client.budget.spent >= self.made[item.id] + self.seconds:
                    item.settle(item.outcome)


class Reported:
    """What a run reports of its progress."""

    def __init__(self):
        self.newest = {}
        self.stopped = []

    def begin(self, action, resources):
        self.begun = (action, resources)

    def update(self, **standing):
        self.newest = {**standing, "outcomes": dict(standing["outcomes"])}
        ended = sum(standing["outcomes"].values())
        assert ended + standing["in_progress"] + standing["waiting"] == standing["total"]


class Started:
    def __init__(self, run, work, reported, client, slots):
        self.run = run
        self.work = work
        self.reported = reported
        self.client = client
        self.slots = slots

    @property
    def items(self):
        return self.run.items

    def carry_out(self):
        self.run.plan()
        self.run.carry_out()
        return self

    @property
    def outcomes(self):
        return {item.name: item.outcome for item in self.items}

    @property
    def counts(self):
        return dict(collections.Counter(item.outcome for item in self.items))

    @property
    def reasons(self):
        return {item.name: item.reason_text for item in self.items if item.reason_text}


def raising(errors):
    """Raise the next of an item's errors each time that it is submitted."""

    def on_ask(item):
        if left := errors.get(item.id):
            raise left.pop(0)

    return on_ask


def free_slots(slots, most):
    """How many slots are free, of so many."""
    free = 0
    while free < most + 1 and slots.take():
        free += 1
    return free
