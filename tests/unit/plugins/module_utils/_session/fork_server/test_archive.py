# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The library of a program is compiled once for each content; where that cannot be, it is found in its archive."""

from __future__ import annotations

import base64
import fcntl
import io
import os
import random
import sys
import traceback
import zipfile

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.fork_server import archive, library, lock

#: An archive is long, and of what is not compressed, what is in it can be seen.
FILLING = "".join(random.Random(1).choices("abcdefghij", k=3000))


@pytest.fixture(autouse=True)
def finders(monkeypatch):
    """The finders of this process, which a test adds one to."""
    before = list(sys.meta_path)
    monkeypatch.setattr(sys, "meta_path", list(before))
    return before


@pytest.fixture
def folder(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    yield handle
    os.close(handle)


def zipped(text: str, compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, source in {"__init__": "", "common": text}.items():
            file.writestr(zipfile.ZipInfo(f"ansible/{name}.py"), source + f"\n# {FILLING}\n", compression)
    return content.getvalue()


def script(content: bytes) -> bytes:
    return b'ZIPDATA = "' + base64.b64encode(content) + b'"\nSHORT = "QUJD"\n'


def imported(name):
    """A module of the library as the finder that was added has it."""
    spec = sys.meta_path[0].find_spec("ansible")
    package = type(sys)("ansible")
    package.__path__ = spec.submodule_search_locations
    found = library.importlib.machinery.PathFinder.find_spec(f"ansible.{name}", package.__path__)
    module = library.importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_library_is_found_compiled_and_with_its_source(folder, tmp_path):
    library.use(script(zipped("def fail():\n    raise KeyError('here')\n")), folder, str(tmp_path), None)

    module = imported("common")
    (copy,) = tmp_path.glob("*.zip")
    assert module.__loader__.archive == str(copy)
    assert module.fail.__code__.co_filename == str(copy / "ansible" / "common.py")
    with zipfile.ZipFile(copy) as file:
        assert sorted(file.namelist()) == [
            f"ansible/{name}" for name in sorted(["__init__.py", "__init__.pyc", "common.py", "common.pyc"])
        ]
    try:
        module.fail()
    except KeyError:
        assert "    raise KeyError('here')\n" in traceback.format_exc()
    # All other names are found where they ever were.
    assert sys.meta_path[0].find_spec("json") is None
    assert sys.meta_path[0].find_spec("ansible.common") is None


def test_equal_archives_share_a_copy_and_others_do_not(folder, tmp_path):
    for text in ("A = 1", "A = 1", "A = 2"):
        library.use(script(zipped(text)), folder, str(tmp_path), None)
        assert f"A = {imported('common').A}" == text
    copies = list(tmp_path.glob("*.zip"))
    assert len(copies) == 2
    # Another Python has others.
    assert all(copy.name.endswith(f".{sys.implementation.cache_tag}.zip") for copy in copies)
    assert {copy.stat().st_mode & 0o777 for copy in copies} == {0o600}


def test_archives_that_differ_only_in_arguments_are_compiled_once(folder, tmp_path):
    for arguments in (b"PARAMS = 'a'\n", b"PARAMS = 'b'\n"):
        library.use(arguments + script(zipped("A = 1")), folder, str(tmp_path), None)
    assert len(list(tmp_path.glob("*.zip"))) == 1


DEFLATED = zipped("A = 1", zipfile.ZIP_DEFLATED)
BROKEN = {
    "no zip": b"x" * 3000,
    "half a zip": zipped("A = 1")[:-300],
    "damaged data": DEFLATED[:60] + b"\xff" * 60 + DEFLATED[120:],
    "an unknown compression": DEFLATED.replace(b"\x00\x00\x08\x00", b"\x00\x00\x63\x00"),
    "another checksum": zipped("A = 1").replace(b"A = 1", b"A = 2"),
    "no Python": zipped("1 +"),
    "no text": zipped("A = '\0'"),
    "nested too deeply": zipped("(" * 1000 + ")" * 1000),
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_program_with_a_broken_archive_finds_the_library_itself(folder, tmp_path, finders, content):
    library.use(script(content), folder, str(tmp_path), None)
    assert sys.meta_path == finders
    assert not list(tmp_path.glob("*.zip"))


@pytest.mark.parametrize("text", [b"", b"A" * 999, b'"' + b"A" * 1001 + b'"', b"print(1)\n" * 1000])
def test_a_program_without_an_archive_is_unchanged(folder, tmp_path, finders, text):
    library.use(text, folder, str(tmp_path), None)
    assert sys.meta_path == finders


@pytest.mark.parametrize("damage", ["cut", "empty", "garbage", "a directory"])
def test_a_damaged_copy_is_not_found(folder, tmp_path, damage):
    program = script(zipped("A = 1"))
    library.use(program, folder, str(tmp_path), None)
    (copy,) = tmp_path.glob("*.zip")
    content = copy.read_bytes()
    copy.unlink()
    if damage == "a directory":
        copy.mkdir()
    else:
        copy.write_bytes({"cut": content[:-100], "empty": b"", "garbage": b"x" * len(content)}[damage])
    library.importlib.invalidate_caches()
    sys.path_importer_cache.pop(str(copy), None)

    library.use(program, folder, str(tmp_path), None)
    assert sys.meta_path[0].find_spec("ansible") is None


def test_a_folder_that_cannot_be_written_has_no_copy(tmp_path, finders):
    gone = tmp_path / "gone"
    gone.mkdir()
    handle = os.open(gone, os.O_RDONLY)
    gone.rmdir()
    library.use(script(zipped("A = 1")), handle, str(gone), None)
    os.close(handle)
    assert sys.meta_path == finders


def test_a_process_that_was_stopped_while_compiling_is_not_waited_for_long(folder, tmp_path, finders, monkeypatch):
    monkeypatch.setattr(lock, "TIMEOUT", 0.05)
    with (tmp_path / "compile.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        library.use(script(zipped("A = 1")), folder, str(tmp_path), None)
    assert sys.meta_path == finders


def test_a_process_that_waited_uses_the_copy_of_the_other(folder, tmp_path, monkeypatch):
    program = script(zipped("A = 1"))
    library.use(program, folder, str(tmp_path), None)
    monkeypatch.setattr(archive, "compile_archive", lambda *_arguments: pytest.fail("compiled once more"))
    results = iter([False, True])
    monkeypatch.setattr(archive, "is_compiled", lambda *_arguments: next(results))
    library.use(program, folder, str(tmp_path), None)
    assert imported("common").A == 1
