# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX jobs, in directories that every user can read, unlike pytest's, and the execution environment that they share."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import tempfile
import typing as t

import pytest
from ansible_collections.onetoken.openstack.tests.integration.awx.execution_environment import ExecutionEnvironment
from ansible_collections.onetoken.openstack.tests.integration.awx.job import Job


@contextlib.contextmanager
def shared_directory() -> t.Iterator[pathlib.Path]:
    directory = pathlib.Path(tempfile.mkdtemp(prefix="onetoken-awx-", dir="/tmp"))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def execution_environment() -> t.Iterator[ExecutionEnvironment]:
    with shared_directory() as directory:
        environment = ExecutionEnvironment(directory)
        environment.build()
        yield environment


@pytest.fixture
def new_job(execution_environment: ExecutionEnvironment) -> t.Iterator[t.Callable[[], Job]]:
    """Make a job in a container of its own."""
    with shared_directory() as directory:
        jobs: list[Job] = []

        def new() -> Job:
            own = directory / str(len(jobs))
            own.mkdir()
            jobs.append(Job(own, execution_environment))
            return jobs[-1]

        yield new
        for job in jobs:
            job.end()
