# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An execution environment without a container: the content of its image, in a virtual environment."""

from __future__ import annotations

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import typing as t

import yaml
from ansible_collections.onetoken.openstack.tests.tools.environments import MAIN, REPOSITORY, build_collection

#: The user and group of a container's processes on OpenShift and in AWX: a user without a name, in root's group.
USER, GROUP = 12345, 0
#: Whether this process can start others as that user.
IS_ROOT = os.geteuid() == 0


class ExecutionEnvironment:
    """The packages and collections of execution-environment.yml, readable by every user."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self.context = directory / "context"
        self.collections = directory / "collections"
        self.bin = directory / "venv" / "bin"

    def build(self) -> None:
        tarball = build_collection(self.directory)
        definition = self.directory / "execution-environment.yml"
        shutil.copy(REPOSITORY / "execution-environment.yml", definition)
        create = [MAIN.bin / "ansible-builder", "create", "--file", definition, "--context", self.context]
        _run(*create, "--output-filename", "Containerfile", cwd=self.directory)
        self._install_collections(tarball)
        packages = self._packages()
        _run(_python_for(USER), "-m", "venv", "--without-pip", self.directory / "venv")
        pip = [sys.executable, "-m", "pip", "--python", self.bin / "python", "--disable-pip-version-check", "install"]
        # The constraints fit the openstack.cloud of the package ansible, which is installed instead of Galaxy's.
        _run(*pip, "--quiet", "--constraint", MAIN.requirements, *packages)

    @property
    def definition(self) -> dict[str, t.Any]:
        return yaml.safe_load((self.directory / "execution-environment.yml").read_text())

    def introspected(self) -> list[str]:
        """The packages that the collections in the image require."""
        listed = self.directory / "introspected.txt"
        command = [MAIN.bin / "ansible-builder", "introspect", "--write-pip", listed]
        _run(*command, "--write-bindep", self.directory / "bindep.txt", self.collections)
        lines = [line.partition("#")[0].strip() for line in listed.read_text().splitlines()]
        return [line for line in lines if line]

    def _packages(self) -> list[str]:
        dependencies = self.definition["dependencies"]
        return [
            dependencies["ansible_core"]["package_pip"],
            dependencies["ansible_runner"]["package_pip"],
            *dependencies["python"],
            *self.introspected(),
        ]

    def _install_collections(self, tarball: pathlib.Path) -> None:
        own = self.collections / "ansible_collections"
        collection = own / "onetoken" / "openstack"
        collection.mkdir(parents=True)
        shutil.unpack_archive(tarball, collection)
        # Galaxy has it, too, but this one is on the disk already.
        shutil.copytree(MAIN.installed_collections / "openstack" / "cloud", own / "openstack" / "cloud")


def as_user(*command: t.Any) -> list[str]:
    """The command that runs a command as the user without a name, if possible."""
    words = [str(word) for word in command]
    prefix = ["setpriv", f"--reuid={USER}", f"--regid={GROUP}", "--clear-groups", "--inh-caps=-all"]
    return [*prefix, *words] if IS_ROOT else words


def _python_for(user: int) -> str:
    """A Python that this user can run, which it cannot in root's home."""
    candidates = [os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"]
    for python in candidates:
        # By a shell: setpriv still has its privileges when it starts a program itself.
        check = shlex.join([python, "-c", "import ssl, sys, venv; sys.exit(sys.version_info < (3, 11))"])
        probe = as_user("sh", "-c", f"{check}; exit $?")
        if subprocess.run(probe, capture_output=True, cwd="/", check=False).returncode == 0:
            return python
    raise FileNotFoundError(f"There is no Python 3.11 or later that user {user} can run: tried {', '.join(candidates)}")


def _run(*command: t.Any, cwd: pathlib.Path | None = None) -> None:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout
