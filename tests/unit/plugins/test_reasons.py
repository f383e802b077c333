# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs go by the codes of reasons, which are documented, and nothing of ours by their texts."""

from __future__ import annotations

import ast
import functools
import importlib
import pathlib
import re
import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.item import OUTCOMES
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.reason import Code
from ansible_collections.onetoken.openstack.tests.examples import pages
from ansible_collections.onetoken.openstack.tests.tools.returns import codes_of

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]
PLUGINS = REPOSITORY / "plugins"
MODULES = "ansible_collections.onetoken.openstack.plugins.modules"
BULK = sorted(path.stem for path in (PLUGINS / "modules").glob("*.py") if "run_bulk_module(" in path.read_text())
#: What decides something by a text.
METHODS = {
    "startswith",
    "endswith",
    "find",
    "index",
    "count",
    "partition",
    "rpartition",
    "split",
    "rsplit",
    "removeprefix",
}
#: The same in a template: an attribute that is tested, or compared in an expression.
IN_TEMPLATE = re.compile(
    r"""(?:select|reject)attr\(\s*['"]reason['"]\s*,
    |\.reason\s*(?:==|!=|\bin\b|\bnot\s+in\b|\bis\b|\|\s*regex|\.\s*(?:startswith|endswith|find)\b)
    |(?:==|!=|\bin)\s+\w+\.reason\b
    |\[\s*['"]reason['"]\s*\]""",
    re.VERBOSE,
)


def is_reason(node: ast.AST) -> bool:
    """Whether it is the text of a reason: item.reason, item.reason.text, str(reason) or result["reason"]."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and node.slice.value == "reason"
    if isinstance(node, ast.Attribute):
        of_reason = isinstance(node.value, (ast.Name, ast.Attribute)) and ast.unparse(node.value).endswith(
            ("reason", "unconfirmed")
        )
        return node.attr in ("reason", "reason_text") or (node.attr == "text" and of_reason)
    return False


def readings(source: str) -> list[str]:
    """The expressions of a program that decide something by the text of a reason."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare):
            parts: list[ast.AST] = [node.left, *node.comparators]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_pattern = isinstance(node.func.value, ast.Name) and node.func.value.id == "re"
            parts = [*node.args] if is_pattern else [node.func.value] if node.func.attr in METHODS else []
        else:
            continue
        found += [ast.unparse(node) for part in parts if is_reason(part)]
    return found


@pytest.mark.parametrize(
    "code",
    [
        "item.reason == 'x'",
        "'not asked for' in item.reason",
        "result['reason'].startswith('x')",
        "re.match('x', item.reason.text)",
    ],
)
def test_a_program_that_reads_a_reason_is_found(code):
    assert readings(code)


@pytest.mark.parametrize(
    "code",
    [
        "selectattr('reason', 'match', 'not asked for')",
        "item.reason == 'x'",
        "item.reason is match('x')",
        "'x' in item.reason",
        "item['reason'] == 'x'",
    ],
)
def test_a_template_that_reads_a_reason_is_found(code):
    assert IN_TEMPLATE.search(code)


def test_nothing_reads_the_text_of_a_reason():
    found = {}
    for path in PLUGINS.rglob("*.py"):
        found[path] = readings(path.read_text(encoding="utf-8"))
    templates = [*(REPOSITORY / "docs").rglob("*.md"), *REPOSITORY.glob("*.md")]
    for folder in ("playbooks", "roles"):
        templates += [path for path in (REPOSITORY / folder).rglob("*") if path.is_file()]
    for path in templates:
        found[path] = found.get(path, []) + IN_TEMPLATE.findall(path.read_text(encoding="utf-8"))
    assert len(templates) > 20
    # The rest of a module is a program: what it calls reason may be an option.
    for path in (PLUGINS / "modules").glob("*.py"):
        found[path] += IN_TEMPLATE.findall(pages.examples_of_plugin(path.read_text(encoding="utf-8")))
    assert {str(path): lines for path, lines in found.items() if lines} == {}


# What the modules document


@functools.cache
def returned(name: str) -> dict[str, t.Any]:
    return yaml.safe_load(importlib.import_module(f"{MODULES}.{name}").RETURN)


@pytest.mark.parametrize("name", BULK)
def test_every_code_that_a_module_may_return_is_documented_with_its_meaning(name):
    begin, *lines = returned(name)["results"]["contains"]["reason_code"]["description"]
    assert begin == "The reason for the outcome, for programs; empty if there is none. One of these:"
    assert lines == [f"V({code.value}) - {code.meaning}" for code in codes_of(name)]


def test_no_code_is_left_over():
    assert set().union(*map(codes_of, BULK)) == set(Code)


@pytest.mark.parametrize("name", BULK)
def test_every_outcome_is_documented(name):
    counts = returned(name)["counts"]
    assert list(counts["contains"]) == list(counts["sample"]) == list(OUTCOMES)
    description = returned(name)["results"]["contains"]["outcome"]["description"]
    assert description == f"{', '.join(f'V({outcome})' for outcome in OUTCOMES[:-1])}, or V(planned) in check mode."
