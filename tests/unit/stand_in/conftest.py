# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start stand-ins, and connect to them with openstacksdk."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.stand_in.running import CLOUD_NAME, StandIn, stand_ins

if t.TYPE_CHECKING:
    import openstack.connection

Start = t.Callable[..., StandIn]
Connect = t.Callable[..., "openstack.connection.Connection"]


@pytest.fixture
def start(tmp_path: pathlib.Path) -> t.Iterator[Start]:
    """Start a stand-in with these options; it ends with the test."""
    with stand_ins(tmp_path) as start:
        yield start


@pytest.fixture
def connect(no_cloud: pathlib.Path) -> t.Iterator[Connect]:
    """Connect to a stand-in as users do, with its clouds.yaml."""
    import openstack.config
    import openstack.connection

    made: list[openstack.connection.Connection] = []

    def connect_to(cloud: StandIn) -> openstack.connection.Connection:
        files = openstack.config.OpenStackConfig(config_files=[cloud.clouds_file], load_envvars=False)
        connection = openstack.connection.Connection(config=files.get_one(CLOUD_NAME))
        made.append(connection)
        return connection

    yield connect_to
    for connection in made:
        connection.close()
