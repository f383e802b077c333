# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual environments of the checks: made if missing, and again if incomplete, moved or out of date."""

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

# Settings that would make pip install packages outside of the environment.
ELSEWHERE = ("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PYTHONHOME", "PYTHONPATH")
PROBE = "import importlib.util as i, sys; print(*sys.version_info[:2], i.find_spec('ensurepip') is not None)"


class InstallError(Exception):
    """An environment cannot be made; the message says what to do."""


class NoPythonError(InstallError):
    """This machine has no suitable Python."""


@dataclass(frozen=True)
class Python:
    program: str
    version: Version
    has_pip: bool

    @classmethod
    def of(cls, program: str) -> Python | None:
        """The interpreter behind a name; None if it does not run, as pyenv's names of unselected versions."""
        try:
            answer = subprocess.run([program, "-c", PROBE], capture_output=True, text=True, timeout=30, check=True)
            major, minor, has_pip = answer.stdout.split()
        except (OSError, ValueError, subprocess.SubprocessError):
            return None
        return cls(program, (int(major), int(minor)), has_pip == "True")


def dotted(version: Version) -> str:
    return ".".join(str(number) for number in version)


#: Seconds after which a command that runs is reported.
QUIET = 15


def find_python(versions: t.Sequence[Version]) -> Python:
    """The first of these versions on this machine: the running Python, one on PATH, or one of pyenv's."""
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
    """A set of packages, on one of these Python versions, in order of preference."""

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
        """Its release of ansible-core."""
        info = next(self.directory.glob("lib/python3*/site-packages/ansible_core-*.dist-info"))
        return ".".join(info.name.split("-")[1].split(".")[:2])

    @property
    def collections(self) -> Path:
        """Where Ansible finds the checkout as a collection."""
        return self.directory / "collections"

    @property
    def installed_collections(self) -> Path:
        """The collections of the package ansible."""
        return next(self.directory.glob("lib/python3*/site-packages/ansible_collections"))

    def ensure(self) -> None:
        # The requirements file serves as the lock, so that two installations do not mix.
        with open(self.requirements, encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not self._is_complete():
                self._make(find_python(self.versions))

    @property
    def _stamp(self) -> Path:
        return self.directory / "stamp.json"

    def _expected_stamp(self) -> dict[str, str]:
        # The directory, because scripts in bin/ begin with it.
        return {
            "requirements": hashlib.sha256(self.requirements.read_bytes()).hexdigest(),
            "directory": str(self.directory),
        }

    def _is_complete(self) -> bool:
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
        # The package ansible has thousands of modules, of which few are used.
        run([*pip, "--no-compile", "-r", self.requirements], self._log)
        link = self.collections / COLLECTION
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(REPOSITORY, link.parent))
        # Last, as an environment without it is made again.
        self._stamp.write_text(json.dumps(self._expected_stamp()), encoding="utf-8")
        say(f"{self.name}: ready after {time.monotonic() - begin:.0f} s")

    @property
    def _log(self) -> Path:
        return self.directory / "install.log"


SUPPORTED = ((3, 11), (3, 12), (3, 13), (3, 14))
# The Python that make uses, if it is new enough, comes first.
PREFERRED = tuple(sorted(SUPPORTED, key=lambda version: version != sys.version_info[:2]))


def _of_core(name: str, *versions: Version) -> Environment:
    return Environment(f".venv-{name}", REPOSITORY / "tests" / f"requirements-{name}.txt", versions)


MAIN = Environment(".venv", REPOSITORY / "tests" / "requirements.txt", PREFERRED)
# ansible-core 2.17 supports up to Python 3.12, but works on 3.13; openstacksdk 4.14 needs 3.11.
OLDEST = _of_core("oldest", (3, 11), (3, 12), (3, 13))
NEWEST = _of_core("newest", (3, 14), (3, 13), (3, 12))
#: For the development branch of ansible-core, see versions.py.
DEVEL = _of_core("devel", (3, 14), (3, 13), (3, 12))
#: Only a strategy plugin, which the Ansible of MAIN loads, with the same Python.
MITOGEN = Environment(".venv-mitogen", REPOSITORY / "tests" / "requirements-mitogen.txt", PREFERRED)
#: Every supported ansible-core; that of MAIN depends on its Python.
EVERY = (OLDEST, _of_core("2.18", (3, 11), (3, 12), (3, 13)), MAIN, _of_core("2.20", (3, 12), (3, 13), (3, 14)), NEWEST)


def build_collection(directory: Path) -> Path:
    """Build the collection's tarball into a directory; its path."""
    build: list[str | Path] = [MAIN.bin / "ansible-galaxy", "collection", "build", "--output-path", directory]
    subprocess.run(build, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True)
    return next(directory.glob("onetoken-openstack-*.tar.gz"))


def failures(
    environments: t.Iterable[Environment], passes: t.Callable[[Environment], bool], all_wanted: bool = False
) -> list[str]:
    """The environments that do not pass; missing ones are made first. One without a Python on this machine is skipped,
    unless all are wanted."""
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
    """Run a command with its output in a log, whose last lines are shown if it fails."""
    env = {name: value for name, value in os.environ.items() if name not in ELSEWHERE}
    words = [str(word) for word in command]
    begin = time.monotonic()
    with (
        open(log, "ab") as output,
        subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=env) as process,
    ):
        while process.returncode is None:
            try:
                process.wait(QUIET)
            except subprocess.TimeoutExpired:
                say(f"    after {time.monotonic() - begin:.0f} s: {last_line(log)}")
    if process.returncode:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        end = "\n".join(lines[-15:])
        raise InstallError(
            f"{end}\n{' '.join(words)} failed with exit code {process.returncode}; the whole log is {log}"
        )


def last_line(log: Path) -> str:
    """What a command printed last, cut to fit a terminal."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    return lines[-1].strip()[:60]


def install_venv_package(python: Python) -> Python:
    """Install Debian's package for the part of venv that installs pip."""
    package = f"python{dotted(python.version)}-venv"
    install_debian_package(package, "which Python needs to make virtual environments")
    completed = Python.of(python.program)
    if not completed or not completed.has_pip:
        raise InstallError(f"Python {dotted(python.version)} cannot install pip: as root, apt-get install {package}")
    return completed


def install_debian_package(package: str, why: str) -> None:
    """Try to install a package; what needs it fails without it."""
    prefix: list[str] = []
    if os.geteuid() != 0:
        # sudo can ask for a password only at a terminal.
        prefix = ["sudo"] if sys.stdin.isatty() else ["sudo", "-n"]
    say(f"installing Debian's {package}, {why}")
    apt_get = [*prefix, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    with contextlib.suppress(OSError):
        # If the lists cannot be refreshed, the old ones may do.
        subprocess.run([*apt_get, "update"], stdout=subprocess.DEVNULL, check=False)
        install = [*apt_get, "install", "-y", "--no-install-recommends", package]
        subprocess.run(install, stdout=subprocess.DEVNULL, check=False)
