# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release is all or nothing, and what prevents one is reported at once."""

from __future__ import annotations

import importlib
import pathlib
import shutil
import subprocess
import tarfile
import typing as t

import pytest

pytestmark = pytest.mark.processes

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
MADE = shutil.ignore_patterns(".git", ".venv*", ".sandbox*", ".nox", ".docs", ".ansible", ".*_cache", "__pycache__")
VERSION = "9.8.7"


def git(checkout: pathlib.Path, *arguments: str) -> str:
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.org")
    done = subprocess.run(["git", *author, *arguments], cwd=checkout, check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture
def release(monkeypatch) -> t.Any:
    monkeypatch.syspath_prepend(str(REPOSITORY / "tests" / "tools"))
    return importlib.import_module("release")


@pytest.fixture(scope="module")
def committed(tmp_path_factory) -> pathlib.Path:
    """A repository with the files of this checkout, committed."""
    checkout = tmp_path_factory.mktemp("committed") / "a checkout"
    shutil.copytree(REPOSITORY, checkout, ignore=MADE)
    git(checkout, "init", "--quiet", "--initial-branch=main")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message=All of it")
    return checkout


@pytest.fixture
def checkout(committed, tmp_path) -> pathlib.Path:
    copy = tmp_path / "checkout"
    git(tmp_path, "clone", "--quiet", str(committed), str(copy))
    return copy


def test_a_release_is_checked_and_then_staged(release, checkout, capsys):
    names: list[str] = []

    def check(tarball: pathlib.Path) -> None:
        assert git(checkout, "status", "--porcelain") == ""
        with tarfile.open(tarball) as archive:
            names.extend(archive.getnames())

    release.Release(checkout, VERSION).cut([check])

    assert {"plugins/modules/os_token_issue.py", "CHANGELOG.md", "meta/runtime.yml"} <= set(names)
    staged = git(checkout, "diff", "--cached", "--name-only").splitlines()
    assert {"CHANGELOG.md", "changelogs/changelog.yaml", "galaxy.yml"} <= set(staged)
    assert "v" + VERSION.replace(".", r"\.") in (checkout / "CHANGELOG.md").read_text()
    for place, line in release.PLACES.items():
        assert line.format(VERSION) in (checkout / place).read_text().splitlines()
    assert (checkout / f"onetoken-openstack-{VERSION}.tar.gz").is_file()
    assert git(checkout, "tag") == ""
    assert f"git push origin main v{VERSION}" in capsys.readouterr().out


@pytest.mark.repeats
def test_a_release_that_fails_changes_nothing(release, checkout):
    def check(tarball: pathlib.Path) -> None:
        raise release.ReleaseError("it does not work")

    with pytest.raises(release.ReleaseError, match="it does not work"):
        release.Release(checkout, VERSION).cut([check])

    assert git(checkout, "status", "--porcelain", "--ignored") == ""


@pytest.mark.parametrize(
    ("version", "message"),
    [
        ("next", "'next' is not a semantic version, such as 1.2.3"),
        ("0.0.1", "0.0.1 is not new: galaxy.yml has "),
        ("7.0.0", "the tag v7.0.0 exists already"),
    ],
)
def test_an_impossible_version_is_reported(release, checkout, version, message):
    git(checkout, "tag", "v7.0.0")

    with pytest.raises(release.ReleaseError, match=message):
        release.Release(checkout, version).check()


def test_uncommitted_changes_are_reported(release, checkout):
    (checkout / "README.md").write_text("")

    with pytest.raises(release.ReleaseError, match=r"commit or stash README\.md first"):
        release.Release(checkout, VERSION).check()


def test_a_release_needs_a_new_fragment(release, checkout):
    for fragment in (checkout / release.FRAGMENTS).iterdir():
        fragment.unlink()
    git(checkout, "commit", "--quiet", "--all", "--message=None")

    with pytest.raises(release.ReleaseError, match="nothing has changed since the last release"):
        release.Release(checkout, VERSION).check()
