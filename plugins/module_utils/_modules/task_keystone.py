# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Keystone that a task's options name, for requests that need no session."""

from __future__ import annotations

import os
import typing as t

from .._session.revoke.keystone import Connection
from .._session.store.token import Tls
from .._session.util.errors import ConfigurationError
from .configuration import auth_value
from .task_cloud import TaskCloud


def keystone_of(params: t.Mapping[str, t.Any]) -> Connection:
    """A connection to the Keystone that the options name, without credentials."""
    region = TaskCloud.of_params(params, os.environ, validate=False).region
    url = auth_value(region.config, "auth_url")
    if not url:
        raise ConfigurationError("Keystone's address is not known: set cloud, or auth with an auth_url.")
    return Connection(str(url), Tls(*region.get_requests_verify_args()), region.config.get("api_timeout"))
