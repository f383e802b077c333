# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sandbox's files and ports, and the settings that SANDBOX_* variables make."""

from __future__ import annotations

import json
import os
import typing as t
from dataclasses import dataclass
from pathlib import Path

from .errors import SandboxError

SOURCE = Path(__file__).resolve().parent.parent
REPOSITORY = SOURCE.parent.parent
INSIDE = SOURCE / "inside"
FIRST = REPOSITORY / ".sandbox"

API_SERVICES = ("keystone", "nova", "glance", "neutron", "placement", "cinder")
LISTENERS = (*API_SERVICES, "mariadb")
REGIONS = ("RegionOne", "RegionTwo")

DEFAULT_PORT_BASE = 15000
DEFAULT_TOKEN_SECONDS = 86400  # a day, as at OVHcloud; Keystone's own default is an hour
DEFAULT_SERVERS = 12


@dataclass(frozen=True)
class Layout:
    """The directories and files of one sandbox."""

    root: Path

    @classmethod
    def chosen(cls, environment: t.Mapping[str, str]) -> Layout:
        return cls(REPOSITORY / (environment.get("SANDBOX_DIRECTORY") or FIRST))

    @property
    def venv(self) -> Path:
        # All sandboxes share one installation.
        return FIRST / "venv"

    @property
    def python(self) -> Path:
        # Programs run with "python -m" or "python FILE", as the #! line of a script cannot have a path with spaces.
        return self.venv / "bin" / "python"

    @property
    def configuration(self) -> Path:
        return self.root / "etc"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def passwords(self) -> Path:
        return self.root / "passwords.json"

    @property
    def limits(self) -> Path:
        return self.root / "limits.json"

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def clouds(self) -> Path:
        return self.root / "clouds.yaml"

    @property
    def openrc(self) -> Path:
        return self.root / "openrc.sh"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"


@dataclass(frozen=True)
class Settings:
    """Settings that are kept until another `up` changes them or `reset` forgets them."""

    ports: t.Mapping[str, int]
    token_seconds: int
    servers: int

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.ports[service]}"


def write_private(path: Path, text: str) -> None:
    """Write a file atomically, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)


def read_json(path: Path) -> dict[str, t.Any]:
    """The file's content; empty if the file is missing or invalid."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def write_json(path: Path, content: t.Mapping[str, t.Any]) -> None:
    write_private(path, json.dumps(content, indent=2) + "\n")


def number(environment: t.Mapping[str, str], name: str, lowest: int, highest: int) -> int | None:
    """The variable as a number; None if it is unset or empty."""
    text = environment.get(name, "").strip()
    if not text:
        return None
    if not text.isdecimal() or not lowest <= int(text) <= highest:
        raise SandboxError(f"{name}={text} is not a whole number from {lowest} to {highest}: change it or unset it.")
    return int(text)


def port_variable(listener: str) -> str:
    return f"SANDBOX_{listener.upper()}_PORT"


def choose_ports(environment: t.Mapping[str, str], saved: t.Mapping[str, t.Any]) -> dict[str, int]:
    """A listener's own variable first, then SANDBOX_PORT_BASE, then the ports of the last `up`."""
    base = number(environment, "SANDBOX_PORT_BASE", 1024, 65535 - len(LISTENERS))
    ports: dict[str, int] = {}
    for offset, listener in enumerate(LISTENERS):
        own = number(environment, port_variable(listener), 1, 65535)
        if own is not None:
            port = own
        elif base is not None:
            port = base + offset
        else:
            port = int(saved.get(listener, DEFAULT_PORT_BASE + offset))
        clash = next((name for name, taken in ports.items() if taken == port), None)
        if clash:
            raise SandboxError(
                f"{clash} and {listener} would both listen on port {port}: "
                f"set {port_variable(clash)} or {port_variable(listener)} to another one."
            )
        ports[listener] = port
    return ports


def choose_settings(layout: Layout, environment: t.Mapping[str, str]) -> Settings:
    """The settings of the variables, or else of the last `up`."""
    saved = read_json(layout.settings)
    token_seconds = number(environment, "SANDBOX_TOKEN_SECONDS", 1, 10**8)
    servers = number(environment, "SANDBOX_SERVERS", 0, 900)
    return Settings(
        ports=choose_ports(environment, read_json(layout.ports)),
        token_seconds=saved.get("token_seconds", DEFAULT_TOKEN_SECONDS) if token_seconds is None else token_seconds,
        servers=saved.get("servers", DEFAULT_SERVERS) if servers is None else servers,
    )


def save_settings(layout: Layout, settings: Settings) -> None:
    write_json(layout.ports, settings.ports)
    write_json(layout.settings, {"token_seconds": settings.token_seconds, "servers": settings.servers})
