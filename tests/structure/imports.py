# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each file of plugins/ imports, read from its source."""

from __future__ import annotations

import ast
import functools
import graphlib
import pathlib
import typing as t

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PLUGINS = REPOSITORY / "plugins"
PREFIX = ("ansible_collections", "onetoken", "openstack", "plugins")


class Import(t.NamedTuple):
    """An import of a file."""

    module: str
    #: Whether it is one of this collection's.
    is_ours: bool
    #: How many packages up it begins; 0 for one by its whole name.
    level: int
    #: Whether it is made when the file is loaded, and not later, or never.
    at_once: bool


def _name_of(path: pathlib.Path) -> str:
    parts = path.relative_to(PLUGINS).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


#: Every file of plugins/ by its dotted name below plugins/.
FILES = {_name_of(path): path for path in sorted(PLUGINS.rglob("*.py"))}


@functools.cache
def imports(name: str) -> tuple[Import, ...]:
    """All imports of a file, wherever in it they are."""
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"))
    lazy = {node for function in ast.walk(tree) if _is_later(function) for node in ast.walk(function)}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [_import_of(tuple(alias.name.split(".")), 0, node not in lazy) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (*_base(name, node.level), *(node.module.split(".") if node.module else ()))
            for alias in node.names:
                inner = ".".join((*base, alias.name)[len(PREFIX) :])
                module = (*base, alias.name) if _is_ours(base) and inner in FILES else base
                found.append(_import_of(module, node.level, node not in lazy))
    return tuple(found)


def _is_later(node: ast.AST) -> bool:
    is_for_types = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    return is_for_types or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


def _base(name: str, level: int) -> tuple[str, ...]:
    """The package from which a relative import of so many levels starts."""
    if not level:
        return ()
    parts = (*PREFIX, *name.split("."))
    packages = parts if FILES[name].name == "__init__.py" else parts[:-1]
    return packages[: len(packages) - level + 1]


def _is_ours(module: tuple[str, ...]) -> bool:
    return module[: len(PREFIX)] == PREFIX


def _import_of(module: tuple[str, ...], level: int, at_once: bool) -> Import:
    is_ours = _is_ours(module)
    return Import(".".join(module[len(PREFIX) :] if is_ours else module), is_ours, level, at_once)


def ours(name: str) -> set[str]:
    """The files of plugins/ that a file imports."""
    return {one.module for one in imports(name) if one.is_ours}


def circle() -> list[str]:
    """Files that import each other in a circle; empty where none do."""
    try:
        graphlib.TopologicalSorter({name: ours(name) for name in FILES}).prepare()
    except graphlib.CycleError as exc:
        return exc.args[1]
    return []
