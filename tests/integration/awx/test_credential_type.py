# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The credential type for AWX: the file that it injects into jobs signs in with any input."""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.sandbox import REPOSITORY, Sandbox
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

AWX = REPOSITORY / "playbooks" / "awx"
INJECTED = (AWX / "files" / "credential_type" / "clouds.yaml.j2").read_text()
INPUTS = yaml.safe_load((AWX / "files" / "credential_type" / "inputs.yml").read_text())
CREDENTIAL = {"auth_url": "https://auth.example.org/v3", "id": "4f2a", "secret": "s3cr3t"}


def rendered(**inputs: t.Any) -> str:
    """The injected file as AWX renders it: missing booleans are false, other missing inputs undefined."""
    missing = {field["id"]: False for field in INPUTS["fields"] if field["type"] == "boolean"}
    return ImmutableSandboxedEnvironment().from_string(INJECTED).render(**{**missing, **inputs})


def test_awx_accepts_the_template_of_the_injected_file():
    fields = {field["id"]: "EXAMPLE" for field in INPUTS["fields"]}
    # The check that AWX makes when the type is created.
    assert ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(INJECTED).render(fields)
    assert set(INPUTS["required"]) <= set(fields)
    assert [field["id"] for field in INPUTS["fields"] if field.get("secret")] == ["secret"]


AWKWARD = [
    "s3cr3t", "0123456", "1e6", "yes", "null", "~", "2026-01-31", "*", "**", "!", "!unsafe x", "&a", "%TAG", "@", "`",
    "-", "a: b", "a #b", "#", "{a}", "[a]", "{{ x }}", "{% raw %}", "{# x #}", "'", "''", '"', '\\"', "\\", "\\\\",
    "\\n", "\\x41", "\\N{BULLET}", "$HOME", "%s", "<&>", " a ", "a\tb", "a\nb", "a\r\nb\n", "\x00", "\x07\x1b[0m",
    "\x7f", "\x85", "\xa0", "\u2028\u2029", "\ufeffa", "\uffff", "\u00e9", "e\u0301", "\u05e9\u05dc\u05d5\u05dd",
    "\u6f22\u5b57", "\U0001f511", "\U0001f468\u200d\U0001f4bb", "".join(map(chr, range(1, 0x180))),
]  # fmt: skip


@pytest.mark.parametrize("value", AWKWARD, ids=ascii)
def test_the_injected_file_has_every_input_unchanged(value):
    inputs = dict.fromkeys(("auth_url", "id", "secret", "region_name"), value)
    injected = yaml.safe_load(rendered(**inputs))["clouds"]["devstack"]
    assert injected["auth"] == {
        "auth_url": value,
        "application_credential_id": value,
        "application_credential_secret": value,
    }
    assert injected["region_name"] == value


def test_the_injected_file_verifies_certificates_and_names_no_region_by_default():
    cloud = yaml.safe_load(rendered(**CREDENTIAL))["clouds"]["devstack"]
    assert cloud["verify"] is True
    assert "region_name" not in cloud
    assert yaml.safe_load(rendered(**CREDENTIAL, insecure=True))["clouds"]["devstack"]["verify"] is False


@pytest.fixture
def injected_file(sandbox: Sandbox, tmp_path: pathlib.Path) -> pathlib.Path:
    auth = sandbox.clouds["sandbox-appcred"]["auth"]
    inputs = {
        "auth_url": auth["auth_url"],
        "id": auth["application_credential_id"],
        "secret": auth["application_credential_secret"],
    }
    file = tmp_path / "injected"
    file.touch(mode=0o600)
    file.write_text(rendered(**inputs))
    return file


def devstack_of(file: pathlib.Path) -> dict[str, str]:
    return {"OS_CLOUD": "devstack", "OS_CLIENT_CONFIG_FILE": str(file)}


def test_the_credential_signs_in(injected_file, controller):
    listed = controller.command("openstack", "image", "list", **devstack_of(injected_file))
    assert listed.ok, listed.output


def test_the_inventory_has_the_servers_with_their_ids_and_volumes(injected_file, controller):
    source = str(AWX / "inventory" / "openstack.yml")
    run = controller.command("ansible-inventory", "-i", source, "--list", **devstack_of(injected_file))
    assert run.ok, run.output
    found = json.loads(run.output[run.output.index("{") :])["_meta"]["hostvars"]
    assert found["web-01"]["openstack"]["id"]
    assert found["web-01"]["openstack"]["attached_volumes"]
