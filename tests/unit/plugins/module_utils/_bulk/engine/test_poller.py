# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    OutageError,
    RefusedError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import (
    DONE,
    FAILED,
    SKIPPED,
)


def test_an_outage_is_outlasted(start, time):
    started = start(["a"])

    def out(items):
        if time.clock() < 100:
            raise OutageError("no answer.")

    started.work.on_look = out
    assert started.carry_out().outcomes == {"a": DONE}
    assert started.reasons == {}


def test_an_outage_that_lasts_is_reported(start):
    started = start(["a"], timeout=100)

    def out(items):
        raise OutageError("no answer.")

    started.work.on_look = out
    started.carry_out()
    assert started.reasons == {"a": "still saving after 100 s; it goes on in the cloud, as far as is known: no answer"}


def test_an_outage_that_is_over_is_not_reported(start, time):
    started = start(["a"], timeout=100)
    started.work.seconds = 1000

    def out(items):
        if time.clock() < 50:
            raise OutageError("no answer.")

    started.work.on_look = out
    assert started.carry_out().reasons == {"a": "still saving after 100 s; it goes on in the cloud"}


def test_a_poll_that_is_refused_ends_the_run_with_what_is_known(start):
    started = start(["a", "b"], concurrency=1)

    def refuse(items):
        raise RefusedError("policy", 403)

    started.work.on_look = refuse
    started.carry_out()
    assert started.outcomes == {"a": FAILED, "b": SKIPPED}
    assert started.reasons == {"a": "not watched to its end: policy", "b": "not submitted: policy"}
    assert started.items[0].created[0].id == "a"
