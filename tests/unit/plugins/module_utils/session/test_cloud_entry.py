# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.session import cloud_entry

SECRET = "s3cret"
SECRET_KEYS = (
    "password",
    "token",
    "auth_token",
    "passcode",
    "application_credential_secret",
    "client_secret",
    "access_token",
    "refresh_token",
    "oauth_token",
    "consumer_secret",
    "access_secret",
    "some_key_of_the_future",
)


def both_spellings(keys):
    return [spelling for key in keys for spelling in dict.fromkeys((key, key.replace("_", "-")))]


PLACES = {
    "beside auth": lambda key: {key: SECRET},
    "inside auth": lambda key: {"auth": {key: SECRET}},
    "in a region's values": lambda key: {"regions": [{"name": "A", "values": {key: SECRET}}]},
    "in the auth of a region's values": lambda key: {"regions": [{"name": "A", "values": {"auth": {key: SECRET}}}]},
    "in a region, beside its values": lambda key: {"regions": [{"name": "A", key: SECRET}]},
}


@pytest.mark.parametrize("key", both_spellings(SECRET_KEYS))
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_a_secret_is_left_out_wherever_it_stands_and_however_it_is_spelled(place, key):
    entry = {"auth": {"auth_url": "https://example.com/v3"}, **place(key)}

    public = cloud_entry.without_secrets(cloud_entry.normalized(entry))

    assert SECRET not in repr(public)


@pytest.mark.parametrize(
    "key", both_spellings(["username", "user_id", "user_domain_name", "user_domain_id", "auth_type"])
)
def test_who_signs_in_is_left_out_too(key):
    """With a user name beside it, the session's authentication would be one of two."""
    for entry in ({key: "demo"}, {"auth": {key: "demo"}}):
        assert "demo" not in repr(cloud_entry.without_secrets(cloud_entry.normalized(entry)))


KEPT = {
    "region_name": "RegionOne",
    "interface": "internal",
    "cacert": "/etc/ssl/ca.pem",
    "cert": "/etc/ssl/me.pem",
    "key": "/etc/ssl/me.key",
    "verify": False,
    "profile": "ovh",
    "api_timeout": 30,
    "identity_api_version": 3,
    "volume_api_version": "3",
    "compute_default_microversion": "2.90",
    "compute_endpoint_override": "https://nova.example.com",
    "image_endpoint_override": "https://glance.example.com",
    "network_interface": "admin",
    "status_code_retries": 4,
    "compute_status_code_retries": 4,
    "status_code_retry_delay": 2,
    "retriable_status_codes": [429, 503],
    "rate_limit": {"compute": 15},
    "networks": [{"name": "ext", "routes_externally": True}],
    "floating_ip_source": "None",
    "has_network": False,
}


@pytest.mark.parametrize("key", both_spellings(KEPT))
def test_what_a_connection_needs_is_kept(key):
    name = key.replace("-", "_")
    public = cloud_entry.without_secrets(cloud_entry.normalized({key: KEPT[name]}))

    assert public.get(name) == KEPT[name]


def test_regions_keep_their_names_and_their_connection():
    regions = [
        "A",
        {"name": "B", "values": {"interface": "internal", "compute-api-version": "2.1", "password": SECRET}},
    ]

    public = cloud_entry.without_secrets(cloud_entry.normalized({"regions": regions}))

    assert public["regions"] == [
        "A",
        {"name": "B", "values": {"interface": "internal", "compute_api_version": "2.1"}},
    ]


@pytest.mark.parametrize("place", ["beside", "inside"])
@pytest.mark.parametrize(
    ("scope", "kept"),
    [
        ({}, {"auth_url": "https://example.com/v3"}),
        ({"project-name": "demo", "project_domain_name": "Default"}, {}),
        ({"domain_id": "default"}, {}),
        ({"system_scope": "all"}, {}),
    ],
    ids=str,
)
def test_of_auth_only_the_address_is_kept_and_only_where_nothing_is_asked_for(place, scope, kept):
    auth = {"auth_url": "https://example.com/v3", "username": "demo", "password": SECRET, **scope}
    entry = {"auth": auth} if place == "inside" else auth

    assert cloud_entry.without_secrets(cloud_entry.normalized(entry))["auth"] == kept


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_the_identity_is_who_where_and_for_what_and_no_secret(place):
    auth = {"auth-url": "u", "username": "demo", "password": SECRET, "tenant_name": "p", "region_name": "A"}
    entry = cloud_entry.normalized({"auth": auth} if place == "inside" else auth)

    assert cloud_entry.identity(entry) == {"auth_url": "u", "username": "demo", "project_name": "p"}


def test_normalizing_leaves_the_original_alone():
    entry = {"region-name": "A", "auth": {"auth-url": "u"}, "regions": [{"name": "A"}]}

    copied = cloud_entry.normalized(entry)
    copied["auth"]["auth_url"] = "changed"
    copied["regions"][0]["name"] = "changed"

    assert entry == {"region-name": "A", "auth": {"auth-url": "u"}, "regions": [{"name": "A"}]}


@pytest.mark.parametrize("auth", [None, {}, "missing"])
def test_an_entry_without_auth_has_an_empty_one(auth):
    entry = {} if auth == "missing" else {"auth": auth}

    assert cloud_entry.normalized(entry)["auth"] == {}


ENTRY = {
    "project_id": "beside",
    "region_name": "A",
    "auth": {
        "auth_url": "u",
        "username": "demo",
        "user_domain_name": "Users",
        "password": "p",
        "project_name": "old",
        "project_domain_name": "Projects",
    },
}
IDENTITY = {"auth_url": "u", "username": "demo", "user_domain_name": "Users", "password": "p"}


@pytest.mark.parametrize(
    ("scope", "auth"),
    [
        ({}, {}),
        ({"project_id": "new"}, {"project_id": "new"}),
        ({"project_name": "new"}, {"project_name": "new", "project_domain_name": "Projects"}),
        (
            {"project_name": "new", "project_domain_name": "Other"},
            {"project_name": "new", "project_domain_name": "Other"},
        ),
        ({"domain_id": "default"}, {"domain_id": "default"}),
        ({"system_scope": "all"}, {"system_scope": "all"}),
    ],
)
def test_another_scope_takes_the_place_of_the_configured_one_everywhere(scope, auth):
    rescoped = cloud_entry.with_scope(ENTRY, scope)

    assert rescoped == {"region_name": "A", "auth": {**IDENTITY, **auth}}


@pytest.mark.parametrize(
    ("configured", "asked"),
    [("project_domain_id", "project_domain_name"), ("project_domain_name", "project_domain_id")],
)
@pytest.mark.parametrize("place", ["beside", "inside"])
def test_another_project_domain_leaves_nothing_of_the_configured_one(place, configured, asked):
    """With an id and a name in it, keystoneauth takes the id, and so looks in the domain that was not asked for."""
    scope = {configured: "configured"}
    entry = {"auth": {"auth_url": "u", **scope}} if place == "inside" else {"auth": {"auth_url": "u"}, **scope}

    rescoped = cloud_entry.with_scope(entry, {"project_name": "new", asked: "asked"})

    assert rescoped == {"auth": {"auth_url": "u", "project_name": "new", asked: "asked"}}


def test_another_scope_leaves_the_original_alone():
    before = repr(ENTRY)
    cloud_entry.with_scope(ENTRY, {"project_id": "new"})["auth"]["password"] = "changed"

    assert repr(ENTRY) == before


@pytest.mark.parametrize("regions", [["RegionOne", "RegionTwo"], [{"name": "RegionOne"}, {"name": "RegionTwo"}]])
def test_a_region_that_was_asked_for_is_the_first_of_the_list(regions):
    entry = cloud_entry.with_options({"auth": {}, "regions": regions}, {"region_name": "RegionTwo"})

    assert entry["regions"] == regions[::-1]
