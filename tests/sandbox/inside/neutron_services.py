# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neutron, with ports that need no physical network.

Nova refuses a port that no ML2 mechanism driver has bound, and real drivers need an agent. This one binds every port
at once.
"""

from __future__ import annotations

from access_log import Application
from neutron.tests.unit.plugins.ml2.drivers import mechanism_logger
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api
from sqlalchemy import orm


class BindAnything(api.MechanismDriver):
    """Binds every port to the first possible segment."""

    def initialize(self):
        """Nothing to set up."""

    def bind_port(self, context):
        context.set_binding(
            context.segments_to_bind[0][api.ID],
            portbindings.VIF_TYPE_OVS,
            {portbindings.CAP_PORT_FILTER: True},
            status=constants.PORT_STATUS_ACTIVE,
        )


def start() -> Application:
    """Return the API's application, with our driver instead of ML2's `logger`.

    Neutron finds drivers by entry points, and that one is part of Neutron and does nothing.
    """
    mechanism_logger.LoggerMechanismDriver = BindAnything

    from neutron.wsgi.api import application

    # The first query links the models, but listing ports needs attributes of linked models before that.
    orm.configure_mappers()
    return application
