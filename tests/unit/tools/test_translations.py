# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A French page says that it is behind from a change of the English page until it is recorded as done."""

from __future__ import annotations

import pathlib
import sys

import pytest
from ansible_collections.onetoken.openstack.tests.tools import translations

ENGLISH = "# Guide\n\n*[En français](fr/guide.md)*\n\nSign in, then work.\n"
FRENCH = "# Le guide\n\n*[In English](../guide.md)*\n\nAuthentifiez-vous, puis travaillez.\n"
NOTICE = "# Le guide\n\n> La [page anglaise](../guide.md) a changé depuis cette traduction.\n\n*[In English]"


@pytest.fixture
def english(tmp_path: pathlib.Path) -> pathlib.Path:
    page = tmp_path / "docs" / "guide.md"
    page.parent.mkdir()
    page.write_text(ENGLISH, encoding="utf-8")
    return page


@pytest.fixture
def french(english: pathlib.Path) -> pathlib.Path:
    page = english.parent / "fr" / "guide.md"
    page.parent.mkdir()
    page.write_text(FRENCH, encoding="utf-8")
    return page


@pytest.fixture
def run(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(translations, "REPOSITORY", tmp_path)

    def run(*arguments: str | pathlib.Path) -> None:
        monkeypatch.setattr(sys, "argv", ["translations.py", *map(str, arguments)])
        translations.main()

    return run


def test_a_page_without_a_record_is_behind_until_it_is_done(run, french, capsys):
    run()
    assert NOTICE in french.read_text(encoding="utf-8")
    assert capsys.readouterr().out == "docs/fr/guide.md is behind.\n"
    run("done", french)
    assert translations.without_record(french.read_text(encoding="utf-8")) == FRENCH
    assert capsys.readouterr().out == "docs/fr/guide.md is up to date.\n"
    run()
    assert capsys.readouterr().out == ""


def test_a_change_of_the_english_page_brings_the_notice_and_its_return_removes_it(run, french, english):
    run("done", french)
    done = french.read_text(encoding="utf-8")
    english.write_text(ENGLISH.replace("work", "rest"), encoding="utf-8")
    run()
    behind = french.read_text(encoding="utf-8")
    assert NOTICE in behind
    run()
    assert french.read_text(encoding="utf-8") == behind
    english.write_text(ENGLISH, encoding="utf-8")
    run()
    assert french.read_text(encoding="utf-8") == done


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("in, then", "in,\nthen"),
        lambda text: f"{text}\n<!-- Written by `make benchmark` from here -->\n\n54 ms\n\n<!-- to here -->\n",
    ],
    ids=["a line break", "a generated table"],
)
def test_this_needs_no_translation(change):
    assert translations.digest(change(ENGLISH)) == translations.digest(ENGLISH)


def test_another_page_cannot_be_done(run, french, english, capsys):
    with pytest.raises(SystemExit):
        run("done", english)
    assert f"not a French page: {english}" in capsys.readouterr().err


def test_the_pairs_follow_from_the_files(french, english, tmp_path):
    readme = tmp_path / "README.fr.md"
    readme.touch()
    assert translations.pairs(tmp_path) == {readme: tmp_path / "README.md", french: english}
