# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The pages are consistent: all are in the index, links work, and French pages match the English ones or say so."""

from __future__ import annotations

import os
import pathlib
import re
import typing as t
import urllib.parse

import pytest
from ansible_collections.onetoken.openstack.tests.tools import translations
from markdown_it import MarkdownIt
from markdown_it.token import Token

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
DOCS = REPOSITORY / "docs"
PAGES = sorted([*REPOSITORY.glob("*.md"), *DOCS.rglob("*.md")])
PICTURES = sorted(path for path in DOCS.rglob("*.*") if path.suffix in (".svg", ".png"))
INDEXES = (DOCS / "index.md", DOCS / "fr" / "index.md")
READMES = (REPOSITORY / "README.md", REPOSITORY / "README.fr.md")
FIGURE = re.compile(r"\b[\d.,]+ ?(?:ms|%)")
COMMENT = re.compile(r"(^|\s+)#( .*)?$")
FRENCH = translations.pairs(REPOSITORY)
UP_TO_DATE = [
    (french, english)
    for french, english in FRENCH.items()
    if not translations.is_behind(french.read_text(encoding="utf-8"), english)
]


def page_id(page: pathlib.Path) -> str:
    return str(page.relative_to(REPOSITORY))


PAIRS = pytest.mark.parametrize(("french", "english"), FRENCH.items(), ids=page_id)
PAIRS_UP_TO_DATE = pytest.mark.parametrize(("french", "english"), UP_TO_DATE, ids=page_id)


def tokens(page: pathlib.Path) -> t.Iterator[Token]:
    """All tokens of a page, including those within a line, but for the record of a translation."""
    text = translations.without_record(page.read_text(encoding="utf-8"))
    for token in MarkdownIt().enable("table").parse(text):
        yield token
        yield from token.children or ()


def links(page: pathlib.Path) -> list[str]:
    """The links that do not lead to a site."""
    found = []
    for token in tokens(page):
        found.append(str(token.attrGet("href") or token.attrGet("src") or ""))
        if token.type in ("html_block", "html_inline"):
            found += re.findall(r'(?:href|src|srcset)="([^"]+)"', token.content)
    return [link for link in found if link and not re.match(r"[a-z]+:", link)]


def headings(page: pathlib.Path) -> list[tuple[str, str]]:
    """The level and the text of each heading."""
    found, level = [], ""
    for token in tokens(page):
        if token.type == "heading_open":
            level = token.tag
        elif token.type == "inline" and level:
            found.append((level, "".join(part.content for part in token.children or ())))
            level = ""
    return found


def title_of(page: pathlib.Path) -> str:
    return headings(page)[0][1]


def anchors(page: pathlib.Path) -> set[str]:
    """The anchors that forges and MyST make for the headings."""
    found: set[str] = set()
    for _level, text in headings(page):
        anchor = first = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        number = 0
        while anchor in found:
            number += 1
            anchor = f"{first}-{number}"
        found.add(anchor)
    return found


def works(page: pathlib.Path, link: str) -> bool:
    # The parser encodes the accents of a link, and an anchor has them as they are.
    path, _hash, anchor = urllib.parse.unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or (target.suffix == ".md" and anchor in anchors(target))


def blocks(page: pathlib.Path) -> list[tuple[str, str]]:
    """Code and output without comments, and the directives for the test of the examples."""
    found = []
    for token in tokens(page):
        if token.type in ("fence", "code_block"):
            lines = [COMMENT.sub("", line) for line in token.content.splitlines()]
            found.append((token.info, "\n".join(line for line in lines if line.strip())))
        elif token.type == "html_block":
            found.append(("comment", token.content.partition(":")[0]))
    return found


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_the_links_of_a_page_work(page: pathlib.Path) -> None:
    assert [link for link in links(page) if not works(page, link)] == []


def test_every_page_is_in_the_index() -> None:
    listed = {(index.parent / link).resolve() for index in INDEXES for link in links(index)}
    assert [page for page in PAGES if page.is_relative_to(DOCS) and page not in listed] == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)
def test_a_picture_is_used_and_has_no_local_paths(picture: pathlib.Path) -> None:
    shown = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    assert picture in shown
    content = picture.read_bytes()
    assert len(content) < 150_000
    assert not re.search(rb"127\.0\.0\.1|/tmp/|/home/|/root/|" + re.escape(os.fsencode(REPOSITORY)), content)


@pytest.mark.parametrize("index", INDEXES, ids=page_id)
def test_the_index_gives_each_page_the_title_of_its_heading(index: pathlib.Path) -> None:
    listed = re.findall(r"^- \[([^]]+)\]\((\S+\.md)\)", index.read_text(encoding="utf-8"), re.MULTILINE)
    assert listed
    assert listed == [(title_of(index.parent / link), link) for _text, link in listed]


@pytest.mark.parametrize(("index", "readme"), list(zip(INDEXES, READMES, strict=True)), ids=page_id)
def test_the_figures_of_the_index_are_those_of_the_readme(index: pathlib.Path, readme: pathlib.Path) -> None:
    found, known = (set(FIGURE.findall(page.read_text(encoding="utf-8"))) for page in (index, readme))
    assert len(found) > 2
    assert found <= known | {"100%", "100 %"}


@PAIRS
def test_a_page_and_its_translation_link_to_each_other(french: pathlib.Path, english: pathlib.Path) -> None:
    for page, other in ((english, french), (french, english)):
        assert other in [(page.parent / link).resolve() for link in links(page)]


@PAIRS
def test_a_french_page_says_whether_it_is_behind(french: pathlib.Path, english: pathlib.Path) -> None:
    text = french.read_text(encoding="utf-8")
    assert text == translations.with_notice(text, french, english), f"run make format: {english.name} has changed"


@PAIRS_UP_TO_DATE
def test_a_french_page_that_is_up_to_date_has_the_same_sections(french: pathlib.Path, english: pathlib.Path) -> None:
    # An index lists the pages of its language.
    if french not in INDEXES:
        assert [level for level, _text in headings(french)] == [level for level, _text in headings(english)]


@PAIRS_UP_TO_DATE
def test_a_french_page_that_is_up_to_date_has_the_same_examples(french: pathlib.Path, english: pathlib.Path) -> None:
    assert blocks(french) == blocks(english)


def texts() -> t.Iterator[pathlib.Path]:
    """All files with text for users."""
    yield from PAGES
    for folder in ("playbooks", "plugins", "roles"):
        yield from (path for path in (REPOSITORY / folder).rglob("*.*") if path.suffix in (".yml", ".py", ".j2"))


def test_no_text_recommends_a_single_asterisk() -> None:
    """ansible-core 2.19 to 2.21 cannot read it in the answers of AWX; two asterisks match all names as well."""
    alone = re.compile(r"([\"'`(])\*[\"'`)]|\b(give|lone|pattern) `?\*(?=[ `,.;]|$)", re.MULTILINE)
    found = [(str(path), match[0]) for path in texts() for match in alone.finditer(path.read_text(encoding="utf-8"))]
    assert found == []


def test_the_files_that_the_design_names_exist():
    text = (DOCS / "design.md").read_text(encoding="utf-8")
    folders = (REPOSITORY / "plugins", REPOSITORY / "tests")
    files = {f"/{path.relative_to(REPOSITORY)}" for folder in folders for path in folder.rglob("*.py")}
    named = {name for name in re.findall(r"`([\w/]+\.py)`", text) if "ACTION" not in name and "NAME" not in name}
    assert len(named) > 40
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in files)] == []
