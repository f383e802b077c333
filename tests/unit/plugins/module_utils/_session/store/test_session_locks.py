# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import contextlib
import fcntl
import os
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    Session,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import (
    SessionError,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.processes import copies_of_handles
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
)


class TestLock:
    @pytest.mark.processes
    def test_it_keeps_another_process_out_until_it_is_released(self, full, run_python):
        code = (
            "import sys\n"
            "from onetoken_session.store.session import Session\n"
            "from onetoken_session.util.errors import SessionError\n"
            "try:\n"
            "    with Session(sys.argv[1]).locked(0.2): print('got it')\n"
            "except SessionError as exc: print(exc)\n"
        )
        with full.locked():
            refused = run_python(code, full.path, PYTHONPATH=full.site)
        allowed = run_python(code, full.path, PYTHONPATH=full.site)

        assert "is still locked by another process after 0 s" in refused.stdout, refused.stderr
        assert allowed.stdout == "got it\n", allowed.stderr

    @pytest.mark.processes
    def test_a_process_that_died_holds_no_lock(self, full, run_python):
        process = run_python(
            "import os, sys\n"
            "from onetoken_session.store.session import Session\n"
            "Session(sys.argv[1]).locked().__enter__()\n"
            "os.kill(os.getpid(), 9)\n",
            full.path,
            PYTHONPATH=full.site,
        )
        assert process.returncode == -9, process.stderr

        with full.locked(0):
            pass

    def test_waiting_for_it_ends_when_it_is_free(self, made):
        got_it = threading.Event()

        def wait():
            with made.locked(10):
                got_it.set()

        waiting = threading.Thread(target=wait)
        with made.locked():
            waiting.start()
            assert not got_it.wait(0.1)
        waiting.join(10)

        assert got_it.is_set()

    def test_an_error_inside_releases_it(self, made):
        with pytest.raises(ZeroDivisionError), made.locked():
            raise ZeroDivisionError
        with made.locked(0):
            pass

    def test_waiting_for_the_lock_of_a_session_that_is_discarded_gets_the_new_lock_or_an_error(self, made, monkeypatch):
        """A lock on a file that is gone keeps nobody out. An error that the session is gone is as good."""
        problems = []
        waiting, discarded = threading.Event(), threading.Event()
        flock = fcntl.flock

        def noticed(*args):
            waiting.set()
            flock(*args)

        def wait():
            with contextlib.suppress(SessionError), made.locked(10):
                discarded.wait(10)
                made.make()
                with contextlib.suppress(SessionError), Session(made.path).locked(0):
                    problems.append("two hold the lock")

        thread = threading.Thread(target=wait)
        with made.locked():
            monkeypatch.setattr(fcntl, "flock", noticed)
            thread.start()
            assert waiting.wait(10)
            made.discard()
            discarded.set()
        thread.join(20)

        assert not thread.is_alive()
        assert problems == []

    def test_copies_of_the_handle_in_a_fork_of_another_thread_keep_no_lock(self, made):
        with made.locked():
            copied = copies_of_handles(made.path)

        assert copied
        with made.locked(0):
            pass
        for handle_on_it in copied:
            os.close(handle_on_it)


class TestLockOfAnIdentity:
    def test_one_process_holds_it_and_those_of_other_identities_are_free(self, made):
        lock = made.lock_for(IDENTITY)

        assert made.lock_for(IDENTITY) is None
        os.close(made.lock_for("another"))
        os.close(lock)
        os.close(made.lock_for(IDENTITY))

    def test_during_a_sign_in_others_sign_in_and_nobody_revokes(self, made):
        first, second = made.signing_in(10), made.signing_in(10)
        for handle_on_it in (first, second):
            with pytest.raises(SessionError, match="still locked"), made.locked(0):
                pass
            os.close(handle_on_it)

        with made.locked(0), pytest.raises(SessionError, match="still locked"):
            made.signing_in(0)
