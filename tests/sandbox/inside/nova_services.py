# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nova in one process: conductor, scheduler, compute and API talk to each other without a message bus."""

from __future__ import annotations

from access_log import Application
from rate_limits import Limits


def start(limits: Limits) -> Application:
    """Start the three services; return the API's application."""
    # First: it parses the configuration, initialises RPC and forbids eventlet.
    from nova.wsgi.osapi_compute import application

    import hypervisor
    import nova.conf
    import nova.context
    import os_brick
    import os_vif
    from nova import objects, service
    from nova.compute import rpcapi as compute
    from nova.conductor import rpcapi as conductor
    from nova.objects import host_mapping
    from nova.scheduler import rpcapi as scheduler

    hypervisor.install(limits)
    objects.register_all()
    os_brick.setup(nova.conf.CONF)
    os_vif.initialize()
    topics = {
        "nova-conductor": {"topic": conductor.RPC_TOPIC},
        "nova-scheduler": {"topic": scheduler.RPC_TOPIC},
        "nova-compute": {"topic": compute.RPC_TOPIC, "topic_alt": compute.RPC_TOPIC_ALT},
    }
    for binary, names in topics.items():
        service.Service.create(binary=binary, host=nova.conf.CONF.host, **names).start()
    # As `nova-manage cell_v2 discover_hosts` does; the scheduler would know no host without it.
    host_mapping.discover_hosts(nova.context.get_admin_context())
    return application
