# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run ansible-test sanity on the content of the collection's tarball, without containers and without git.

sanity.py uses every supported ansible-core, sanity.py ENVIRONMENT... those of environments such as .venv-oldest, and
sanity.py newest the newest one for which this machine has a Python.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from environments import (
    COLLECTION,
    EVERY,
    MAIN,
    Environment,
    NoPythonError,
    build_collection,
    failures,
    find_python,
    install_debian_package,
    say,
)

# pip's files in the user's home.
PIP_FILES = (".config/pip", ".pip", ".netrc", ".cache/pip")
# ansible-test would download this; Python's bundled pip does as well.
GET_PIP = """\
import ensurepip

ensurepip.bootstrap(default_pip=True)
"""
# ansible-test does not pass PIP_QUIET on.
PIP_CHATTER = re.compile(
    r"\s+(Downloading|\S*━)|Collecting|Processing|Looking in|Requirement already|Installing (requirements|collected)"
    r"|Successfully installed|Using cached|WARNING: (Location|Using locale|Reviewing)"
)
NEWEST_HERE = "newest"
# Warnings are errors here, unlike for ansible-test.
TROUBLE = re.compile(r"(ERROR|WARNING): ")


@dataclass(frozen=True)
class Sanity:
    """The sanity tests of one environment's ansible-core."""

    environment: Environment

    @property
    def _tree(self) -> Path:
        return self.environment.directory / "sanity" / "tree"

    @property
    def _home(self) -> Path:
        return self.environment.directory / "sanity" / "home"

    def passes(self) -> bool:
        collection = self._unpack_collection()
        self._prepare_home()
        version = self._ask("-c", "import sys; print('%d.%d' % sys.version_info[:2])")
        core = self._ask("-c", "import ansible.release; print(ansible.release.__version__)")
        say(f"{self.environment.name}: sanity of ansible-core {core} on Python {version}")
        env = {
            **os.environ,
            "HOME": str(self._home),
            "PATH": f"{self.environment.bin}{os.pathsep}{os.environ['PATH']}",
            # Without it, ansible-test would find a git checkout further up, and test only its tracked files.
            "ANSIBLE_TEST_CONTENT_ROOT": str(collection),
        }
        # By Python, as the script's first line in ansible-core 2.17 cannot have a path with a space.
        test = [self.environment.python, self.environment.bin / "ansible-test"]
        command = [*test, "sanity", "--python", version, "--color", "no"]
        return self._run(command, collection, env)

    def _run(self, command: t.Sequence[str | Path], collection: Path, env: t.Mapping[str, str]) -> bool:
        """Whether the command reports neither errors nor warnings."""
        clean = True
        with subprocess.Popen(
            command,
            cwd=collection,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                if PIP_CHATTER.match(line):
                    continue
                clean = clean and not TROUBLE.match(line)
                print(line, end="", flush=True)
        return clean and process.returncode == 0

    def _unpack_collection(self) -> Path:
        """Build the collection and unpack it where ansible-test needs it, beside openstack.cloud."""
        shutil.rmtree(self._tree, ignore_errors=True)
        collection = self._tree / COLLECTION
        collection.mkdir(parents=True)
        shutil.unpack_archive(build_collection(self._tree), collection)
        neighbour = self._tree / "ansible_collections" / "openstack" / "cloud"
        shutil.copytree(self.environment.installed_collections / "openstack" / "cloud", neighbour)
        return collection

    def _prepare_home(self) -> None:
        """Make a home for ansible-test, which keeps its virtual environments there."""
        for name in PIP_FILES:
            own, link = Path.home() / name, self._home / name
            link.parent.mkdir(parents=True, exist_ok=True)
            if own.exists() and not os.path.lexists(link):
                link.symlink_to(own)
        packages = self.environment.installed_collections.parent
        source = packages / "ansible_test" / "_internal" / "python_requirements.py"
        cache = self._home / ".ansible" / "test" / "cache"
        cache.mkdir(parents=True, exist_ok=True)
        for version in re.findall(r"\bpip='([0-9.]+)'", source.read_text(encoding="utf-8")):
            (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP, encoding="utf-8")

    def _ask(self, *arguments: str) -> str:
        command = [self.environment.python, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def newest_here() -> Environment:
    """The environment of the newest ansible-core for which this machine has a Python."""
    for environment in reversed(EVERY):
        with contextlib.suppress(NoPythonError):
            find_python(environment.versions)
            return environment
    return MAIN


def main(names: t.Sequence[str]) -> int:
    if shutil.which("shellcheck") is None:
        install_debian_package("shellcheck", "without which one of the tests is skipped")
    if list(names) == [NEWEST_HERE]:
        names = [newest_here().name]
    chosen = [environment for environment in EVERY if not names or environment.name in names]
    failed = sorted(set(names) - {environment.name for environment in chosen})
    failed += failures(chosen, lambda environment: Sanity(environment).passes(), all_wanted=bool(names))
    if failed:
        print(f"sanity: errors, warnings or no such environment: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
