# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Python process of a run loads at its start: it wraps keystoneauth, and changes nothing else."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session import hook
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import instrumentation
from ansible_collections.onetoken.openstack.plugins.module_utils._session_setup import environment
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.sign_in.sign_ins import (
    SIGN_IN,
    current,
)

PYTHONS = pathlib.Path.home() / ".pyenv" / "versions"
OTHERS = sorted(path for path in PYTHONS.glob("3.*/bin/python3") if path.parts[-3].split(".")[1] >= "0")
KNOWN = [path for path in OTHERS if int(path.parts[-3].split(".")[1]) >= 8]
#: What every process says of itself, to be compared.
TELL = "import sys; print(sorted(set(sys.modules) - {'onetoken_session', 'onetoken_session.hook'})); print(sys.argv)"


@pytest.mark.processes
class TestTheHiddenOne:
    @pytest.fixture
    def own(self, tmp_path):
        """Put a sitecustomize on the PYTHONPATH that a process has already."""

        def put(code: str) -> str:
            folder = tmp_path / "own"
            folder.mkdir()
            (folder / "sitecustomize.py").write_text(code)
            return str(folder)

        return put

    def test_it_runs_and_is_the_one_that_a_program_finds(self, prepared, run, own):
        path = own("value = 'of the task'\nprint('it runs')\n")

        output, errors, _code = run(prepared, "import sys, sitecustomize\nprint(sitecustomize.value)", PYTHONPATH=path)

        assert output == "it runs\nof the task\n", errors

    def test_the_session_is_still_used(self, prepared, run, own, keystone):
        path = own("import os\nos.environ['SEEN'] = '1'\n")

        output, errors, _code = run(prepared, SIGN_IN, keystone.auth_url, PYTHONPATH=path)

        assert output.strip() == current(prepared).id.reveal(), errors

    @pytest.mark.parametrize(
        "code",
        [
            "raise ValueError('odd')",
            "import nothing_like_this",
            "import sitecustomize.inner",
            "1 +",
        ],
    )
    def test_its_error_is_printed_by_python(self, prepared, start, run, own, code):
        path = own(code)
        with_it = run(prepared, "print('on')", PYTHONPATH=path)
        without = run(None, "print('on')", PYTHONPATH=path)

        assert with_it == without

    def test_one_that_ends_the_process_ends_it(self, prepared, run, own):
        path = own("raise SystemExit(3)")
        with_it = run(prepared, "print('on')", PYTHONPATH=path)
        without = run(None, "print('on')", PYTHONPATH=path)

        assert (with_it[0], with_it[1].splitlines()[-1], with_it[2]) == (
            without[0], without[1].splitlines()[-1], without[2],
        )  # fmt: skip

    def test_without_one_there_is_nothing_to_show(self, prepared, run):
        assert run(prepared, "import sitecustomize; print('on')") == ("on\n", "", 0)

    def test_it_is_searched_for_only_behind_the_session(self, prepared, run, own):
        """The search path is as it was afterwards."""
        path = own("")
        with_it = run(prepared, "import sys; print(sys.path)", PYTHONPATH=path)
        without = run(None, "import sys; print(sys.path)", PYTHONPATH=path)

        assert eval(with_it[0]) == [*eval(without[0])[:1], prepared.site, *eval(without[0])[1:]]

    @pytest.mark.parametrize(
        "code",
        [
            "import sys; sys.path.append('/more')",
            "import sys; sys.path.insert(0, '/more')",
            "import sys; sys.path = ['/more', *sys.path]",
            "import sys; sys.path.remove(sys.path[-1])",
            "import site, tempfile; site.addsitedir(tempfile.gettempdir())",
        ],
    )
    def test_its_changes_to_the_search_path_stay(self, prepared, run, own, code):
        path = own(code)
        with_it, without = (
            eval(run(session, "import sys; print(sys.path)", PYTHONPATH=path)[0]) for session in (prepared, None)
        )

        assert with_it.count(prepared.site) == 1
        assert [part for part in with_it if part != prepared.site] == without


@pytest.mark.processes
class TestOtherPythons:
    @pytest.fixture
    def run_other(self, prepared, no_cloud):
        def run_other(python: pathlib.Path, *options: str, code: str = TELL) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [python, *options, "-c", code],
                env={**os.environ, **environment.of_session(prepared, {})},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

        return run_other

    def plain(self, python: pathlib.Path, *options: str) -> subprocess.CompletedProcess[str]:
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            [python, *options, "-c", TELL], env=inherited, capture_output=True, text=True, timeout=60, check=False
        )

    @pytest.mark.skipif(not OTHERS, reason="there are no other Pythons here")
    @pytest.mark.parametrize("python", OTHERS, ids=lambda path: path.parts[-3])
    def test_they_start_with_it_and_print_nothing(self, run_other, python):
        assert (run_other(python).stderr, run_other(python).returncode) == ("", 0)

    @pytest.mark.skipif(not KNOWN, reason="there are no other Pythons here")
    @pytest.mark.parametrize("python", KNOWN, ids=lambda path: path.parts[-3])
    def test_pythons_that_sign_in_can_load_every_file(self, run_other, prepared, python):
        """Those that need keystoneauth are compiled only, as these Pythons do not have it."""
        code = (
            "import compileall, importlib, pkgutil, onetoken_session.store, onetoken_session.util\n"
            f"assert compileall.compile_dir({prepared.site!r}, quiet=1, force=True)\n"
            "for package in (onetoken_session.store, onetoken_session.util):\n"
            "    for module in pkgutil.iter_modules(package.__path__):\n"
            "        importlib.import_module(package.__name__ + '.' + module.name)\n"
        )
        ran = run_other(python, code=code)

        assert (ran.stdout, ran.stderr) == ("", "")

    @pytest.mark.parametrize("option", ["-I", "-E", "-S"])
    def test_a_python_that_ignores_variables_is_unchanged(self, run_other, option):
        python = pathlib.Path(sys.executable)
        with_it = run_other(python, option)

        assert (with_it.stdout, with_it.stderr) == (self.plain(python, option).stdout, "")

    @pytest.mark.parametrize("option", ["-I", "-E"])
    def test_a_python_that_ignores_variables_signs_in_by_itself(self, prepared, start, keystone, option):
        output, errors = start(prepared, SIGN_IN, keystone.auth_url, options=[option]).communicate(timeout=60)

        assert output.strip() in keystone.alive, errors
        assert prepared.names() == []


@pytest.mark.processes
class TestAProcess:
    def test_a_process_that_never_imports_keystoneauth_loads_only_the_hook(self, prepared, no_cloud):
        # Not the Python of .venv: where the lines that run are measured, it loads what measures them.
        command = [os.path.realpath(sys.executable), "-c", "import sys; print(sorted(sys.modules))"]
        with_it, without = (
            eval(subprocess.run(command, env=variables, capture_output=True, text=True, check=True).stdout)
            for variables in ({**os.environ, **environment.of_session(prepared, {})}, dict(os.environ))
        )

        ours = {"onetoken_session", "onetoken_session.hook", "sitecustomize"}
        assert set(with_it) - set(without) == ours

    def test_a_process_off_the_session_loads_nothing(self, prepared, start):
        process = start(None, "import sys; print('onetoken_session' in sys.modules)", PYTHONPATH=prepared.site)

        assert process.communicate(timeout=60)[0] == "False\n"

    def test_what_is_imported_already_is_wrapped(self, prepared, start, keystone):
        """As in a process that a session's code is loaded into later."""
        code = (
            "import os, sys\n"
            "import keystoneauth1.identity.v3, keystoneauth1.session\n"
            f"sys.path.insert(0, {prepared.site!r})\n"
            f"os.environ['ONETOKEN_SESSION_DIRECTORY'] = {prepared.path!r}\n"
            "from onetoken_session import hook\n"
            "hook.install()\n"
        )
        output, errors = start(None, code + SIGN_IN, keystone.auth_url).communicate(timeout=60)

        assert output.strip() == current(prepared).id.reveal(), errors

    def test_data_files_of_keystoneauth_can_be_read(self, prepared, run):
        code = (
            "import pkgutil, keystoneauth1.session\n"
            "print(len(pkgutil.get_data('keystoneauth1.session', '__init__.py')) > 0)\n"
            "print(keystoneauth1.session.__spec__.loader.get_source('keystoneauth1.session')[:1])\n"
        )
        output, errors, _code = run(prepared, code)

        assert output == "True\n#\n", errors

    def test_a_keystoneauth_in_a_zip_file_works(self, prepared, start, keystone, tmp_path):
        import keystoneauth1

        package = pathlib.Path(keystoneauth1.__file__).parent
        with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
            for path in package.rglob("*.py"):
                archive.write(path, path.relative_to(package.parent))
        code = "import keystoneauth1; assert '.zip' in keystoneauth1.__file__\n" + SIGN_IN

        process = start(prepared, code, keystone.auth_url, PYTHONPATH=str(tmp_path / "all.zip"))
        output, errors = process.communicate(timeout=60)

        assert output.strip() == current(prepared).id.reveal(), errors

    def test_an_unknown_keystoneauth_works_as_without_it(self, prepared, start, tmp_path):
        package = tmp_path / "odd" / "keystoneauth1"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "session.py").write_text("class Session:\n    __slots__ = ()\n")
        (package / "discover.py").write_text("get_version_data = None\n")

        process = start(
            prepared,
            "from keystoneauth1 import discover, session; print(session.Session() and 'works')",
            PYTHONPATH=str(tmp_path / "odd"),
        )
        assert process.communicate(timeout=60) == ("works\n", "")


class TestInstalling:
    @pytest.fixture
    def plain_methods(self):
        import keystoneauth1.session

        return keystoneauth1.session.Session

    def test_installing_twice_wraps_once(self, plain_methods):
        hook.install()
        once = plain_methods.request
        finders = len(sys.meta_path)

        hook.install()

        assert plain_methods.request is once
        assert len(sys.meta_path) == finders
        assert not hasattr(once.__wrapped__, "__wrapped__")

    def test_a_wrapped_method_has_the_signature_of_the_plain_one(self, plain_methods):
        import inspect

        hook.install()

        assert plain_methods.request.__name__ == "request"
        assert "user_agent" in inspect.signature(plain_methods.request).parameters

    def test_every_wanted_module_has_a_wrapper(self):
        assert set(hook.WANTED) == set(instrumentation.WRAPPERS)

    def test_other_modules_are_left_to_other_finders(self):
        assert hook.Finder.find_spec("json") is None

    def test_a_finder_that_asks_all_others_causes_no_recursion(self, monkeypatch):
        class Asking:
            @staticmethod
            def find_spec(name, path=None, target=None):
                for finder in sys.meta_path:
                    if finder is not Asking and (spec := finder.find_spec(name, path, target)):
                        return spec
                return None

        hook.install()
        monkeypatch.setattr(sys, "meta_path", [sys.meta_path[0], Asking, *sys.meta_path[1:]])
        import keystoneauth1

        assert hook.Finder.find_spec("keystoneauth1.session", keystoneauth1.__path__).name == "keystoneauth1.session"
