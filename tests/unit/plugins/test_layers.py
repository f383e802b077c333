# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What imports what: each layer only those below it, nothing in a circle, and little for each module to ship."""

from __future__ import annotations

import ast
import sys

import pytest
from ansible_collections.onetoken.openstack.tests.structure.imports import FILES, circle, imports, ours
from ansible_collections.onetoken.openstack.tests.structure.layers import LAYERS, SESSION, layer_of, violations

SCRIPTS = (f"{SESSION}.sitecustomize", f"{SESSION}.fork_server.main")
ON_THE_CONTROLLER = ("plugin_utils", "callback", "inventory", "lookup", "action")
#: How many of our files Ansible ships with a module that only looks at a session, and with one that revokes it, itself
#: included and files with nothing in them not. It may become less.
SHIPPED = {"os_token_info": 29, "os_token_revoke": 30}
#: Names that Python 3.8 does not have.
PYTHON_3_9 = {"cache", "removeprefix", "removesuffix", "is_relative_to", "pairwise", "batched"}
#: What Python 2 cannot parse.
PYTHON_3 = (
    *(ast.AnnAssign, ast.JoinedStr, ast.NamedExpr, ast.Nonlocal, ast.Starred, ast.YieldFrom, ast.MatMult),
    *(ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await),
)


OF_SESSION = [name for name in FILES if f"{name}.".startswith(f"{SESSION}.")]


def shipped_with(*names: str) -> set[str]:
    """What of this collection Ansible sends along with files: all that they import, and the packages that it is in."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        parts = name.split(".")
        packages = (".".join(parts[:number]) for number in range(1, len(parts)))
        todo += [*ours(name), *(package for package in packages if package in FILES)]
    return found


def test_each_file_imports_only_from_its_layer_and_those_below():
    assert list(violations()) == []


@pytest.mark.parametrize("name", [name for name in FILES if not name.startswith(ON_THE_CONTROLLER)])
def test_what_only_the_controller_has_is_imported_by_its_plugins_alone(name):
    assert not [module for module in ours(name) if module.startswith("plugin_utils")]


@pytest.mark.parametrize("kind", LAYERS[-1].names)
def test_no_plugin_imports_another_one(kind):
    for name in FILES:
        if name.startswith(f"{kind}."):
            assert not [module for module in ours(name) if layer_of(module) == len(LAYERS) - 1], name


def test_nothing_is_imported_in_a_circle_not_even_for_types():
    assert circle() == []


@pytest.mark.parametrize("name", OF_SESSION)
def test_the_session_s_code_imports_itself_relatively_and_little_else(name):
    """It is loaded under another name, where there is neither Ansible nor this collection."""
    # Python runs these two as they are, outside of any package.
    own = {"onetoken_session", "sitecustomize"} if name in SCRIPTS else set()
    for one in imports(name):
        if one.is_ours:
            assert one.level, f"{name} imports {one.module} by its whole name"
            assert one.module in OF_SESSION
            continue
        top = one.module.partition(".")[0]
        lazy = {"openstack"} if layer_of(name) == layer_of(f"{SESSION}.sign_in") and not one.at_once else set()
        assert top in {*sys.stdlib_module_names, "keystoneauth1", "requests", "urllib3", *own, *lazy}, (
            f"{name} imports {top}"
        )


@pytest.mark.parametrize("name", OF_SESSION)
def test_the_session_s_code_is_for_python_3_8(name):
    tree = ast.parse(FILES[name].read_text(encoding="utf-8"), feature_version=(3, 8))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}

    assert not used & PYTHON_3_9


def test_python_2_can_read_what_each_process_loads_first():
    text = FILES[f"{SESSION}.sitecustomize"].read_text(encoding="ascii")
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, PYTHON_3), ast.dump(node)
        if isinstance(node, ast.Raise):
            assert node.cause is None
        elif isinstance(node, ast.arguments):
            assert not (node.kwonlyargs or node.posonlyargs)
        elif isinstance(node, ast.arg):
            assert node.annotation is None
        elif isinstance(node, ast.FunctionDef):
            assert node.returns is None
        elif isinstance(node, ast.ClassDef):
            assert not node.keywords
        elif isinstance(node, ast.ImportFrom):
            assert node.module != "__future__"


@pytest.mark.parametrize("module", SHIPPED)
def test_a_module_that_does_not_sign_in_ships_little(module):
    shipped = [name for name in shipped_with(f"modules.{module}") if FILES[name].stat().st_size]

    assert len(shipped) <= SHIPPED[module], sorted(shipped)


def test_who_makes_a_session_has_all_the_code_that_it_is_to_hold():
    """Ansible sends a module only what it finds imported; a name in a text it does not see."""
    assert set(OF_SESSION) <= shipped_with("module_utils._session_setup.site")
