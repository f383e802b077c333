# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neutron, with ports that need no network below them.

Nova refuses a port that no mechanism driver of ML2's has bound, and those that bind want an agent. This one
makes each port at once as ready as an agent would report it.
"""

from __future__ import annotations

from access_log import Application
from neutron.tests.unit.plugins.ml2.drivers import mechanism_logger
from neutron_lib import constants
from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api
from sqlalchemy import orm


class BindAnything(api.MechanismDriver):
    """Binds every port to the first segment that it is offered."""

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
    """Return the API's application, with our driver in the place of ML2's `logger`.

    Drivers are looked up by entry points, and that one ships with Neutron and does nothing.
    """
    mechanism_logger.LoggerMechanismDriver = BindAnything

    from neutron.wsgi.api import application

    # Listing ports needs attributes that exist only once the models are linked, which the first query does:
    # if that is the listing itself, it fails.
    orm.configure_mappers()
    return application
