# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import concurrent.futures
import dataclasses
import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    kill,
    let_end,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.revoke.watching import (
    has_read_its_order,
    is_on_watch,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import Answer
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import IDENTITY

pytestmark = pytest.mark.processes


class TestEndReported:
    def test_it_revokes_and_reports_what_it_did(self, issued, run, watch, keystone):
        watcher, name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert report == {
            "drained": True,
            "left": False,
            "revoked": 1,
            "already_dead": 0,
            "alive": 0,
            "alive_until": None,
            "tokens_issued": 1,
            "keystone_requests": 1,
            "authentications": 0,
            "identities": 1,
            "documents_served": 0,
            "served": 0,
            "traffic": {},
            "problem": None,
        }
        assert keystone.alive == {}
        assert issued.closed
        assert owners.known(issued) == {}
        watcher.wait()
        assert watcher.gone
        assert watcher.process.returncode == 0

    def test_it_waits_for_processes_that_work_on_the_session(self, issued, run, use, watch, keystone):
        watcher, _name = watch(issued, run)
        task = use(issued)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            ending = pool.submit(watcher.end, 60, 30)
            with pytest.raises(concurrent.futures.TimeoutError):
                ending.result(1.5)
            assert keystone.revoked == []
            let_end(task)

            assert ending.result(60)["drained"] is True
        assert keystone.alive == {}

    def test_it_waits_no_longer_than_drain_timeout(self, issued, run, use, watch, keystone):
        watcher, _name = watch(issued, run)
        use(issued)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert (report["drained"], report["revoked"]) == (False, 1)

    def test_it_stops_waiting_when_the_run_is_killed(self, issued, run, use, watch, keystone):
        watcher, name = watch(issued, run)
        use(issued)
        wait_until(lambda: is_on_watch(issued, name))
        os.write(watcher.process.stdin.fileno(), b'{"drain_timeout": 600}\n')
        wait_until(lambda: has_read_its_order(watcher))
        kill(run)

        assert watcher.receive(30) == {"drained": False}
        assert watcher.receive(30)["revoked"] == 1
        assert keystone.alive == {}

    def test_it_waits_for_unfinished_work_even_when_the_run_is_killed(self, issued, run, finish, watch, keystone):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        bulk_run = finish(issued)
        kill(run)

        assert watcher.receive(1.5) is None
        assert keystone.revoked == []
        let_end(bulk_run)
        assert watcher.receive(30) == {"drained": True}
        assert watcher.receive(30)["revoked"] == 1
        assert keystone.alive == {}

    def test_an_interrupted_run_leaves_the_revoke_to_the_watcher(self, issued, run, finish, watch, keystone):
        watcher, _name = watch(issued, run)
        bulk_run = finish(issued)

        assert watcher.end(0, 0, grace=0) is None
        assert keystone.revoked == []
        let_end(bulk_run)
        wait_until(lambda: keystone.alive == {})

    def test_a_problem_with_the_directory_is_reported_at_once_and_the_revoke_tried_again(
        self, issued, run, watch, keystone
    ):
        watcher, name = watch(issued, run)
        wait_until(lambda: is_on_watch(issued, name))
        os.chmod(issued.path, 0o755)

        assert watcher.end(drain_timeout=0, revoke_timeout=30) is None
        assert watcher.pending is not None and issued.path in watcher.pending

        os.chmod(issued.path, 0o700)
        wait_until(lambda: keystone.alive == {})

    def test_a_session_that_never_had_a_token_is_removed_without_a_request(self, empty, run, watch, keystone):
        watcher, _name = watch(empty, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert (report["drained"], report["tokens_issued"], report["problem"]) == (True, 0, None)
        assert not os.path.lexists(empty.path)
        assert keystone.requests == []

    def test_a_session_that_had_one_is_closed_and_stays_for_a_late_task(self, issued, run, watch, keystone):
        issued.remove_tokens(IDENTITY)
        watcher, _name = watch(issued, run)

        assert watcher.end(drain_timeout=0, revoke_timeout=30)["tokens_issued"] == 1
        assert issued.closed
        assert owners.known(issued) == {}
        assert keystone.requests == []

    def test_while_keystone_does_not_answer_it_reports_nothing_and_keeps_trying(self, issued, run, watch, keystone):
        keystone.stuck["DELETE"] = Answer(503)
        watcher, _name = watch(issued, run)

        assert watcher.end(drain_timeout=0, revoke_timeout=0.1) is None
        wait_until(lambda: keystone.asked("DELETE"))
        assert not watcher.gone

        keystone.stuck.clear()
        wait_until(lambda: keystone.alive == {})
        watcher.wait()
        assert watcher.gone

    def test_a_token_that_keystone_refuses_to_revoke_is_reported_at_once_and_asked_for_once(
        self, issued, run, watch, keystone
    ):
        (body,) = keystone.alive.values()
        body["OS-TRUST:trust"] = {"id": "t1", "impersonation": True}
        end = clock.show(issued.read_tokens(IDENTITY).current.expires_at)
        watcher, _name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert (report["revoked"], report["alive"], report["alive_until"]) == (0, 1, end)
        assert "refuses to revoke it (HTTP 403)" in report["problem"]
        watcher.wait()
        assert watcher.gone
        assert len(keystone.asked("DELETE")) == 1

    @pytest.mark.parametrize("status", [401, 404])
    def test_an_answer_of_something_else_is_reported_at_once_and_no_proof(self, issued, run, watch, keystone, status):
        page = Answer(status, body="<html>Not Found</html>")
        keystone.stuck = {"DELETE": page, "GET": page}
        watcher, name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=30)

        assert (report["revoked"], report["already_dead"], report["alive"]) == (0, 0, 1)
        assert "is not Keystone" in report["problem"]
        # For a later run, or for os_token_revoke.
        assert issued.names() == [IDENTITY]
        assert list(owners.known(issued)) == [name]

    def test_tokens_revoked_in_several_attempts_are_counted_once(self, issued, run, watch, keystone):
        text = keystone.issue()
        current = issued.read_tokens(IDENTITY).current
        issued.write_tokens(IDENTITY, StoredTokens(current, (dataclasses.replace(current, id=TokenId(text)),)))
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]
        watcher, _name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=60)

        assert (report["revoked"], report["already_dead"], report["problem"]) == (2, 0, None)

    @pytest.mark.parametrize("expires_at", [None, "some day", "9999-12-31T23:59:59-23:59"])
    def test_a_token_without_a_valid_expiry_is_revoked_once_keystone_is_back(
        self, issued, run, watch, keystone, expires_at
    ):
        current = issued.read_tokens(IDENTITY).current
        body = {**current.body, "expires_at": expires_at}
        issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(current, body=body)))
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]
        watcher, _name = watch(issued, run)

        report = watcher.end(drain_timeout=0, revoke_timeout=60)

        assert (report["revoked"], report["problem"]) == (1, None)
