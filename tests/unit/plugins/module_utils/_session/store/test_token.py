# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
import pickle
import traceback

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Token, TokenId, subject_of
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import boot, clock
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import KeystoneUnavailableError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    SECRET,
    make_token,
)

SHOWN_BY = {
    "repr": repr,
    "str": str,
    "format": format,
    "f-string": lambda thing: f"{thing} {thing!r} {thing!s}",
    "percent": lambda thing: "%s %r" % (thing, thing),  # noqa: UP031
    "in a list": lambda thing: str([thing]),
    "in a dict": lambda thing: str({"token": thing}),
    "as an exception": lambda thing: repr(ValueError(thing)) + str(KeyError(thing)),
    "json": lambda thing: json.dumps({"token": thing}, default=str),
}
TAKEN_APART_BY = {
    "pickle": pickle.dumps,
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "asdict": lambda thing: dataclasses.asdict(thing) if isinstance(thing, Token) else copy.deepcopy(thing),
    "vars": vars,
    "bytes": bytes,
}
HOLDERS = {
    "id": lambda: TokenId(SECRET),
    "token": make_token,
    "list of the session": lambda: StoredTokens(make_token(), (make_token(),)),
}


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("show", SHOWN_BY.values(), ids=SHOWN_BY)
def test_no_conversion_to_text_shows_the_id(holder, show):
    shown = show(holder())

    assert shown
    assert SECRET not in shown


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS)
@pytest.mark.parametrize("take_apart", TAKEN_APART_BY.values(), ids=TAKEN_APART_BY)
def test_no_serialization_reveals_the_id(holder, take_apart):
    try:
        parts = take_apart(holder())
    except TypeError:
        report = traceback.format_exc()
        assert SECRET not in report
    else:
        assert SECRET.encode() not in (parts if isinstance(parts, bytes) else repr(parts).encode())


def test_a_traceback_does_not_show_the_id():
    def fails(token):
        raise ValueError(f"cannot use {token}")

    with pytest.raises(ValueError) as caught:
        fails(make_token())

    assert SECRET not in str(caught.getrepr(showlocals=True))


def test_reveal_returns_the_id():
    assert TokenId(SECRET).reveal() == SECRET


def test_ids_are_equal_when_their_text_is():
    assert TokenId("a") == TokenId("a")
    assert hash(TokenId("a")) == hash(TokenId("a"))
    assert TokenId("a") != TokenId("b")
    assert TokenId("a") != "a"


def test_age_counts_from_when_it_was_obtained_not_from_keystone_s_clock():
    ahead = datetime.timedelta(hours=5)
    token = make_token(lifetime=3600, age=600)
    skewed = {
        name: (datetime.datetime.fromisoformat(token.body[name]) + ahead).isoformat()
        for name in token.body
        if name.endswith("_at")
    }
    token = dataclasses.replace(token, body={**token.body, **skewed})

    assert token.lifetime == 3600
    assert token.age == pytest.approx(600, abs=5)
    assert token.seconds_left == pytest.approx(3000, abs=5)


def test_within_one_start_of_the_machine_the_age_does_not_depend_on_its_clock(monkeypatch):
    token = dataclasses.replace(make_token(lifetime=3600), began=boot.now() - 600, boot=boot.identifier())
    tomorrow = clock.now() + datetime.timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)

    assert token.age == pytest.approx(600, abs=5)


def test_after_another_start_of_the_machine_its_clock_is_used():
    token = dataclasses.replace(make_token(lifetime=3600, age=600), began=boot.now(), boot="an earlier start")

    assert token.age == pytest.approx(600, abs=5)


@pytest.mark.parametrize(("age", "expired"), [(0, False), (3590, False), (3600, True), (9999, True)])
def test_expired_when_its_lifetime_is_over(age, expired):
    assert make_token(lifetime=3600, age=age).expired is expired


@pytest.mark.parametrize(
    "times",
    [
        {},
        {"issued_at": None, "expires_at": None},
        {"issued_at": 5, "expires_at": []},
        {"issued_at": "2026-01-01T00:00:00Z"},
        {"issued_at": "2026-01-01T00:00:00Z", "expires_at": "tomorrow"},
        {"issued_at": "2026-01-02T00:00:00Z", "expires_at": "2026-01-01T00:00:00Z"},
        {"issued_at": "0001-01-01T00:00:00+14:00", "expires_at": "2026-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_a_token_without_a_known_expiry_never_counts_as_expired(times):
    token = dataclasses.replace(make_token(age=99 * 24 * 3600), body=times)

    assert token.end is None
    assert token.expired is False


@pytest.mark.parametrize("attribute", ["expires_at", "issued_at", "lifetime", "audit_id"])
@pytest.mark.parametrize("body", [{}, {"expires_at": 5, "issued_at": {}, "audit_ids": []}])
def test_a_missing_value_is_reported(attribute, body):
    token = dataclasses.replace(make_token(), body=body)

    with pytest.raises(KeystoneUnavailableError, match="issued a token whose .* cannot be used"):
        getattr(token, attribute)


@pytest.mark.parametrize(
    ("credential", "has_rules"),
    [
        ({"access_rules": [{"id": "r1"}]}, True),
        ({"access_rules": []}, False),
        ({"restricted": True}, False),
        (None, False),
        ("access_rules", False),
        (["access_rules"], False),
    ],
)
def test_access_rules_are_those_of_the_application_credential(credential, has_rules):
    assert make_token(application_credential=credential).has_access_rules is has_rules


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        ({"project": {"id": "p"}}, "project"),
        ({"domain": {"id": "d"}}, "domain"),
        ({"system": {"all": True}}, "system"),
        ({"user": {"id": "u"}}, "unscoped"),
    ],
)
def test_scope(body, scope):
    assert make_token(**body).scope == scope


def test_regions_and_roles_are_sorted_and_named_once():
    endpoints = [{"region_id": "B"}, {"region_id": "A"}, {"region_id": None}, {}, {"region_id": "B"}]
    token = make_token(catalog=[{"endpoints": endpoints}, {}], roles=[{"name": "reader"}, {"name": "admin"}])

    assert token.regions == ["A", "B"]
    assert token.roles == ["admin", "reader"]


def test_a_token_without_catalog_and_roles_has_none():
    token = make_token(user={"id": "u"})

    assert (token.regions, token.roles) == ([], [])


@pytest.mark.parametrize("text", ["", "gAAA\n", " gAAA", "gA AA", "gAÄ", "gA\x00"])
def test_an_invalid_id_is_refused_without_quoting_it(text):
    with pytest.raises(ValueError, match="^not a token's id$"):
        TokenId(text)


def test_its_label_has_its_user_and_its_scope():
    user = {"name": "demo"}

    assert make_token(user=user, project={"id": "p1", "name": "web"}).label == "user 'demo' for project 'web'"
    assert make_token(user=user, domain={"id": "d1", "name": "corp"}).label == "user 'demo' for domain 'corp'"
    assert make_token(user=user).label == "user 'demo'"


def test_its_subjects_are_the_ids_that_it_depends_on():
    token = make_token(
        user={"id": "u1", "domain": {"id": "d1"}},
        project={"id": "p1", "domain": {"id": "d2"}},
        application_credential={"id": "a1"},
        **{"OS-TRUST:trust": {"id": "t1", "trustor_user": {"id": "u2"}}},
    )

    assert set(token.subjects) == {subject_of(SECRET), "u1", "d1", "p1", "d2", "a1", "t1", "u2"}
    assert SECRET not in str(token.subjects)


@pytest.mark.parametrize("body", [{"user": None}, {"user": {"id": 5}}, {"project": {"domain": "d"}}], ids=str)
def test_an_invalid_id_is_no_subject(body):
    assert make_token(**body).subjects == (subject_of(SECRET),)


@pytest.mark.parametrize("catalog", [None, 5, {"identity": {}}, [5, {}, {"type": "identity", "endpoints": 5}]], ids=str)
def test_an_invalid_catalog_has_no_address_of_keystone(catalog):
    token = make_token(catalog=catalog)

    assert token.keystone_urls == (token.auth_url,)
