# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import sys

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.onetoken.openstack.plugins.lookup import session as lookup
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import signing_in
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.renewal import RenewalPolicy


@pytest.fixture
def look_up(monkeypatch):
    """Run the lookup with the options that its documentation gives it, without Ansible's search for plugins."""

    def run(*terms: str | list[str], session: str | None = None, return_token: bool = False):
        plugin = lookup.LookupModule()
        monkeypatch.setattr(plugin, "set_options", lambda **kwargs: None)
        monkeypatch.setattr(plugin, "get_option", {"session": session, "return_token": return_token}.get)
        return plugin.run(list(terms))

    return run


@pytest.fixture
def issued(session, sandbox):
    signing_in.issue(session, sandbox, RenewalPolicy(), timeout=10)
    return session


@pytest.mark.parametrize("terms", [("second", "sandbox"), (["second", "sandbox"],)])
def test_there_is_a_mapping_for_each_named_cloud_in_that_order(look_up, issued, terms):
    found = look_up(*terms, session=issued.path)

    assert [one["cloud"] for one in found] == ["second", "sandbox"]
    assert not any("token" in one for one in found)


def test_an_error_is_reported(look_up, no_cloud):
    with pytest.raises(AnsibleLookupError, match="No session is named") as raised:
        look_up()
    assert raised.value.__suppress_context__


def test_an_existing_token_needs_no_openstacksdk(look_up, issued, monkeypatch):
    monkeypatch.setitem(sys.modules, "openstack.config", None)

    assert look_up(session=issued.path)[0]["cloud"] == "sandbox"


def test_a_missing_openstacksdk_is_reported_with_the_interpreter(look_up, issued, monkeypatch):
    monkeypatch.setitem(sys.modules, "openstack.config", None)

    with pytest.raises(AnsibleLookupError) as raised:
        look_up("second", session=issued.path)

    assert sys.executable in str(raised.value) and "install it there" in str(raised.value)


def test_only_the_type_of_an_unexpected_error_is_reported(look_up, issued, monkeypatch):
    def fail(*arguments):
        raise ValueError("gAAAAABsecret")

    monkeypatch.setattr(lookup, "report", fail)
    with pytest.raises(AnsibleLookupError, match="unexpected ValueError") as raised:
        look_up(session=issued.path)
    assert "gAAAAAB" not in str(raised.value) and raised.value.__suppress_context__
