# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.session.config_files import ConfigFiles
from ansible_collections.onetoken.openstack.plugins.module_utils.session.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils.session.store import (
    Session,
    SessionRecord,
    StoredTokens,
)
from ansible_collections.onetoken.openstack.plugins.module_utils.session.sweep import KEPT, clear
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils.session.tokens import (
    make_token,
)

DEAD = 25 * 3600


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "onetoken"
    path.mkdir(mode=0o700)
    return path


def left_behind(base: pathlib.Path, name: str, token_age: float | None = DEAD, untouched: float = KEPT + 60) -> Session:
    session = Session(str(base / name))
    session.make()
    session.write_record(SessionRecord(ConfigFiles(), {}, RenewalPolicy()))
    if token_age is not None:
        session.write_tokens("sandbox", StoredTokens(make_token(age=token_age)))
    touched = os.stat(base).st_mtime - untouched
    os.utime(session.path, (touched, touched))
    return session


@pytest.mark.parametrize("token_age", [DEAD, None], ids=["expired", "none"])
def test_a_run_s_session_without_a_live_token_is_removed_after_a_day(base, token_age):
    left_behind(base, "run-1", token_age)
    clear(str(base))

    assert os.listdir(base) == []


def test_a_live_token_stays_to_be_revoked(base):
    left_behind(base, "run-1", token_age=3600)
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_a_live_token_that_was_replaced_stays_too(base):
    session = left_behind(base, "run-1")
    session.write_tokens("sandbox", StoredTokens(make_token(age=DEAD), (make_token(age=3600),)))
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_a_session_that_was_touched_stays_so_that_a_late_task_finds_it(base):
    left_behind(base, "run-1", untouched=KEPT - 60)
    clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_a_session_that_a_user_named_stays(base):
    left_behind(base, "nightly")
    clear(str(base))

    assert os.listdir(base) == ["nightly"]


def test_a_session_that_somebody_works_on_stays(base):
    session = left_behind(base, "run-1")
    with session.locked():
        os.utime(session.path, (0, 0))
        clear(str(base))

    assert os.listdir(base) == ["run-1"]


def test_what_is_no_session_stays(base):
    (base / "run-photos").mkdir(mode=0o700)
    (base / "run-photos" / "cat.json").touch()
    (base / "run-file").touch()
    clear(str(base))

    assert sorted(os.listdir(base)) == ["run-file", "run-photos"]
    assert os.listdir(base / "run-photos") == ["cat.json"]


def test_one_that_cannot_be_read_does_not_keep_the_others(base):
    damaged = left_behind(base, "run-1")
    (pathlib.Path(damaged.path) / "tokens" / "sandbox.json").write_text("{")
    os.utime(damaged.path, (0, 0))
    left_behind(base, "run-2")
    clear(str(base))

    assert os.listdir(base) == ["run-1"]
