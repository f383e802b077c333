# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""openstacksdk is the judge: whatever is found and read here must be what it finds and reads itself."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.session.config_files import ConfigFiles
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError

pytestmark = pytest.mark.processes

NOBODY = 65534
SECRET = "s3cret"
#: Answers each line, a working directory, an environment and a user, with what both find there. openstacksdk settles
#: where it looks when it is imported, so each answer comes from a fork that imports that part of it anew.
JUDGE = """
import importlib, json, os, sys
import openstack.config.loader as loader
from onetoken_session import cloud_entry, config_files, errors

def theirs():
    config = loader.OpenStackConfig()
    paths = [path and os.path.abspath(path) for path in (config.config_filename, config.secure_config_filename)]
    clouds = config.cloud_config["clouds"]
    # What it makes up where it knows no cloud.
    clouds.pop("defaults", None)
    # What says nothing, or nonsense, is no cloud that it would use.
    return [*paths, {name: cloud_entry.normalized(cloud) for name, cloud in clouds.items() if isinstance(cloud, dict)}]

def ours(environ):
    files = config_files.ConfigFiles.of_user(environ)
    return [files.clouds, files.secure, files.entries()]

def answer(folder, environ, user):
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environ)
    importlib.reload(loader)
    if user is not None:
        os.setgroups([]); os.setgid(user); os.setuid(user)
    print(json.dumps([theirs(), ours(environ), ours(None)]), flush=True)

for line in sys.stdin:
    if not os.fork():
        try:
            answer(*json.loads(line))
        except BaseException as exc:
            print(json.dumps(f"{type(exc).__name__}: {exc}"), flush=True)
        finally:
            os._exit(0)
    os.wait()
"""


@pytest.fixture(scope="module")
def judge(site_path):
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", JUDGE],
        env={**os.environ, "PYTHONPATH": site_path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )

    def ask(folder, environ, user=None):
        process.stdin.write(json.dumps([str(folder), environ, user]) + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.readline())

    yield ask
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


@pytest.fixture
def place():
    """A directory that other users can look into."""
    path = pathlib.Path(tempfile.mkdtemp())
    path.chmod(0o755)
    for name in ("home", "work"):
        (path / name).mkdir()
    yield path
    shutil.rmtree(path)


@pytest.fixture
def found(judge, place):
    """What openstacksdk finds; it is compared with what is found here, from the process's environment and a given."""

    def find(user=None, **environ):
        variables = {name: value.replace("PLACE", str(place)) for name, value in environ.items()}
        answers = judge(place / "work", {"HOME": str(place / "home"), **variables}, user)
        assert isinstance(answers, list), answers
        theirs, given, own = answers
        assert given == theirs
        assert own == theirs
        return theirs

    return find


def write(path: pathlib.Path, content=None) -> pathlib.Path:
    """A file with a cloud that is called after its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"clouds": {path.parent.name: {"region_name": "R"}}} if content is None else content))
    return path


USER = "home/.config/openstack/clouds.yaml"
#: Files of the user, the environment, and the one of them that is used; PLACE is the directory where they are.
LAYOUTS = [
    ([USER], {}, USER),
    ([USER, "named/c.yaml"], {"OS_CLIENT_CONFIG_FILE": "PLACE/named/c.yaml"}, "named/c.yaml"),
    ([USER, "named/c.txt"], {"OS_CLIENT_CONFIG_FILE": "PLACE/named/c.txt"}, "named/c.txt"),
    ([USER, "named/c.json"], {"OS_CLIENT_CONFIG_FILE": "PLACE/named/c.json"}, "named/c.json"),
    ([USER], {"OS_CLIENT_CONFIG_FILE": "PLACE/missing.yaml"}, USER),
    ([USER], {"OS_CLIENT_CONFIG_FILE": ""}, USER),
    ([USER, "work/c.yaml"], {"OS_CLIENT_CONFIG_FILE": "c.yaml"}, "work/c.yaml"),
    ([USER, "named/c.yaml"], {"OS_CLIENT_CONFIG_FILE": "../named/c.yaml"}, "named/c.yaml"),
    ([USER, "home/c.yaml"], {"OS_CLIENT_CONFIG_FILE": "~/c.yaml"}, USER),
    ([USER, "work/clouds.yaml"], {}, "work/clouds.yaml"),
    ([USER, "work/clouds.yml"], {}, "work/clouds.yml"),
    ([USER, "work/clouds.json"], {}, "work/clouds.json"),
    (["work/clouds.json", "work/clouds.yml"], {}, "work/clouds.yml"),
    (["work/clouds.yml", "work/clouds.yaml"], {}, "work/clouds.yaml"),
    (["work/clouds.YAML", USER], {}, USER),
    (["home/.config/openstack/clouds.yml"], {}, "home/.config/openstack/clouds.yml"),
    (["home/.config/openstack/clouds.json"], {}, "home/.config/openstack/clouds.json"),
    ([USER, "x/openstack/clouds.yaml"], {"XDG_CONFIG_HOME": "PLACE/x"}, "x/openstack/clouds.yaml"),
    ([USER, "x/clouds.yaml"], {"XDG_CONFIG_HOME": "PLACE/x"}, USER),
    ([USER], {"XDG_CONFIG_HOME": ""}, USER),
    ([USER], {"XDG_CONFIG_HOME": "  "}, USER),
    ([USER], {"XDG_CONFIG_HOME": "PLACE/missing"}, USER),
    ([USER, "x/openstack/clouds.yaml"], {"XDG_CONFIG_DIRS": "PLACE/x"}, USER),
    (["x/openstack/clouds.yaml"], {"XDG_CONFIG_DIRS": "PLACE/x"}, "x/openstack/clouds.yaml"),
    (["x/openstack/clouds.yaml"], {"XDG_CONFIG_DIRS": "PLACE/x:"}, "x/openstack/clouds.yaml"),
    (["work/x/openstack/clouds.yaml", USER], {"XDG_CONFIG_HOME": "x"}, USER),
    (["work/x/openstack/clouds.yaml"], {"XDG_CONFIG_DIRS": "x"}, None),
    ([USER, "named/clouds.yaml"], {"OS_CLIENT_CONFIG_FILE": "PLACE/named"}, USER),
    (["x/openstack/clouds.yaml", "y/openstack/clouds.yaml"], {"XDG_CONFIG_DIRS": "PLACE/x:PLACE/y"}, None),
    (["other/.config/openstack/clouds.yaml", USER], {"HOME": "PLACE/other"}, "other/.config/openstack/clouds.yaml"),
    (["other/.config/openstack/clouds.yaml"], {"SNAP_REAL_HOME": "PLACE/other"}, "other/.config/openstack/clouds.yaml"),
    ([USER, "other/.config/openstack/clouds.yaml"], {"SNAP_REAL_HOME": "PLACE/other"}, USER),
    (["other/.config/openstack/clouds.yaml", USER], {"SNAP_REAL_HOME": ""}, USER),
    (
        ["other/.config/openstack/clouds.yaml", "x/openstack/clouds.yaml"],
        {"SNAP_REAL_HOME": "PLACE/other", "XDG_CONFIG_DIRS": "PLACE/x"},
        "other/.config/openstack/clouds.yaml",
    ),
    ([], {}, None),
    ([], {"OS_CLIENT_CONFIG_FILE": "PLACE/missing.yaml", "SNAP_REAL_HOME": "PLACE/missing"}, None),
]


@pytest.mark.parametrize(("files", "environ", "used"), LAYOUTS, ids=str)
def test_the_file_that_openstacksdk_finds_is_used(place, found, files, environ, used):
    for file in files:
        write(place / file)

    clouds, _secure, entries = found(**environ)

    if used is not None:
        assert clouds == str(place / used)
        assert set(entries) == {(place / used).parent.name}


@pytest.mark.parametrize(
    ("files", "environ", "used"),
    [
        (["home/.config/openstack/secure.yaml"], {}, "home/.config/openstack/secure.yaml"),
        (["work/secure.json", "home/.config/openstack/secure.yaml"], {}, "work/secure.json"),
        (["work/s.yaml", "work/secure.yml"], {"OS_CLIENT_SECURE_FILE": "PLACE/work/s.yaml"}, "work/s.yaml"),
        (["work/secure.yml"], {"OS_CLIENT_SECURE_FILE": "PLACE/work/missing.yaml"}, "work/secure.yml"),
        (["work/secure.yml"], {"OS_CLIENT_SECURE_FILE": ""}, "work/secure.yml"),
        (["x/openstack/secure.yaml"], {"XDG_CONFIG_HOME": "PLACE/x"}, "x/openstack/secure.yaml"),
    ],
    ids=str,
)
def test_the_secure_file_that_openstacksdk_finds_is_used(place, found, files, environ, used):
    write(place / USER)
    for file in files:
        write(place / file, {"clouds": {"openstack": {"auth": {"password": file}}}})

    _clouds, secure, entries = found(**environ)

    assert secure == str(place / used)
    assert entries["openstack"]["auth"]["password"] == used


@pytest.mark.parametrize(
    "content",
    [
        {"clouds": {"a": {"auth": {"password": SECRET}}}},
        {"clouds": {"a": {"auth": {"username": "other", "password": SECRET}}}},
        {"clouds": {"a": {"region_name": "S", "regions": ["S"]}}},
        {"clouds": {"a": {"new": {"deep": {"er": 1}}}, "b": {"auth": {"password": SECRET}}}},
        {"clouds": {"a": {"auth": {}}, "c": {}}},
        {"clouds": {}},
        {"cache": {"auth": True}, "clouds": {"a": {"deep": {"deeper": {"deepest": 2}}}}},
        {"clouds": {"a": {"auth": "text"}}},
        {"cache": {}},
        {},
    ],
    ids=json.dumps,
)
def test_a_secure_file_is_laid_over_the_clouds_at_every_level(place, found, content):
    auth = {"auth_url": "http://h/v3", "username": "u"}
    write(
        place / USER,
        {"clouds": {"a": {"auth": auth, "regions": ["R"], "deep": {"deeper": {"x": 1}}, "auth-type": "t"}}},
    )
    write(place / "work" / "secure.yaml", content)

    assert found()[2]["a"]["auth_type"] == "t"


@pytest.mark.parametrize("text", ["clouds: {}\n", "cache: {auth: true}\n", "clouds: {a: {b: 1}, c: {}, d: , e: x}\n"])
def test_a_file_that_says_little_is_read_as_openstacksdk_reads_it(place, found, text):
    write(place / USER).write_text(text)

    assert found()[0] == str(place / USER)


def test_a_file_that_this_user_cannot_read_is_passed_over(place, found):
    unreadable = [write(place / name) for name in ("named/clouds.yaml", "work/clouds.yaml", "work/secure.yaml")]
    for path in unreadable:
        path.chmod(0)
    write(place / USER)

    clouds, secure, entries = found(
        NOBODY if os.geteuid() == 0 else None, OS_CLIENT_CONFIG_FILE="PLACE/named/clouds.yaml"
    )

    assert (clouds, secure) == (str(place / USER), None)
    assert set(entries) == {"openstack"}


def test_where_none_can_be_read_the_first_is_told(place, monkeypatch):
    """Root can read every file."""
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    file = write(place / "named/clouds.yaml")

    files = ConfigFiles.of_user({"HOME": str(place / "home"), "OS_CLIENT_CONFIG_FILE": str(file)})

    assert files == ConfigFiles(unreadable=str(file))


@pytest.mark.parametrize("stem", ["clouds", "secure"])
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"clouds:\n  a:\n    auth: {{password: {SECRET}\n", "not valid YAML near line"),
        (f"clouds:\n\tpassword: {SECRET}\n", "not valid YAML near line 2"),
        (f"password: {SECRET}: x\n", "not valid YAML near line 1"),
        (f"clouds: !!python/object:{SECRET} x\n", "not valid YAML"),
        (f"{SECRET}\x00", "cannot be used"),
        (SECRET.encode() + b"\xff\xfe", "cannot be used (UnicodeDecodeError)"),
        (f"- {SECRET}\n", "no mapping of clouds"),
        (SECRET, "no mapping of clouds"),
        (f"clouds: {SECRET}\n", "no mapping of clouds"),
        (f"clouds: [{SECRET}]\n", "no mapping of clouds"),
    ],
    ids=repr,
)
def test_a_file_that_is_none_is_one_sentence_that_names_it_and_quotes_nothing(place, stem, content, told):
    write(place / USER)
    path = write(place / "home/.config/openstack" / f"{stem}.yaml")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(ConfigurationError) as caught:
        ConfigFiles.of_user({"HOME": str(place / "home")})

    assert str(caught.value).startswith(f"{path} cannot be used")
    assert told in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("clouds.yaml", ""),
        ("clouds.yaml", "# nothing yet"),
        ("clouds.yml", "clouds: {}"),
        ("clouds.json", '{\n\t"clouds": {"tabs": {}}\n}'),
        ("secure.yaml", ""),
        ("secure.yaml", "# nothing yet"),
    ],
)
def test_a_file_with_little_in_it_is_no_fault(place, found, name, content):
    path = place / "home" / ".config" / "openstack" / name
    path.parent.mkdir(parents=True)
    path.write_text(content)

    found()


def test_a_secure_yaml_alone_has_clouds_too(place, found):
    write(place / "home/.config/openstack/secure.yaml")

    assert set(found()[2]) == {"openstack"}
