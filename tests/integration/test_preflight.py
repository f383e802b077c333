# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setups that cannot work are reported in one sentence with the remedy, by the module and by the callback."""

from __future__ import annotations

import os
import subprocess
import sys
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, play_of
from ansible_collections.onetoken.openstack.tests.integration.keystone_v2 import keystone_v2

#: How to sign in: the module of a task, and variables of the run.
WAYS = {
    "module": ("onetoken.openstack.os_token_issue", {}),
    "callback": ("openstack.cloud.compute_flavor_info", CALLBACK),
}
REPEATS = pytest.mark.repeats
ways = pytest.mark.parametrize("way", WAYS)
#: For messages of the module, which the callback only displays.
mostly_module = pytest.mark.parametrize("way", ["module", pytest.param("callback", marks=REPEATS)])
#: The message about a shell in which a provider's guide was followed.
GUIDE_UNSETS = (
    "The OS_* variables lack OS_USER_DOMAIN_NAME, which step 3 of the provider's guide unsets: source the openrc"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts file systems")


def sign_in(controller, way: str, cloud: str | None = "sandbox", *arguments: str, **variables: str) -> str:
    """The output of a run that signs in, in one line."""
    task, chosen = WAYS[way]
    run = controller.play([{task: {"cloud": cloud} if cloud else None}], *arguments, **chosen, **variables)
    assert "Traceback" not in run.output and "unexpected" not in run.output, run.output
    return " ".join(run.output.split())


def refusals(controller, clouds: dict[str, t.Any]) -> list[str]:
    """The module's message about each of these clouds, none of which signs in."""
    controller.write_clouds(clouds)
    run, (result,) = controller.results(
        [{WAYS["module"][0]: {"cloud": "{{ item }}"}, "loop": list(clouds), "ignore_errors": True}]
    )
    assert "Traceback" not in run.output and "unexpected" not in run.output, run.output
    messages = [one["msg"] for one in result["results"] if one["failed"]]
    assert len(messages) == len(clouds), run.output
    return messages


def bare_python(controller, *startup: str) -> str:
    """A new Python, in which these lines are run first."""
    directory = controller.home / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(directory)], check=True)
    (packages,) = directory.glob("lib/python*/site-packages")
    (packages / "sitecustomize.py").write_text("\n".join(startup))
    return str(directory / "bin" / "python")


@ways
def test_a_python_without_openstacksdk_is_reported(controller, way):
    python = bare_python(controller)
    output = sign_in(controller, way, "sandbox", "-e", f"ansible_python_interpreter={python}")
    assert f"This task runs on {python}, which cannot import openstacksdk: install it there" in output, output


@mostly_module
def test_incompatible_releases_are_reported_with_compatible_ones(controller, way):
    """The installed openstacksdk loses the attribute that 4.15 dropped."""
    from ansible_collections.openstack.cloud.plugins.module_utils import openstack as openstack_cloud

    with open(openstack_cloud.__file__, encoding="utf-8") as stream:
        if "sdk.version." not in stream.read():
            pytest.skip("this openstack.cloud works with every openstacksdk")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    lines = ("import sys", f"sys.path.append({packages!r})", "import openstack", "del openstack.version")
    output = sign_in(controller, way, "sandbox", "-e", f"ansible_python_interpreter={bare_python(controller, *lines)}")
    assert "The openstack.cloud collection in use does not work with" in output, output
    assert "install openstacksdk below 4.15, or openstack.cloud 2.6.0 or later" in output, output


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"OS_PASSWORD": ""}, "The OS_* variables lack OS_PASSWORD: source the openrc file again"),
        pytest.param({"OS_USER_DOMAIN_NAME": ""}, GUIDE_UNSETS, marks=REPEATS),
        pytest.param({"OS_USER_DOMAIN_NAME": "", "OS_TOKEN": "gAAAAAsecret"}, GUIDE_UNSETS, marks=REPEATS),
        (
            {"OS_AUTH_TYPE": "token", "OS_TOKEN": "gAAAAAsecret", "OS_PASSWORD": "", "OS_USERNAME": ""},
            "rejected the token of the OS_* variables",
        ),
    ],
    ids=[
        "an openrc without its password",
        "an openrc after step 3 of a guide",
        "an openrc after step 3 of a guide, with its token",
        "an invalid token in an otherwise complete openrc",
    ],
)
def test_incomplete_os_variables_are_reported(controller, sandbox, change, sentence):
    variables = {**sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": "", **change}
    output = sign_in(controller, "module", None, **variables)
    assert sentence in output, output
    assert "gAAAAAsecret" not in output


@pytest.mark.parametrize(
    "command",
    [
        *(
            pytest.param(command, marks=REPEATS)
            for command in (
                "onetoken.openstack.bulk_snapshot -e name_pattern=web-01 -e run_name=guide",
                "onetoken.openstack.bulk_snapshot -e name_pattern=web-01 -e run_name=guide --check",
                "onetoken.openstack.retention -e kind=image -e name_pattern=** -e keep_last=9",
            )
        ),
        "module.yml --check",
    ],
)
def test_after_a_guide_the_user_must_source_the_openrc_again(reader, keystone, command):
    """That is enough, even if the guide's token is still in the shell."""
    tasks = [{"onetoken.openstack.os_server_snapshot": {"name_pattern": "web-01"}}]
    reader.write_playbook(play_of(tasks), "module.yml")
    steps = "source openrc.sh; export OS_TOKEN=gAAAAAsecret; unset OS_USER_DOMAIN_NAME"
    run = reader.command("bash", "-c", f"{steps}; ansible-playbook {command}")
    output = " ".join(run.output.split())
    assert not run.ok and GUIDE_UNSETS in output, output
    assert keystone.requests() == []

    run = reader.command("bash", "-c", f"{steps}; source openrc.sh; ansible-playbook {command} --check")
    assert run.ok, run.output
    assert "gAAAAAsecret" not in output + run.output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clouds: {sandbox: {auth: {password: 's3cret}\n", "is not valid YAML near line 2: correct it."),
        pytest.param("clouds: [sandbox, s3cret]\n", "has no mapping of clouds: correct it.", marks=REPEATS),
    ],
    ids=["no YAML", "a list"],
)
def test_a_malformed_clouds_yaml_is_reported(controller, text, sentence):
    path = controller.home / "clouds.yaml"
    path.write_text(text)
    output = sign_in(controller, "module", OS_CLIENT_CONFIG_FILE=str(path))
    assert f"{path} cannot be used because it {sentence}" in output, output
    assert "s3cret" not in output
    assert controller.sessions == []


@pytest.mark.parametrize("named_by", [pytest.param("task", marks=REPEATS), "variable"])
def test_an_unknown_cloud_is_reported_with_the_known_ones(controller, sandbox, named_by):
    by_task = named_by == "task"
    output = sign_in(
        controller, "module", "nowhere" if by_task else None, **({} if by_task else {"OS_CLOUD": "nowhere"})
    )
    sentence = f"Cloud 'nowhere' is not in {sandbox.clouds_file}, which has sandbox, sandbox-admin"
    assert sentence in output.replace("\\'", "'"), output


@mostly_module
def test_a_directory_that_others_can_write_to_is_refused_and_not_changed(controller, way):
    place = controller.home / "open"
    place.mkdir()
    place.chmod(0o777)
    if way == "module":
        run = controller.play([{WAYS[way][0]: {"cloud": "sandbox", "session": str(place / "own")}}])
        output = " ".join(run.output.split())
    else:
        output = sign_in(controller, way, ONETOKEN_DIRECTORY=str(place))
    assert f"is not safe because {place} can be changed by other users: name a session under" in output, output
    assert list(place.iterdir()) == []


@REPEATS
def test_a_keystone_with_only_version_2_is_told_from_a_wrong_address(controller):
    """Whether auth_url names version 2, no version, or version 3."""
    with keystone_v2() as address:
        auth = {"username": "demo", "password": "s3cret", "project_name": "demo"}
        domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
        clouds = {}
        for name in ("v2.0", "", "v3"):
            entry = {**auth, **(domains if name != "v2.0" else {}), "auth_url": f"{address}/{name}".rstrip("/")}
            clouds[f"old-{name}"] = {"auth": entry}
        for output in refusals(controller, clouds):
            assert "has only version 2 of its API" in output and "ends with /v3" in output, output


def test_a_token_that_cannot_be_exchanged_is_no_credential(controller, sandbox):
    """Such as one from an application credential, in OS_TOKEN mode."""
    token = sandbox.connect("sandbox-appcred").auth_token
    auth = {"auth_url": sandbox.clouds["sandbox"]["auth"]["auth_url"], "token": token, "project_name": "demo"}
    auth["project_domain_name"] = "Default"
    clouds = {"delegated": {"auth_type": "token", "auth": auth}}
    clouds["dead"] = {"auth_type": "token", "auth": {**auth, "token": "gAAAAAsecret"}}
    statuses = {"delegated": 403, "dead": 404}
    for (cloud, status), output in zip(statuses.items(), refusals(controller, clouds), strict=True):
        assert f"rejected the token of cloud '{cloud}' (HTTP {status})" in output, output
        assert "sign in with a password or an application credential instead" in output
        assert token not in output and "gAAAAAsecret" not in output


@mostly_module
def test_a_token_exchanged_for_another_one_works_and_its_end_is_reported(controller, sandbox, way):
    auth = {"auth_url": sandbox.clouds["sandbox"]["auth"]["auth_url"], "token": sandbox.connect("sandbox").auth_token}
    auth.update(project_name="demo", project_domain_name="Default")
    controller.write_clouds({"bare": {"auth_type": "token", "auth": auth}})
    output = sign_in(controller, way, "bare")
    assert "failed=0" in output, output
    assert "This token was issued in exchange for another one and ends with it" in output, output


@mostly_module
def test_a_trust_works_and_its_limit_is_reported(controller, sandbox, way):
    name = f"trustee-{os.getpid()}-{way}"
    trustor, identity = sandbox.connect("sandbox"), sandbox.connect("sandbox-admin").identity
    trust = trustor.identity.create_trust(
        trustor_user_id=trustor.current_user_id,
        trustee_user_id=identity.create_user(name=name, password="s3cret").id,
        project_id=trustor.current_project_id,
        roles=[{"id": identity.find_role("member").id}],
        impersonation=False,
    )
    auth = {"auth_url": sandbox.clouds["sandbox"]["auth"]["auth_url"], "username": name, "password": "s3cret"}
    auth.update(user_domain_name="Default", trust_id=trust.id)
    controller.write_clouds({"trusted": {"auth": auth}})
    output = sign_in(controller, way, "trusted")
    assert "failed=0" in output and "comes from a trust, which may allow only so many tokens" in output, output
    assert "s3cret" not in output


@pytest.fixture
def mounted(controller):
    """Mount a file system, such as a tiny or read-only one, where sessions are made."""
    place = controller.home / ".local" / "state" / "onetoken"
    place.mkdir(parents=True, mode=0o700)
    done = []

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", f"mode=0700,{options}", "tmpfs", str(place)]
        subprocess.run(command, check=True)
        done.append(place)

    yield mount
    for mounted_place in done:
        subprocess.run(["umount", str(mounted_place)], check=True)


@needs_root
@mostly_module
def test_a_full_file_system_is_reported_and_nothing_is_left_on_it(controller, keystone, mounted, way):
    mounted("size=64k")
    output = sign_in(controller, way)
    assert "cannot be written (No space left on device): free disk space, or" in output, output
    assert controller.sessions == []
    if way == "module":
        assert keystone.count("POST") == 0


@needs_root
@mostly_module
def test_a_read_only_directory_is_reported_with_the_remedy(controller, mounted, way):
    mounted("ro")
    place = controller.home / ".local" / "state" / "onetoken"
    session = {"cloud": "sandbox", "session": str(place / "own")}
    if way == "module":
        run = controller.play([{WAYS[way][0]: session}])
        output = " ".join(run.output.split())
    else:
        output = sign_in(controller, way, ONETOKEN_DIRECTORY=str(place))
    assert f"The session's directory {place}/" in output, output
    assert "cannot be made (Read-only file system): name one that you can write to" in output, output
