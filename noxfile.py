# Copyright (c) 2026, onetoken.openstack contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix of versions: every supported ansible-core, from the oldest to the newest Python, openstacksdk and
openstack.cloud. `make test-matrix` runs the cells for which this machine has the Python, and says which it has not."""

from __future__ import annotations

import dataclasses
import pathlib

import nox

REPOSITORY = pathlib.Path(__file__).parent


@dataclasses.dataclass(frozen=True)
class Cell:
    python: str
    #: The package ansible, which brings ansible-core and openstack.cloud.
    ansible: str
    openstacksdk: str
    openstackclient: str

    def __str__(self) -> str:
        return f"ansible {self.ansible}, openstacksdk {self.openstacksdk}"


#: ansible-core 2.17 to 2.21, openstack.cloud 2.3.0 to 2.6.0; 2.5.0 needs an openstacksdk below 4.15.
CELLS = [
    Cell("3.10", "10.7.0", "4.0.0", "7.0.0"),
    Cell("3.11", "10.7.0", "4.14.0", "10.1.0"),
    Cell("3.11", "11.13.0", "4.14.0", "10.1.0"),
    Cell("3.12", "12.3.0", "4.14.0", "10.1.0"),
    Cell("3.12", "13.8.0", "4.22.0", "10.5.0"),
    Cell("3.13", "14.5.0", "4.22.0", "10.5.0"),
    Cell("3.14", "14.5.0", "4.22.0", "10.5.0"),
]
EVERY_CELL = [nox.param(cell.python, cell, id=f"{cell}") for cell in CELLS]

nox.options.error_on_missing_interpreters = False
nox.options.reuse_existing_virtualenvs = True


@nox.session
@nox.parametrize("python, cell", EVERY_CELL)
def unit(session: nox.Session, cell: Cell) -> None:
    """The unit tests, in the cell's Python."""
    install(session, cell)
    session.run("python", "-m", "pytest", "-q", "tests/unit/plugins", env=environment(session))


@nox.session
@nox.parametrize("python, cell", EVERY_CELL)
def cloud(session: nox.Session, cell: Cell) -> None:
    """The integration tests that are marked `versions`: pytest in .venv, ansible-playbook in the cell."""
    install(session, cell)
    pytest = REPOSITORY / ".venv" / "bin" / "python"
    env = {**environment(session), "ONETOKEN_ANSIBLE_BIN": str(pathlib.Path(session.bin))}
    session.run(str(pytest), "-m", "pytest", "-q", "-m", "versions", "tests/integration", env=env, external=True)


def install(session: nox.Session, cell: Cell) -> None:
    packages = [f"ansible=={cell.ansible}", f"openstacksdk=={cell.openstacksdk}"]
    packages.append(f"python-openstackclient=={cell.openstackclient}")
    session.install("--quiet", *packages, "pytest")
    link = collections_of(session) / "ansible_collections" / "onetoken" / "openstack"
    link.parent.mkdir(parents=True, exist_ok=True)
    # Anew, as the checkout may have been moved.
    link.unlink(missing_ok=True)
    link.symlink_to(REPOSITORY)


def collections_of(session: nox.Session) -> pathlib.Path:
    """Beside the programs, where the tests look for them."""
    return pathlib.Path(session.bin).parent / "collections"


def environment(session: nox.Session) -> dict[str, str]:
    # The tests' own setting of pythonpath leads to the checkout in .venv, which is the same.
    return {"ANSIBLE_COLLECTIONS_PATH": str(collections_of(session))}
