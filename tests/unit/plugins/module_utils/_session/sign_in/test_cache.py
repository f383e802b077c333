# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sign-in cache, in the process of the tests: one sign-in for all, and never a failure of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
import types

import pytest
import requests.adapters
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import cache, response
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import (
    directory,
    key,
    refusals,
    renewal,
    staleness,
    traffic,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    AUTHENTICATIONS,
    BROKEN,
    IDENTITIES,
    ISSUED,
    REQUESTS,
    UNRECORDED,
    SessionRecord,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.waiting import Waiter
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    current,
    password_plugin,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    keystones_answer,
)
from keystoneauth1 import exceptions
from keystoneauth1 import session as keystone_session

HOURS = 3600


def counts(session) -> tuple[int, ...]:
    return tuple(session.counted(name) for name in (REQUESTS, ISSUED, IDENTITIES, AUTHENTICATIONS))


def current_list(session):
    """The tokens of the one identity, newest first."""
    (name,) = session.names()
    return session.read_tokens(name).newest_first


def let_age(session, seconds: float) -> None:
    (name,) = session.names()
    let_it_age(session, name, seconds)


def texts_of(session) -> str:
    """All that is in a session's files, besides what it is made of."""
    texts = []
    for folder, _folders, names in os.walk(session.path):
        for name in names:
            if not name.endswith((".py", ".pyc")):
                with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as stream:
                    texts.append(stream.read())
    return "\n".join(texts)


@contextlib.contextmanager
def lost_connections(monkeypatch, number: int):
    """So many of the next requests get no answer."""
    left = [None] * number
    plain = requests.adapters.HTTPAdapter.send

    def send(self, *args, **kwargs):
        if left:
            left.pop()
            raise requests.exceptions.ConnectionError("lost")
        return plain(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(requests.adapters.HTTPAdapter, "send", send)
        yield left


def at_once(number: int, call) -> list:
    """What so many calls at the same time return or raise."""
    found = []
    arrived = threading.Barrier(number)

    def run():
        arrived.wait()
        try:
            found.append(call())
        except Exception as exc:
            found.append(exc)

    threads = [threading.Thread(target=run) for _number in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


class TestOneSignIn:
    def test_the_second_one_is_served(self, on_session, sign_in, keystone):
        assert sign_in() == sign_in() == current(on_session).id.reveal()

        assert len(keystone.requests) == 1
        assert counts(on_session) == (1, 1, 1, 1)

    def test_what_is_served_is_keystone_s_own_answer(self, on_session, keystone):
        first, second = (
            password_plugin(keystone).get_access(keystone_session.Session(user_agent=name)) for name in "ab"
        )

        assert first.service_catalog.catalog and first.project_id
        assert json.dumps(first._data, sort_keys=True) == json.dumps(second._data, sort_keys=True)
        assert (first.auth_token, first.expires, first.role_names) == (
            second.auth_token, second.expires, second.role_names,
        )  # fmt: skip

    def test_it_is_recorded_where_it_was_asked_for_and_how(self, on_session, sign_in, keystone):
        sign_in()

        token = current(on_session)
        assert (token.auth_url, token.token_url) == (keystone.auth_url, f"{keystone.auth_url}/auth/tokens")
        assert token.renewable and token.boot and token.began > 0 and os.path.isabs(token.python)

    def test_without_the_variable_each_signs_in_by_itself(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setenv("ONETOKEN_SESSION_DIRECTORY", "")

        assert sign_in() != sign_in()
        assert on_session.names() == []

    def test_threads_of_one_process_sign_in_once(self, on_session, sign_in, keystone):
        keystone.slowness = 0.2
        threads = [threading.Thread(target=sign_in) for _number in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(keystone.asked("POST")) == 1

    def test_a_request_of_a_program_that_no_plugin_signs_in_with_is_left_alone(self, on_session, keystone):
        session = keystone_session.Session()
        body = {"auth": {"identity": {"methods": ["token"], "token": {"id": keystone.issue()}}}}

        session.post(f"{keystone.auth_url}/auth/tokens", json=body, authenticated=False)

        assert on_session.names() == []


def test_what_a_fork_in_another_thread_copied_keeps_no_lock(on_session, sign_in, copied):
    """A process of a pool may live longer than the sign-in."""
    for options in ({}, {"password": "wrong"}):
        with contextlib.suppress(exceptions.Unauthorized):
            sign_in(**options)
        assert [os.path.basename(os.readlink(f"/proc/self/fd/{handle}")) for handle in copied].count("lock") == 1
        for name in os.listdir(os.path.join(on_session.path, "locks")):
            os.close(on_session.lock_for(name.partition(".")[0]))
        with on_session.locked(0):
            pass
        while copied:
            os.close(copied.pop())


class TestRenewal:
    def test_who_finds_it_due_renews_it_and_the_old_one_stays_on_the_list(self, on_session, sign_in, keystone):
        old = sign_in()
        let_age(on_session, 9 * HOURS)

        new = sign_in()

        assert new != old
        (name,) = on_session.names()
        stored = on_session.read_tokens(name)
        assert [token.id.reveal() for token in stored.newest_first] == [new, old]
        assert old in keystone.alive
        assert sign_in() == new
        assert counts(on_session) == (2, 2, 1, 1)

    def test_before_that_it_is_not(self, on_session, sign_in):
        old = sign_in()
        let_age(on_session, 7 * HOURS)

        assert sign_in() == old

    def test_at_the_age_that_was_chosen(self, make_session, monkeypatch, on_session, sign_in):
        on_session.write_record(SessionRecord(RenewalPolicy("600")))
        old = sign_in()
        let_age(on_session, 601)

        assert sign_in() != old

    @pytest.mark.parametrize("answer", [Answer(503), Answer(500), Answer(404)], ids=str)
    def test_one_that_fails_goes_on_with_the_old_one(self, on_session, sign_in, keystone, monkeypatch, answer):
        monkeypatch.setattr(cache, "BUSY_TIMEOUT_WITH_TOKEN", 0)
        old = sign_in()
        let_age(on_session, 9 * HOURS)
        keystone.stuck["POST"] = answer

        assert sign_in() == old
        asked = len(keystone.asked("POST"))
        assert sign_in() == old
        # For a while, nobody asks again.
        assert len(keystone.asked("POST")) == asked

    def test_one_that_cannot_reach_keystone_goes_on_with_the_old_one(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(cache, "UNREACHABLE_TIMEOUT", 0)
        old = sign_in()
        let_age(on_session, 9 * HOURS)
        keystone.stop()

        assert sign_in() == old

    def test_credentials_that_are_refused_now_are_refused(self, on_session, sign_in, keystone):
        sign_in()
        let_age(on_session, 9 * HOURS)
        keystone.answers["POST"] = [keystones_answer(401, "The password is expired.")]

        with pytest.raises(exceptions.Unauthorized, match="The password is expired"):
            sign_in()

    def test_while_another_renews_it_it_is_served(self, on_session, sign_in, keystone):
        old = sign_in()
        let_age(on_session, 9 * HOURS)
        (name,) = on_session.names()
        lock = on_session.lock_for(name)

        assert sign_in() == old
        os.close(lock)

    def test_one_that_has_too_little_left_is_not_served(self, on_session, sign_in, monkeypatch):
        on_session.write_record(SessionRecord(RenewalPolicy("100%")))
        old = sign_in()
        let_age(on_session, 24 * HOURS - renewal.LEAST + 1)

        assert sign_in() != old


class TestRefusal:
    def test_it_is_keystone_s_own_and_is_not_counted_as_a_token(self, on_session, sign_in, keystone):
        with pytest.raises(exceptions.Unauthorized, match="requires authentication"):
            sign_in(password="wrong")

        assert counts(on_session) == (1, 0, 0, 0)
        assert on_session.names() == []

    def test_the_reason_and_the_headers_reach_the_program(self, on_session, sign_in, keystone):
        ends = "2026-01-31T12:00:00.000000Z"
        receipt = {
            "receipt": {"methods": ["password"], "expires_at": ends},
            "required_auth_methods": [["password", "totp"]],
        }
        keystone.answers["POST"] = [Answer(401, {"openstack-auth-receipt": "secret-receipt"}, json.dumps(receipt))]

        with pytest.raises(exceptions.MissingAuthMethods) as caught:
            sign_in()
        assert caught.value.required_auth_methods == [["password", "totp"]]
        assert caught.value.receipt == "secret-receipt"
        # keystoneauth needs the receipt to tell the reason, and it is as good as a password.
        assert "required_auth_methods" not in texts_of(on_session)
        assert "secret-receipt" not in texts_of(on_session)

    def test_of_its_headers_those_are_kept_that_a_program_looks_at(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(refusals, "PAUSE", 0)
        wanted = {"X-Openstack-Request-Id": "req-1", "Retry-After": "7"}
        secret = {"Set-Cookie": "id=secret-cookie", "X-Auth-Token": "secret-token", "Authorization": "secret-word"}
        keystone.answers["POST"] = [Answer(403, {**wanted, **secret})]

        with pytest.raises(exceptions.Forbidden):
            sign_in()

        texts = texts_of(on_session)
        assert "req-1" in texts and '"7"' in texts and "application/json" in texts
        assert "secret-" not in texts

    def test_it_is_asked_again_at_most_once_in_so_many_seconds(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(refusals, "PAUSE", 0.5)
        for _turn in range(3):
            with pytest.raises(exceptions.Unauthorized):
                sign_in(password="wrong")

        assert len(keystone.asked("POST")) == 3
        assert len(os.listdir(os.path.join(on_session.path, "refusals"))) == 1

    def test_who_comes_during_the_pause_waits_for_its_rest(self, on_session, sign_in, monkeypatch):
        naps: list[float] = []
        monkeypatch.setattr(cache.Waiter, "pause", lambda self, seconds: naps.append(seconds) or True)
        for _turn in range(2):
            with pytest.raises(exceptions.Unauthorized):
                sign_in(password="wrong")

        assert [nap for nap in naps if nap > 1] == [pytest.approx(refusals.PAUSE, abs=1)]

    def test_another_identity_does_not_wait(self, on_session, sign_in, monkeypatch):
        monkeypatch.setattr(cache.Waiter, "pause", lambda self, seconds: pytest.fail("it waits"))
        with pytest.raises(exceptions.Unauthorized):
            sign_in(password="wrong")

        assert sign_in()

    def test_all_who_wait_for_it_are_answered_by_it(self, on_session, sign_in, keystone):
        keystone.slowness = 0.5

        found = at_once(5, lambda: sign_in(password="wrong"))

        assert [error.http_status for error in found] == [401] * 5
        assert len(keystone.asked("POST")) == 1

    @pytest.mark.parametrize(
        ("error", "heard"),
        [
            (exceptions.ConnectTimeout("lost"), exceptions.ConnectTimeout),
            (exceptions.SSLError("lost"), exceptions.SSLError),
            (exceptions.UnknownConnectionError("lost", OSError()), exceptions.ConnectionError),
            (exceptions.ClientException("lost"), exceptions.ClientException),
        ],
        ids=repr,
    )
    def test_an_error_of_which_name_and_text_are_left_is_as_near_to_it_as_they_suffice_for(self, error, heard):
        made = response.error_of(type(error).__name__, str(error))

        assert (type(made), str(made)) == (heard, "lost")

    def test_a_task_that_tries_again_until_the_user_exists_succeeds(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(refusals, "PAUSE", 0.1)
        keystone.answers["POST"] = [keystones_answer(401), keystones_answer(401)]
        tries = 0
        while True:
            tries += 1
            with contextlib.suppress(exceptions.Unauthorized):
                token = sign_in()
                break

        assert tries == 3
        assert token in keystone.alive
        assert os.listdir(os.path.join(on_session.path, "refusals")) == []


class TestTroubleWithKeystone:
    @pytest.fixture(autouse=True)
    def soon(self, monkeypatch):
        """It is waited for, but not for long."""
        plain = time.sleep
        monkeypatch.setattr(cache, "Waiter", lambda seconds, **more: self.waiter(seconds, plain, **more))

    def waiter(self, seconds, sleep, **more):
        return Waiter(seconds, sleep=lambda delay: sleep(min(delay, 0.01)), **more)

    @pytest.mark.parametrize("status", [429, 503])
    def test_one_that_is_busy_is_asked_again(self, on_session, sign_in, keystone, status):
        keystone.answers["POST"] = [Answer(status, {"Retry-After": "1"}), Answer(status)]

        assert sign_in() in keystone.alive
        assert len(keystone.asked("POST")) == 3
        assert counts(on_session) == (3, 1, 1, 0)
        identity = traffic.read(on_session)["identity"]
        # The time is counted where a limit is the reason.
        assert (identity.throttled, identity.seconds > 0) == ((2, True) if status == 429 else (0, False))

    def test_one_that_stays_busy_is_the_program_s_to_hear_of(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(cache, "busy_timeout", 0.0)
        keystone.stuck["POST"] = Answer(503)

        with pytest.raises(exceptions.ServiceUnavailable):
            sign_in()

    def test_a_lost_connection_is_tried_again(self, on_session, sign_in, keystone, monkeypatch):
        with lost_connections(monkeypatch, 2) as left:
            assert sign_in() in keystone.alive
        assert left == []

    def test_one_that_nobody_listens_at_is_told_as_without_a_session(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(cache, "busy_timeout", 0.0)
        keystone.stop()

        with pytest.raises(exceptions.ConnectFailure) as on_it:
            sign_in()
        monkeypatch.setenv("ONETOKEN_SESSION_DIRECTORY", "")
        with pytest.raises(exceptions.ConnectFailure) as without:
            sign_in()
        assert type(on_it.value) is type(without.value)

    @pytest.mark.parametrize("status", [404, 500, 502])
    def test_an_answer_that_may_pass_fails_one_of_those_who_wait(self, on_session, sign_in, keystone, status):
        keystone.slowness = 0.3
        keystone.answers["POST"] = [Answer(status)]

        found = at_once(5, sign_in)

        assert sum(isinstance(one, Exception) for one in found) == 1
        assert {one for one in found if isinstance(one, str)} == set(keystone.alive)
        assert len(keystone.asked("POST")) == 2

    def test_where_nobody_listens_all_find_it_out_at_the_same_time(self, on_session, sign_in, keystone, monkeypatch):
        tries = []
        plain = requests.adapters.HTTPAdapter.send
        monkeypatch.setattr(
            requests.adapters.HTTPAdapter, "send", lambda *args, **more: tries.append(1) or plain(*args, **more)
        )
        keystone.stop()

        found = at_once(5, sign_in)

        assert [type(one) for one in found] == [exceptions.ConnectFailure] * 5
        patient = len(tries) - 4
        assert patient > 4, "the first one is to try for a while"
        assert on_session.problems() == set()

    def test_what_was_signed_in_meanwhile_by_one_who_did_not_wait_is_on_record(
        self, on_session, sign_in, keystone, monkeypatch
    ):
        monkeypatch.setattr(cache, "busy_timeout", 0.0)
        with lost_connections(monkeypatch, 1):
            found = at_once(3, sign_in)

        tokens = {one for one in found if isinstance(one, str)}
        assert tokens == set(keystone.alive)
        assert {on_session.read_tokens(name).current.id.reveal() for name in on_session.names()} == tokens


class TestARefusedToken:
    @pytest.mark.parametrize("status", [429, 503])
    def test_where_keystone_cannot_say_it_is_replaced(self, on_session, sign_in, keystone, monkeypatch, status):
        monkeypatch.setattr(cache, "TOKEN_TIMEOUT", 0)
        first = sign_in()
        cache.refuse(first)
        keystone.stuck["GET"] = Answer(status)

        second = sign_in()

        assert second != first
        assert {token.id.reveal() for token in current_list(on_session)} == {first, second}
        assert on_session.problems() == set()

    def test_one_that_keystone_still_accepts_is_served_again(self, on_session, sign_in, keystone):
        token = sign_in()
        cache.refuse(token)

        assert sign_in() == token
        assert (len(keystone.asked("POST")), len(keystone.asked("GET"))) == (1, 1)

    def test_one_that_keystone_does_not_accept_is_replaced_once_for_all(self, on_session, sign_in, keystone):
        token = sign_in()
        cache.refuse(token)
        del keystone.alive[token]

        new = sign_in()

        assert new != token
        cache.refused.clear()
        assert sign_in() == new
        assert len(keystone.asked("POST")) == 2

    def test_a_service_that_refuses_it_makes_a_new_sign_in(self, on_session, keystone):
        sessions = [keystone_session.Session(auth=password_plugin(keystone)) for _number in range(2)]
        for one in sessions:
            assert one.get(f"{keystone.url}/compute/servers").status_code == 200
        keystone.alive.clear()

        for one in sessions:
            assert one.get(f"{keystone.url}/compute/servers").status_code == 200
        assert len(keystone.asked("POST")) == 2

    def test_of_a_keystone_that_cannot_say_so_a_new_one_is_got(self, on_session, sign_in, keystone, monkeypatch):
        monkeypatch.setattr(cache, "TOKEN_TIMEOUT", 0)
        token = sign_in()
        cache.refuse(token)
        keystone.stuck["GET"] = Answer(500)

        assert sign_in() != token


@pytest.mark.parametrize("ref", [object(), types.SimpleNamespace(auth_token=None)], ids=["none", "no text"])
def test_a_plugin_without_a_token_of_keystone_s_is_invalidated_as_without_a_session(on_session, keystone, ref):
    plugin = password_plugin(keystone)
    plugin.auth_ref = ref

    assert plugin.invalidate() is True
    assert plugin.auth_ref is None


class TestStrangeAnswers:
    @pytest.mark.parametrize("body", ["", "{}", '{"token": []}', "<html>", "[]"])
    def test_a_token_with_an_answer_that_nobody_can_use_is_revoked_at_once(self, on_session, sign_in, keystone, body):
        token = keystone.issue()
        keystone.answers["POST"] = [Answer(201, {"X-Subject-Token": token}, body)]

        # What keystoneauth says of it, and when, differs by its version.
        with contextlib.suppress(Exception):
            sign_in()

        assert keystone.revoked == [token]
        assert on_session.names() == []

    @pytest.mark.parametrize("status", [200, 203])
    def test_a_token_is_one_whatever_success_it_comes_with(self, on_session, sign_in, keystone, status):
        token = keystone.issue()
        answer = Answer(status, {"X-Subject-Token": token}, json.dumps({"token": keystone.alive[token]}))
        keystone.answers["POST"] = [answer]

        assert sign_in() == sign_in() == token == current(on_session).id.reveal()
        assert counts(on_session) == (1, 1, 1, 1)
        assert not os.path.exists(os.path.join(on_session.path, "refusals"))

    @pytest.mark.parametrize("status", [400, 401, 500, 503])
    def test_one_that_comes_with_an_error_is_revoked_and_not_kept(
        self, on_session, sign_in, keystone, monkeypatch, status
    ):
        monkeypatch.setattr(cache, "busy_timeout", 0)
        token = keystone.issue()
        answer = Answer(status, {"X-Subject-Token": token}, json.dumps({"token": keystone.alive[token]}))
        keystone.answers["POST"] = [answer]

        with pytest.raises(exceptions.HttpError):
            sign_in()

        assert keystone.revoked == [token]
        assert on_session.names() == []
        assert token not in texts_of(on_session)

    def test_a_new_one_takes_the_place_of_an_old_one_whatever_success_it_comes_with(
        self, on_session, sign_in, keystone
    ):
        sign_in()
        let_age(on_session, 9 * HOURS)
        token = keystone.issue()
        answer = Answer(200, {"X-Subject-Token": token}, json.dumps({"token": keystone.alive[token]}))
        keystone.answers["POST"] = [answer]

        assert sign_in() == sign_in() == token

    @pytest.mark.parametrize("expires_at", ["never", None, 7, "1970-01-01T00:00:00Z"], ids=str)
    def test_one_with_a_strange_end_is_on_record_and_served_to_nobody(self, on_session, sign_in, keystone, expires_at):
        token = keystone.issue()
        body = {**keystone.alive[token], "expires_at": expires_at}
        keystone.answers["POST"] = [Answer(201, {"X-Subject-Token": token}, json.dumps({"token": body}))]

        with contextlib.suppress(Exception):
            sign_in()

        assert current(on_session).id.reveal() == token
        assert sign_in() != token
        (name,) = on_session.names()
        assert token in [one.id.reveal() for one in on_session.read_tokens(name).replaced]

    def test_a_success_without_a_token_is_the_program_s_to_hear_of(self, on_session, sign_in, keystone):
        keystone.answers["POST"] = [Answer(201, {}, "{}")]

        with contextlib.suppress(Exception):
            sign_in()
        assert on_session.names() == []


def test_a_user_and_a_password_in_an_address_are_not_stored(on_session, sign_in, keystone, monkeypatch):
    monkeypatch.setattr(cache, "busy_timeout", 0)
    url = keystone.auth_url.replace("://", "://someone:secret-word@")
    assert sign_in(auth_url=url) == sign_in(auth_url=url)
    assert current(on_session).auth_url == keystone.auth_url
    assert current(on_session).token_url == f"{keystone.auth_url}/auth/tokens"

    with pytest.raises(exceptions.Unauthorized):
        sign_in(auth_url=url, password="wrong")
    with lost_connections(monkeypatch, 1), pytest.raises(exceptions.ConnectFailure, match="secret-word"):
        sign_in(auth_url=url, project_name="other")

    assert len(os.listdir(os.path.join(on_session.path, "refusals"))) == 2
    assert "secret-word" not in texts_of(on_session)


def test_a_revoked_session_fails_with_its_sentence(on_session, sign_in, keystone):
    sign_in()
    on_session.close()

    with pytest.raises(exceptions.AuthorizationFailure) as caught:
        sign_in()

    assert f"The session {on_session.path} was revoked, so this task has no token: issue it again" in str(caught.value)
    assert len(keystone.requests) == 1


def test_to_openstacksdk_that_is_an_error_of_its_own_as_well(on_session, sign_in):
    import openstack.exceptions

    on_session.close()

    with pytest.raises(openstack.exceptions.SDKException, match="was revoked"):
        sign_in()


class TestFailingOpen:
    """Whatever is wrong with a session costs a sign-in, and is noted where that can be."""

    def test_one_that_was_removed(self, on_session, sign_in, keystone):
        first = sign_in()
        os.rename(on_session.path, f"{on_session.path}.elsewhere")

        assert sign_in() != first
        assert len(keystone.asked("POST")) == 2
        assert not os.path.exists(on_session.path)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}', '{"format": 3}', "\0"])
    def test_one_whose_record_is_damaged_or_of_another_version(self, on_session, sign_in, keystone, text):
        with open(os.path.join(on_session.path, "session.json"), "w", encoding="utf-8") as stream:
            stream.write(text)

        assert sign_in() != sign_in()
        assert len(keystone.asked("POST")) == 2

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"current": 1, "replaced": []}'])
    def test_a_damaged_token_file_is_set_aside_for_the_revoke(self, on_session, sign_in, keystone, text):
        first = sign_in()
        (name,) = on_session.names()
        with open(os.path.join(on_session.path, "tokens", f"{name}.json"), "w", encoding="utf-8") as stream:
            stream.write(text)

        second = sign_in()

        assert second != first
        assert sign_in() == second
        assert [one for one in on_session.names() if one.startswith(f"{name}-")]
        assert on_session.problems() == {BROKEN}

    def test_a_missing_key_is_made_anew(self, on_session, sign_in, keystone):
        sign_in()
        key.remove(on_session.path)

        assert sign_in() == sign_in()
        assert len(keystone.asked("POST")) == 2

    def test_without_any_room_for_a_key(self, on_session, sign_in, keystone, monkeypatch):
        def no_key(self):
            raise SessionError("no key")

        monkeypatch.setattr(type(on_session), "key", no_key)

        assert sign_in() != sign_in()
        assert on_session.problems() == {BROKEN}

    def test_a_full_disk(self, on_session, sign_in, keystone, monkeypatch):
        def full(handle, name, text):
            raise SessionError(f"The session's file {name} cannot be written (No space left on device).")

        monkeypatch.setattr(directory, "write", full)

        assert sign_in() != sign_in()
        assert len(keystone.asked("POST")) == 2
        assert on_session.problems() == {UNRECORDED}

    def test_numbers_that_cannot_be_counted_keep_no_token_back(self, on_session, sign_in, keystone):
        for name in (AUTHENTICATIONS, IDENTITIES, ISSUED, REQUESTS):
            os.mkdir(os.path.join(on_session.path, name))

        assert sign_in() == sign_in() == current(on_session).id.reveal()
        assert len(keystone.asked("POST")) == 1
        assert on_session.problems() == set()

    def test_where_keystone_cannot_say_whether_one_lives_another_is_got_for_all(
        self, on_session, sign_in, keystone, monkeypatch
    ):
        monkeypatch.setattr(cache, "TOKEN_TIMEOUT", 0)
        keystone.stuck["GET"] = Answer(503)
        cache.refuse(sign_in())

        assert sign_in() == current(on_session).id.reveal()
        assert on_session.problems() == set()

    def test_nor_one_that_a_service_refused_and_keystone_accepts(self, on_session, sign_in, keystone):
        token = sign_in()
        os.remove(os.path.join(on_session.path, REQUESTS))
        os.mkdir(os.path.join(on_session.path, REQUESTS))
        cache.refuse(token)

        assert sign_in() == token
        assert on_session.problems() == set()

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"a": [1]}', '{"format": 99}'])
    def test_a_damaged_record_costs_a_sign_in_on_record_and_is_noted(self, on_session, sign_in, keystone, text):
        first = sign_in()
        with open(os.path.join(on_session.path, "session.json"), "w", encoding="utf-8") as stream:
            stream.write(text)

        second = sign_in()

        assert first != second
        assert {on_session.read_tokens(name).current.id.reveal() for name in on_session.names()} == {first, second}
        assert on_session.problems() == {BROKEN}

    @pytest.mark.parametrize("what", ["refusals", "locks"])
    def test_what_cannot_be_used_costs_a_sign_in_on_record_and_is_noted(self, on_session, sign_in, keystone, what):
        first = sign_in()
        let_age(on_session, 9 * HOURS)
        path = os.path.join(on_session.path, what)
        shutil.rmtree(path, ignore_errors=True)
        with open(path, "w", encoding="utf-8"):
            pass

        second = sign_in()

        listed = [token for name in on_session.names() for token in on_session.read_tokens(name).newest_first]
        assert {token.id.reveal() for token in listed} == {first, second}
        assert on_session.problems() == {BROKEN}

    @pytest.mark.parametrize("what", ["tokens", "locks", "refusals", "stale", "lock", "in-use", "key"])
    def test_something_else_in_the_place_of_one_of_its_files(self, on_session, sign_in, keystone, tmp_path, what):
        sign_in()
        path = os.path.join(on_session.path, what)
        if os.path.lexists(path):
            os.rename(path, tmp_path / "elsewhere")
        os.symlink("/nowhere/at/all", path)

        assert sign_in() in keystone.alive

    def test_a_turn_that_does_not_come_in_time(self, on_session, sign_in, keystone, monkeypatch):
        sign_in()
        let_age(on_session, 25 * HOURS)
        monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0)
        (name,) = on_session.names()
        lock = on_session.lock_for(name)

        assert sign_in() in keystone.alive
        assert len(on_session.read_tokens(name).replaced) == 0
        os.close(lock)

    @pytest.mark.parametrize("is_usable", [True, False])
    def test_nor_is_its_token_lost_whatever_success_it_comes_with(
        self, on_session, sign_in, keystone, monkeypatch, is_usable
    ):
        sign_in()
        let_age(on_session, 25 * HOURS)
        monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0)
        (name,) = on_session.names()
        lock = on_session.lock_for(name)
        token = keystone.issue()
        body = json.dumps({"token": keystone.alive[token] if is_usable else None})
        keystone.answers["POST"] = [Answer(200, {"X-Subject-Token": token}, body)]

        with contextlib.suppress(Exception):
            sign_in()

        on_record = {on_session.read_tokens(other).current.id.reveal() for other in on_session.names()}
        assert (token in on_record, token in keystone.revoked) == (is_usable, not is_usable)
        os.close(lock)


def test_a_token_that_was_asked_for_before_a_change_is_stale(on_session, sign_in):
    first = sign_in()
    staleness.mark(on_session, [current(on_session).subjects[1]])

    second = sign_in()

    assert first != second == sign_in()


def test_while_a_session_is_revoked_nobody_puts_a_token_on_its_list(on_session, sign_in, monkeypatch):
    """Of a file that is not in place yet, who revokes takes the writer to have been killed."""
    sign_in()
    (name,) = on_session.names()
    token = on_session.read_tokens(name).current
    request = cache.latest.request
    found = response.of_token(token, request.url)
    monkeypatch.setattr(cache, "LOCK_TIMEOUT", 0)

    def record():
        cache.record_for_revoke(on_session, found, request, token.began, token.obtained_at)

    with on_session.locked(), pytest.raises(SessionError, match="still locked by another process"):
        record()
    assert on_session.names() == [name]
    record()
    assert len(on_session.names()) == 2


def test_all_tokens_that_were_replaced_stay_on_the_list(on_session, sign_in, keystone):
    sign_in()
    (name,) = on_session.names()
    stored = on_session.read_tokens(name)
    on_session.write_tokens(name, StoredTokens(stored.current, (stored.current,)))
    let_age(on_session, 9 * HOURS)
    sign_in()

    assert len(on_session.read_tokens(name).newest_first) == 3
