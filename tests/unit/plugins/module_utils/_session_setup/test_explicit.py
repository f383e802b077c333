# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionDamagedError
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import explicit
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import SECRET, make_token

HANDLE = "onetoken-session-abc"
DEFAULT = {"id": "default", "name": "Default"}
TOKEN = make_token(project={"id": "p1", "name": "demo", "domain": DEFAULT})


def written(session, cloud: str = "sandbox", token=TOKEN, **config: object) -> dict:
    """What is written for a cloud of this configuration."""
    explicit.write(session, cloud, config, token, HANDLE)
    return json.loads(session.read_clouds())["clouds"][cloud]


def test_a_cloud_has_auth_type_v3token_with_the_handle(empty):
    entry = written(empty, auth_type="password", auth={"auth_url": "http://elsewhere", "username": "demo"})

    assert entry == {
        "auth_type": "v3token",
        "auth": {
            "auth_url": TOKEN.auth_url,
            "token": HANDLE,
            "project_id": "p1",
            "project_name": "demo",
            "project_domain_id": "default",
            "project_domain_name": "Default",
        },
    }


@pytest.mark.parametrize(
    ("body", "scope"),
    [
        ({"project": {"id": "p1"}}, {"project_id": "p1"}),
        ({"domain": {"id": "d1", "name": "corp"}}, {"domain_id": "d1", "domain_name": "corp"}),
        ({"system": {"all": True}}, {"system_scope": "all"}),
        ({"user": {"id": "u1"}}, {}),
        ({"project": None}, {}),
    ],
)
def test_the_scope_is_the_token_s(empty, body, scope):
    auth = written(empty, token=make_token(**body))["auth"]

    assert {key: value for key, value in auth.items() if key not in ("auth_url", "token")} == scope


def test_other_options_of_a_connection_are_kept(empty):
    config = {
        "region_name": "RegionTwo",
        "interface": "internal",
        "verify": False,
        "cacert": "/ca.pem",
        "cert": "/c.pem",
        "key": "/k.pem",
        "api_timeout": 7.5,
        "networks": [{"name": "net", "routes_externally": True}],
        "compute_api_version": "2.1",
        "compute_default_microversion": "2.90",
        "image_endpoint_override": "https://images.example",
        "volume_service_type": "block-storage",
        "status_code_retries": 3,
    }

    entry = written(empty, **config)

    assert {key: value for key, value in entry.items() if not key.startswith("auth")} == config


def test_options_that_may_be_secret_are_not_kept(empty):
    auth = {"password": SECRET, "application_credential_secret": SECRET, "passcode": SECRET, "token": SECRET}
    others = dict.fromkeys(("password", "passcode", "secret", "my_token", "profile", "unknown", "api_keys"), SECRET)

    written(empty, auth=auth, **others)

    assert SECRET not in empty.read_clouds()


def test_an_address_is_without_a_user_and_a_password(empty):
    entry = written(empty, compute_endpoint_override=f"https://someone:{SECRET}@nova:8774/v2.1")

    assert entry["compute_endpoint_override"] == "https://nova:8774/v2.1"


def test_what_is_no_json_is_written_as_text(empty):
    assert written(empty, networks=pathlib.Path("/net"))["networks"] == "/net"


def test_a_cloud_is_added_to_the_others_or_replaced(empty):
    written(empty, "first", region_name="RegionOne")
    written(empty, "../ü x")
    written(empty, "first", region_name="RegionTwo")

    clouds = json.loads(empty.read_clouds())["clouds"]
    assert sorted(clouds) == ["../ü x", "first"]
    assert clouds["first"]["region_name"] == "RegionTwo"


def test_clouds_that_tasks_add_at_once_are_all_written(empty):
    names = [f"cloud-{number}" for number in range(8)]
    start = threading.Barrier(len(names))

    def write(name):
        start.wait(10)
        written(empty, name)

    threads = [threading.Thread(target=write, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(json.loads(empty.read_clouds())["clouds"]) == names


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"clouds": 5}'])
def test_a_damaged_file_is_reported(empty, content):
    empty.write_clouds(content)

    with pytest.raises(SessionDamagedError, match=r"clouds\.yaml of the session .* is damaged"):
        written(empty)


def test_openstacksdk_signs_in_with_the_handle(empty, no_cloud):
    import openstack.config

    written(empty, region_name="RegionTwo", auth_type="v3applicationcredential")

    region = openstack.config.OpenStackConfig(config_files=[empty.clouds_file]).get_one("sandbox")

    (method,) = region.get_auth().auth_methods
    assert (type(method).__name__, method.token) == ("TokenMethod", HANDLE)
    assert (region.region_name, region.get_auth().project_id) == ("RegionTwo", "p1")
