# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import errno
import json
import os
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import directory, owners
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    REQUESTS,
    LivingToken,
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionDamagedError,
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.old_session import TOKENS, make_old
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    ended_run,
    run_elsewhere,
    wait_until,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    keystones_answer,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    sign_in,
)

EXPIRED = 25 * 3600


@pytest.fixture
def second(issued, keystone):
    """The token of another identity in the same session, which comes after the first one."""
    return sign_in(issued, keystone, "fedcba9876543210")


def left_behind(session: Session) -> str:
    """What is left when the process that signed in was killed before it put the file in place; its path."""
    path = os.path.join(session.path, "tokens", f".{IDENTITY}.json.0123abcd")
    os.rename(os.path.join(session.path, "tokens", f"{IDENTITY}.json"), path)
    return path


class TestInTheMiddleOfASignIn:
    """A process that asks Keystone for a token has the session's lock with others who do, until it is on the list."""

    @pytest.fixture
    def revoking(self, issued):
        """The revoke, which waits for a sign-in, and the handle that lets it go on."""
        signing_in = issued.signing_in(10)
        results = []
        thread = threading.Thread(target=lambda: results.append(revocation.revoke(issued, 30)), daemon=True)
        thread.start()
        wait_until(lambda: issued.closed)
        yield thread, results, signing_in
        thread.join(30)

    def test_a_token_that_arrives_then_is_revoked(self, issued, keystone, revoking):
        thread, results, signing_in = revoking
        assert keystone.revoked == []

        sign_in(issued, keystone)
        os.close(signing_in)
        thread.join(30)

        assert results[0].revoked == 2
        assert keystone.alive == {}
        assert not issued.has_tokens

    def test_whoever_would_sign_in_next_sees_that_it_is_over(self, issued, revoking):
        """Who waits for a busy Keystone looks at this, and gives up."""
        _thread, _results, signing_in = revoking

        assert issued.closed
        os.close(signing_in)

    def test_one_that_does_not_end_is_a_sentence(self, issued, keystone):
        signing_in = issued.signing_in(10)
        with pytest.raises(SessionError, match="still locked by another process"):
            revocation.revoke(issued, 0.1)
        os.close(signing_in)

        assert revocation.revoke(issued, 10).revoked == 1


class TestOfAVersionBefore:
    def test_it_is_revoked_and_gone(self, issued, keystone):
        make_old(issued)
        assert os.listdir(os.path.join(issued.path, "tokens")) == [TOKENS]

        revocation.clear_old(issued, 10)

        assert keystone.alive == {}
        assert not os.path.lexists(issued.path)

    def test_one_without_tokens_is_gone_without_a_request(self, empty, keystone):
        make_old(empty)

        revocation.clear_old(empty, 10)

        assert keystone.requests == []
        assert not os.path.lexists(empty.path)

    def test_without_keystone_s_word_it_stays(self, issued, keystone):
        make_old(issued)
        keystone.stuck["DELETE"] = Answer(503)

        with pytest.raises(SessionError, match="may still have a live token"):
            revocation.clear_old(issued, 0.1)
        assert issued.has_tokens
        assert issued.exists

    def test_one_that_another_run_has_cleared_and_made_again_meanwhile_is_left_alone(self, issued, keystone):
        revocation.clear_old(issued, 10)

        assert len(keystone.alive) == 1
        assert not issued.closed

    def test_one_that_another_run_has_cleared_meanwhile_is_no_error(self, session):
        revocation.clear_old(session, 10)

    def test_by_hand_it_is_revoked_as_well(self, issued, keystone):
        make_old(issued)

        assert revocation.revoke(issued, 10).revoked == 1
        assert keystone.alive == {}


class TestRevoking:
    def test_every_token_that_it_ever_held_dies_newest_first(self, issued, second, keystone):
        sign_in(issued, keystone)
        expected = [one.id.reveal() for name in issued.names() for one in issued.read_tokens(name).newest_first]
        assert len(expected) == 3

        result = revocation.revoke(issued, 10)

        assert keystone.revoked == expected
        assert keystone.alive == {}
        assert (result.revoked, result.already_dead, result.tokens_issued) == (3, 0, 3)

    def test_its_requests_are_counted_with_those_before(self, issued, second):
        issued.count(REQUESTS, 7)

        assert revocation.revoke(issued, 10).keystone_requests == 9
        assert issued.counted(REQUESTS) == 9
        assert revocation.revoke(issued, 10).keystone_requests == 9

    def test_it_closes_the_session_and_leaves_a_tombstone_without_tokens(self, issued):
        revocation.revoke(issued, 10)

        assert issued.closed
        assert issued.names() == []
        assert issued.read_record()

    def test_the_trouble_with_one_identity_does_not_save_the_others(self, issued, second, keystone):
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]

        with pytest.raises(SessionError, match="user 'demo' for project 'demo': Keystone .* HTTP 503"):
            revocation.revoke(issued, 10)
        assert issued.names() == [IDENTITY]
        assert keystone.revoked == [second.id.reveal()]

    def test_a_damaged_file_of_one_identity_does_not_save_the_others(self, issued, second, keystone):
        with open(os.path.join(issued.path, "tokens", f"{IDENTITY}.json"), "w", encoding="utf-8") as stream:
            stream.write("{")

        with pytest.raises(SessionDamagedError, match=f"The file {IDENTITY}.json of the session .* is damaged"):
            revocation.revoke(issued, 10)
        assert keystone.revoked == [second.id.reveal()]

    def test_of_a_file_that_is_damaged_in_part_the_good_tokens_are_revoked(self, issued, keystone):
        sign_in(issued, keystone)
        path = os.path.join(issued.path, "tokens", f"{IDENTITY}.json")
        with open(path, encoding="utf-8") as stream:
            data = json.load(stream)
        data["current"]["token"] = None
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(data, stream)

        with pytest.raises(SessionDamagedError, match="so a token in it may live until it expires"):
            revocation.revoke(issued, 10)
        assert keystone.revoked == [data["replaced"][0]["token"]]
        assert issued.names() == [IDENTITY]

    def test_a_token_that_a_killed_writer_did_not_put_in_place_is_revoked(self, issued, keystone):
        sign_in(issued, keystone)
        left_behind(issued)
        assert issued.names() == []
        assert issued.has_tokens

        assert revocation.revoke(issued, 10).revoked == 2
        assert keystone.alive == {}
        assert not issued.has_tokens

    def test_what_it_did_not_write_to_the_end_is_told_and_removed(self, issued, second, keystone):
        with open(left_behind(issued), "r+", encoding="utf-8") as stream:
            stream.truncate(40)

        with pytest.raises(SessionDamagedError, match="was not written to its end, so a token in it may live"):
            revocation.revoke(issued, 10)
        assert keystone.revoked == [second.id.reveal()]
        assert not issued.has_tokens

    def test_what_cannot_be_revoked_yet_of_it_stays_on_the_list(self, issued, keystone):
        left_behind(issued)
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]
        with pytest.raises(SessionError, match="HTTP 503"):
            revocation.revoke(issued, 10)

        assert revocation.revoke(issued, 10).revoked == 1
        assert not issued.has_tokens

    def test_to_foresee_it_counts_without_asking(self, issued, second, keystone):
        sign_in(issued, keystone)
        issued.count(REQUESTS, 3)

        result = revocation.preview(issued)

        assert (result.revoked, result.already_dead, result.tokens_issued, result.keystone_requests) == (3, 0, 3, 3)
        assert keystone.requests == []
        assert not issued.closed

    def test_to_foresee_it_where_there_is_none_is_no_error(self, session):
        assert revocation.preview(session) == revocation.Revocation()

    def test_it_is_safe_to_repeat(self, issued, keystone):
        revocation.revoke(issued, 10)
        keystone.requests.clear()

        result = revocation.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 0)
        assert keystone.requests == []

    def test_a_token_that_was_dead_already_is_confirmed_and_goes(self, issued, keystone):
        keystone.alive.clear()

        result = revocation.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 1)
        assert issued.names() == []

    def test_of_an_expired_token_keystone_is_asked_all_the_same(self, issued, keystone):
        """The clock of this machine may have been set forward, and the token be alive."""
        let_it_age(issued, IDENTITY, EXPIRED)

        result = revocation.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (1, 0)
        assert len(keystone.asked("DELETE")) == 1

    def test_an_expired_token_goes_though_keystone_is_out_of_service(self, issued, keystone):
        let_it_age(issued, IDENTITY, EXPIRED)
        keystone.stuck["DELETE"] = Answer(503)

        result = revocation.revoke(issued, 10)

        assert (result.revoked, result.already_dead) == (0, 1)
        assert issued.names() == []
        assert len(keystone.asked("DELETE")) == 1

    def test_tokens_of_a_session_that_lost_its_record_are_revoked(self, issued, keystone):
        os.unlink(os.path.join(issued.path, "session.json"))

        assert revocation.revoke(issued, 10).revoked == 1
        assert issued.names() == []

    def test_what_was_never_issued_is_not_called_revoked(self, tmp_path):
        with pytest.raises(SessionError, match="nothing was revoked"):
            revocation.revoke(Session(str(tmp_path / "nowhere")), 10)

    @pytest.mark.parametrize("status", [500, 503])
    def test_without_keystone_s_word_the_token_stays_on_the_list_and_the_session_is_closed(
        self, issued, keystone, status
    ):
        token = issued.read_tokens(IDENTITY).current
        keystone.stuck["DELETE"] = Answer(status)

        with pytest.raises(SessionError, match="may still have a live token.*'demo'.*run os_token_revoke again"):
            revocation.revoke(issued, 0.1)

        assert issued.read_tokens(IDENTITY).current.id == token.id
        assert issued.closed

        keystone.stuck.clear()
        assert revocation.revoke(issued, 10).revoked == 1
        assert keystone.alive == {}
        assert issued.names() == []

    @pytest.mark.parametrize("status", [401, 404])
    def test_where_something_else_answers_the_token_stays_on_the_list_and_counts_as_alive(
        self, issued, keystone, status
    ):
        token = issued.read_tokens(IDENTITY).current
        page = Answer(status, body="<html>Not Found</html>")
        keystone.stuck = {"DELETE": page, "GET": page}

        result = revocation.revoke(issued, 60)

        assert (result.revoked, result.already_dead) == (0, 0)
        end = clock.show(token.expires_at)
        assert result.living == [
            LivingToken(
                end,
                f"The token of user 'demo' for project 'demo' may live until {end}, because what answers at "
                f"{keystone.auth_url} is not Keystone (HTTP {status}): run os_token_revoke with "
                f"session={issued.path} once Keystone answers there.",
            )
        ]
        assert issued.read_tokens(IDENTITY).current.id == token.id

        keystone.stuck.clear()
        assert revocation.revoke(issued, 10).revoked == 1

    def test_where_keystone_has_moved_to_is_said_and_not_asked(self, issued, keystone):
        keystone.stuck["DELETE"] = Answer(307, {"Location": "https://elsewhere/v3/auth/tokens"})

        (living,) = revocation.revoke(issued, 60).living

        assert "redirects to https://elsewhere, where its tokens are not sent: set auth_url to" in living.reason
        assert issued.names() == [IDENTITY]

    RESTRICTED = {
        "trust": (
            {"OS-TRUST:trust": {"id": "t1", "impersonation": True}},
            403,
            "as it does with tokens of a trust that impersonates: delete the trust to end it now.",
        ),
        "access rules": (
            {"application_credential": {"access_rules": [{"id": "r1", "method": "GET"}]}},
            401,
            "as it does with tokens of an application credential that has access rules: delete the application "
            "credential to end it now.",
        ),
    }

    @pytest.fixture(params=list(RESTRICTED.values()), ids=list(RESTRICTED))
    def restricted(self, request, issued, keystone):
        """A session whose token Keystone refuses to revoke: the HTTP status, and what is said of it."""
        body, status, sentence = request.param
        stored = issued.read_tokens(IDENTITY)
        keystone.alive[stored.current.id.reveal()].update(body)
        token = dataclasses.replace(stored.current, body={**stored.current.body, **body})
        issued.write_tokens(IDENTITY, StoredTokens(token))
        return status, sentence

    def test_what_keystone_refuses_to_revoke_is_said_with_its_end_and_forgotten(self, issued, keystone, restricted):
        status, sentence = restricted
        end = clock.show(issued.read_tokens(IDENTITY).current.expires_at)

        result = revocation.revoke(issued, 60)

        assert (result.revoked, result.already_dead) == (0, 0)
        (living,) = result.living
        assert living.reason == (
            f"The token of user 'demo' for project 'demo' lives until {end}, because Keystone at "
            f"{keystone.auth_url} refuses to revoke it (HTTP {status}), {sentence}"
        )
        assert len(keystone.alive) == 1
        assert issued.names() == []
        assert issued.closed

    def test_it_is_not_asked_for_again_and_still_counts(self, issued, keystone, restricted):
        first = revocation.revoke(issued, 60)
        keystone.requests.clear()

        assert revocation.revoke(issued, 60).living == revocation.preview(issued).living == first.living
        assert keystone.requests == []

    def test_until_it_has_ended(self, issued, keystone, restricted):
        revocation.revoke(issued, 60)
        record = issued.read_record()
        record.living = [dataclasses.replace(token, until="2026-01-01T00:00:00Z") for token in record.living]
        issued.write_record(record)

        assert revocation.revoke(issued, 60).living == []

    def test_it_does_not_save_those_before_it(self, issued, keystone, restricted):
        stored = issued.read_tokens(IDENTITY)
        older_text = keystone.issue()
        before = dataclasses.replace(stored.current, id=TokenId(older_text), body=keystone.alive[older_text])
        issued.write_tokens(IDENTITY, StoredTokens(stored.current, (before,)))

        result = revocation.revoke(issued, 60)

        assert (result.revoked, len(result.living)) == (1, 1)
        assert list(keystone.alive) == [stored.current.id.reveal()]

    def test_a_keystone_whose_members_disagree_is_asked_again(self, issued, keystone):
        """One that lacks the newest key does not know the token which another one knows."""
        keystone.answers["DELETE"] = [keystones_answer(401)]

        with pytest.raises(SessionError, match="may still have a live token"):
            revocation.revoke(issued, 10)

        result = revocation.revoke(issued, 10)
        assert (result.revoked, result.living) == (1, [])

    def test_one_that_lives_by_keystone_s_word_has_not_expired(self, issued, keystone):
        """The clock of this machine was behind when the token was issued, and was set right since."""
        stored = issued.read_tokens(IDENTITY).current
        body = {"OS-TRUST:trust": {"id": "t1", "impersonation": True}}
        keystone.alive[stored.id.reveal()].update(body)
        issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(stored, body={**stored.body, **body})))
        let_it_age(issued, IDENTITY, 25 * 3600)

        result = revocation.revoke(issued, 10)

        assert (result.already_dead, len(result.living)) == (0, 1)

    def test_tokens_that_are_revoked_leave_the_list_when_others_are_not(self, issued, keystone):
        """Else they would count as dead before, the next time."""
        sign_in(issued, keystone)
        keystone.answers["DELETE"] = [Answer(503, {"Retry-After": "3600"})]

        with pytest.raises(SessionError, match="may still have a live token"):
            revocation.revoke(issued, 10)
        assert len(issued.read_tokens(IDENTITY).newest_first) == 1

        result = revocation.revoke(issued, 10)
        assert (result.revoked, result.already_dead) == (1, 0)

    def test_without_a_record_that_can_be_read_its_tokens_are_revoked(self, issued, keystone):
        with open(os.path.join(issued.path, "session.json"), "w", encoding="utf-8") as stream:
            stream.write("{")

        assert revocation.revoke(issued, 10).revoked == 1
        assert keystone.alive == {}

    def test_a_token_of_whose_expiry_nobody_knows_is_revoked(self, issued, keystone):
        stored = issued.read_tokens(IDENTITY).current
        body = {**stored.body, "expires_at": "some day"}
        issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(stored, body=body)))

        assert revocation.revoke(issued, 10).revoked == 1

    def test_if_it_cannot_be_its_end_is_not_known(self, issued, keystone):
        stored = issued.read_tokens(IDENTITY).current
        issued.write_tokens(IDENTITY, StoredTokens(dataclasses.replace(stored, body={})))
        keystone.stuck["DELETE"] = Answer(404)

        result = revocation.revoke(issued, 10)

        assert result.living[0].until is None
        assert "lives until it expires, because" in result.living[0].reason

    def test_without_a_keystone_the_token_stays_on_the_list(self, issued, keystone):
        keystone.stop()

        with pytest.raises(SessionError, match="may still have a live token.*cannot be reached"):
            revocation.revoke(issued, 0.1)
        assert issued.names() == [IDENTITY]

    def test_a_disk_that_is_full_lets_no_token_live_and_is_told(self, issued, keystone, monkeypatch):
        def fails(*args):
            raise SessionError("the disk is full")

        monkeypatch.setattr(type(issued), "close", fails)
        monkeypatch.setattr(type(issued), "write_record", fails)

        with pytest.raises(SessionError, match="disk is full"):
            revocation.revoke(issued, 10)
        assert keystone.alive == {}
        assert issued.names() == []

    def test_a_list_that_cannot_be_changed_does_not_save_the_others_and_is_told(
        self, issued, second, keystone, monkeypatch
    ):
        """Somebody took the right to write from the directory."""

        def fails(*args):
            raise PermissionError(errno.EACCES, "Permission denied")

        monkeypatch.setattr(directory, "remove", fails)
        monkeypatch.setattr(
            directory,
            "open_file",
            lambda handle, name, flags=0, plain=directory.open_file: (
                fails() if name == REQUESTS else plain(handle, name, flags)
            ),
        )

        with pytest.raises(SessionDamagedError, match=rf"{IDENTITY}\.json of the session .* cannot be changed"):
            revocation.revoke(issued, 10)
        assert keystone.alive == {}

    def test_to_foresee_it_an_expired_token_counts_as_dead(self, issued):
        let_it_age(issued, IDENTITY, EXPIRED)

        result = revocation.preview(issued)

        assert (result.revoked, result.already_dead) == (0, 1)

    def test_a_session_that_is_gone_is_a_sentence(self, session):
        with pytest.raises(SessionError, match="There is no session"):
            revocation.revoke(session, 10)


@pytest.mark.processes
class TestLeaving:
    """Of a session of several runs."""

    def test_the_last_to_leave_revokes(self, issued, run, keystone):
        first, second = (owners.add(issued, Owner.of_process(pid)) for pid in (run.pid, os.getpid()))

        assert revocation.leave(issued, first, 10) is None
        assert list(owners.known(issued)) == [second]
        assert not issued.closed
        assert len(keystone.alive) == 1

        assert revocation.leave(issued, second, 10).revoked == 1
        assert owners.known(issued) == {}
        assert issued.closed
        assert keystone.alive == {}

    def test_a_run_that_has_ended_keeps_nobody_from_revoking(self, issued, run, keystone):
        owners.add(issued, ended_run())

        assert revocation.leave(issued, owners.add(issued, Owner.of_process(os.getpid())), 10).revoked == 1

    def test_a_run_of_another_machine_is_left_the_session(self, issued, keystone):
        """Nobody here can tell whether it has ended."""
        elsewhere = owners.add(issued, run_elsewhere())

        assert revocation.leave(issued, owners.add(issued, Owner.of_process(os.getpid())), 10) is None
        assert list(owners.known(issued)) == [elsewhere]
        assert not issued.closed
        assert len(keystone.alive) == 1

    def test_without_keystone_s_word_it_has_not_left(self, issued, keystone):
        """Its name stays, so that the next run finds an orphan."""
        name = owners.add(issued, Owner.of_process(os.getpid()))
        keystone.stuck["DELETE"] = Answer(503)

        (problem,) = revocation.leave(issued, name, 0.1).problems
        assert "HTTP 503 until the timeout" in problem
        assert list(owners.known(issued)) == [name]
        assert issued.names() == [IDENTITY]

        keystone.stuck.clear()
        assert revocation.leave(issued, name, 10).revoked == 1
