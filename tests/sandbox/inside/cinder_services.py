# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cinder in one process: scheduler, volume and backup service and API talk to each other without a message bus."""

from __future__ import annotations

import os
import sys

from cinder import monkey_patch

# Green threads must replace the real ones before anything else is imported.
monkey_patch.patch()

from access_log import Application  # noqa: E402
from rate_limits import Limits  # noqa: E402

BACKEND = "fake"


def start(limits: Limits) -> Application:
    """Start the three services; return the API's application."""
    from cinder.wsgi import wsgi

    # Cinder's application reads the path of its configuration from its arguments, not from the environment.
    sys.argv[1:] = ["--config-file", os.path.join(os.environ["OS_CINDER_CONFIG_DIR"], "cinder.conf")]
    application = wsgi.initialize_application()

    import block_storage
    from cinder import service
    from cinder.common import constants
    from oslo_config import cfg

    block_storage.install(limits)
    service.Service.create(binary=constants.SCHEDULER_BINARY, host=cfg.CONF.host).start()
    # cinder.cmd.volume registers it, but that cannot be imported once the configuration is parsed.
    cfg.CONF.register_opt(cfg.StrOpt("backend_host"), group=BACKEND)
    service.Service.create(
        binary=constants.VOLUME_BINARY,
        host=f"{cfg.CONF.host}@{BACKEND}",
        service_name=BACKEND,
        coordination=True,
    ).start()
    service.Service.create(
        binary=constants.BACKUP_BINARY,
        host=cfg.CONF.host,
        service_name="backup",
        coordination=True,
    ).start()
    return application
