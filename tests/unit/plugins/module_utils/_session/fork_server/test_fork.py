# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program in a fork does what it does in a process of its own."""

from __future__ import annotations

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.processes

LOOK_AROUND = """
    import json, os, resource, sys, threading
    umask = os.umask(0)
    os.umask(umask)
    status = dict(line.split(":", 1) for line in open("/proc/self/status") if ":" in line)
    streams = [sys.stdin, sys.stdout, sys.stderr]
    seen = {
        "arguments": sys.argv, "command": sys.orig_argv, "path": sys.path, "flags": list(sys.flags),
        "interpreter": sys.executable, "main": sorted(set(globals()) - {"umask", "status", "streams", "seen"}),
        "file": __file__, "name": __name__, "loader": type(__loader__).__name__, "spec": __spec__,
        "builtins": type(__builtins__).__name__, "directory": os.getcwd(), "umask": umask,
        "limits": [resource.getrlimit(limit) for limit in range(16)],
        "signals": [status[name].strip() for name in ("SigIgn", "SigCgt", "SigBlk")],
        "files": sorted(number for number in os.listdir("/proc/self/fd")
                        if os.path.exists(f"/proc/self/fd/{number}") and os.get_inheritable(int(number))),
        "threads": [thread.name for thread in threading.enumerate()],
        "streams": [[stream.encoding, stream.errors, stream.line_buffering, stream.write_through, stream.mode,
                     stream.name, stream.isatty(), stream.fileno(), type(stream.buffer).__name__]
                    for stream in streams],
        "variables": {name: value for name, value in os.environ.items() if name != "ONETOKEN_SESSION_DIRECTORY"},
        "parent": os.getppid() == 1,
    }
    print(json.dumps(seen))
"""

#: What each of these does and prints has to be the same; each is a line of Python, or several.
SCRIPTS = (
    *(f"import sys; sys.exit({code})" for code in ("0", "3", "255", "256", "-1", "None", "True", "'a reason'")),
    "raise ValueError('wrong')",
    "def inner():\n    raise KeyError('wrong')\ninner()",
    "try:\n    1 / 0\nexcept Exception as exc:\n    raise RuntimeError('second') from exc",
    "1 +",
    "import os; os._exit(7)",
    "import os, sys; os.execv(sys.executable, [sys.executable, '-c', 'print(1); raise SystemExit(5)'])",
    "import sys\ntry:\n    sys.exit(3)\nfinally:\n    print('finally')",
    *(f"import os; os.kill(os.getpid(), {number})" for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV)),
    "raise KeyboardInterrupt",
    "import atexit\natexit.register(print, 'last')\nprint('first')",
    "import atexit, sys\natexit.register(lambda: 1 / 0)\nprint('first')",
    "import threading, time\nthreading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()",
    "import sys, threading\nthreading.Thread(target=sys.exit, args=[3]).start()",
    "import sys\nprint('out', end='')\nsys.stderr.write('err')",
    "import sys\nprint(len('x' * 3_000_000) and 'x' * 3_000_000)",
    "print(input('question? '), input())",
    "import sys; print(sys.stdin.buffer.read())",
    "import subprocess, sys\nprint(subprocess.run([sys.executable, '-c', 'print(1)'], capture_output=True, text=True))",
    "import os\nchild = os.fork()\nif child == 0:\n    os._exit(4)\nprint(os.waitpid(child, 0)[1])",
    "import multiprocessing as m\ndef put(queue):\n    queue.put('from a child')\nif __name__ == '__main__':\n"
    "    context = m.get_context('spawn')\n    queue = context.Queue()\n"
    "    child = context.Process(target=put, args=[queue])\n    child.start()\n    print(queue.get(timeout=30))\n"
    "    child.join()",
    "import pickle\nclass A:\n    pass\nprint(type(pickle.loads(pickle.dumps(A()))))",
    "import inspect\ndef source():\n    pass\nprint(inspect.getsource(source))",
    "import time; print(time.strftime('%z', time.localtime(0)))",
    "import sys\nsys.excepthook = lambda *exc: print('hook', exc[0])\n1 / 0",
    "import traceback\ntry:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()",
    "import warnings; warnings.warn('careful')",
    "import sys; sys.stdout.close()",
    "import tempfile; print(tempfile.gettempdir())",
    "import signal; print(signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGPIPE))",
)


def test_it_is_started_with_all_that_a_process_has(machine):
    machine.write(LOOK_AROUND)
    with open("/etc/hostname", "rb") as inherited:
        options = {
            "pass_fds": [inherited.fileno()],
            "umask": 0o027,
            "preexec_fn": lambda: (
                signal.signal(signal.SIGUSR1, signal.SIG_IGN),
                signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2}),
                resource.setrlimit(resource.RLIMIT_CORE, (0, 0)),
                resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300)),
            ),
            "variables": {"OS_PASSWORD": "secret", "ODD": "a\nb\udcffc", "PYTHONUNBUFFERED": ""},
        }
        served = machine.served
        status, output, errors = machine.run("list", "-f", "json", **options)
        assert (status, errors) == (0, "")
        assert machine.served == served + 1
        assert json.loads(output) == json.loads(machine.run_without("list", "-f", "json", **options)[1])


def test_names_of_one_interpreter_share_a_server_and_links_to_its_directory_have_their_own(own_machine):
    own_machine.write("import sys; print(sys.executable, sys.prefix)")
    directory = pathlib.Path(sys.executable).parent
    link = own_machine.home / "link"
    link.symlink_to(directory.parent)
    interpreters = [directory / "python", directory / "python3", link / directory.name / "python"]
    for number, interpreter in enumerate(interpreters, 1):
        found = own_machine.run(interpreter=str(interpreter))
        assert found == own_machine.run_without(interpreter=str(interpreter))
        assert found[1].split()[0] == str(interpreter)
        assert own_machine.served == number
    assert len(own_machine.servers()) == 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_ends_and_prints_as_it_does_by_itself(machine, script):
    machine.write(script)
    served = machine.served
    options = {"given": "an answer\nanother\n", "variables": {"TZ": "Asia/Tokyo", "TMPDIR": str(machine.home)}}
    assert without_addresses(machine.run(**options)) == without_addresses(machine.run_without(**options))
    assert machine.served == served + 1


def without_addresses(result):
    return [re.sub("0x[0-9a-f]+", "0x", str(part)) for part in result]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_what_cannot_be_printed_is_an_exit_status_of_its_own(machine, unbuffered):
    machine.write("print('x')")
    with open("/dev/full", "w", encoding="utf-8") as full:
        options = {"stdout": full, "variables": {"PYTHONUNBUFFERED": unbuffered}}
        assert machine.run(**options)[0] == machine.run_without(**options)[0] != 0


def test_it_writes_to_a_pipe_that_nobody_reads_any_more(machine):
    machine.write("print('x' * 1_000_000)")
    reader, writer = os.pipe()
    os.close(reader)
    options = {"stdout": writer}
    assert machine.run(**options)[0] == machine.run_without(**options)[0] != 0
    os.close(writer)


def test_a_closed_stream_needs_a_process_of_its_own(machine):
    machine.write("import sys; print(sys.stdin)")
    served = machine.served
    with machine.start(preexec_fn=lambda: os.close(0), stdin=None) as process:
        assert process.communicate(timeout=30)[0] == "None\n"
    assert machine.served == served


def test_a_program_without_a_command_talks_with_its_user_and_is_none_for_a_fork(machine):
    machine.write("print('hello')")
    served = machine.served
    command = [sys.executable, str(machine.program)]
    done = subprocess.run(command, env=machine.environment, capture_output=True, text=True, check=True)
    assert (done.stdout, machine.served) == ("hello\n", served)


def test_what_the_server_s_imports_print_each_program_prints(own_machine):
    shell = own_machine.home / "packages" / "openstackclient" / "shell.py"
    shell.write_text("import warnings\nwarnings.warn('old library')\n", encoding="utf-8")
    own_machine.write("import openstackclient.shell")
    expected = own_machine.run_without()
    assert "old library" in expected[2]
    assert [own_machine.run(), own_machine.run()] == [expected, expected]
    assert own_machine.served == 2
