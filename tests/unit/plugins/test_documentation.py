# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-doc tells of the modules is what they take and return."""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import base

pytestmark = pytest.mark.processes

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PACKAGE = "ansible_collections.onetoken.openstack.plugins.modules"
COLLECTION = "onetoken.openstack"
#: All modules but bulk, whose code is an action plugin.
NAMES = sorted(path.stem for path in (REPOSITORY / "plugins" / "modules").glob("os_*.py"))
BULK = [name for name in NAMES if "run_bulk_module(" in (REPOSITORY / "plugins" / "modules" / f"{name}.py").read_text()]
#: Where the action plugin of all bulk modules is.
SHOWS_PROGRESS = "os_server_snapshot"


class SpecSeen(Exception):
    """Instead of an AnsibleModule."""


@pytest.fixture(scope="module")
def documentation(collections_path, tmp_path_factory) -> dict[str, t.Any]:
    """All modules as ansible-doc has them, with their fragments."""
    home = tmp_path_factory.mktemp("home")
    path = os.pathsep.join([collections_path, *(entry for entry in sys.path if entry)])
    process = subprocess.run(
        [sys.executable, "-m", "ansible", "doc", "-t", "module", "--json", *(f"{COLLECTION}.{name}" for name in NAMES)],
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": path, "ANSIBLE_HOME": str(home), "PYTHONPATH": path},
        cwd=home,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    documented = json.loads(process.stdout)
    assert sorted(documented) == [f"{COLLECTION}.{name}" for name in NAMES], process.stderr
    return {name.rpartition(".")[2]: content for name, content in documented.items()}


@pytest.fixture
def spec_of(monkeypatch):
    """The argument spec of a module, as it gives it to AnsibleModule."""

    def spec(name: str) -> dict[str, t.Any]:
        seen = {}

        def catch(argument_spec: dict[str, t.Any], **_options: t.Any) -> None:
            seen.update(argument_spec)
            raise SpecSeen

        monkeypatch.setattr(base, "Module", catch)
        with pytest.raises(SpecSeen):
            importlib.import_module(f"{PACKAGE}.{name}").main()
        return seen

    return spec


def described(option: dict[str, t.Any], inner: str) -> dict[str, t.Any]:
    """What a spec and a documentation say of an option; both have the options inside it, each under another key."""
    choices = option.get("choices")
    return {
        "type": option.get("type") or "str",
        "elements": option.get("elements"),
        "required": bool(option.get("required")),
        "default": option.get("default"),
        "choices": sorted(choices) if choices else None,
        "aliases": sorted(option.get("aliases") or []),
        "options": {name: described(one, inner) for name, one in (option.get(inner) or {}).items()},
    }


def options_of(options: dict[str, t.Any], path: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    for name, option in options.items():
        yield path + name, option
        yield from options_of(option.get("suboptions") or {}, f"{path}{name}.")


def returned_of(returned: dict[str, t.Any], path: str = "") -> t.Iterator[tuple[str, dict[str, t.Any]]]:
    for name, value in returned.items():
        yield path + name, value
        yield from returned_of(value.get("contains") or {}, f"{path}{name}.")


@pytest.mark.parametrize("name", NAMES)
def test_the_options_are_those_that_the_module_takes(documentation, spec_of, name):
    documented = {one: described(option, "suboptions") for one, option in documentation[name]["doc"]["options"].items()}
    taken = {one: described(option, "options") for one, option in spec_of(name).items()}
    assert documented == taken


@pytest.mark.parametrize("name", NAMES)
def test_ansible_doc_states_the_requirements_of_this_collection(documentation, name):
    """Those of README.md, galaxy.yml and requirements.txt; openstack.cloud's own modules have others."""
    sdk = re.search(r"^openstacksdk>=(\S+)$", (REPOSITORY / "requirements.txt").read_text(), re.MULTILINE)
    dependencies = yaml.safe_load((REPOSITORY / "galaxy.yml").read_text())["dependencies"]
    wanted = {"python": "3.10", "openstacksdk": sdk and sdk[1], "openstack.cloud": dependencies["openstack.cloud"][2:]}
    stated = [re.match(r"(\S+) >= ([\d.]+\d)", text) for text in documentation[name]["doc"]["requirements"]]
    assert {match[1]: match[2] for match in stated if match} == wanted
    readme = " ".join((REPOSITORY / "README.md").read_text().split())
    assert all(f"{name} {version} or later" in readme.replace("Python", "python") for name, version in wanted.items())


@pytest.mark.parametrize("name", NAMES)
def test_ansible_doc_shows_no_text_of_another_collection(documentation, name):
    """What openstack.cloud says of its options and requirements is not true here."""
    source = (REPOSITORY / "plugins" / "modules" / f"{name}.py").read_text(encoding="utf-8")
    fragments = yaml.safe_load(source.split('"""')[1])["extends_documentation_fragment"]
    assert [fragment for fragment in fragments if not fragment.startswith(f"{COLLECTION}.")] == []
    assert "Ansible 2." not in json.dumps(documentation[name]["doc"])


@pytest.mark.parametrize("name", NAMES)
def test_every_option_is_described(documentation, name):
    for path, option in options_of(documentation[name]["doc"]["options"]):
        description = option["description"]
        lines = [description] if isinstance(description, str) else description
        assert lines and all(line.strip() for line in lines), path


@pytest.mark.parametrize("name", NAMES)
def test_everything_that_is_returned_is_described_with_a_sample(documentation, name):
    returned = documentation[name]["return"]
    assert returned
    for path, value in returned_of(returned):
        for key in ("description", "type", "returned"):
            assert value.get(key), (path, key)
        assert "contains" in value or "sample" in value, path
        if value["type"] == "list":
            assert value.get("elements"), path
        if "sample" in value and value["sample"] is not None:
            kinds = {"str": str, "int": int, "float": (int, float), "bool": bool, "list": list, "dict": dict}
            assert isinstance(value["sample"], kinds[value["type"]]), path


@pytest.mark.parametrize("name", BULK)
def test_bulk_modules_return_the_same_in_the_same_form(documentation, spec_of, name):
    def form(path_and_value):
        path, value = path_and_value
        return path, value["type"], value.get("elements")

    model = {form(one) for one in returned_of(documentation[SHOWS_PROGRESS]["return"])}
    # What makes nothing, and counts for no quota, has nothing inside of these.
    without = (
        ("results.created.", "plan.quotas.") if "run" in spec_of(name) else ("results.created.", "plan.quotas.", "run")
    )
    wanted = {one for one in model if not one[0].startswith(without)}
    assert wanted - {form(one) for one in returned_of(documentation[name]["return"])} == set()


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_use_what_there_is(documentation, spec_of, name):
    examples = yaml.safe_load(re.sub(r"!\w+ ", "", documentation[name]["examples"]))
    uses = [task[f"{COLLECTION}.{name}"] or {} for task in tasks_of(examples) if f"{COLLECTION}.{name}" in task]
    assert uses
    for use in uses:
        assert set(use) <= set(spec_of(name)), use


def tasks_of(examples: t.Any) -> t.Iterator[dict[str, t.Any]]:
    """The tasks, also those of blocks and plays."""
    for task in examples:
        yield task
        for section in ("block", "rescue", "always", "tasks", "pre_tasks", "post_tasks"):
            yield from tasks_of(task.get(section) or [])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_documented_whether_check_mode_works(documentation, name):
    assert documentation[name]["doc"]["attributes"]["check_mode"]["support"] == "full"


def test_every_bulk_module_shows_its_progress():
    """The module of the action plugin's own name needs no route."""
    runtime = yaml.safe_load((REPOSITORY / "meta" / "runtime.yml").read_text())
    routes = {name: route["action_plugin"] for name, route in runtime["plugin_routing"]["modules"].items()}
    assert routes == {name: f"{COLLECTION}.{SHOWS_PROGRESS}" for name in BULK if name != SHOWS_PROGRESS}
    assert SHOWS_PROGRESS in BULK
    assert (REPOSITORY / "plugins" / "action" / f"{SHOWS_PROGRESS}.py").is_file()
