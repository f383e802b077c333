# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages that docs/troubleshooting.md explains are those that are told."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PAGE = REPOSITORY / "docs" / "troubleshooting.md"
ANYTHING = "..."
FOREIGN = ("Messages of others",)
#: In the words of a service.
FOREIGN_MESSAGES = ("Cannot 'createImage' instance",)


def messages() -> list[str]:
    """Those of the page that are this collection's own."""
    _begin, *sections = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    own = [section for section in sections if not section.startswith(FOREIGN)]
    found = [message for section in own for message in re.findall(r"^\*\*`(.+?)`\*\*", section, re.MULTILINE)]
    return [message for message in found if message not in FOREIGN_MESSAGES]


@pytest.fixture(scope="module")
def told() -> list[str]:
    """Every text of the plugins and playbooks, with dots for what is filled in."""
    texts = [
        text
        for path in (REPOSITORY / "plugins").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for text in text_of(node)
    ]
    for path in (REPOSITORY / "playbooks").rglob("*.yml"):
        # Expressions in a text, and a text that an expression puts together.
        flat = re.sub(r"\s+", " ", path.read_text())
        texts += [re.sub(r"\{\{.*?\}\}", ANYTHING, flat), re.sub(r"' ~ \w+ ~ '", ANYTHING, flat)]
    return texts


def text_of(node: ast.AST) -> t.Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else ANYTHING for part in node.values)


@pytest.mark.parametrize("message", messages())
def test_a_message_is_told(told, message):
    pieces = [re.escape(piece) for piece in message.split(ANYTHING)]
    pattern = re.compile(".*".join(pieces), re.DOTALL)
    assert any(pattern.search(text) for text in told)


def test_there_are_messages():
    assert len(messages()) > 20
