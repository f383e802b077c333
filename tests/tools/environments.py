# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environments of the checks: made if missing, made anew if torn, moved or out of date."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COLLECTION = Path("ansible_collections", "onetoken", "openstack")

Version = tuple[int, int]

# pip's own settings that would send packages somewhere else than into the environment.
ELSEWHERE = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME", "PYTHONPATH")
PROBE = "import importlib.util as i, sys; print(*sys.version_info[:2], i.find_spec('ensurepip') is not None)"


class InstallError(Exception):
    """An environment cannot be made; the message says what to do."""


class NoPythonError(InstallError):
    """No Python on this machine fits."""


@dataclass(frozen=True)
class Python:
    program: str
    version: Version
    has_pip: bool

    @classmethod
    def of(cls, program: str) -> Python | None:
        """The interpreter behind a name; None where nothing runs, as with pyenv's names of versions not chosen."""
        try:
            answer = subprocess.run([program, "-c", PROBE], capture_output=True, text=True, timeout=30, check=True)
            major, minor, has_pip = answer.stdout.split()
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
        return cls(program, (int(major), int(minor)), has_pip == "True")


def dotted(version: Version) -> str:
    return ".".join(str(number) for number in version)


def find_python(versions: t.Sequence[Version]) -> Python:
    """The first of these versions that runs on this machine: the Python at hand, one on PATH, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions")
    for version in versions:
        candidates = [sys.executable] if sys.version_info[:2] == version else []
        candidates.append(f"python{dotted(version)}")
        candidates += [str(path) for path in sorted(pyenv.glob(f"{dotted(version)}.*/bin/python"))]
        for program in candidates:
            python = Python.of(program)
            if python and python.version == version:
                return python
    wanted = ", ".join(dotted(version) for version in sorted(versions))
    raise NoPythonError(f"there is no Python of the versions {wanted} on this machine")


@dataclass(frozen=True)
class Environment:
    """One set of packages on one of the Python versions that it is made for, the preferred one first."""

    name: str
    requirements: Path
    versions: tuple[Version, ...]

    @property
    def directory(self) -> Path:
        return REPOSITORY / self.name

    @property
    def bin(self) -> Path:
        return self.directory / "bin"

    @property
    def python(self) -> Path:
        return self.bin / "python"

    @property
    def core(self) -> str:
        """The release of ansible-core that is in it."""
        info = next(self.directory.glob("lib/python3*/site-packages/ansible_core-*.dist-info"))
        return ".".join(info.name.split("-")[1].split(".")[:2])

    @property
    def collections(self) -> Path:
        """Where Ansible finds the checkout as a collection."""
        return self.directory / "collections"

    @property
    def installed_collections(self) -> Path:
        """The collections that came with the package ansible."""
        return next(self.directory.glob("lib/python3*/site-packages/ansible_collections"))

    def ensure(self) -> None:
        # The requirements file serves as the lock, so that two makes do not install into each other.
        with open(self.requirements, encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._is_whole():
                self._make(find_python(self.versions))

    @property
    def _stamp(self) -> Path:
        return self.directory / "stamp.json"

    def _expected_stamp(self) -> dict[str, str]:
        # Scripts in bin/ begin with the environment's absolute path.
        return {
            "requirements": hashlib.sha256(self.requirements.read_bytes()).hexdigest(),
            "directory": str(self.directory),
        }

    def _is_whole(self) -> bool:
        try:
            stamp = json.loads(self._stamp.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return stamp == self._expected_stamp() and Python.of(str(self.python)) is not None

    def _make(self, python: Python) -> None:
        begin = time.monotonic()
        say(f"{self.name}: installing {self.requirements.relative_to(REPOSITORY)} on Python {dotted(python.version)}")
        if not python.has_pip:
            python = install_venv_package(python)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        run([python.program, "-m", "venv", self.directory], self._log)
        pip = (self.python, "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input")
        # The package ansible has some thousand modules, of which a handful is used.
        run([*pip, "--no-compile", "-r", self.requirements], self._log)
        link = self.collections / COLLECTION
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(REPOSITORY, link.parent))
        # Last: without it the next run starts from nothing.
        self._stamp.write_text(json.dumps(self._expected_stamp()), encoding="utf-8")
        say(f"{self.name}: ready after {time.monotonic() - begin:.0f} s")

    @property
    def _log(self) -> Path:
        return self.directory / "install.log"


SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))
# The Python that make was told to use, if it is new enough.
PREFERRED = tuple(sorted(SUPPORTED, key=lambda version: version != sys.version_info[:2]))


def _of_core(name: str, *versions: Version) -> Environment:
    return Environment(f".venv-{name}", REPOSITORY / "tests" / f"requirements-{name}.txt", versions)


MAIN = Environment(".venv", REPOSITORY / "tests" / "requirements.txt", PREFERRED)
# ansible-core 2.17 is made for up to Python 3.12, but works on 3.13; openstacksdk 4.14 needs 3.11.
OLDEST = _of_core("oldest", (3, 11), (3, 12), (3, 13))
NEWEST = _of_core("newest", (3, 14), (3, 13), (3, 12))
#: With what comes next in the place of its ansible-core: versions.py.
DEVEL = _of_core("devel", (3, 14), (3, 13), (3, 12))
#: A strategy plugin alone: the Ansible of MAIN, whose Python this is, loads it from there.
MITOGEN = Environment(".venv-mitogen", REPOSITORY / "tests" / "requirements-mitogen.txt", PREFERRED)
#: Every ansible-core that is supported; which one is in MAIN depends on its Python.
EVERY = (OLDEST, _of_core("2.18", (3, 11), (3, 12), (3, 13)), MAIN, _of_core("2.20", (3, 12), (3, 13), (3, 14)), NEWEST)


def build_collection(directory: Path) -> Path:
    """The tarball of the checkout, in this directory."""
    build: list[str | Path] = [MAIN.bin / "ansible-galaxy", "collection", "build", "--output-path", directory]
    subprocess.run(build, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True)
    return next(directory.glob("onetoken-openstack-*.tar.gz"))


def failures(
    environments: t.Iterable[Environment], passes: t.Callable[[Environment], bool], all_wanted: bool = False
) -> list[str]:
    """The environments, made where they are missing, that do not pass. One that this machine has no Python for is left
    out, unless it is wanted by all means."""
    failed = []
    for environment in environments:
        try:
            environment.ensure()
        except NoPythonError as error:
            say(f"{environment.name}: SKIPPED, {error}")
            failed += [environment.name] if all_wanted else []
        except InstallError as error:
            print(f"{environment.name}: {error}", file=sys.stderr)
            failed.append(environment.name)
        else:
            failed += [] if passes(environment) else [environment.name]
    return failed


def say(text: str) -> None:
    print(text, flush=True)


def run(command: t.Sequence[str | Path], log: Path) -> None:
    """Run a command to its end, its output in the log; the end of that is shown if it fails."""
    env = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    words = [str(word) for word in command]
    with open(log, "ab") as output:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env, check=False
        )
    if done.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        end = "\n".join(lines[-15:])
        raise InstallError(f"{end}\n{' '.join(words)} failed with exit code {done.returncode}; all of it is in {log}")


def install_venv_package(python: Python) -> Python:
    """Debian has the part of venv that brings pip in a package of its own: install it."""
    package = f"python{dotted(python.version)}-venv"
    install_debian_package(package, "without which Python makes no virtual environment")
    completed = Python.of(python.program)
    if not completed or not completed.has_pip:
        raise InstallError(f"Python {dotted(python.version)} has no pip to give: as root, apt-get install {package}")
    return completed


def install_debian_package(package: str, why: str) -> None:
    """As far as that goes: whoever needs it finds out."""
    prefix: list[str] = []
    if os.geteuid() != 0:
        # A sudo that must ask can do so only at a terminal.
        prefix = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    say(f"installing Debian's {package}, {why}")
    apt_get = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    with contextlib.suppress(OSError):
        # Where the lists cannot be refreshed, those that are there may do.
        subprocess.run([*apt_get, "update"], stdout=subprocess.DEVNULL, check=False)
        install = [*apt_get, "install", "-y", "--no-install-recommends", package]
        subprocess.run(install, stdout=subprocess.DEVNULL, check=False)
