# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import stat
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import directory
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.superuser import needs_root

NOBODY = 65534


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


@pytest.fixture
def private(tmp_path):
    path = tmp_path / "private"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def handle(private):
    with directory.opened(str(private)) as handle:
        yield handle


def mode(path) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def refusal(path) -> str:
    with pytest.raises(SessionError) as caught, directory.opened(str(path)):
        pass
    return str(caught.value)


@pytest.fixture
def never_chmod(monkeypatch):
    """A mode that is set afterwards leaves a moment in which another user can get in."""

    def too_late(*args, **kwargs):
        raise AssertionError("a mode was set after the fact")

    for name in ("chmod", "fchmod", "lchmod"):
        monkeypatch.setattr(os, name, too_late, raising=False)


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077], ids=oct)
def test_everything_is_private_from_the_first_moment_whatever_the_umask(tmp_path, umask, never_chmod, mask):
    umask(mask)
    path = tmp_path / "new"
    assert directory.make(str(path))
    with directory.opened(str(path)) as handle:
        directory.write(handle, "file", "text")
        with directory.subdirectory(handle, "inner") as inner:
            directory.write(inner, "file", "text")

    assert mode(path) == mode(path / "inner") == 0o700
    assert mode(path / "file") == mode(path / "inner" / "file") == 0o600


@pytest.mark.parametrize("mask", [0o000, 0o002, 0o022, 0o077], ids=oct)
def test_it_accepts_the_parents_that_it_makes_whatever_the_umask(tmp_path, umask, mask):
    umask(mask)
    path = tmp_path / "one" / "two" / "three"
    directory.make(str(path))

    with directory.opened(str(path)):
        pass
    assert {mode(parent) for parent in (path.parent, path.parent.parent)} <= {0o700, 0o755}


def test_make_returns_whether_it_is_new(tmp_path):
    assert directory.make(str(tmp_path / "new")) is True
    assert directory.make(str(tmp_path / "new")) is False


def test_a_missing_directory_is_reported(tmp_path):
    assert "There is no session at" in refusal(tmp_path / "missing")


def test_a_link_is_refused(tmp_path, private):
    link = tmp_path / "link"
    link.symlink_to(private)

    assert "is a link or a file" in refusal(link)


def test_a_file_is_refused(tmp_path):
    file = tmp_path / "file"
    file.touch()

    assert "is a link or a file" in refusal(file)


@pytest.mark.parametrize("open_to", [0o750, 0o770, 0o701, 0o704, 0o777], ids=oct)
def test_a_directory_that_others_can_enter_is_refused(private, open_to):
    private.chmod(open_to)

    assert f"open to other users (mode {open_to:04o})" in refusal(private)


@pytest.mark.parametrize("open_to", [0o770, 0o702, 0o777], ids=oct)
def test_a_parent_that_others_can_write_to_is_refused(tmp_path, open_to):
    parent = tmp_path / "parent"
    directory.make(str(parent / "between" / "session"))
    parent.chmod(open_to)

    message = refusal(parent / "between" / "session")
    assert f"{parent} can be changed by other users" in message


def test_a_sticky_parent_that_everybody_writes_to_is_accepted(tmp_path):
    """/tmp is such a directory: nobody can rename or remove what belongs to somebody else."""
    parent = tmp_path / "parent"
    directory.make(str(parent / "session"))
    parent.chmod(0o1777)

    with directory.opened(str(parent / "session")):
        pass


def test_a_shared_parent_is_found_at_any_level_unless_the_home_is_below_it(tmp_path, monkeypatch):
    for name in ("shared", "own"):
        (tmp_path / name / "below").mkdir(parents=True)
    (tmp_path / "shared").chmod(0o1777)
    (tmp_path / "link").symlink_to(tmp_path / "shared" / "below")
    (tmp_path / "own" / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "own" / "home"))
    shared = str(tmp_path / "shared")

    assert directory.shared_parent(str(tmp_path / "shared" / "session")) == shared
    assert directory.shared_parent(str(tmp_path / "shared" / "below" / "missing" / "session")) == shared
    assert directory.shared_parent(str(tmp_path / "link" / "session")) == shared
    assert directory.shared_parent(str(tmp_path / "own" / "below" / "session")) is None

    monkeypatch.setenv("HOME", str(tmp_path / "shared" / "below"))
    assert directory.shared_parent(str(tmp_path / "shared" / "session")) is None


@pytest.mark.parametrize("shared", [0o777, 0o755], ids=["others can write where links are", "only its user can"])
def test_its_real_path_has_no_links(tmp_path, shared):
    """Who can change a link could put another directory, with code in its site/, in this one's place."""
    directory.make(str(tmp_path / "mine" / "session"))
    between = tmp_path / "between"
    between.mkdir()
    (between / "link").symlink_to(tmp_path / "mine")
    (tmp_path / "base").symlink_to(between / "link")
    between.chmod(shared)
    path = str(tmp_path / "base" / "session")

    assert directory.real(path) == str(tmp_path / "mine" / "session")
    with directory.opened(path) as handle:
        assert os.path.samestat(os.fstat(handle), os.stat(tmp_path / "mine" / "session"))


def test_the_target_of_a_link_must_be_safe(tmp_path):
    parent = tmp_path / "parent"
    directory.make(str(parent / "session"))
    parent.chmod(0o777)
    (tmp_path / "link").symlink_to(parent)

    assert f"{parent} can be changed by other users" in refusal(tmp_path / "link" / "session")


@needs_root
def test_a_directory_of_another_user_is_refused(private, monkeypatch):
    os.chown(private, NOBODY, -1)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY + 1)

    message = refusal(private)
    assert f"belongs to user {NOBODY}" in message
    assert "run the task as the user who issued it" in message


@needs_root
def test_the_superuser_gives_files_in_a_user_s_directory_to_the_user(tmp_path):
    """What a task does that becomes root."""
    os.chown(tmp_path, NOBODY, -1)
    private = tmp_path / "session"
    private.mkdir(mode=0o700)
    os.chown(private, NOBODY, -1)

    with directory.opened(str(private)) as handle:
        directory.write(handle, "written", "text")
        os.close(directory.open_file(handle, "opened"))
        with directory.subdirectory(handle, "below") as below:
            directory.write(below, "written", "text")

    assert {path.stat().st_uid for path in private.rglob("*")} == {NOBODY}
    assert len(list(private.rglob("*"))) == 4


@needs_root
def test_the_superuser_refuses_a_directory_that_a_third_user_could_replace(tmp_path):
    private = tmp_path / "session"
    private.mkdir(mode=0o700)
    os.chown(private, NOBODY, -1)
    os.chown(tmp_path, NOBODY + 1, -1)

    assert f"{tmp_path} can be changed by other users" in refusal(private)


@needs_root
def test_a_parent_of_another_user_is_refused(tmp_path):
    parent = tmp_path / "parent"
    directory.make(str(parent / "session"))
    os.chown(parent, NOBODY, -1)

    assert f"{parent} can be changed by other users" in refusal(parent / "session")


@pytest.mark.processes
@needs_root
def test_a_directory_that_cannot_be_entered_is_reported(private, run_python, collections_path):
    """What a task sees that became another user."""
    process = run_python(
        "import os, sys\n"
        "from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import directory\n"
        "from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import errors\n"
        f"os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        "try:\n"
        "    with directory.opened(sys.argv[1]): pass\n"
        "except errors.SessionError as exc: print(exc)\n",
        str(private),
        PYTHONPATH=collections_path,
    )

    assert "run the task as the user who issued it" in process.stdout, process.stderr


@pytest.mark.processes
def test_a_session_right_below_the_root_directory_is_opened_like_any_other(run_python, collections_path):
    process = run_python(
        "from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import directory\n"
        "from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import errors\n"
        "try:\n"
        "    with directory.opened('/no-such-session-of-onetoken'): pass\n"
        "except errors.SessionError as exc: print(exc)\n",
        PYTHONPATH=collections_path,
        give_up_after=5,
    )

    assert "There is no session at" in process.stdout, process.stderr


def test_what_is_written_can_be_read(handle):
    assert directory.read(handle, "file") is None

    directory.write(handle, "file", "grün\n")
    assert directory.read(handle, "file") == "grün\n"

    directory.write(handle, "file", "new")
    assert directory.read(handle, "file") == "new"


def test_writing_leaves_nothing_else_behind(handle, private):
    directory.write(handle, "file", "one")
    directory.write(handle, "file", "two")

    assert os.listdir(private) == ["file"]


def test_a_failed_write_leaves_no_file_and_is_reported(handle, private):
    (private / "file").mkdir()

    with pytest.raises(SessionError, match="The session's file file cannot be written"):
        directory.write(handle, "file", "text")
    assert os.listdir(private) == ["file"]


def test_a_reader_sees_the_old_text_or_the_new_one(handle):
    texts = ("a" * 200_000, "b" * 200_000)
    directory.write(handle, "file", texts[0])
    seen = []
    done = threading.Event()

    def read():
        while not done.is_set():
            seen.append(directory.read(handle, "file") in texts)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        directory.write(handle, "file", texts[number % 2])
    done.set()
    reader.join()

    assert len(seen) > 5
    assert all(seen)


def test_writing_replaces_a_link_and_leaves_its_target(handle, private, tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (private / "file").symlink_to(target)

    directory.write(handle, "file", "text")

    assert target.read_text() == "precious"
    assert not (private / "file").is_symlink()


def test_reading_does_not_follow_a_link(handle, private, tmp_path):
    (tmp_path / "target").write_text("of somebody else")
    (private / "file").symlink_to(tmp_path / "target")

    with pytest.raises((OSError, SessionError)):
        directory.read(handle, "file")


def test_a_subdirectory_is_not_entered_through_a_link(handle, private, tmp_path):
    (private / "inner").symlink_to(tmp_path)

    with (
        pytest.raises(SessionError, match="directory inner cannot be opened"),
        directory.subdirectory(handle, "inner"),
    ):
        pass


def test_names_are_not_listed_through_a_link_and_a_missing_directory_has_none(handle, private, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (private / "inner").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(SessionError, match="directory inner cannot be opened"):
        directory.names(handle, "inner")
    assert directory.names(handle, "missing") == []


def test_removing_twice_is_no_error(handle, private):
    directory.write(handle, "file", "text")
    directory.remove(handle, "file")
    directory.remove(handle, "file")

    assert os.listdir(private) == []


def test_handles_are_closed(private):
    def handles():
        return len(os.listdir("/proc/self/fd"))

    before = handles()
    for _turn in range(3):
        with directory.opened(str(private)) as handle, directory.subdirectory(handle, "inner") as inner:
            directory.write(inner, "file", "text")
            directory.read(inner, "file")
    with pytest.raises(SessionError), directory.opened(str(private / "inner" / "file")):
        pass
    private.chmod(0o755)
    with pytest.raises(SessionError), directory.opened(str(private)):
        pass

    assert handles() == before


@pytest.fixture
def runtime(tmp_path):
    path = tmp_path / "runtime"
    path.mkdir(mode=0o700)
    return path


def test_the_state_directory_is_the_first_choice(no_cloud, runtime, tmp_path):
    """A runtime directory is gone when its user logs out, under a run that goes on."""
    base = directory.default_base({"XDG_RUNTIME_DIR": str(runtime), "XDG_STATE_HOME": str(tmp_path / "state")})

    assert base == str(tmp_path / "state" / "onetoken")


@pytest.mark.parametrize("named", ["{tmp}/mine", "~/mine", "mine"])
def test_the_directory_that_the_user_names_is_used(no_cloud, runtime, tmp_path, monkeypatch, named):
    """What would end up elsewhere is not found where it is looked for, to be revoked."""
    monkeypatch.chdir(tmp_path)
    environ = {"ONETOKEN_DIRECTORY": named.format(tmp=tmp_path), "XDG_RUNTIME_DIR": str(runtime)}

    assert directory.default_base(environ) == str((no_cloud if "~" in named else tmp_path) / "mine")


def test_choosing_makes_nothing(no_cloud, runtime, tmp_path):
    directory.default_base({"XDG_RUNTIME_DIR": str(runtime)})
    directory.default_base({"XDG_STATE_HOME": str(tmp_path / "state")})
    directory.default_base({})

    assert os.listdir(runtime) == os.listdir(no_cloud) == []
    assert not (tmp_path / "state").exists()


def test_the_chosen_directory_can_be_made_and_is_chosen_again(no_cloud, tmp_path):
    environ = {"XDG_STATE_HOME": str(tmp_path / "state")}
    base = directory.default_base(environ)
    directory.make(base)

    with directory.opened(base):
        assert directory.default_base(environ) == base


def test_a_home_behind_a_link_has_its_real_path(no_cloud, monkeypatch, tmp_path):
    (tmp_path / "homes").symlink_to(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "homes" / "home"))

    assert directory.default_base({}) == str(no_cloud / ".local" / "state" / "onetoken")


@pytest.mark.parametrize("state", ["", "state"])
def test_without_an_absolute_state_directory_it_is_that_of_the_home(no_cloud, runtime, state):
    environ = {"XDG_STATE_HOME": state, "XDG_RUNTIME_DIR": str(runtime)}

    assert directory.default_base(environ) == str(no_cloud / ".local" / "state" / "onetoken")


@pytest.mark.parametrize("mask", [0o002, 0o022, 0o077], ids=oct)
def test_whatever_the_umask_is_it_is_the_state_directory_of_the_home(no_cloud, umask, mask):
    """002 is the umask of a user who has a group of his own, as on Fedora and Ubuntu."""
    umask(mask)

    assert directory.default_base({}) == str(no_cloud / ".local" / "state" / "onetoken")


@pytest.mark.parametrize(
    ("path", "mode"), [("", 0o777), ("onetoken", 0o755)], ids=["others can write to it", "others can read the base"]
)
def test_a_state_directory_that_is_open_to_others_is_passed_over(no_cloud, runtime, tmp_path, path, mode):
    state = tmp_path / "state"
    (state / "onetoken").mkdir(parents=True, mode=0o700)
    (state / path).chmod(mode)
    environ = {"XDG_RUNTIME_DIR": str(runtime), "XDG_STATE_HOME": str(state)}

    assert directory.default_base(environ) == str(runtime / "onetoken")


@pytest.mark.parametrize("runtime_directory", ["", "relative", "/no/such/directory"])
def test_if_none_is_usable_the_error_says_what_to_make(no_cloud, tmp_path, runtime_directory):
    """Never a directory among the temporary ones, into which everybody can write."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)
    environ = {"XDG_RUNTIME_DIR": runtime_directory, "XDG_STATE_HOME": str(state), "TMPDIR": str(tmp_path)}

    with pytest.raises(SessionError, match=f"There is no directory for sessions: make '{state}/onetoken', to which"):
        directory.default_base(environ)
