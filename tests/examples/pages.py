# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the documentation shows, as shell scripts: each page becomes one. README.md has the rules."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex
import textwrap
import typing as t

import yaml
from markdown_it import MarkdownIt

#: What stands in the line before a block says what to do with it, and before a page's first command what that needs.
DIRECTIVE = re.compile(r"<!-- (file|more of|before|not run): (.+?) -->", re.DOTALL)
#: The languages of what is shown and not done.
OUTPUT = ("console", "text")
#: How the lines of a script that name its blocks begin.
MARK = "::: "


class NoRuleError(Exception):
    """Nothing says what to do with a block."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block, or a command that only the test sees."""

    page: str
    line: int
    language: str
    text: str
    directive: str = ""
    value: str = ""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def runs(self) -> bool:
        return self.directive != "not run" and (self.directive != "" or self.language not in OUTPUT)


def blocks_of_page(page: str, text: str) -> list[Block]:
    """The blocks of a Markdown page, and the commands in its comments."""
    found: list[Block] = []
    directive, value, directive_ends = "", "", -1
    for token in MarkdownIt().parse(text):
        first, end = token.map or (0, 0)
        if token.type == "html_block":
            for match in DIRECTIVE.finditer(token.content):
                directive, value, directive_ends = match[1], " ".join(match[2].split()), end
                if directive == "before":
                    found.append(Block(page, first + 1, "sh", value + "\n"))
        elif token.type == "fence":
            above = (directive, value) if directive_ends == first and directive != "before" else ("", "")
            found.append(Block(page, first + 1, token.info.strip(), token.content, *above))
    return found


def blocks_of_playbook(page: str, text: str) -> list[Block]:
    """The commands in the comment at the top of a playbook, and the files that it says they need."""
    found: list[Block] = []
    lines = text.split("\n---\n", 1)[1].splitlines()
    said = ""
    for number, line in enumerate(lines, start=text[: text.index("\n---\n")].count("\n") + 3):
        if not line.startswith("#"):
            break
        if not line.startswith("#   "):
            said = line if line != "#" else said
            continue
        shown = line.removeprefix("#   ") + "\n"
        file = re.search(r"\b(\S+\.\w+) (?:has|of)$", said)
        rule = ("yaml", "file", file[1]) if file else ("sh", "", "")
        last = found[-1] if found else None
        if last and (last.language, last.directive, last.value) == rule:
            found[-1] = dataclasses.replace(last, text=last.text + shown)
        else:
            found.append(Block(page, number, rule[0], shown, *rule[1:]))
    return found


def tasks_of_plugin(text: str) -> list[dict[str, t.Any]]:
    """The tasks in the EXAMPLES of a plugin."""
    return yaml.safe_load(examples_of_plugin(text)) or []


def examples_of_plugin(text: str) -> str:
    match = re.search(r'^EXAMPLES = r?"""\n(.*?)^"""$', text, re.DOTALL | re.MULTILINE)
    return match[1] if match else ""


def script(blocks: t.Iterable[Block]) -> str:
    """A script for bash that does what a reader of these blocks would, and ends at the first that fails."""
    parts = ["set -e\n"]
    for block in blocks:
        if block.runs:
            parts.append(f"echo {shlex.quote(MARK + block.place)}\n{_commands(block)}")
    return "\n".join(parts)


def failed_block(output: str) -> str:
    """The place of the block that a script ended in, and what it printed."""
    return output.rpartition(MARK)[2]


def _commands(block: Block) -> str:
    if block.directive == "file":
        return _written(block.value, block.text)
    if block.directive == "more of":
        return _written(block.value, block.text, ">>")
    if block.language == "sh":
        return block.text
    if block.language == "yaml":
        playbook = f"example-{block.line}.yml"
        return _written(playbook, _playbook(block)) + f'OS_CLOUD="${{OS_CLOUD:-mycloud}}" ansible-playbook {playbook}\n'
    raise NoRuleError(
        f"{block.place}: nothing says what to do with this block ({block.language or 'no language'}). It must be sh, or"
        " yaml that is plays, tasks or a part of a play, or have a comment above it: see tests/examples/README.md."
    )


def _written(path: str, text: str, how: str = ">") -> str:
    name = path if path.startswith("~/") else shlex.quote(path)
    return f"mkdir -p \"$(dirname {name})\"\ncat {how} {name} <<'END_OF_THE_FILE'\n{text}END_OF_THE_FILE\n"


def _playbook(block: Block) -> str:
    """A playbook of what may be plays, tasks or a part of a play."""
    content = yaml.safe_load(block.text)
    if isinstance(content, list) and all(
        {"hosts", "import_playbook", "ansible.builtin.import_playbook"} & set(one) for one in content
    ):
        return block.text
    head = "- hosts: localhost\n  gather_facts: false\n"
    if isinstance(content, list):
        return f"{head}  tasks:\n{textwrap.indent(block.text, ' ' * 4)}"
    if isinstance(content, dict):
        return f"{head}{textwrap.indent(block.text, ' ' * 2)}  tasks:\n    - openstack.cloud.server_info:\n"
    raise NoRuleError(f"{block.place}: this YAML is neither plays nor tasks nor a part of a play.")


def pages(repository: pathlib.Path) -> list[str]:
    """All pages for readers, by their paths in the repository."""
    patterns = ("*.md", "docs/**/*.md", "roles/*/README.md")
    return sorted({str(path.relative_to(repository)) for pattern in patterns for path in repository.glob(pattern)})
