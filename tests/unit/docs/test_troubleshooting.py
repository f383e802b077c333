# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/troubleshooting.md has all messages of the code, and no other."""

from __future__ import annotations

import ast
import pathlib
import re
import typing as t

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PAGE = REPOSITORY / "docs" / "troubleshooting.md"
#: Stands for variable parts.
ANYTHING = "..."
FOREIGN_SECTION = "Messages of others"
#: Functions that report their first argument to a user, in addition to this collection's exceptions.
REPORTING = {"AnsibleLookupError", "fail_json", "warn", "warning", "_warn_once"}
#: Longer texts are documentation.
LONGEST = 2000
#: Never shown, or part of another message.
PARTS = {
    "it was not wanted any more",
    "it is ending already.",
    "The session ... does not know the run ....",
    "This process cannot be found among the running ones.",
    "set auth_url to Keystone's present address, for later runs",
    "ask the cloud's operator to allow it",
    "... until the timeout; try again later.",
    "......: check auth_url and the scope.",
    "...: ....",
    "...: correct it.",
}


def messages() -> list[str]:
    """The page's messages of this collection."""
    _begin, *sections = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    own = [section for section in sections if not section.startswith(FOREIGN_SECTION)]
    return [message for section in own for message in re.findall(r"\*\*`(.+?)`\*\*", section)]


def pattern_of(message: str) -> re.Pattern[str]:
    pieces = [re.escape(piece) for piece in message.split(ANYTHING) if piece]
    return re.compile(".*?".join(pieces), re.DOTALL)


def sources() -> t.Iterator[ast.Module]:
    for path in sorted((REPOSITORY / "plugins").rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def text_of(node: ast.AST) -> str | None:
    """A text, with dots for variable parts."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else ANYTHING for part in node.values)
    return None


def texts_of_yaml(content: t.Any) -> t.Iterator[str]:
    """The texts of a playbook, with dots for expressions, and texts within expressions."""
    if isinstance(content, str):
        text = " ".join(content.split())
        yield re.sub(r"\{\{.*?\}\}", ANYTHING, text)
        yield re.sub(r"' ~ [\w.]+ ~ '", ANYTHING, text.replace("' ~ '", ""))
    elif isinstance(content, (list, dict)):
        for value in content.values() if isinstance(content, dict) else content:
            yield from texts_of_yaml(value)


def all_texts() -> set[str]:
    """Every text of the plugins, playbooks and roles, except documentation."""
    texts = {text for source in sources() for node in ast.walk(source) if (text := text_of(node)) is not None}
    for folder in ("playbooks", "roles"):
        for path in (REPOSITORY / folder).rglob("*.yml"):
            texts.update(texts_of_yaml(yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)))
    return {text for text in texts if len(text) < LONGEST}


def reported() -> set[str]:
    """The texts that the code obviously reports to users."""
    trees = list(sources())
    nodes = [node for tree in trees for node in ast.walk(tree)]
    exceptions = {node.name for node in nodes if isinstance(node, ast.ClassDef) and node.name.endswith("Error")}
    # Not an error: the reason why a program runs without the fork server, which only -vvv shows.
    exceptions -= {"DeclinedError"}
    reporting = exceptions | REPORTING
    found = set()
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in reporting:
            values = (*node.args, *(keyword.value for keyword in node.keywords))
            found.update(text for value in values if (text := text_of(value)))
    return {text for text in found if " " in text.replace(ANYTHING, "").strip()} - PARTS


def test_each_message_on_the_page_is_in_the_code():
    texts = all_texts()
    unknown = [message for message in messages() if not any(map(pattern_of(message).search, texts))]
    assert not unknown, "\n".join(["Remove from docs/troubleshooting.md, or quote as the code has it:", *unknown])


def test_each_reported_message_is_on_the_page():
    patterns = [pattern_of(message) for message in messages()]
    texts = sorted(reported())
    assert len(texts) > 100
    missing = [text for text in texts if not any(pattern.search(text) for pattern in patterns)]
    assert not missing, "\n".join(["Explain in docs/troubleshooting.md:", *missing])
