# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.engine.run import PlanError
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CancelledError,
    DeadlineError,
    OutageError,
    RefusedError,
)


@pytest.mark.parametrize(
    "error", [OutageError("no answer"), RefusedError("policy", 403), DeadlineError("the time was up")], ids=repr
)
def test_what_cannot_be_listed_is_a_sentence(start, error):
    started = start(["a"])

    def plan():
        raise error

    started.work.plan = plan
    with pytest.raises(PlanError, match=rf"^Nothing was submitted, as listing the things failed: {error}\.$"):
        started.run.plan()


def test_a_plan_that_was_given_up_is_a_sentence(start, interruption):
    started = start(["a"])

    def plan():
        interruption.reason = "interrupted by SIGINT"
        raise CancelledError("it was not wanted any more")

    started.work.plan = plan
    with pytest.raises(CancelledError, match=r"^Nothing was submitted: the run was interrupted by SIGINT\.$"):
        started.run.plan()
