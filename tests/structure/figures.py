# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be counted of the structure of plugins/ and of its tests.

.venv/bin/python tests/structure/figures.py
"""

from __future__ import annotations

import ast
import collections
import json
import pathlib
import subprocess
import sys
import tempfile
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# The checkout stands there as the collection onetoken.openstack.
sys.path.insert(0, str(REPOSITORY / ".venv" / "collections"))

from ansible_collections.onetoken.openstack.tests.structure import imports, layers, ways  # noqa: E402

COMPLEXITY = "C901,PLR0911,PLR0912,PLR0915"
#: Files in a folder, beyond which it is hard to find one.
MANY = 12


def main() -> int:
    folders = files_of_folders()
    largest = ", ".join(f"{folder} {count}" for folder, count in folders.most_common() if count > MANY)
    rows: list[tuple[str, t.Any]] = [
        ("folders of module_utils with Python files", len(folders)),
        ("files in the largest of them", max(folders.values())),
        (f"folders with more than {MANY} files", largest or "none"),
        ("circles of imports", 1 if imports.circle() else 0),
        ("imports from a layer above", len(list(layers.violations()))),
        ("layers", len(layers.LAYERS)),
    ]
    for name, way in _ways().items():
        rows.append((f"files on the way of {name}", len(way.files)))
        rows.append((f"pairs of files of which one calls the other, on the way of {name}", way.pairs))
        rows.append((f"calls from one file to another, on the way of {name}", sum(way.calls.values())))
    rows += [
        ("private names of plugins/ that unit tests use", len(list(private_names()))),
        ("imports of unit tests' helpers in integration tests", len(list(imports_from_unit_tests()))),
        ("lines of plugins/", lines("plugins")),
        ("lines of tests/", lines("tests")),
        ("functions that ruff finds too complex", complexity()),
    ]
    print("\n".join(f"| {name} | {value} |" for name, value in rows))
    return 0


def files_of_folders() -> collections.Counter[str]:
    """How many Python files with something in them each folder of module_utils has."""
    counted = (path for path in (imports.PLUGINS / "module_utils").rglob("*.py") if path.stat().st_size)
    return collections.Counter(str(path.parent.relative_to(imports.PLUGINS)) for path in counted)


def private_names() -> t.Iterator[str]:
    """Each use of a private name of plugins/ by a unit test."""
    known = _private_definitions("plugins") - _private_definitions("tests/unit")
    for path in _python_files("tests/unit"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            for name in known.intersection(_private_names_of(node)):
                yield f"{path.relative_to(REPOSITORY)}:{getattr(node, 'lineno', 0)}: {name}"


def _private_definitions(folder: str) -> set[str]:
    """The private functions, classes, constants and attributes of a folder."""
    found: set[str] = set()
    for path in _python_files(folder):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Store):
                found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return {name for name in found if _is_private(name)}


def _private_names_of(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Attribute):
        is_own = isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        return [node.attr] if _is_private(node.attr) and not is_own else []
    if isinstance(node, ast.ImportFrom):
        # Private folders are imported from by everyone in the collection; private names of files are not.
        return [alias.name for alias in node.names if _is_private(alias.name) and not _is_package(alias.name)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("setattr", "delattr"):
        texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        return [name for text in texts if _is_private(name := text.rpartition(".")[2])]
    return []


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def _is_package(name: str) -> bool:
    return any(f".{name}." in f".{file}." for file in imports.FILES)


def imports_from_unit_tests() -> t.Iterator[str]:
    """Each import from the unit tests by an integration test."""
    for path in _python_files("tests/integration"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and ".tests.unit" in (node.module or ""):
                yield f"{path.relative_to(REPOSITORY)}:{node.lineno}: {node.module}"


def lines(folder: str) -> int:
    """Lines of Python in a folder."""
    return sum(path.read_text(encoding="utf-8").count("\n") for path in _python_files(folder))


def _python_files(folder: str) -> list[pathlib.Path]:
    return sorted((REPOSITORY / folder).rglob("*.py"))


def complexity() -> int:
    """Findings of ruff's rules on complexity, with its own limits."""
    found = subprocess.run(
        [REPOSITORY / ".venv/bin/ruff", "check", "--select", COMPLEXITY, "--output-format=json", "plugins", "tests"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return len(json.loads(found.stdout))


def _ways() -> dict[str, ways.Way]:
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("snapshot", "token"):
            (pathlib.Path(scratch) / name).mkdir(mode=0o700)
        return {
            "one snapshot": ways.of_snapshot(pathlib.Path(scratch) / "snapshot"),
            "one token": ways.of_token(pathlib.Path(scratch) / "token"),
        }


if __name__ == "__main__":
    sys.exit(main())
