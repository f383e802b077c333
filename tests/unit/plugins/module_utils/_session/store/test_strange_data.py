# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever Keystone said and whatever is on the disk, the watcher revokes what it can, and reports."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import tempfile

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import watcher
from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke.report import NOTHING_DONE
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session, SessionRecord
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import ended_run
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    Answer,
    StandInKeystone,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import sign_in
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KEYS = [
    "expires_at",
    "issued_at",
    "audit_ids",
    "catalog",
    "OS-TRUST:trust",
    "application_credential",
    "access_rules",
    "impersonation",
    "error",
    "token",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.sampled_from(["access_rules", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00", "2026-13-01"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.one_of(st.sampled_from([*KEYS, "access_rules", "impersonation"]), st.text()), inner, max_size=4
        ),
    ),
    max_leaves=8,
)
BODIES = st.dictionaries(st.sampled_from(KEYS), VALUES)
DEEP = "[" * 50_000
CODE = site.files()
TEXTS = st.one_of(VALUES.map(json.dumps), st.text(), st.sampled_from(["", "{", DEEP, '{"a":' * 50_000, "NaN", "1e999"]))
STATUSES = st.sampled_from([200, 201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 405, 410, 418, 451])
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def impatient(monkeypatch, no_cloud):
    """One attempt is all, and a Keystone that does not answer is asked once."""
    monkeypatch.setattr(watcher, "LONGEST_LIFETIME", 0)
    monkeypatch.setattr(watcher, "ATTEMPT_TIMEOUT", 0.05)


class Left:
    """A session with a token of each of two identities, whose run has ended."""

    def __init__(self, keystone: StandInKeystone) -> None:
        keystone.alive.clear()
        keystone.stuck.clear()
        self.base = tempfile.mkdtemp()
        self.session = Session(os.path.join(self.base, "run-1"))
        self.session.make()
        self.session.write_record(SessionRecord(RenewalPolicy()))
        for name in ("first", "second"):
            sign_in(self.session, keystone, name)
        self.name = owners.add(self.session, ended_run())
        self.path = pathlib.Path(self.session.path)

    def __enter__(self) -> Left:
        return self

    def __exit__(self, *exc_info: object) -> None:
        shutil.rmtree(self.base)

    def change(self, key: str, value: object) -> None:
        """Make the first identity's token another one than was written."""
        file = self.path / "tokens" / "first.json"
        data = json.loads(file.read_text())
        data["current"][key] = value
        file.write_text(json.dumps(data))

    def end(self) -> dict:
        report = watcher.end(self.session, self.name, True, CODE)
        assert set(report) == set(NOTHING_DONE)
        assert "is gone" not in (report["problem"] or "")
        assert "unexpected" not in (report["problem"] or ""), report
        json.dumps(report)
        return report


@FUZZ
@given(body=BODIES)
def test_nothing_in_keystone_s_answer_prevents_the_revoke(keystone, body):
    with Left(keystone) as left:
        left.change("body", body)

        report = left.end()

        assert (report["revoked"], report["problem"]) == (2, None)
        assert keystone.alive == {}


@FUZZ
@given(body=BODIES, delete=STATUSES, get=STATUSES, text=TEXTS)
def test_each_token_counts_once_whatever_keystone_answers(keystone, body, delete, get, text):
    with Left(keystone) as left:
        left.change("body", body)
        keystone.stuck = {"DELETE": Answer(delete, body=text), "GET": Answer(get, body=text)}

        report = left.end()

        counted = report["revoked"] + report["already_dead"] + report["alive"]
        assert counted == 2, report
        assert report["revoked"] == (2 if delete == 204 else 0)


@FUZZ
@given(
    key=st.sampled_from(
        ["token", "auth_url", "token_url", "obtained_at", "began", "boot", "python", "tls", "renewable", "body"]
    ),
    value=VALUES,
)
def test_a_damaged_token_does_not_protect_the_others(keystone, key, value):
    with Left(keystone) as left:
        left.change(key, value)

        report = left.end()

        assert report["revoked"] >= 1
        assert len(keystone.alive) <= 1
        assert report["revoked"] == 2 or report["problem"] or report["already_dead"] == 1, report


@FUZZ
@given(
    file=st.sampled_from(["session.json", "tokens/first.json", "clouds.yaml", "closed.json", "usable", "owner"]),
    content=st.one_of(st.binary(), TEXTS.map(lambda text: text.encode("utf-8", "surrogatepass"))),
)
def test_a_damaged_file_does_not_protect_other_tokens(keystone, file, content):
    with Left(keystone) as left:
        (left.path / (f"owners/{left.name}" if file == "owner" else file)).write_bytes(content)

        report = left.end()

        assert report["revoked"] >= (1 if file == "tokens/first.json" else 2)
        assert report["problem"] is None or "first" in report["problem"]
        owners.orphaned(left.session)


@pytest.mark.parametrize("length", range(0, 400, 7))
def test_a_truncated_file_does_not_protect_other_tokens(keystone, length):
    with Left(keystone) as left:
        file = left.path / "tokens" / "first.json"
        file.write_bytes(file.read_bytes()[:length])

        report = left.end()

        assert report["revoked"] == 1
        assert "The file first.json of the session" in report["problem"]
        assert file.stat().st_size == length


@pytest.mark.parametrize("kind", ["directory", "pipe", "link", "missing"])
@pytest.mark.parametrize("file", ["session.json", "tokens/first.json", "clouds.yaml", "closed.json", "owner"])
def test_anything_else_in_place_of_a_file_does_not_protect_other_tokens(keystone, kind, file):
    with Left(keystone) as left:
        place = left.path / (f"owners/{left.name}" if file == "owner" else file)
        place.unlink(missing_ok=True)
        if kind == "directory":
            place.mkdir()
        elif kind == "pipe":
            os.mkfifo(place)
        elif kind == "link":
            place.symlink_to("/dev/null")

        left.end()

        assert len(keystone.alive) == (1 if file == "tokens/first.json" else 0)


@pytest.mark.parametrize(
    ("name", "is_record"),
    [(b"\xff.json", False), (b"a\nb.json", False), (b"a b.txt", False)]
    + [(b"%FF.json", True), (b"%2e%2e%2fsession.json", True), (b"%.json", True)],
)
def test_a_file_that_this_collection_did_not_write_is_left_alone(keystone, name, is_record):
    """What could be a record of tokens is reported as well: versions before had other names for them."""
    with Left(keystone) as left:
        place = os.path.join(os.fsencode(left.path), b"tokens", name)
        pathlib.Path(os.fsdecode(place)).write_text("{}")

        report = left.end()

        assert report["revoked"] == 2
        assert (report["problem"] is not None) is is_record
        assert os.path.exists(place)
