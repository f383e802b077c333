# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What cannot work is said in one sentence with the remedy: by the module, and by the callback of what is its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t

import openstack
import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.integration.keystone_v2 import keystone_v2

#: A task that signs in, and how the run is told to, by way in.
WAYS = {
    "module": ("onetoken.openstack.os_token_issue", {}),
    "callback": (
        "openstack.cloud.compute_flavor_info",
        {"ANSIBLE_CALLBACKS_ENABLED": "onetoken.openstack.one_token"},
    ),
}
REPEATS = pytest.mark.repeats
ways = pytest.mark.parametrize("way", WAYS)
#: For what the module says wherever it runs: the callback shows it.
mostly_module = pytest.mark.parametrize("way", ["module", pytest.param("callback", marks=REPEATS)])
#: What a provider's guide leaves behind, and what is said of it.
GUIDE_UNSETS = (
    "The OS_* variables lack OS_USER_DOMAIN_NAME, which step 3 of the provider's guide unsets: source the openrc"
)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser mounts file systems")


def sign_in(controller, way: str, cloud: str | None = "sandbox", *arguments: str, **variables: str) -> str:
    """What the user reads, in one line, of a run that signs in."""
    task, chosen = WAYS[way]
    run = controller.play([{task: {"cloud": cloud} if cloud else None}], *arguments, **chosen, **variables)
    assert "Traceback" not in run.output and "unexpected" not in run.output, run.output
    return " ".join(run.output.split())


def refusals(controller, clouds: dict[str, t.Any]) -> list[str]:
    """What the module says of each of these clouds, none of which signs in."""
    place, path = controller.home / "said.json", controller.home / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": clouds}))
    task = {WAYS["module"][0]: {"cloud": "{{ item }}"}, "loop": list(clouds), "register": "said", "ignore_errors": True}
    content = "{{ said.results | selectattr('failed') | map(attribute='msg') | to_json }}"
    run = controller.play([task, {"copy": {"dest": str(place), "content": content}}], OS_CLIENT_CONFIG_FILE=str(path))
    assert run.ok and "Traceback" not in run.output and "unexpected" not in run.output, run.output
    said: list[str] = json.loads(place.read_text())
    assert len(said) == len(clouds), run.output
    return said


def bare_python(controller, *startup: str) -> str:
    """A Python of its own, in which these lines are run first."""
    place = controller.home / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "sitecustomize.py").write_text("\n".join(startup))
    return str(place / "bin" / "python")


@ways
def test_a_python_without_openstacksdk_is_named(controller, way):
    python = bare_python(controller)
    said = sign_in(controller, way, "sandbox", "-e", f"ansible_python_interpreter={python}")
    assert f"This task runs on {python}, which cannot import openstacksdk: install it there" in said, said


@mostly_module
def test_a_pair_that_does_not_work_is_named_with_the_versions_that_do(controller, way):
    """The attribute that openstacksdk 4.15 dropped is taken away from the one that is there."""
    from ansible_collections.openstack.cloud.plugins.module_utils import openstack as openstack_cloud

    with open(openstack_cloud.__file__, encoding="utf-8") as stream:
        if "sdk.version." not in stream.read():
            pytest.skip("this openstack.cloud works with every openstacksdk")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    lines = ("import sys", f"sys.path.append({packages!r})", "import openstack", "del openstack.version")
    said = sign_in(controller, way, "sandbox", "-e", f"ansible_python_interpreter={bare_python(controller, *lines)}")
    assert "The openstack.cloud collection in use does not work with" in said, said
    assert "install openstacksdk below 4.15, or openstack.cloud 2.6.0 or later" in said, said


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
        "a token that is none, beside the rest of an openrc",
    ],
)
def test_variables_that_do_not_fit_are_named(controller, sandbox, change, sentence):
    variables = {**sandbox.sourced_openrc(), "OS_CLIENT_CONFIG_FILE": "", **change}
    said = sign_in(controller, "module", None, **variables)
    assert sentence in said, said
    assert "gAAAAAsecret" not in said


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
def test_who_did_the_steps_of_a_guide_is_told_to_source_the_file_again(reader, keystone, command):
    """Which is enough, even with the guide's token still in the shell."""
    tasks = [{"onetoken.openstack.os_server_snapshot": {"name_pattern": "web-01"}}]
    (reader.home / "module.yml").write_text(
        yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    )
    steps = "source openrc.sh; export OS_TOKEN=gAAAAAsecret; unset OS_USER_DOMAIN_NAME"
    run = reader.command("bash", "-c", f"{steps}; ansible-playbook {command}")
    said = " ".join(run.output.split())
    assert not run.ok and GUIDE_UNSETS in said, said
    assert keystone.requests() == []

    run = reader.command("bash", "-c", f"{steps}; source openrc.sh; ansible-playbook {command} --check")
    assert run.ok, run.output
    assert "gAAAAAsecret" not in said + run.output


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("clouds: {sandbox: {auth: {password: 's3cret}\n", "is not valid YAML near line 2: correct it."),
        pytest.param("clouds: [sandbox, s3cret]\n", "has no mapping of clouds: correct it.", marks=REPEATS),
    ],
    ids=["no YAML", "a list"],
)
def test_a_malformed_clouds_yaml_is_named(controller, text, sentence):
    path = controller.home / "clouds.yaml"
    path.write_text(text)
    said = sign_in(controller, "module", OS_CLIENT_CONFIG_FILE=str(path))
    assert f"{path} cannot be used because it {sentence}" in said, said
    assert "s3cret" not in said
    assert controller.sessions == []


@pytest.mark.parametrize("named_by", [pytest.param("task", marks=REPEATS), "variable"])
def test_an_unknown_cloud_is_told_with_those_that_are_known(controller, sandbox, named_by):
    by_task = named_by == "task"
    said = sign_in(controller, "module", "nowhere" if by_task else None, **({} if by_task else {"OS_CLOUD": "nowhere"}))
    sentence = f"Cloud 'nowhere' is not in {sandbox.clouds_file}, which has sandbox, sandbox-admin"
    assert sentence in said.replace("\\'", "'"), said


@mostly_module
def test_a_directory_that_others_can_write_is_refused_and_left_as_it_is(controller, way):
    place = controller.home / "open"
    place.mkdir()
    place.chmod(0o777)
    if way == "module":
        run = controller.play([{WAYS[way][0]: {"cloud": "sandbox", "session": str(place / "own")}}])
        said = " ".join(run.output.split())
    else:
        said = sign_in(controller, way, ONETOKEN_DIRECTORY=str(place))
    assert f"is not safe because {place} can be changed by other users: name a session under" in said, said
    assert list(place.iterdir()) == []


@REPEATS
def test_a_keystone_that_speaks_only_version_2_is_told_from_a_wrong_address(controller):
    """As a cloud's auth_url has it: with the version 2, with none, and with the one that is not there."""
    with keystone_v2() as address:
        auth = {"username": "demo", "password": "s3cret", "project_name": "demo"}
        domains = {"user_domain_name": "Default", "project_domain_name": "Default"}
        clouds = {}
        for name in ("v2.0", "", "v3"):
            entry = {**auth, **(domains if name != "v2.0" else {}), "auth_url": f"{address}/{name}".rstrip("/")}
            clouds[f"old-{name}"] = {"auth": entry}
        for said in refusals(controller, clouds):
            assert "has only version 2 of its API" in said and "ends with /v3" in said, said


@pytest.fixture
def connected(sandbox):
    """openstacksdk itself, signed in to one of the sandbox's clouds."""

    def connect(cloud: str) -> openstack.connection.Connection:
        entry = sandbox.clouds[cloud]
        return openstack.connect(
            load_yaml_config=False,
            load_envvars=False,
            auth_type=entry.get("auth_type", "password"),
            auth=entry["auth"],
            region_name=entry["region_name"],
        )

    return connect


def test_a_token_that_no_other_is_given_for_is_no_source(controller, connected, sandbox):
    """One that comes from an application credential, as OS_TOKEN mode would have it."""
    token = connected("sandbox-appcred").auth_token
    auth = {"auth_url": sandbox.clouds["sandbox"]["auth"]["auth_url"], "token": token, "project_name": "demo"}
    auth["project_domain_name"] = "Default"
    clouds = {"delegated": {"auth_type": "token", "auth": auth}}
    clouds["dead"] = {"auth_type": "token", "auth": {**auth, "token": "gAAAAAsecret"}}
    statuses = {"delegated": 403, "dead": 404}
    for (cloud, status), said in zip(statuses.items(), refusals(controller, clouds), strict=True):
        assert f"rejected the token of cloud '{cloud}' (HTTP {status})" in said, said
        assert "sign in with a password or an application credential instead" in said
        assert token not in said and "gAAAAAsecret" not in said


@mostly_module
def test_a_token_got_for_another_one_works_and_its_end_is_told(controller, connected, sandbox, way):
    auth = {"auth_url": sandbox.clouds["sandbox"]["auth"]["auth_url"], "token": connected("sandbox").auth_token}
    auth.update(project_name="demo", project_domain_name="Default")
    path = controller.home / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {"bare": {"auth_type": "token", "auth": auth}}}))
    said = sign_in(controller, way, "bare", OS_CLIENT_CONFIG_FILE=str(path))
    assert "failed=0" in said and "This token was traded for another one and ends with it" in said, said


@mostly_module
def test_a_trust_works_and_its_limit_is_told(controller, connected, sandbox, way):
    name = f"trustee-{os.getpid()}-{way}"
    trustor, identity = connected("sandbox"), connected("sandbox-admin").identity
    trust = trustor.identity.create_trust(
        trustor_user_id=trustor.current_user_id,
        trustee_user_id=identity.create_user(name=name, password="s3cret").id,
        project_id=trustor.current_project_id,
        roles=[{"id": identity.find_role("member").id}],
        impersonation=False,
    )
    auth = {"auth_url": sandbox.clouds["sandbox"]["auth"]["auth_url"], "username": name, "password": "s3cret"}
    auth.update(user_domain_name="Default", trust_id=trust.id)
    path = controller.home / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": {"trusted": {"auth": auth}}}))
    said = sign_in(controller, way, "trusted", OS_CLIENT_CONFIG_FILE=str(path))
    assert "failed=0" in said and "comes from a trust, which may allow only so many tokens" in said, said
    assert "s3cret" not in said


@pytest.fixture
def mounted(controller):
    """A file system of a size that holds no session, or that cannot be written, as the home's state directory."""
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
def test_a_full_file_system_is_said_and_nothing_is_left_on_it(controller, keystone, mounted, way):
    mounted("size=64k")
    said = sign_in(controller, way)
    assert "cannot be written (No space left on device): make room for it" in said, said
    assert controller.sessions == []
    if way == "module":
        assert keystone.count("POST") == 0


@needs_root
@mostly_module
def test_a_directory_that_cannot_be_written_is_said_with_the_remedy(controller, mounted, way):
    mounted("ro")
    place = controller.home / ".local" / "state" / "onetoken"
    session = {"cloud": "sandbox", "session": str(place / "own")}
    if way == "module":
        run = controller.play([{WAYS[way][0]: session}])
        said = " ".join(run.output.split())
    else:
        said = sign_in(controller, way, ONETOKEN_DIRECTORY=str(place))
    assert f"The session's directory {place}/" in said, said
    assert "cannot be made (Read-only file system): name one that you can write to" in said, said
