# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepare a release for publication: release.py VERSION [--dry-run].

All work is done in a clone; when everything has passed, the checkout gets one patch. A dry run, a failure, Ctrl-C or
kill -9 leave it unchanged.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import time
import typing as t
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import importer
import yaml
from ansible.utils.version import SemanticVersion
from demo import demonstrate
from environments import COLLECTION, MAIN, REPOSITORY, InstallError, run, say

#: All files with the version, and the line that has it. Modules have no galaxy.yml to read it from.
PLACES = {
    Path("galaxy.yml"): "version: {}",
    Path("plugins/module_utils/_session/util/version.py"): 'VERSION = "{}"',
}
CHANGELOG = Path("changelogs", "changelog.yaml")
FRAGMENTS = Path("changelogs", "fragments")
PUBLISH = """
{tarball} is built, and the changes of the release are staged. Check them, and publish:

  git diff --cached
  git commit --message 'Release {version}'
  git tag --annotate v{version} --message 'onetoken.openstack {version}'
  git push origin {branch} v{version}

For the tag, .github/workflows/release.yml publishes on Galaxy. By hand, that is

  .venv/bin/ansible-galaxy collection publish {tarball}
"""

#: A check that a release's tarball must pass; raises ReleaseError.
Check = t.Callable[[Path], None]


class ReleaseError(Exception):
    """The release fails; the message says why, and what to do."""


@dataclass(frozen=True)
class Release:
    repository: Path
    version: str

    def cut(self, checks: t.Sequence[Check], dry_run: bool = False) -> None:
        self.check()
        with TemporaryDirectory(prefix="release-") as scratch:
            clone = Path(scratch) / COLLECTION
            step("clone the commit")
            call(["git", "clone", "--quiet", self.repository, clone])
            self._write_version(clone)
            step("write CHANGELOG.md")
            call([MAIN.bin / "antsibull-changelog", "lint"], clone)
            call([MAIN.bin / "antsibull-changelog", "release"], clone)
            step("build the tarball")
            call([MAIN.bin / "ansible-galaxy", "collection", "build", "--output-path", scratch], clone)
            tarball = Path(scratch) / f"onetoken-openstack-{self.version}.tar.gz"
            for check in checks:
                check(tarball)
            if dry_run:
                say(f"\nDry run: {self.version} can be released. Nothing was changed.")
                return
            self._take_over(clone)
            shutil.copy(tarball, self.repository)
        branch = self._git("branch", "--show-current").strip() or "HEAD"
        say(PUBLISH.format(tarball=tarball.name, version=self.version, branch=branch))

    def check(self) -> None:
        """Fail early if there cannot be a release."""
        version = self._new_version()
        if changed := self._git("status", "--porcelain").splitlines():
            files = ", ".join(line[3:] for line in changed[:3]) + (", ..." if changed[3:] else "")
            raise ReleaseError(f"a release is made of commits: commit or stash {files} first")
        changelog = yaml.safe_load((self.repository / CHANGELOG).read_text(encoding="utf-8"))
        released = changelog["releases"] or {}
        # galaxy.yml may have the next version already.
        at_least = yaml.safe_load((self.repository / "galaxy.yml").read_text(encoding="utf-8"))["version"]
        if version < SemanticVersion(at_least) or any(version <= SemanticVersion(name) for name in released):
            raise ReleaseError(f"{self.version} is not new: galaxy.yml has {at_least}")
        if self._git("tag", "--list", f"v{self.version}"):
            raise ReleaseError(f"the tag v{self.version} exists already")
        known = {fragment for release in released.values() for fragment in release.get("fragments", ())}
        fragments = {path.name for path in (self.repository / FRAGMENTS).glob("*.y*ml")}
        if not fragments - known:
            raise ReleaseError(f"nothing has changed since the last release: {FRAGMENTS} has no new file")

    def _new_version(self) -> SemanticVersion:
        try:
            return SemanticVersion(self.version)
        except ValueError:
            raise ReleaseError(f"{self.version!r} is not a semantic version, such as 1.2.3 or 1.2.3-rc.1") from None

    def _write_version(self, clone: Path) -> None:
        current = yaml.safe_load((clone / "galaxy.yml").read_text(encoding="utf-8"))["version"]
        for place, line in PLACES.items():
            text = (clone / place).read_text(encoding="utf-8")
            old = re.compile(rf"^{re.escape(line.format(current))}$", re.MULTILINE)
            text, count = old.subn(line.format(self.version), text)
            if count != 1:
                raise ReleaseError(f"{place} has no line {line.format(current)!r}, the version that galaxy.yml has")
            (clone / place).write_text(text, encoding="utf-8")

    def _take_over(self, clone: Path) -> None:
        """Stage the clone's changes in the checkout; all of them, or none if the checkout has changed meanwhile."""
        call(["git", "add", "--all"], clone)
        # Unlike git diff, this ignores the user's settings.
        patch = clone.with_name("patch")
        patch.write_text(
            call(["git", "diff-index", "--cached", "--patch", "--binary", "HEAD"], clone), encoding="utf-8"
        )
        call(["git", "apply", "--index", patch], self.repository)

    def _git(self, *arguments: str) -> str:
        return call(["git", *arguments], self.repository)


def call(command: t.Sequence[str | Path], directory: Path = REPOSITORY) -> str:
    """A command's output."""
    words = [str(word) for word in command]
    # antsibull-changelog starts ansible-doc.
    env = {**os.environ, "PATH": f"{MAIN.bin}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        words, cwd=directory, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode:
        output = "\n".join([*done.stdout.splitlines(), *done.stderr.splitlines()][-15:])
        raise ReleaseError(f"{output}\n{' '.join(words)} failed with exit code {done.returncode}")
    return done.stdout


def step(what: str) -> None:
    say(f"{time.strftime('%H:%M:%S')} {what}")


def passes_galaxy(tarball: Path) -> None:
    step("check it as Galaxy does")
    if importer.check(tarball) != 0:
        raise ReleaseError("galaxy-importer reports errors or warnings, see above")


def works_installed(tarball: Path) -> None:
    """Install the tarball into an empty environment, as a user would, and snapshot the sandbox's servers."""
    step("install it into an empty environment")
    empty = tarball.parent / "empty"
    log = tarball.parent / "install.log"
    run([sys.executable, "-m", "venv", empty], log)
    collections = empty / "collections"
    # Neither the checkout's ansible.cfg, which make sets in the environment, nor the user's collections.
    settings = tarball.parent / "ansible.cfg"
    settings.touch()
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_CONFIG": str(settings)}
    galaxy = ["env", *(f"{name}={value}" for name, value in environment.items()), MAIN.bin / "ansible-galaxy"]
    # The openstack.cloud of the package ansible makes Galaxy unnecessary; by force, as ansible-galaxy finds it
    # installed beside itself.
    galaxy += ["collection", "install", "--offline", "--force", "--collections-path", collections]
    run([*galaxy, tarball, MAIN.installed_collections / "openstack" / "cloud"], log)
    core = f"ansible-core=={importlib.metadata.version('ansible-core')}"
    installed = collections / COLLECTION
    pip = [empty / "bin" / "python", "-I", "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    run([*pip, "-c", MAIN.requirements, "-r", installed / "requirements.txt", core], log)
    step("start the sandbox, and snapshot its servers with it")
    call([sys.executable, REPOSITORY / "tests" / "sandbox" / "sandbox.py", "up"])
    program = empty / "bin" / "ansible-playbook"
    if demonstrate(program, "onetoken.openstack.bulk_snapshot", tarball.parent, **environment) != 0:
        raise ReleaseError("the demo failed, see above")


def main() -> int:
    parser = argparse.ArgumentParser(usage="make release VERSION=1.2.3 [DRY_RUN=1]")
    parser.add_argument("version", metavar="VERSION")
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    try:
        Release(REPOSITORY, arguments.version).cut([passes_galaxy, works_installed], arguments.dry_run)
    except (ReleaseError, InstallError) as error:
        print(f"release: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
