# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of openstack.cloud return the same on a session and in forks as with the password, and request no token.

Modules that write to Keystone may make a token stale, so that the next task requests another one.
"""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.tests.fidelity import case, clouds, collection, report
from ansible_collections.onetoken.openstack.tests.fidelity.measurement import Outcome, measure

#: For each service, a module that changes something and one that only reads.
SAMPLE = {
    "identity": ("identity_role", "auth"),
    "compute": ("keypair", "server_info"),
    "image": ("image", "image_info"),
    "network": ("address_scope", "networks_info"),
    "block_storage": ("volume_snapshot", "volume_type_info"),
}


@pytest.fixture(autouse=True)
def no_limits(limits):
    """Results must not depend on limits, which listing a dozen servers exceeds."""
    limits(token_requests_per_minute=0, requests_per_second=0)


def cases_of(service: str) -> list[case.Case]:
    return case.cases_of(service, collection.release())


def check(outcomes: list[Outcome], write_to_keystone: bool) -> None:
    wrong = [f"{outcome.case.name}: {line}" for outcome in outcomes for line in wrong_with(outcome, write_to_keystone)]
    if not any(outcome.with_password.token_requests for outcome in outcomes):
        wrong.append("no token request was seen with the password, so the count does not work")
    assert not wrong, "\n".join(wrong)


def wrong_with(outcome: Outcome, write_to_keystone: bool) -> list[str]:
    wrong = outcome.failures + outcome.differences
    most = outcome.with_password.token_requests if write_to_keystone else len(outcome.case.other_clouds)
    for way, answers in (("on the session", outcome.on_session), ("in forks", outcome.in_forks)):
        if answers.token_requests > most:
            wrong.append(f"{answers.token_requests} token requests {way}")
    if outcome.in_forks.served < len(outcome.in_forks.answers):
        wrong.append(f"{outcome.in_forks.served} of {len(outcome.in_forks.answers)} tasks were served by forks")
    if outcome.on_session.served:
        wrong.append("the fork server is off, but served tasks")
    return wrong


def test_a_sample_of_modules_returns_the_same_on_a_session(controller, keystone):
    sample = [entry for service, names in SAMPLE.items() for entry in cases_of(service) if entry.name in names]
    check(measure(sample, controller, keystone), write_to_keystone=True)


class TestEveryModule:
    """Half an hour: `make test-fidelity`. The last test writes the results of the others to docs/fidelity.md."""

    pytestmark = pytest.mark.fidelity
    outcomes: dict[str, list[Outcome]] = {}

    @pytest.mark.parametrize("service", case.SERVICES)
    def test_returns_the_same_on_a_session(self, service, controller, keystone):
        self.judge(service, measure(cases_of(service), controller, keystone))

    def test_returns_the_same_with_all_kinds_of_credentials(self, controller, keystone, sandbox):
        controller.write_clouds(clouds.with_scopes(sandbox.clouds))
        self.judge(report.SOURCES, measure(case.source_cases(), controller, keystone))

    def judge(self, group: str, outcomes: list[Outcome]) -> None:
        self.outcomes[group] = outcomes
        check(outcomes, write_to_keystone=group in ("identity", report.SOURCES))

    def test_is_in_the_table(self, repository):
        assert [*self.outcomes] == [*case.SERVICES, report.SOURCES], "only a complete run makes the table"
        (repository / report.FILE).write_text(report.text(self.outcomes), encoding="utf-8")
