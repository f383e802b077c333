# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's packages and the virtual environment with OpenStack in it."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import sys
import typing as t

from .errors import SandboxError
from .layout import SOURCE, Layout, read_json, write_json
from .processes import find_program, run

REQUIREMENTS = SOURCE / "requirements.txt"

# Only the server's program: unlike mariadb-server, it has no system service and no data directory.
DATABASE_PACKAGE = "mariadb-server-core"
# Settings that would make pip install packages outside of the virtual environment.
ELSEWHERE = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME", "PYTHONPATH")


def install_packages(layout: Layout, say: t.Callable[[str], None], packages: t.Sequence[str]) -> None:
    """Install Debian packages, as root or with a sudo that asks for no password."""
    names = " ".join(packages)
    by_hand = f"run `apt-get install --no-install-recommends {names}` as root, then `up` again"
    apt_get = find_program("apt-get")
    if not apt_get:
        raise SandboxError(f"{names} is missing and this is no Debian (no apt-get): install its equivalent.")
    prefix: list[str] = []
    if os.geteuid() != 0:
        sudo = find_program("sudo")
        if not sudo:
            raise SandboxError(f"{names} is missing, you are not root and there is no sudo: {by_hand}.")
        prefix = [sudo, "-n"]
    say(f"installing Debian's {names}")
    log = layout.log("install")
    env = {**os.environ, "LANG": "C.UTF-8"}
    command = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", apt_get, "-o", "DPkg::Lock::Timeout=300"]
    try:
        run(f"Refreshing the package lists for {names}", [*command, "update"], log, env)
    except SandboxError:
        say("the package lists could not be refreshed: trying with the ones that are there")
    try:
        run(f"Installing {names}", [*command, "install", "-y", "--no-install-recommends", *packages], log, env)
    except SandboxError as error:
        raise SandboxError(f"{error} Or {by_hand}.") from error


def ensure_database_server(layout: Layout, say: t.Callable[[str], None]) -> str:
    """The path of mariadbd."""
    program = find_program("mariadbd")
    if not program:
        install_packages(layout, say, [DATABASE_PACKAGE])
        program = find_program("mariadbd")
    if not program:
        raise SandboxError(f"{DATABASE_PACKAGE} is installed but mariadbd is not found: put it on PATH.")
    return program


def requirements_stamp() -> dict[str, str]:
    """What the virtual environment is made from."""
    return {
        "requirements": hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest(),
        "python": f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}",
    }


def ensure_venv(layout: Layout, say: t.Callable[[str], None]) -> None:
    """Install the pinned requirements; an environment without a stamp, which is written last, is incomplete."""
    stamp = layout.venv / "sandbox-stamp.json"
    if read_json(stamp) == requirements_stamp() and layout.python.exists():
        return
    if not layout.python.exists() or read_json(stamp).get("python") != requirements_stamp()["python"]:
        shutil.rmtree(layout.venv, ignore_errors=True)
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        install_packages(layout, say, [f"python{version}-venv"])
    log = layout.log("install")
    env = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    say("installing OpenStack from PyPI into .sandbox/venv (some 150 packages, two minutes or so)")
    run("Creating the virtual environment", [sys.executable, "-m", "venv", layout.venv], log, env)
    pip = (layout.python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input")
    run("Installing OpenStack", [*pip, "-r", REQUIREMENTS], log, env, say)
    write_json(stamp, requirements_stamp())
    say("OpenStack is installed")
