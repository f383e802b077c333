# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox as a whole: up, down, reset and what is running."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import threading
import time
import typing as t
from concurrent.futures import Future, ThreadPoolExecutor, wait
from hashlib import sha256

from . import install, limits
from .configuration import Configuration, ensure_passwords, migration_of
from .credentials import write_credentials
from .database import Database
from .errors import SandboxError
from .layout import (
    API_SERVICES,
    INSIDE,
    LISTENERS,
    Layout,
    Settings,
    choose_settings,
    read_json,
    save_settings,
    write_json,
)
from .processes import Daemon, answers, environment, interrupted, require_free, run
from .template import Template

START_SECONDS = 180.0
# Placement makes its tables as it starts.
MIGRATED = tuple(service for service in API_SERVICES if service != "placement")
# What a reset keeps: the environment took minutes to install, the ports were chosen by the user.
KEPT = ("venv", "ports.json", "lock")


class Progress:
    """Lines with the seconds since the start, from any thread."""

    def __init__(self) -> None:
        self.begin = time.monotonic()
        self.lock = threading.Lock()

    def __call__(self, text: str) -> None:
        with self.lock:
            print(f"[{time.monotonic() - self.begin:6.1f} s] {text}", flush=True)


class Cloud:
    """One sandbox, below one directory."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.say = Progress()

    @contextlib.contextmanager
    def alone(self) -> t.Iterator[None]:
        """Let no other command run meanwhile: two would start everything twice."""
        self.layout.root.mkdir(parents=True, exist_ok=True)
        with open(self.layout.root / "lock", "a", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                self.say("waiting for another sandbox command to end")
                fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    # Commands

    def up(self) -> None:
        """Start what does not run, make what is missing."""
        settings = choose_settings(self.layout, os.environ)
        limit_changes = limits.from_environment(os.environ)
        self.require_ports(settings)
        program = install.ensure_database_server(self.layout, self.say)
        install.ensure_venv(self.layout, self.say)
        save_settings(self.layout, settings)
        is_new, statements = not self.layout.state.exists(), ""
        template = Template(settings)
        if is_new and template.exists:
            self.say("copying the data of a new sandbox")
            statements = template.copy_to(self.layout)
        passwords = ensure_passwords(self.layout)
        if limit_changes or not self.layout.limits.exists():
            limits.write_limits(self.layout, limit_changes)
        (self.layout.root / "logs").mkdir(exist_ok=True)

        database = Database(self.layout, settings, program, passwords["database"])
        if database.is_up:
            self.say(f"mariadb: already up on port {database.port}")
        else:
            self.say("mariadb: starting")
            database.start(statements)
            self.say(f"mariadb: up on port {database.port}")
        Start(self, settings, Configuration(self.layout, settings, passwords), passwords).run()
        if is_new and not template.exists:
            self.say("keeping a copy for further sandboxes")
            Daemon(self.layout, "mariadb").stop(timeout=60)
            template.keep(self.layout)
            database.start()

    def down(self) -> None:
        """Stop everything; the data stays."""
        with ThreadPoolExecutor(len(API_SERVICES)) as pool:
            stops = {name: pool.submit(Daemon(self.layout, name).stop) for name in API_SERVICES}
        stopped = {name: stop.result() for name, stop in stops.items()}
        # Last, as the others still write to it; it takes long to write everything to the disk.
        stopped["mariadb"] = Daemon(self.layout, "mariadb").stop(timeout=60)
        for name, was_running in stopped.items():
            self.say(f"{name}: {'stopped' if was_running else 'was not running'}")

    def reset(self) -> None:
        """Stop everything, delete everything but the installation and the ports, and start again."""
        self.down()
        for entry in self.layout.root.iterdir():
            if entry.name in KEPT:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        self.say("the data is deleted")
        self.up()

    def status(self) -> bool:
        """Print each process; True if all run."""
        daemons = [Daemon(self.layout, name) for name in LISTENERS]
        for daemon in daemons:
            print(f"{daemon.name:<10} {f'up, process {daemon.pid}, port {daemon.port}' if daemon.pid else 'down'}")
        return all(daemon.pid for daemon in daemons)

    # Parts

    def require_ports(self, settings: Settings) -> None:
        """Fail early if another program uses one of the ports."""
        for name, port in settings.ports.items():
            if Daemon(self.layout, name).port != port:
                require_free(name, port)


class Start:
    """Starts the services: all at once, but Nova once Keystone, Placement and Neutron are up."""

    def __init__(
        self, cloud: Cloud, settings: Settings, configuration: Configuration, passwords: t.Mapping[str, str]
    ) -> None:
        self.layout = cloud.layout
        self.say = cloud.say
        self.settings = settings
        self.configuration = configuration
        self.passwords = passwords
        self.requirements = migration_of(install.REQUIREMENTS.read_bytes())
        self.ready: dict[str, Future[None]] = {}

    def run(self) -> None:
        pool = ThreadPoolExecutor(len(API_SERVICES))
        try:
            for service in ("keystone", "placement", "neutron", "glance", "cinder", "nova"):
                self.ready[service] = pool.submit(self.bring_up, service)
            # Wait for all of them: one that fails must not keep the others from starting.
            wait(self.ready.values())
            for future in self.ready.values():
                future.result()
        except KeyboardInterrupt:
            interrupted.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        self.seed_resources()
        self.say(f"ready: export OS_CLIENT_CONFIG_FILE='{self.layout.clouds}' OS_CLOUD=sandbox")

    def bring_up(self, service: str) -> None:
        daemon = Daemon(self.layout, service)
        port = self.settings.ports[service]
        self.configuration.write(service)
        fingerprint = self.configuration.fingerprint(service)
        if daemon.fingerprint == fingerprint and answers(port, "/sandbox-ready"):
            self.say(f"{service}: already up on port {port}")
        else:
            daemon.stop()
            self.migrate(service)
            if service == "nova":
                # nova-compute registers with these when it starts.
                for needed in ("keystone", "placement", "neutron"):
                    self.ready[needed].result()
            self.say(f"{service}: starting")
            command = (self.layout.python, INSIDE / "serve.py", service, str(port), self.layout.root)
            daemon.start(command, self.environment(service), port, fingerprint)
            daemon.wait_until(lambda: answers(port, "/sandbox-ready"), START_SECONDS)
            self.say(f"{service}: up on port {port}")
        if service == "keystone":
            self.seed_identity()

    def environment(self, service: str) -> dict[str, str]:
        return environment(self.layout, self.configuration.environment(service))

    def migrate(self, service: str) -> None:
        """Make or update the service's tables, unless this release and this migrate.py did so already."""
        stamp = self.layout.state / service / "migrated.json"
        wanted = {"releases": self.requirements, "program": sha256((INSIDE / "migrate.py").read_bytes()).hexdigest()}
        if service not in MIGRATED or read_json(stamp) == wanted:
            return
        self.say(f"{service}: making the database's tables")
        log = self.layout.log(f"{service}-migration")
        command = (self.layout.python, INSIDE / "migrate.py", service, self.layout.root)
        run(f"Making {service}'s tables", command, log, self.environment(service))
        write_json(stamp, wanted)

    def seed_identity(self) -> None:
        """Make users and the catalog, unless nothing has changed since they were made."""
        stamp = self.layout.state / "keystone" / "seeded.json"
        wanted = {"ports": dict(self.settings.ports), "seed": (INSIDE / "seed.py").stat().st_mtime_ns}
        if read_json(stamp) != wanted:
            self.say("keystone: making users, projects and the catalog")
            self.seed("identity")
            write_json(stamp, wanted)
        identity = read_json(self.layout.state / "identity.json")
        write_credentials(self.layout, self.settings, self.passwords, identity)

    def seed_resources(self) -> None:
        self.say(f"seeding {self.settings.servers} servers and what belongs to them")
        self.seed("resources", str(self.settings.servers))

    def seed(self, *arguments: str) -> None:
        """Run the seed script, and print its output."""
        log = self.layout.log("seed")
        command = [self.layout.python, INSIDE / "seed.py", arguments[0], self.layout.root, *arguments[1:]]
        with (
            open(log, "ab") as errors,
            subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(self.layout),
                text=True,
            ) as process,
        ):
            for line in process.stdout or ():
                self.say(line.rstrip())
        if process.returncode:
            raise SandboxError(f"Seeding the cloud's {arguments[0]} failed: the last lines of {log} say why.")
