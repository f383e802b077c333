# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that differ in what they cannot change have servers of their own; all others share one."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
import time
import typing as t

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.fork_server import attributes, starting
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import PROGRAM_LOG
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.superuser import needs_root

pytestmark = pytest.mark.processes

LIBC = ctypes.CDLL(None, use_errno=True)
#: Of linux/prctl.h, linux/sched.h and linux/capability.h.
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, CAP_SYS_TIME, CLONE_NEWUTS, CLONE_NEWIPC = 24, 38, 25, 0x04000000, 0x08000000
VARIABLES = (
    *("HOME", "LANG", "LC_ALL", "LC_TIME", "LANGUAGE", "XDG_CONFIG_HOME", "PYTHONPATH", "PYTHONHASHSEED", "PYTHONUTF8"),
    *(
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "OPENSSL_CONF",
        "MALLOC_ARENA_MAX",
        "GLIBC_TUNABLES",
        "ONETOKEN_SESSION_DIRECTORY",
    ),
)
TAKEN_OVER = ("OS_CLOUD", "OS_PASSWORD", "PATH", "TZ", "TMPDIR", "PWD", "SHLVL", "_", "USER", "TERM")
ENVIRONMENT = {"HOME": "/home/user", "PATH": "/bin", "LANG": "C.UTF-8"}


def name_of(change: t.Callable[[], object] = lambda: None, **given: t.Any) -> str:
    """The name of the server for a process that was changed in this way, and of what it asks for."""
    environ = {**ENVIRONMENT, **given.get("environ", {})}
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            change()
            process = attributes.of_process(environ, given.get("directory", "/tmp"), attributes.status())
            interpreter = attributes.of_interpreter(given.get("interpreter", sys.executable))
            os.write(writer, attributes.name(process, interpreter, given.get("program", "modules")).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, encoding="ascii") as stream:
        found = stream.read()
    os.waitpid(child, 0)
    assert len(found) == 16, "the change failed"
    return found


def call(function: t.Any, *arguments: int) -> None:
    if function(*arguments) != 0:
        raise OSError(ctypes.get_errno())


def write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def chroot_to(path: str) -> None:
    """To a root from which the system's own files can be seen."""
    call(LIBC.unshare, 0x00020000)
    assert os.system(f"mount --make-rprivate / && mount --rbind / {path}") == 0
    os.chroot(path)
    os.chdir("/")


@pytest.mark.parametrize(
    "given",
    [
        *({"environ": {name: "another"}} for name in VARIABLES),
        {"directory": "/var/tmp"},
        {"program": "/usr/bin/openstack"},
        {"interpreter": "/bin/sh"},
    ],
    ids=str,
)
def test_a_different_call_has_a_server_of_its_own(given):
    assert name_of(**given) != name_of()


@needs_root
@pytest.mark.parametrize(
    "change",
    [
        lambda _path: os.setresuid(65534, 0, 0),
        lambda _path: os.setresgid(65534, 65534, 65534),
        lambda _path: os.setgroups([1, 2, 3]),
        lambda _path: call(LIBC.prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        lambda _path: call(LIBC.prctl, PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0),
        lambda _path: os.nice(5),
        lambda _path: os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0)),
        lambda _path: write("/proc/self/oom_score_adj", "500"),
        lambda _path: call(LIBC.unshare, CLONE_NEWUTS),
        lambda _path: call(LIBC.unshare, CLONE_NEWIPC),
        chroot_to,
    ],
    ids=["user", "group", "groups", "privileges", "capabilities", "nice", "scheduler", "memory", "uts", "ipc", "root"],
)
def test_a_process_that_differs_has_a_server_of_its_own(change, tmp_path):
    assert name_of(lambda: change(tmp_path)) != name_of()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor")
def test_a_process_of_other_processors_has_a_server_of_its_own():
    one = min(os.sched_getaffinity(0))
    assert name_of(lambda: os.sched_setaffinity(0, {one})) != name_of()


def test_a_process_of_another_control_group_has_a_server_of_its_own(monkeypatch):
    """Where tests run, they can seldom make one."""
    name = name_of()
    plain = attributes.read
    monkeypatch.setattr(attributes, "read", lambda file: "0::/another\n" if file == "cgroup" else plain(file))
    assert name_of() != name


def silence() -> None:
    for number in (0, 1, 2):
        os.dup2(os.open(os.devnull, os.O_RDWR), number)


@pytest.mark.parametrize(
    "change",
    [
        lambda: os.umask(0o077),
        lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
        lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 200)),
        lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
        lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2}),
        os.setsid,
        lambda: os.chdir("/usr"),
        silence,
        lambda: time.sleep(0.05),
    ],
    ids=["umask", "core", "files", "ignored", "blocked", "session", "directory", "streams", "time"],
)
def test_attributes_that_a_fork_takes_on_need_no_other_server(change):
    assert name_of(change) == name_of()


@pytest.mark.parametrize(
    "name", ["OS_CLOUD", "OS_PASSWORD", "PATH", "TZ", "TMPDIR", "PWD", "SHLVL", "_", "USER", "TERM"]
)
def test_variables_that_a_fork_takes_on_need_no_other_server(name):
    assert name_of(environ={name: "another"}) == name_of()


def test_an_interpreter_has_one_server_whichever_of_its_names_is_used(tmp_path):
    (tmp_path / "python3").symlink_to(sys.executable)
    (tmp_path / "python").symlink_to("python3")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "python").symlink_to(sys.executable)
    names = [name_of(interpreter=str(tmp_path / name)) for name in ("python", "python3", "elsewhere/python")]
    # Another directory is another virtual environment.
    assert names[0] == names[1] != names[2]


def test_programs_get_a_server_with_their_attributes_and_the_seventh_kind_gets_none(own_machine):
    (own_machine.folder / PROGRAM_LOG).touch(mode=0o600)
    own_machine.write("import os; print(os.nice(0), os.environ.get('LC_TIME'), oct(os.umask(0)))")

    def servers() -> int:
        return len(list(own_machine.folder.glob("*.sock")))

    assert own_machine.run()[1] == "0 None 0o22\n"
    assert own_machine.run(umask=0o077, variables={"OS_CLOUD": "any"})[1] == "0 None 0o77\n"
    assert servers() == 1
    assert own_machine.run(preexec_fn=lambda: os.nice(3))[1] == "3 None 0o22\n"
    for number in range(3, starting.MAX_SERVERS + 1):
        assert own_machine.run(variables={"LC_TIME": f"C.{number}"})[1] == f"0 C.{number} 0o22\n"
        assert servers() == number
    assert own_machine.served == starting.MAX_SERVERS + 1
    assert own_machine.run(variables={"LC_TIME": "one too many"})[1] == "0 one too many 0o22\n"
    assert own_machine.run()[1] == "0 None 0o22\n"
    assert (servers(), own_machine.served) == (starting.MAX_SERVERS, starting.MAX_SERVERS + 2)
    log = (own_machine.folder / PROGRAM_LOG).read_text().splitlines()
    assert log[-2] == f"openstack runs without the fork server: the session has {starting.MAX_SERVERS} servers already"
