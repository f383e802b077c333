# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The token modules as Ansible runs them: a process each, options on its input, an answer on its output."""

from __future__ import annotations

import datetime
import json
import os
import pathlib
import subprocess
import sys

import pytest
from ansible.module_utils.common.parameters import PASS_VARS
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import VARIABLE, Session
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Token, TokenId
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.tokens import StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import clock
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup.preparation import prepare
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session import stand_in_keystone
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import kill
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.stand_in_keystone import (
    PASSWORD,
    PROJECT_ID,
    Answer,
)

pytestmark = pytest.mark.processes

YEAR = str(datetime.datetime.now(datetime.timezone.utc).year)


class Ran:
    def __init__(self, process: subprocess.CompletedProcess[str]) -> None:
        self.output = process.stdout + process.stderr
        self.code = process.returncode
        assert process.stdout.strip(), process.stderr
        self.result = json.loads(process.stdout.strip().splitlines()[-1])

    def __getitem__(self, key):
        return self.result[key]


@pytest.fixture
def run_module(no_cloud, module_processes, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    def run(name, check=False, environ=None, **options):
        control = {"_ansible_check_mode": check}
        if "inject_invocation" in PASS_VARS:
            # From ansible-core 2.20 on, the options are returned only where that is asked for.
            control["_ansible_inject_invocation"] = True
        return Ran(module_processes.run(name, {**options, **control}, {**os.environ, **(environ or {})}))

    return run


@pytest.fixture
def start():
    """Start Python code that prints when it is ready; it runs until it is killed, or until the end of the test."""
    started = []

    def new(code: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", f"{code}; print('ready', flush=True); sys.stdin.read()", *arguments],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout and process.stdout.readline() == "ready\n"
        return process

    yield new
    for process in started:
        process.kill()
        process.communicate()


def tree(*folders) -> set[str]:
    """Every file, but for what keystoneauth's plugin loader caches for itself."""
    return {
        os.path.join(path, name)
        for folder in folders
        for path, inner, files in os.walk(folder)
        for name in inner + files
        if ".cache" not in (name, *path.split(os.sep))
    }


@pytest.fixture
def password(request, monkeypatch):
    monkeypatch.setattr(stand_in_keystone, "PASSWORD", request.param)
    return request.param


@pytest.mark.parametrize(
    ("password", "where"),
    [("gA", "auth"), (YEAR, "auth"), ("s3cret-word", "auth"), ("s3cret-word", "cloud")],
    indirect=["password"],
)
def test_a_password_that_occurs_in_the_result_corrupts_nothing_and_is_not_returned(
    run_module, keystone, session, password, where
):
    auth = keystone.entry()["auth"]
    given = {"auth": auth} if where == "auth" else {"cloud": {"auth": auth}}

    ran = run_module("os_token_issue", session=session.path, return_token=True, **given)

    assert ran["changed"] is True, ran.output
    assert ran["token"] in keystone.alive
    assert ran["token_environment"]["OS_TOKEN"] == ran["token"]
    body = keystone.alive[ran["token"]]
    for name in ("issued_at", "expires_at"):
        assert ran[name] == body[name].partition(".")[0] + "Z"
    assert ran["session"] == session.path
    assert "****" not in ran.output
    assert f'"{password}"' not in ran.output
    if password == "s3cret-word":
        assert password not in ran.output


@pytest.mark.parametrize("name", ["os_token_issue", "os_token_info", "os_token_revoke"])
def test_a_mapping_in_quotes_is_refused_and_not_shown(run_module, keystone, session, name):
    entry = {"auth": {**keystone.entry()["auth"], "password": "s3cret-word"}}

    ran = run_module(name, session=session.path, cloud=json.dumps(entry))

    assert ran.code == 1
    assert "looks like a mapping in quotes" in ran["msg"]
    assert "s3cret-word" not in ran.output


@pytest.mark.parametrize("where", ["auth", "cloud"])
def test_a_failure_does_not_show_the_password(run_module, keystone, session, where):
    auth = {**keystone.entry()["auth"], "password": "s3cret-word"}
    given = {"auth": auth} if where == "auth" else {"cloud": {"auth": auth}}

    ran = run_module("os_token_issue", session=session.path, **given)

    assert ran["failed"] is True
    assert f"refused user 'demo' of the {where} option (HTTP 401)" in ran["msg"]
    assert "s3cret-word" not in ran.output
    assert "Traceback" not in ran.output


def test_issue_use_and_revoke(run_module, keystone, clouds_yaml, run_python):
    issued = run_module("os_token_issue", cloud="sandbox")
    (token,) = keystone.alive
    # Below a block with these variables, a task needs to name neither the session nor the cloud.
    inside = {name: value for name, value in issued["environment"].items() if name != "PYTHONPATH"}
    again = run_module("os_token_issue", environ=inside)
    used = run_python("import openstack; print(openstack.connect().current_project_id)", **issued["environment"])
    info = run_module("os_token_info", environ=inside, validate=True)
    preview = run_module("os_token_revoke", check=True, session=issued["session"])
    assert token in keystone.alive
    revoked = run_module("os_token_revoke", session=issued["session"])

    assert (issued["changed"], issued["cloud"], issued["project"]["id"]) == (True, "sandbox", PROJECT_ID)
    assert (again["changed"], again["cloud"], again["session"]) == (False, "sandbox", issued["session"])
    assert used.stdout.split() == [PROJECT_ID], used.stderr
    assert (info["state"], info["validated"]) == ("valid", True)
    assert (preview["changed"], preview["revoked"]) == (True, 1)
    assert (revoked["changed"], revoked["revoked"], revoked["tokens_issued"]) == (True, 1, 1)
    assert keystone.alive == {}
    assert len(keystone.asked("POST")) == 1
    for ran in (issued, again, info, preview, revoked):
        assert token not in ran.output
        assert PASSWORD not in ran.output


def test_a_session_is_revoked_without_an_import_of_openstacksdk(
    run_module, keystone, clouds_yaml, run_python, collections_path
):
    """That would take longer than all that the task does."""
    issued = run_module("os_token_issue", cloud="sandbox")
    options = json.dumps({"ANSIBLE_MODULE_ARGS": {"session": issued["session"]}})
    code = f"""
import io, runpy, sys
sys.path.insert(0, {collections_path!r})
sys.modules["openstack"] = None
sys.stdin = io.TextIOWrapper(io.BytesIO({options.encode()!r}))
runpy.run_module("ansible_collections.onetoken.openstack.plugins.modules.os_token_revoke", None, "__main__", True)
"""
    done = run_python(code)

    assert json.loads(done.stdout)["revoked"] == 1, done.stderr
    assert keystone.alive == {}


@pytest.mark.parametrize("given", ["auth", "cloud"])
def test_on_a_session_of_explicit_credentials_tasks_need_neither_cloud_nor_credentials(
    run_module, keystone, no_cloud, run_python, given
):
    where = {"auth": keystone.entry()["auth"]} if given == "auth" else {"cloud": keystone.entry()}
    issued = run_module("os_token_issue", region_name="RegionTwo", **where)
    code = "import openstack; c = openstack.connect(); print(c.current_project_id, c.config.region_name)"

    used = run_python(code, **issued["environment"])

    assert used.stdout.split() == [PROJECT_ID, "RegionTwo"], used.stderr
    assert len(keystone.asked("POST")) == 1
    assert PASSWORD not in json.dumps(issued["environment"])
    revoked = run_module("os_token_revoke", session=issued["session"])
    assert (revoked["revoked"], keystone.alive) == (1, {})


def test_programs_that_support_only_os_token_exchange_it_once_a_run(run_module, keystone, clouds_yaml, run_python):
    issued = run_module("os_token_issue", cloud="sandbox", return_token=True)
    code = "import openstack; print(openstack.connect(load_yaml_config=False).current_project_id)"

    for _turn in range(2):
        used = run_python(code, **issued["token_environment"])
        assert used.stdout.split() == [PROJECT_ID], used.stderr

    assert len(keystone.asked("POST")) == 2
    run_module("os_token_revoke", session=issued["session"])
    assert keystone.alive == {}


def test_check_mode_finds_the_token(run_module, keystone, clouds_yaml, tmp_path):
    issued = run_module("os_token_issue", cloud="sandbox")
    before = tree(tmp_path)

    preview = run_module("os_token_issue", check=True, cloud="sandbox", session=issued["session"])
    other = run_module("os_token_issue", check=True, cloud="sandbox", session=issued["session"], project="p2")

    assert (preview["changed"], other["changed"]) == (False, True)
    assert len(keystone.asked("POST")) == 1
    assert tree(tmp_path) == before


def test_check_mode_changes_nothing_on_disk_or_in_keystone(run_module, keystone, clouds_yaml, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = tree(tmp_path)

    ran = run_module("os_token_issue", check=True, cloud="sandbox")

    assert ran["changed"] is True
    assert "token" not in ran.result
    assert keystone.requests == []
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["os_token_info", "os_token_revoke"])
def test_without_a_session_the_error_says_what_to_set(run_module, name):
    ran = run_module(name)

    assert ran["failed"] is True
    assert "set session to what os_token_issue returned" in ran["msg"]


def test_reading_a_named_session_makes_nothing(run_module, tmp_path, clouds_yaml):
    before = tree(tmp_path)

    assert run_module("os_token_info", session="nightly")["state"] == "absent"
    assert tree(tmp_path) == before


def test_one_token_is_revoked_by_its_id_without_credentials(run_module, keystone, write_clouds):
    token = keystone.issue()
    entry = keystone.entry()
    entry["auth"]["password"] = "wrong"
    write_clouds({"clouds": {"sandbox": entry}})

    preview = run_module("os_token_revoke", check=True, token=token, cloud="sandbox")
    assert (preview["changed"], preview["revoked"]) == (True, 1)
    assert keystone.revoked == []

    ran = run_module("os_token_revoke", token=token, cloud="sandbox")
    assert (ran["changed"], ran["revoked"], ran["already_dead"], ran["keystone_requests"]) == (True, 1, 0, 1)
    assert keystone.revoked == [token]

    repeated = run_module("os_token_revoke", token=token, auth={"auth_url": keystone.auth_url})
    assert (repeated["changed"], repeated["revoked"], repeated["already_dead"]) == (False, 0, 1)
    assert token not in preview.output + ran.output + repeated.output
    assert keystone.asked("POST") == []


def test_one_token_that_cannot_be_revoked_is_warned_about_and_counted(run_module, keystone, write_clouds):
    token = keystone.issue()
    keystone.alive[token]["OS-TRUST:trust"] = {"impersonation": True}
    write_clouds({"clouds": {"sandbox": keystone.entry()}})

    ran = run_module("os_token_revoke", token=token, cloud="sandbox")

    assert not ran.result.get("failed"), ran
    assert (ran["changed"], ran["revoked"], ran["already_dead"], ran["alive"], ran["alive_until"]) == (
        False, 0, 0, 1, None,
    )  # fmt: skip
    assert "refuses to revoke it (HTTP 403): ask the cloud's operator to allow it." in json.dumps(ran["warnings"])
    assert token not in ran.output


def test_a_session_whose_token_cannot_be_revoked_is_warned_about_and_counted(
    run_module, keystone, session, clouds_yaml
):
    issued = run_module("os_token_issue", session=session.path, cloud="sandbox")
    (body,) = keystone.alive.values()
    body["OS-TRUST:trust"] = {"id": "t1", "impersonation": True}

    for _turn in range(2):
        ran = run_module("os_token_revoke", session=session.path)

        assert not ran.result.get("failed"), ran
        assert (ran["revoked"], ran["alive"], ran["alive_until"]) == (0, 1, issued["expires_at"])
        assert f"lives until {issued['expires_at']}, because Keystone at" in json.dumps(ran["warnings"])
    assert len(keystone.asked("DELETE")) == 1
    preview = run_module("os_token_revoke", check=True, session=session.path)
    assert (preview["revoked"], preview["alive"]) == (0, 1)


def test_what_is_no_token_is_reported_and_not_quoted(run_module, keystone):
    ran = run_module("os_token_revoke", token="two words", auth={"auth_url": keystone.auth_url})

    assert ran["failed"] is True
    assert ran["msg"] == "The value of token is not a token's id: give the id alone."
    assert keystone.requests == []


def test_a_token_that_could_not_be_renewed_is_warned_about_while_it_is_good(run_module, keystone, session, clouds_yaml):
    run_module("os_token_issue", session=session.path, cloud="sandbox")
    (name,) = session.names()
    let_it_age(session, name, 12 * 3600)
    keystone.stuck["POST"] = Answer(503)

    ran = run_module("os_token_issue", session=session.path, cloud="sandbox", timeout=1)

    assert ran["changed"] is False
    assert "HTTP 503" in json.dumps(ran["warnings"])


def test_a_session_that_a_process_still_works_on_is_revoked_after_a_while_with_a_warning(
    run_module, keystone, session, clouds_yaml, start
):
    run_module("os_token_issue", session=session.path, cloud="sandbox")
    code = "import sys; from onetoken_session.store import session, usage; usage.hold(session.Session(sys.argv[1]))"
    start(code, session.path, PYTHONPATH=session.site)

    ran = run_module("os_token_revoke", session=session.path, drain=True, drain_timeout=1)

    assert (ran["drained"], ran["revoked"]) == (False, 1)
    assert "A process was still using the session" in json.dumps(ran["warnings"])
    assert keystone.alive == {}


class TestSessionsOfRuns:
    @pytest.fixture
    def run(self, start):
        return start("import sys")

    @pytest.fixture
    def of_run(self, no_cloud, tmp_path, keystone, run):
        """The session of a run in progress, in the default directory, with a token."""
        session = Session(str(tmp_path / "onetoken" / "run-1"))
        prepare(session, RenewalPolicy(), Owner.of_process(run.pid))
        text = keystone.issue()
        token = Token(TokenId(text), keystone.alive[text], keystone.auth_url, clock.now())
        session.write_tokens("0123456789abcdef", StoredTokens(token))
        return session

    def test_a_session_is_left_to_its_run(self, run_module, keystone, of_run):
        ran = run_module("os_token_revoke", session=of_run.path)

        assert (ran["changed"], ran["revoked"]) == (False, 0)
        assert "will be revoked when its run ends" in json.dumps(ran["warnings"])
        assert len(keystone.alive) == 1

    def test_after_the_end_of_its_run_it_is_swept(self, run_module, keystone, of_run, run):
        assert run_module("os_token_revoke", state="swept")["sessions"] == []
        kill(run)

        preview = run_module("os_token_revoke", check=True, state="swept")
        assert (preview["changed"], preview["sessions"], preview["revoked"]) == (True, [of_run.path], 1)
        assert len(keystone.alive) == 1

        ran = run_module("os_token_revoke", state="swept")
        assert (ran["changed"], ran["sessions"], ran["revoked"]) == (True, [of_run.path], 1)
        assert keystone.alive == {}

    def test_what_cannot_be_swept_is_reported(self, run_module, keystone, of_run, run):
        kill(run)
        keystone.stuck["DELETE"] = Answer(503)

        ran = run_module("os_token_revoke", state="swept", timeout=1)

        assert ran["failed"] is True
        assert f"The session {of_run.path} may still have a valid token" in ran["msg"]

    def test_sweeping_accepts_no_session(self, run_module):
        assert "leave out session and token" in run_module("os_token_revoke", state="swept", session="nightly")["msg"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"renew_after": "8h"}, "renew_after is '8h'"),
        ({"project_domain": "b"}, "project"),
        ({"session": "a/b"}, "give a plain name, or an absolute path"),
    ],
    ids=str,
)
def test_a_bad_option_is_reported_and_makes_nothing(run_module, keystone, clouds_yaml, options, message):
    ran = run_module("os_token_issue", **{"cloud": "sandbox", **options})

    assert ran["failed"] is True
    assert message in ran["msg"]
    assert "Traceback" not in ran.output
    assert keystone.requests == []


def test_tokens_that_live_shorter_than_min_remaining_are_warned_about(run_module, keystone, session, clouds_yaml):
    ran = run_module("os_token_issue", cloud="sandbox", session=session.path, min_remaining=100_000)

    assert "min_remaining asks for 100000 s, but this cloud's tokens live 86400 s" in json.dumps(ran["warnings"])


def test_from_ansible_s_archive_it_makes_the_whole_session(
    no_cloud, keystone, session, clouds_yaml, collections_path, run_python
):
    """With pipelining or not, a module runs from a zip file, and only what it imports is in there."""
    process = subprocess.run(
        [
            *(sys.executable, "-m", "ansible", "adhoc", "localhost"),
            *("-m", "onetoken.openstack.os_token_issue"),
            *("-a", json.dumps({"cloud": "sandbox", "session": session.path})),
        ],
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([collections_path, *sys.path]),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert process.returncode == 0, process.stdout + process.stderr
    shipped = {name: (pathlib.Path(session.site) / name).read_text(encoding="utf-8") for name in site.files()}
    assert shipped == site.files()
    assert PASSWORD not in process.stdout + process.stderr
    assert next(iter(keystone.alive)) not in process.stdout + process.stderr
    used = run_python(
        "import openstack; print(openstack.connect().current_project_id)",
        OS_CLIENT_CONFIG_FILE=session.clouds_file,
        OS_CLOUD="sandbox",
        PYTHONPATH=session.site,
        **{VARIABLE: session.path},
    )
    assert used.stdout.split() == [PROJECT_ID], used.stderr
    assert len(keystone.asked("POST")) == 1
