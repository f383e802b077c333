# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import json

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import tokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Tls
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import make_token

CATALOG = [{"type": "compute"}]
NEW = make_token("new", catalog=CATALOG)
OLD = make_token("old", catalog=CATALOG)


def written(stored: StoredTokens) -> dict:
    """The record of tokens, as it comes back from a file."""
    return json.loads(json.dumps(stored.record()))


def of(token) -> dict:
    return written(StoredTokens(token))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tls": Tls(False)},
        {"tls": Tls("/ca.pem", "/c.pem")},
        {"tls": Tls(True, ("/c.pem", "/k.pem"))},
        {"tls": Tls(min_version="1.3", ciphers="HIGH")},
        {"tls": Tls(proxy="http://p:1")},
        {"renewable": False},
        {"token_url": "http://127.0.0.1:5000/identity/v3/auth/tokens"},
        {"began": 12.5, "boot": "a start"},
        {"python": "/usr/bin/python3"},
    ],
    ids=str,
)
def test_a_token_is_read_as_it_was_written(changes):
    token = dataclasses.replace(NEW, **changes)

    assert StoredTokens.of_record(of(token)).current == token


def test_replaced_tokens_are_read_in_order_and_without_their_catalog():
    older = make_token("older", catalog=CATALOG)
    read = StoredTokens.of_record(written(StoredTokens(NEW, (OLD, older))))

    assert [token.id.reveal() for token in read.newest_first] == ["new", "old", "older"]
    assert read.current.body["catalog"] == CATALOG
    assert not any("catalog" in token.body for token in read.replaced)
    assert read.replaced[0].expires_at == OLD.expires_at


def test_a_record_of_an_earlier_version_is_read():
    record = of(NEW)
    for key in ("token_url", "began", "boot", "python"):
        del record["current"][key]
    for key in ("min_version", "ciphers"):
        del record["current"]["tls"][key]

    read = StoredTokens.of_record(record).current

    assert (read.token_url, read.began, read.boot, read.python) == (None, 0.0, "", "")
    assert read.id == NEW.id


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("token", 5),
        ("token", "two words"),
        ("body", []),
        ("auth_url", None),
        ("token_url", 5),
        ("obtained_at", "some day"),
        ("began", "soon"),
        ("boot", 5),
        ("python", []),
        ("renewable", "yes"),
        ("tls", {"verify": 1.5}),
        ("tls", {"verify": True, "cert": ["/c.pem"]}),
        ("tls", {"verify": True, "cert": ["/c.pem", 5]}),
        ("tls", {"verify": True, "min_version": 1.3}),
        ("tls", {"verify": True, "unknown": 1}),
    ],
)
def test_a_damaged_token_does_not_hide_the_others(key, value):
    record = written(StoredTokens(NEW, (OLD,)))
    record["current"][key] = value

    found, complete = tokens.readable(record)

    assert [token.id.reveal() for token in found] == ["old"]
    assert not complete
    with pytest.raises((AttributeError, KeyError, TypeError, ValueError)):
        StoredTokens.of_record(record)


@pytest.mark.parametrize("replaced", [None, {}, "old", [None], [[]]], ids=str)
def test_a_damaged_list_does_not_hide_the_token_in_use(replaced):
    found, complete = tokens.readable({**of(NEW), "replaced": replaced})

    assert [token.id.reveal() for token in found] == ["new"]
    assert not complete


def test_all_tokens_of_a_good_record_can_be_read():
    found, complete = tokens.readable(written(StoredTokens(NEW, (OLD,))))

    assert [token.id.reveal() for token in found] == ["new", "old"]
    assert complete
