# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import handle
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in.clouds import Way
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import issued as issued_tokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup.issued import Issued
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import IDENTITY

WAY = Way("sandbox", ["/clouds.yaml"], ["/secure.yaml"], {"region_name": "RegionTwo"}, {"project_id": "p1"})
AUTH = {"auth_url": "http://k/v3", "username": "demo", "password": "s3cret"}
CONFIG = {
    "auth": AUTH,
    "auth_type": "password",
    "verify": True,
    "cert": None,
}


def one(cloud: str = "sandbox", **changes: t.Any) -> Issued:
    token = Issued(cloud, IDENTITY, "0" * 64, "onetoken-session-abc", True, "RegionOne", dataclasses.asdict(WAY))
    return dataclasses.replace(token, **changes)


def test_it_comes_back_as_it_was(empty):
    assert issued_tokens.read(empty) == []
    for written in (one(), one(way=None, is_plain=False, region_name=None)):
        issued_tokens.write(empty, written)

        assert issued_tokens.read(empty) == [written]
        assert issued_tokens.of_cloud(empty, "sandbox") == written


def test_each_cloud_has_one_whatever_its_name_is(empty):
    names = ["sandbox", "../x", ".hidden", "a/b", "ü", "x" * 300, "a\nb", ""]
    for name in names:
        issued_tokens.write(empty, one(name))
    issued_tokens.write(empty, one("sandbox", region_name="RegionTwo"))

    assert sorted(token.cloud for token in issued_tokens.read(empty)) == sorted(names)
    assert issued_tokens.of_cloud(empty, "sandbox").region_name == "RegionTwo"
    assert issued_tokens.of_cloud(empty, "unknown") is None


def test_handles_are_not_listed(empty):
    handle.grant(empty, IDENTITY, WAY)

    assert issued_tokens.read(empty) == []


def test_looking_makes_nothing(empty):
    before = sorted(os.listdir(empty.path))

    assert (issued_tokens.read(empty), empty.names()) == ([], [])
    assert sorted(os.listdir(empty.path)) == before


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "{}", '{"cloud": "sandbox"}', '{"unknown": 1}'])
def test_one_that_is_damaged_does_not_hide_the_others(empty, content):
    issued_tokens.write(empty, one())
    (file,) = pathlib.Path(empty.path, "handles").iterdir()
    issued_tokens.write(empty, one("second"))
    file.write_text(content)

    assert [token.cloud for token in issued_tokens.read(empty)] == ["second"]


def test_the_way_to_sign_in_again_is_read_as_it_was_written():
    assert issued_tokens.way_of(one()) == WAY
    assert issued_tokens.way_of(one(way=None)) is None


class TestFingerprint:
    def test_the_same_credentials_have_the_same_one(self, empty):
        assert issued_tokens.fingerprint(empty, CONFIG) == issued_tokens.fingerprint(empty, dict(CONFIG))

    @pytest.mark.parametrize(
        "change",
        [
            {"auth": {**AUTH, "password": "another"}},
            {"auth": {**AUTH, "project_id": "p1"}},
            {"auth_type": "v3password"},
            {"verify": False},
            {"cert": "/c.pem"},
        ],
        ids=str,
    )
    def test_others_have_another(self, empty, change):
        assert issued_tokens.fingerprint(empty, {**CONFIG, **change}) != issued_tokens.fingerprint(empty, CONFIG)

    def test_other_options_make_no_difference(self, empty):
        config = {**CONFIG, "region_name": "RegionTwo", "compute_api_version": "2.1"}

        assert issued_tokens.fingerprint(empty, config) == issued_tokens.fingerprint(empty, CONFIG)

    def test_a_password_cannot_be_guessed_from_it_without_the_session_s_key(self, empty, tmp_path):
        other = Session(str(tmp_path / "other"))
        other.make()
        before = issued_tokens.fingerprint(empty, CONFIG)

        assert issued_tokens.fingerprint(other, CONFIG) != before
        other.discard()
