# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, recognise and stop processes, and run commands to their end."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import typing as t
from pathlib import Path

from .errors import SandboxError
from .layout import Layout, port_variable, read_json, write_json

# Set when the user interrupts `up`: all waiting ends.
interrupted = threading.Event()

#: Seconds after which a command that runs is reported.
QUIET = 15


def environment(layout: Layout, extra: t.Mapping[str, str] | None = None) -> dict[str, str]:
    """A clean environment: no proxy, no OS_* variables, no PYTHONPATH, and a home of the sandbox's own."""
    home = layout.state / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "PATH": f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",  # the launchers live in the checkout
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        **(extra or {}),
    }


def run(
    what: str,
    argv: t.Sequence[str | Path],
    log: Path,
    env: t.Mapping[str, str],
    say: t.Callable[[str], None] = lambda _text: None,
    **options: t.Any,
) -> None:
    """Run a command to its end, its output appended to the log, and say now and then how far it is."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "ab") as output:
        try:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=options.pop("stdin", subprocess.DEVNULL),
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                **options,
            )
        except FileNotFoundError as error:
            raise SandboxError(f"{what} failed: there is no {error.filename}.") from error
    with process:
        while process.returncode is None:
            try:
                process.wait(QUIET)
            except subprocess.TimeoutExpired:
                say(f"    {last_line(log)}")
    if process.returncode:
        raise SandboxError(f"{what} failed with exit code {process.returncode}: its last lines in {log} say why.")


def last_line(log: Path) -> str:
    """What a command printed last, cut to fit a terminal."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() or [""]
    return lines[-1].strip()[:60]


def start_time(pid: int) -> str | None:
    """When the process started, in clock ticks since boot; None for one that is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the command's name in parentheses, and may itself hold spaces and parentheses.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields[19]


class Daemon:
    """One long-running process, remembered by its id and start time so that a recycled id is never killed."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.name = name
        self.layout = layout
        self.record = layout.run / f"{name}.json"
        self.log = layout.log(name)

    @property
    def pid(self) -> int | None:
        """The process id, if that process still runs."""
        known = read_json(self.record)
        pid = known.get("pid")
        return pid if isinstance(pid, int) and start_time(pid) == known.get("start_time") else None

    @property
    def port(self) -> int | None:
        """The port that the running process listens on."""
        return read_json(self.record).get("port") if self.pid else None

    @property
    def fingerprint(self) -> str | None:
        """The fingerprint of the configuration that the running process was started with."""
        return read_json(self.record).get("fingerprint") if self.pid else None

    def start(self, argv: t.Sequence[str | Path], env: t.Mapping[str, str], port: int, fingerprint: str) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self.log, "ab") as output:
            process = subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(env),
                start_new_session=True,
            )
        started = start_time(process.pid)
        write_json(self.record, {"pid": process.pid, "start_time": started, "port": port, "fingerprint": fingerprint})

    def stop(self, timeout: float = 15.0) -> bool:
        """SIGTERM, then SIGKILL after a while; False if there was nothing to stop."""
        pid = self.pid
        if pid is None:
            self.record.unlink(missing_ok=True)
            return False
        for number, seconds in ((signal.SIGTERM, timeout), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            deadline = time.monotonic() + seconds
            while self.pid is not None:
                if time.monotonic() > deadline:
                    break
                reap(pid)
                time.sleep(0.05)
            else:
                self.record.unlink(missing_ok=True)
                return True
        raise SandboxError(f"{self.name} (process {pid}) does not end even on SIGKILL: look at it with ps.")

    def wait_until(self, ready: t.Callable[[], bool], seconds: float) -> None:
        """Wait until the process is ready; fail with the name of its log if it ends or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            if interrupted.is_set():
                raise SandboxError("Interrupted.")
            if self.pid is None:
                raise SandboxError(f"{self.name} ended while starting: the last lines of {self.log} say why.")
            if time.monotonic() > deadline:
                raise SandboxError(
                    f"{self.name} was not ready within {seconds:.0f} s: look into {self.log}, then run `up` again."
                )
            time.sleep(0.1)


def reap(pid: int) -> None:
    """Collect the exit status of our own child; other processes have other parents."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def accepts(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False


def answers(port: int, path: str) -> bool:
    """Whether a GET request is answered with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def require_free(listener: str, port: int) -> None:
    """Fail if another program uses the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except PermissionError as error:
            raise SandboxError(
                f"{listener} may not listen on port {port}: set {port_variable(listener)} to one above 1023."
            ) from error
        except OSError as error:
            raise SandboxError(
                f"Port {port}, which {listener} wants, is in use by another program: "
                f"set {port_variable(listener)} (or SANDBOX_PORT_BASE for all) to a free port."
            ) from error


def find_program(name: str, where: str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin") -> str | None:
    """The program's path; daemons are in sbin directories, which a user's PATH may lack."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{where}")
