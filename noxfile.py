# Copyright (c) 2026, onetoken.openstack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The test matrix: every supported ansible-core, from the oldest to the newest Python, openstacksdk and
openstack.cloud. `make test-matrix` runs the cells for which this machine has a Python, and reports the others."""

from __future__ import annotations

import pathlib
import typing as t

import nox

REPOSITORY = pathlib.Path(__file__).parent


class Cell(t.NamedTuple):
    python: str
    #: The name in tests/requirements-NAME.txt, which has ansible-core and openstack.cloud.
    packages: str


CELLS = [
    Cell("3.10", "python-3.10"),
    Cell("3.11", "oldest"),
    Cell("3.11", "2.18"),
    Cell("3.12", "2.19"),
    Cell("3.12", "2.20"),
    Cell("3.13", "newest"),
    Cell("3.14", "newest"),
]
EVERY_CELL = [nox.param(*cell, id=f"{cell.packages}, Python {cell.python}") for cell in CELLS]

nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


@nox.session
@nox.parametrize("python, packages", EVERY_CELL)
def unit(session: nox.Session, packages: str) -> None:
    """Unit tests in the cell's Python."""
    install(session, packages)
    session.run("python", "-m", "pytest", "-q", "tests/unit/plugins", env=environment(session))


@nox.session
@nox.parametrize("python, packages", EVERY_CELL)
def cloud(session: nox.Session, packages: str) -> None:
    """Integration tests marked `versions`: pytest runs in .venv, ansible-playbook in the cell."""
    install(session, packages)
    pytest = REPOSITORY / ".venv" / "bin" / "python"
    env = {**environment(session), "ONETOKEN_ANSIBLE_BIN": str(pathlib.Path(session.bin))}
    session.run(str(pytest), "-m", "pytest", "-q", "-m", "versions", "tests/integration", env=env, external=True)


def install(session: nox.Session, packages: str) -> None:
    session.install("--quiet", "-r", str(REPOSITORY / "tests" / f"requirements-{packages}.txt"), "pytest", "hypothesis")
    link = collections_of(session) / "ansible_collections" / "onetoken" / "openstack"
    link.parent.mkdir(parents=True, exist_ok=True)
    # The checkout may have been moved.
    link.unlink(missing_ok=True)
    link.symlink_to(REPOSITORY)


def collections_of(session: nox.Session) -> pathlib.Path:
    """Beside the programs, where tests look for them."""
    return pathlib.Path(session.bin).parent / "collections"


def environment(session: nox.Session) -> dict[str, str]:
    # pytest.ini's pythonpath leads to the same checkout, by .venv.
    return {"ANSIBLE_COLLECTIONS_PATH": str(collections_of(session))}
