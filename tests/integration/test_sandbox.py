# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox itself, where no other test depends on it."""

from __future__ import annotations

import json
import subprocess

from ansible_collections.onetoken.openstack.tests.helpers.sandbox import FIRST_SANDBOX, SANDBOX

#: Prints DATABASE.TABLE for each table with a row that has an address of the sandbox's services.
SEARCH = """
import collections, json, pymysql, sys

ports, password = json.loads(sys.argv[1]), sys.stdin.read()
cursor = pymysql.connect(host="127.0.0.1", port=ports["mariadb"], user="sandbox", password=password).cursor()
cursor.execute(
    "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE data_type REGEXP 'char|text'"
    " AND table_schema NOT IN ('mysql', 'sys', 'information_schema', 'performance_schema')"
)
columns = collections.defaultdict(list)
for database, table, column in cursor.fetchall():
    columns[f"`{database}`.`{table}`"].append(f"`{column}`")
addresses = "(127.0.0.1|localhost):(" + "|".join(str(port) for port in ports.values()) + ")"
for table, names in columns.items():
    cursor.execute(f"SELECT 1 FROM {table} WHERE CONCAT_WS(' ', {', '.join(names)}) REGEXP %s LIMIT 1", [addresses])
    if cursor.fetchall():
        print(table.replace("`", ""))
"""


def test_the_data_of_a_sandbox_have_no_ports_so_it_can_be_moved_to_others(sandbox):
    """Except Keystone's catalog, which every `up` corrects."""
    search = subprocess.run(
        [FIRST_SANDBOX / "venv" / "bin" / "python", "-c", SEARCH, (SANDBOX / "ports.json").read_text()],
        input=json.loads((SANDBOX / "passwords.json").read_text())["database"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert search.returncode == 0, search.stderr
    assert search.stdout.split() == ["keystone.endpoint"]
