# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headless Chromium, to see a page as a browser renders it."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import typing as t
import urllib.parse
from dataclasses import dataclass

from ansible_collections.onetoken.openstack.tests.helpers.http_server import QuietHandler, serving
from ansible_collections.onetoken.openstack.tests.sandbox.control.install import install_packages
from ansible_collections.onetoken.openstack.tests.sandbox.control.layout import FIRST, Layout

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PACKAGE = "chromium"
#: A browser that hangs must not hang the tests.
TIMEOUT = 120
#: Chromium contacts Google, even with all of that switched off.
OWN_HOSTS = (".google.com", ".googleapis.com", ".googleusercontent.com", ".gstatic.com", ".gvt1.com")
OPTIONS = (
    "--headless=new",
    # The pages are ours, and the browser's own sandbox works neither as root nor in most containers.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
)


def ensure_browser() -> str:
    """The path of the browser; Debian's package is installed if there is none."""
    if not (program := _find()):
        install_packages(Layout(FIRST), print, [PACKAGE])
        program = _find()
    assert program, f"{PACKAGE} is installed but none of {PROGRAMS} is on PATH"
    return program


def _find() -> str | None:
    return next((found for program in PROGRAMS if (found := shutil.which(program))), None)


@dataclass(frozen=True)
class Visit:
    """A page after its scripts ran."""

    dom: str
    #: The hosts to which it sent requests.
    hosts: set[str]


class Browser:
    """A browser with a home of its own, behind a proxy that refuses every request."""

    def __init__(self, home: pathlib.Path) -> None:
        self._program = ensure_browser()
        self._home = home

    def visit(self, page: pathlib.Path, *options: str) -> Visit:
        dom, hosts = self._open(page, "--dump-dom", *options)
        return Visit(dom, hosts)

    def screenshot(self, page: pathlib.Path, width: int, height: int, dark: bool = False) -> bytes:
        """The top of the page as PNG."""
        picture = self._home / "screenshot.png"
        picture.unlink(missing_ok=True)
        # Blink's PreferredColorScheme: 0 is dark, 1 is light.
        scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
        self._open(page, f"--screenshot={picture}", f"--window-size={width},{height}", scheme)
        return picture.read_bytes()

    def _open(self, page: pathlib.Path, *options: str) -> tuple[str, set[str]]:
        with _refusing_proxy() as (port, hosts):
            own = (f"--user-data-dir={self._home / 'profile'}", f"--proxy-server=127.0.0.1:{port}")
            output = self._run([self._program, *OPTIONS, *own, *options, page.as_uri()])
        return output, {host for host in hosts if not f".{host}".endswith(OWN_HOSTS)}

    def _run(self, command: list[str]) -> str:
        process = subprocess.Popen(
            command,
            env={**os.environ, "HOME": str(self._home), "XDG_CONFIG_HOME": str(self._home), "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            text=True,
            encoding="utf-8",
        )
        try:
            output, complaints = process.communicate(timeout=TIMEOUT)
        finally:
            # Its helpers are processes of their own.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == 0, complaints
        return output


@contextlib.contextmanager
def _refusing_proxy() -> t.Iterator[tuple[int, set[str]]]:
    """The port of a proxy, and the hosts that clients requested from it."""
    hosts: set[str] = set()

    class Handler(QuietHandler):
        def do_any(self) -> None:
            address = self.path if "//" in self.path else f"//{self.path}"
            hosts.add(urllib.parse.urlsplit(address).hostname or "")
            self.send_error(502)

        do_GET = do_POST = do_HEAD = do_PUT = do_OPTIONS = do_CONNECT = do_any

    with serving(Handler) as server:
        yield server.server_port, hosts
