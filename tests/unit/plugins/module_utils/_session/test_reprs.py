# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a debugger, a log or a traceback shows of the objects of the session."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils import _session, _session_setup
from ansible_collections.onetoken.openstack.plugins.module_utils._modules import signing_in, task_cloud, token_status
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in.cache import Identity
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in.request import SignInRequest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.token import Tls

#: Fields that hold secrets, or texts that may.
SECRET = {"auth", "body", "canonical", "config", "handle", "headers", "password", "region", "request", "way"}
#: Types that hold no secret, or do not show it.
SAFE = {"TokenId", "Session", "Way | None"}


def modules() -> t.Iterator[t.Any]:
    yield from (signing_in, task_cloud, token_status)
    for package in (_session, _session_setup):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not found.name.endswith("sitecustomize"):
                yield importlib.import_module(found.name)


DATACLASSES = sorted(
    {
        kind
        for module in modules()
        for _name, kind in inspect.getmembers(module, dataclasses.is_dataclass)
        if kind.__module__ == module.__name__
    },
    key=str,
)


@pytest.mark.parametrize("kind", DATACLASSES, ids=lambda kind: kind.__qualname__)
def test_no_field_that_may_be_secret_is_shown(kind):
    shown = {field.name for field in dataclasses.fields(kind) if field.repr and str(field.type) not in SAFE}

    assert not shown & SECRET


def test_a_sign_in_shows_no_password():
    body = {"auth": {"identity": {"password": {"user": {"password": "secret"}}}}}
    request = SignInRequest("https://someone:secret@k/v3/auth/tokens", body, b"secret", Tls())

    assert "secret" not in repr(request) + repr(Identity(Session("/session"), request))
