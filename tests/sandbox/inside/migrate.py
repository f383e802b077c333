# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bring one service's database up to date: migrate.py SERVICE SANDBOX-DIRECTORY.

Where PROGRAM-manage would take several processes, whose start takes most of the time, one does it all.
"""

from __future__ import annotations

import json
import os
import sys


def keystone(configuration: str, sandbox: str) -> None:
    """db_sync and bootstrap: the schema, the roles, the admin user and Keystone's first endpoint."""
    import keystone.conf
    from keystone.cmd import bootstrap
    from keystone.common import sql
    from keystone.common.sql import upgrades

    keystone.conf.configure()
    sql.initialize()
    keystone.conf.CONF([], project="keystone", default_config_files=[f"{configuration}/keystone.conf"])
    upgrades.offline_sync_database_to_version()

    with open(os.path.join(sandbox, "passwords.json"), encoding="utf-8") as stream:
        passwords = json.load(stream)
    first = bootstrap.Bootstrapper()
    first.admin_username = first.admin_role_name = first.project_name = "admin"
    first.admin_password = passwords["admin"]
    first.immutable_roles = True
    first.region_id = "RegionOne"
    first.bootstrap()


def nova(configuration: str, sandbox: str) -> None:
    """Both schemas and the two cells: cell0, where unscheduled servers go, and the one with the compute."""
    from nova.cmd import manage  # first: it chooses threads over eventlet
    from nova import config, context, objects

    config.parse_args(["nova-manage"], default_config_files=[f"{configuration}/nova.conf"])
    objects.register_all()
    manage.ApiDbCommands().sync()
    cells = manage.CellV2Commands()
    cells.map_cell0()
    # 2: there is one already.
    if cells.create_cell(name="cell1", transport_url="fake://") not in (0, 2):
        sys.exit("Nova's cell could not be made.")
    for cell in objects.CellMappingList.get_all(context.get_admin_context()):
        # Nova fills in the rest from its configuration, so that the port can change.
        name = "nova_cell0" if cell.is_cell0() else "nova"
        cell.database_connection = f"{{scheme}}://{{username}}:{{password}}@{{hostname}}:{{port}}/{name}?{{query}}"
        cell.save()
    manage.DbCommands().sync()


def glance(configuration: str, sandbox: str) -> None:
    from glance.cmd.manage import main

    sys.argv = ["glance-manage", "--config-dir", configuration, "db_sync"]
    sys.exit(main())


def neutron(configuration: str, sandbox: str) -> None:
    """Neutron joins the directories of its migrations with spaces, and so finds none below a path with a space."""
    from neutron.db.migration import cli

    set_joined_by_spaces = cli._set_version_locations

    def set_joined_by_lines(config) -> None:
        set_joined_by_spaces(config)
        first = cli._get_version_branch_path(config)
        joined = config.get_main_option("version_locations").replace(f" {first}", f"\n{first}")
        config.set_main_option("version_locations", joined)
        config.set_main_option("path_separator", "newline")

    cli._set_version_locations = set_joined_by_lines
    sys.argv = ["neutron-db-manage", "--config-file", f"{configuration}/neutron.conf", "upgrade", "heads"]
    sys.exit(cli.main())


def cinder(configuration: str, sandbox: str) -> None:
    from cinder.cmd.manage import main

    sys.argv = ["cinder-manage", "--config-file", f"{configuration}/cinder.conf", "db", "sync"]
    sys.exit(main())


def main() -> None:
    service, sandbox = sys.argv[1], sys.argv[2]
    del sys.argv[1:]
    migrations = {"keystone": keystone, "nova": nova, "glance": glance, "neutron": neutron, "cinder": cinder}
    migrations[service](os.path.join(sandbox, "etc", service), sandbox)


if __name__ == "__main__":
    main()
