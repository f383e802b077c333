# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation, without running them."""

from __future__ import annotations

import pathlib
import warnings

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.examples import pages

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PAGES = pages.pages(REPOSITORY)
ORIGINALS = [page for page in PAGES if pages.original(page) == page]
PLAYBOOKS = sorted(path.stem for path in (REPOSITORY / "playbooks").glob("*.yml"))
NOT_RUN = [block for page in ORIGINALS for block in PAGES[page] if block.directive == "not run"]


@pytest.mark.parametrize("name", PLAYBOOKS)
def test_the_commands_at_the_top_of_a_playbook_are_on_a_page(name):
    """There, they name the playbook by the collection instead of a path."""
    shown = pages.shown_at_the_top((REPOSITORY / "playbooks" / f"{name}.yml").read_text(encoding="utf-8"))
    commands = {
        command.replace(f"playbooks/{name}.yml", f"onetoken.openstack.{name}")
        for paragraph in shown
        for command in pages.commands(paragraph)
    }
    run = {
        command for blocks in PAGES.values() for block in blocks if block.runs for command in pages.commands(block.text)
    }
    assert commands and commands - run == set()


@pytest.mark.parametrize("block", NOT_RUN, ids=lambda block: block.place)
def test_a_block_that_is_not_run_has_a_reason_and_is_well_formed(block):
    """The reason is reported at the end of the tests."""
    assert " " in block.value, "A reason has more than one word."
    if block.language == "yaml":
        assert yaml.safe_load(block.text)
    warnings.warn(f"{block.place} is not run: {block.value}", stacklevel=1)
