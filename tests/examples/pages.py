# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of the documentation as scripts: README.md has the rules."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shlex
import textwrap

import yaml
from markdown_it import MarkdownIt

#: The pages of the documentation.
PAGES = ("*.md", "docs/**/*.md", "roles/*/README.md")
#: A comment about the block below it.
DIRECTIVE = re.compile(r"<!-- (file|more of|not run): (.+?) -->", re.DOTALL)
#: The languages of blocks that are output.
OUTPUT = ("console", "text")
#: Begins a line of a script's output that names the next block.
MARKER = "::: "


class NoRuleError(Exception):
    """No rule covers a block."""


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

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
        return self.directive != "not run" and not (self.language in OUTPUT and not self.directive)


def pages(repository: pathlib.Path) -> dict[str, list[Block]]:
    """The blocks of all pages, by the page's path in the repository."""
    found = {}
    for path in sorted(path for pattern in PAGES for path in repository.glob(pattern)):
        page = str(path.relative_to(repository))
        if blocks := blocks_of_page(page, path.read_text(encoding="utf-8")):
            found[page] = blocks
    return found


def blocks_of_page(page: str, text: str) -> list[Block]:
    found: list[Block] = []
    above, ends = ("", ""), -1
    for token in MarkdownIt().parse(text):
        first, end = token.map or (0, 0)
        if token.type == "html_block":
            for name, value in DIRECTIVE.findall(token.content):
                above, ends = (name, " ".join(value.split())), end
        elif token.type == "fence":
            directive = above if ends == first else ("", "")
            found.append(Block(page, first + 1, token.info.strip(), token.content, *directive))
    return found


def original(page: str) -> str:
    """The page that a page translates, or the page itself."""
    return page.replace("docs/fr/", "docs/").replace(".fr.md", ".md")


def shown_at_the_top(playbook: str) -> list[str]:
    """The indented paragraphs in the comment at the top of a playbook."""
    lines = []
    for line in playbook.partition("\n---\n")[2].splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#   ") if line.startswith("#   ") else "")
    return [f"{shown.strip()}\n" for shown in re.split(r"\n{2,}", "\n".join(lines)) if shown.strip()]


def commands(shell: str) -> list[str]:
    """The commands of a shell script, without comments, each on one line."""
    lines = re.sub(r"\\\n\s*", "", shell).splitlines()
    return [line for line in (re.sub(r"\s*(?<!\S)#.*", "", line) for line in lines) if line]


def examples_of_plugin(text: str) -> str:
    (examples,) = re.findall(r'^EXAMPLES = r"""\n(.*?)^"""$', text, re.DOTALL | re.MULTILINE)
    return examples


def script(blocks: list[Block]) -> str:
    """A shell script that runs the blocks, and ends at the first that fails."""
    parts = [f"echo '{MARKER}{block.place}'\n{_commands_of(block)}" for block in blocks if block.runs]
    return "\n".join(["set -e", *parts])


def failed_block(output: str) -> str:
    """The place of the block in which a script ended, and its output."""
    return output.rpartition(MARKER)[2]


def _commands_of(block: Block) -> str:
    if block.directive == "file":
        return _write(block.value, block.text, ">")
    if block.directive == "more of":
        return _write(block.value, block.text, ">>")
    if block.language == "sh":
        return block.text
    if block.language == "yaml":
        playbook = f"block-{block.line}.yml"
        run = f'OS_CLOUD="${{OS_CLOUD:-mycloud}}" ansible-playbook {playbook}\n'
        return _write(playbook, _playbook(block), ">") + run
    raise NoRuleError(
        f"{block.place}: no rule covers this block of {block.language or 'no language'}. See tests/examples/README.md."
    )


def _write(path: str, text: str, how: str) -> str:
    name = path if path.startswith("~/") else shlex.quote(path)
    return f"mkdir -p \"$(dirname {name})\"\ncat {how} {name} <<'THE_END_OF_THE_FILE'\n{text}THE_END_OF_THE_FILE\n"


def _playbook(block: Block) -> str:
    """A playbook of plays, tasks or part of a play."""
    content = yaml.safe_load(block.text)
    head = "- hosts: localhost\n  gather_facts: false\n"
    if isinstance(content, list):
        if any("hosts" in one or "ansible.builtin.import_playbook" in one for one in content):
            return block.text
        return f"{head}  tasks:\n{textwrap.indent(block.text, ' ' * 4)}"
    if isinstance(content, dict):
        return f"{head}{textwrap.indent(block.text, ' ' * 2)}  tasks:\n    - openstack.cloud.server_info:\n"
    raise NoRuleError(f"{block.place}: this YAML is neither plays nor tasks nor part of a play.")
