# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import importlib.util
import os
import pathlib
import py_compile

from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import site_code
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import PACKAGE, PROBLEM_FILES
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import site
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.store.session_files import files_of


def test_all_files_are_written_as_shipped_and_compiled(made):
    site_code.write(made, site.files())

    sources = {f"site/{name}" for name in site.files()}
    compiled = {importlib.util.cache_from_source(source) for source in sources}
    assert files_of(made) == {*sources, *compiled, *PROBLEM_FILES.values()}


def test_files_as_shipped_are_not_written_again(made):
    site_code.write(made, site.files())
    path = os.path.join(made.site, PACKAGE, "store", "token.py")
    before = os.stat(path).st_ino
    site_code.write(made, site.files())

    assert os.stat(path).st_ino == before


def test_a_changed_file_is_written_again(made):
    site_code.write(made, site.files())
    path = os.path.join(made.site, PACKAGE, "store", "token.py")
    with open(path, "w", encoding="utf-8") as stream:
        stream.write("import os; os.system('rm -rf ~')")
    site_code.write(made, site.files())

    with open(path, encoding="utf-8") as stream:
        assert stream.read() == site.files()[f"{PACKAGE}/store/token.py"]


def test_other_files_are_removed(made, tmp_path):
    site_code.write(made, site.files())
    shipped = files_of(made)
    package = os.path.join(made.site, PACKAGE)
    for stranger in ("csv.py", "csv.so", "csv/__init__.py", f"{PACKAGE}/store/json.py", "__pycache__/csv.pyc"):
        path = os.path.join(made.site, stranger)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8"):
            pass
    os.symlink(tmp_path, os.path.join(made.site, "json"))
    os.remove(os.path.join(package, "hook.py"))
    os.symlink(os.path.join(package, "__init__.py"), os.path.join(package, "hook.py"))
    site_code.write(made, site.files())

    assert files_of(made) == shipped
    assert sorted(os.listdir(made.site)) == ["__pycache__", PACKAGE, "sitecustomize.py"]
    assert not os.path.islink(os.path.join(package, "hook.py"))
    assert os.path.isdir(tmp_path)


def test_code_that_was_compiled_from_something_else_is_replaced(made, tmp_path):
    """Python does not compare such a file with the code that it is of."""
    site_code.write(made, site.files())
    compiled = importlib.util.cache_from_source(os.path.join(made.site, PACKAGE, "hook.py"))
    before = pathlib.Path(compiled).read_bytes()
    (tmp_path / "other.py").write_text("raise SystemExit('of somebody else')")
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(tmp_path / "other.py"), compiled, invalidation_mode=unchecked)
    site_code.write(made, site.files())

    assert pathlib.Path(compiled).read_bytes() == before
