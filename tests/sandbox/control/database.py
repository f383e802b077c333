# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A private MariaDB: its own data directory and port, no system service, and gone with `.sandbox/`."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path

from .errors import SandboxError
from .layout import Layout, Settings, write_private
from .processes import Daemon, accepts, environment, run

DATABASES = ("keystone", "nova", "nova_api", "nova_cell0", "glance", "neutron", "placement", "cinder")
SHARED_FILES = (Path("/usr/share/mysql"), Path("/usr/share/mariadb"))
SYSTEM_TABLES = ("system_tables", "performance_tables", "system_tables_data")


def url(settings: Settings, password: str, database: str) -> str:
    """By TCP: the path of a socket may have at most 107 bytes, and the checkout's may be longer."""
    return f"mysql+pymysql://sandbox:{password}@127.0.0.1:{settings.ports['mariadb']}/{database}?charset=utf8mb4"


def accounts(password: str) -> str:
    """The SQL that the server runs at every start; it is safe to repeat."""
    user = "'sandbox'@'127.0.0.1'"
    lines = [
        f"CREATE USER IF NOT EXISTS {user} IDENTIFIED BY '{password}';",
        f"GRANT ALL ON *.* TO {user};",
    ]
    lines += [f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;" for name in DATABASES]
    return "\n".join(lines) + "\n"


class Database:
    """The MariaDB server of one sandbox."""

    def __init__(self, layout: Layout, settings: Settings, program: str, password: str) -> None:
        self.layout = layout
        self.program = program
        self.password = password
        self.port = settings.ports["mariadb"]
        self.data = layout.state / "mariadb"
        self.daemon = Daemon(layout, "mariadb")

    @property
    def fingerprint(self) -> str:
        return f"port {self.port}"

    @property
    def is_up(self) -> bool:
        return self.daemon.fingerprint == self.fingerprint and accepts(self.port)

    def start(self, statements: str = "") -> None:
        """Start the server, with a new data directory if there is none; it runs these statements first."""
        self.daemon.stop()
        if not self.data.exists():
            self._create()
        init_file = self.layout.configuration / "mariadb" / "accounts.sql"
        write_private(init_file, accounts(self.password) + statements)
        command = [*self._command(self.data), f"--port={self.port}", "--bind-address=127.0.0.1"]
        command += [
            # Relative to the data directory: an absolute path may be too long for a socket.
            "--socket=mariadb.sock",
            "--pid-file=mariadb.pid",
            f"--init-file={init_file}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--performance-schema=OFF",
            "--max-connections=500",
            "--innodb-buffer-pool-size=256M",
            # A commit survives a crash of the server; surviving one of the machine is not worth the syncs.
            "--innodb-flush-log-at-trx-commit=2",
        ]
        self.daemon.start(command, self._environment(), self.port, self.fingerprint)
        self.daemon.wait_until(lambda: accepts(self.port), 60)

    def _command(self, data: Path) -> list[str]:
        user = pwd.getpwuid(os.geteuid()).pw_name if os.geteuid() == 0 else None
        return [self.program, "--no-defaults", f"--datadir={data}", *([f"--user={user}"] if user else [])]

    def _environment(self) -> dict[str, str]:
        scratch = self.layout.state / "mariadb-tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        return environment(self.layout, {"TMPDIR": str(scratch)})

    def _create(self) -> None:
        """Make the system tables, as mariadb-install-db does, and then move them into place.

        That script is not used, as it also needs the client's package.
        """
        draft = self.data.with_name("mariadb-new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        script = draft.with_name("mariadb-new.sql")
        script.write_text(self._system_tables(), encoding="utf-8")
        command = [*self._command(draft), "--bootstrap", "--skip-log-bin", "--log-warnings=0"]
        with open(script, "rb") as statements:
            run("Creating MariaDB's data", command, self.daemon.log, self._environment(), stdin=statements)
        script.unlink()
        draft.rename(self.data)

    @staticmethod
    def _system_tables() -> str:
        for directory in SHARED_FILES:
            for prefix in ("mariadb", "mysql"):
                files = [directory / f"{prefix}_{name}.sql" for name in SYSTEM_TABLES]
                if all(file.is_file() for file in files):
                    # The only account is root, which the server recognizes by the user of the client's process.
                    head = "CREATE DATABASE IF NOT EXISTS mysql;\nUSE mysql;\nSET @auth_root_socket='root';\n"
                    return head + "".join(file.read_text(encoding="utf-8") for file in files)
        places = " and ".join(str(directory) for directory in SHARED_FILES)
        raise SandboxError(f"MariaDB's system tables (mysql_system_tables.sql) are neither in {places}: reinstall it.")
