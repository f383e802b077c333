# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import stat

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import owners
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.owners import Owner, Watch
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import (
    kill,
    run_elsewhere,
)

pytestmark = pytest.mark.processes

#: Holds the lock on an owner's file, as the owner's watcher does.
HOLD = (
    "import sys\n"
    "from onetoken_session.store import owners, session\n"
    "owners.hold(session.Session(sys.argv[1]), sys.argv[2])\n"
    "print('ready', flush=True)\n"
    "sys.stdin.read()\n"
)


def killed(process) -> Owner:
    """The owner that a process was."""
    owner = Owner.of_process(process.pid)
    assert owner is not None
    kill(process)
    return owner


def elsewhere(owner: Owner) -> Owner:
    """The same process, as another container sees it: not at all."""
    return dataclasses.replace(owner, namespace="pid:[1]")


class TestOwner:
    def test_a_process_that_runs_is_alive(self, run):
        owner = Owner.of_process(run.pid)

        assert owner.alive
        assert owner == Owner.of_process(run.pid)
        assert owner != Owner.of_process(os.getpid())

    def test_a_process_that_ended_is_not(self, run):
        owner = killed(run)

        assert not owner.alive
        assert Owner.of_process(owner.pid) is None

    def test_a_zombie_is_not(self, run):
        """Its parent may never ask about it."""
        owner = Owner.of_process(run.pid)
        run.kill()
        os.waitid(os.P_PID, run.pid, os.WEXITED | os.WNOWAIT)

        assert os.path.exists(f"/proc/{run.pid}")
        assert not owner.alive
        assert Owner.of_process(run.pid) is None

    def test_a_process_that_was_stopped_is(self, run):
        owner = Owner.of_process(run.pid)
        run.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, run.pid, os.WSTOPPED)

        assert owner.alive

    @pytest.mark.parametrize("other", [{"started": "1"}, {"boot": "another"}, {"namespace": "pid:[1]"}], ids=str)
    def test_another_process_with_the_same_id_is_not(self, run, other):
        assert not dataclasses.replace(Owner.of_process(run.pid), **other).alive

    @pytest.mark.parametrize("name", ["a b", ") Z (", "))) 1 2", "(x"])
    def test_a_process_may_call_itself_anything(self, python, name):
        process = python(
            "import sys\n"
            "open('/proc/self/comm', 'w').write(sys.argv[1])\n"
            "print('ready', flush=True)\n"
            "sys.stdin.read()\n",
            name,
        )
        owner = Owner.of_process(process.pid)

        assert owner.alive
        assert owner.started.isdigit()
        assert int(owner.started) >= int(Owner.of_process(os.getpid()).started)

    def test_without_proc_its_start_comes_from_ps(self, run, monkeypatch):
        """As on macOS."""
        monkeypatch.setattr(os.path, "isdir", lambda path: False)
        owner = Owner.of_process(run.pid)

        assert owner.alive
        assert not dataclasses.replace(owner, started=f"not {owner.started}").alive
        killed(run)
        assert not owner.alive


class TestNaming:
    def test_an_owner_is_known_until_it_is_removed(self, made, run):
        owner = Owner.of_process(run.pid)
        name = owners.add(made, owner)

        assert owners.known(made) == {name: owner}
        assert owners.read(made, name) == owner

        owners.remove(made, name)
        assert owners.known(made) == {}
        owners.remove(made, name)

    def test_a_process_that_is_added_twice_has_two_names(self, made, run):
        names = {owners.add(made, Owner.of_process(run.pid)) for _turn in range(2)}

        assert set(owners.known(made)) == names
        assert len(names) == 2

    def test_its_file_is_private(self, made, run):
        name = owners.add(made, Owner.of_process(run.pid))
        folder = os.path.join(made.path, "owners")

        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600

    def test_an_unknown_run_is_reported(self, made):
        with pytest.raises(SessionError, match="does not know the run 1-x.json"):
            owners.read(made, "1-x.json")

    def test_the_temporary_file_of_a_killed_writer_is_no_owner(self, made, run):
        name = owners.add(made, Owner.of_process(run.pid))
        with open(os.path.join(made.path, "owners", f".{name}.0123abcd"), "w", encoding="utf-8"):
            pass

        assert list(owners.known(made)) == [name]


class TestLiving:
    def test_a_session_without_owners_is_no_orphan(self, made):
        assert not owners.living(made)
        assert not owners.orphaned(made)

    def test_the_process_alone_is_enough(self, made, run):
        """Its watcher was killed, or has not come so far yet."""
        owners.add(made, Owner.of_process(run.pid))
        assert owners.living(made)
        assert not owners.orphaned(made)

        killed(run)
        assert not owners.living(made)
        assert owners.orphaned(made)

    def test_the_lock_alone_is_enough(self, made, run, python):
        """A run in another container is no process that can be seen from here."""
        name = owners.add(made, elsewhere(Owner.of_process(run.pid)))
        assert owners.orphaned(made)

        watcher = python(HOLD, made.path, name)
        assert owners.living(made)
        assert not owners.orphaned(made)

        kill(watcher)
        assert owners.orphaned(made)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            "[]",
            "{}",
            '{"pid": 1, "more": 2}',
            '{"pid": "1", "started": "1", "boot": "", "namespace": ""}',
            '{"pid": 1, "started": [], "boot": "", "namespace": ""}',
            "null",
            "\x00",
            "[" * 100_000,
        ],
        ids=lambda text: text[:20],
    )
    def test_the_lock_of_a_damaged_file_counts(self, made, run, python, text):
        name = owners.add(made, Owner.of_process(run.pid))
        with open(os.path.join(made.path, "owners", name), "w", encoding="utf-8") as stream:
            stream.write(text)

        assert owners.known(made) == {name: None}
        assert owners.orphaned(made)
        # Its name says enough for the run's own watcher.
        assert owners.read(made, name) == Owner.of_process(run.pid)

        python(HOLD, made.path, name)
        assert owners.living(made)

    def test_the_lock_of_a_run_that_has_ended_does_not_count(self, made, run, python):
        """Whatever holds it, such as a watcher that was stopped, does not keep its tokens from being revoked."""
        name = owners.add(made, Owner.of_process(run.pid))
        python(HOLD, made.path, name).send_signal(signal.SIGSTOP)
        assert owners.living(made)

        killed(run)
        assert not owners.living(made)
        assert owners.orphaned(made)

    def test_a_run_of_another_machine_may_be_running(self, made):
        name = owners.add(made, run_elsewhere())

        assert owners.elsewhere(made)
        assert owners.others(made, "another name")
        assert not owners.others(made, name)
        assert not owners.orphaned(made)
        assert not owners.living(made)

    def test_a_run_of_another_machine_is_forgotten_after_a_week(self, made):
        name = owners.add(made, run_elsewhere())
        named = os.stat(made.path).st_mtime - owners.FORGOTTEN_AFTER - 60
        os.utime(os.path.join(made.path, "owners", name), (named, named))

        assert not owners.elsewhere(made)
        assert owners.orphaned(made)

    def test_ended_runs_of_this_machine_can_be_removed(self, made, run, python):
        owners.add(made, killed(python("import sys; print('ready', flush=True); sys.stdin.read()")))
        living = owners.add(made, Owner.of_process(run.pid))
        stranger = owners.add(made, run_elsewhere())

        owners.remove_ended(made)

        assert set(owners.known(made)) == {living, stranger}

    def test_without_an_id_of_the_machine_its_name_is_not_enough(self, monkeypatch):
        monkeypatch.setattr(owners, "machine", lambda: " runner")
        owner = dataclasses.replace(Owner.of_process(os.getpid()), boot="an earlier one")

        assert not owner.is_local

    @pytest.mark.parametrize(
        ("change", "local"),
        [
            ({}, True),
            ({"boot": "an earlier one"}, True),
            ({"machine": "a container's"}, True),
            ({"boot": "an earlier one", "machine": "another"}, False),
            ({"boot": "an earlier one", "machine": ""}, True),
            ({"boot": "", "machine": "another"}, False),
        ],
        ids=str,
    )
    def test_a_machine_is_known_by_its_kernel_or_after_a_restart_by_its_name(self, change, local):
        owner = dataclasses.replace(Owner.of_process(os.getpid()), **change)

        assert owner.is_local is local

    def test_one_running_owner_is_enough(self, made, run, python):
        dead = owners.add(made, killed(python("import sys; print('ready', flush=True); sys.stdin.read()")))
        living = owners.add(made, Owner.of_process(run.pid))

        assert owners.living(made)
        assert owners.living(made, excluding=dead)
        assert not owners.living(made, excluding=living)

    def test_an_excluded_owner_s_own_lock_does_not_count(self, made, run, python):
        name = owners.add(made, elsewhere(Owner.of_process(run.pid)))
        python(HOLD, made.path, name)

        assert not owners.living(made, excluding=name)

    def test_a_removed_owner_leaves_no_orphan(self, made, run):
        name = owners.add(made, Owner.of_process(run.pid))
        owners.remove(made, name)

        assert not owners.orphaned(made)

    def test_checking_does_not_keep_a_watcher_from_its_lock(self, made, run, python):
        name = owners.add(made, elsewhere(Owner.of_process(run.pid)))
        assert not owners.living(made)
        python(HOLD, made.path, name)

        assert owners.living(made)


@pytest.mark.parametrize("look", [owners.known, owners.living, owners.orphaned])
def test_checking_makes_nothing_and_changes_no_time(made, run, look):
    def found():
        return {
            path: os.stat(path).st_mtime_ns
            for folder, _folders, files in os.walk(made.path)
            for path in (folder, *(os.path.join(folder, file) for file in files))
        }

    before = found()
    look(made)
    assert found() == before

    owners.add(made, elsewhere(Owner.of_process(run.pid)))
    before = found()
    look(made)
    assert found() == before


def test_a_link_in_place_of_the_directory_is_not_followed(made, run, tmp_path):
    other = tmp_path / "elsewhere"
    other.mkdir()
    (other / "1-x.json").write_text(json.dumps(dataclasses.asdict(Owner.of_process(run.pid))))
    os.symlink(other, os.path.join(made.path, "owners"))

    assert owners.known(made) == {}
    assert not owners.living(made)
    with pytest.raises(SessionError):
        owners.add(made, Owner.of_process(run.pid))


class TestWatch:
    @pytest.fixture
    def watch(self):
        with contextlib.ExitStack() as watches:

            def watch(owner):
                new = Watch(owner)
                if new.handle is not None:
                    watches.callback(os.close, new.handle)
                return new

            yield watch

    def test_it_reports_the_end_at_once(self, run, watch):
        watched = watch(Owner.of_process(run.pid))
        assert not watched.ended
        assert select.select([watched.handle], [], [], 0)[0] == []

        run.kill()

        assert select.select([watched.handle], [], [], 30)[0] == [watched.handle]
        assert watched.ended

    def test_a_process_that_has_ended_is_not_waited_for(self, run, watch):
        watched = watch(killed(run))

        assert watched.ended
        assert watched.handle is None

    def test_another_process_with_the_same_id_is_not_waited_for(self, run, watch):
        files = len(os.listdir("/proc/self/fd"))
        watched = watch(dataclasses.replace(Owner.of_process(run.pid), started="1"))

        assert watched.ended
        assert watched.handle is None
        assert len(os.listdir("/proc/self/fd")) == files

    def test_on_a_system_without_pidfd_it_can_be_polled(self, run, watch, monkeypatch):
        monkeypatch.delattr(os, "pidfd_open")
        watched = watch(Owner.of_process(run.pid))
        assert watched.handle is None
        assert not watched.ended

        killed(run)
        assert watched.ended
