# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Chromium without a window, to see what a page comes to in a real browser."""

from __future__ import annotations

import contextlib
import http.server
import os
import pathlib
import shutil
import signal
import subprocess
import typing as t
import urllib.parse
from dataclasses import dataclass

from ansible_collections.onetoken.openstack.tests.integration.serving import serving
from ansible_collections.onetoken.openstack.tests.sandbox.control.install import install_packages
from ansible_collections.onetoken.openstack.tests.sandbox.control.layout import FIRST, Layout

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
PACKAGE = "chromium"
#: A browser that hangs must not hang the tests.
TIMEOUT = 120
#: Chromium talks to its maker, even when told not to.
OWN_HOSTS = (".google.com", ".googleapis.com", ".googleusercontent.com", ".gstatic.com", ".gvt1.com")
OPTIONS = (
    "--headless=new",
    # The pages are ours; the browser's own sandbox works neither for root nor in most containers.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--hide-scrollbars",
)


def ensure_browser() -> str:
    """The program's path; Debian's package is installed where there is none."""
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
    #: The hosts that were asked for something meanwhile.
    hosts: set[str]


class Browser:
    """A browser in a home of its own, to which the world is a proxy that refuses everything."""

    def __init__(self, home: pathlib.Path) -> None:
        self._program = ensure_browser()
        self._home = home

    def visit(self, page: pathlib.Path) -> Visit:
        dom, hosts = self._open(page, "--dump-dom")
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
    """A proxy's port, and the hosts that it was asked for."""
    hosts: set[str] = set()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_any(self) -> None:
            address = self.path if "//" in self.path else f"//{self.path}"
            hosts.add(urllib.parse.urlsplit(address).hostname or "")
            self.send_error(502)

        do_GET = do_POST = do_HEAD = do_PUT = do_OPTIONS = do_CONNECT = do_any

        def log_message(self, *_arguments: object) -> None:
            """Keep the tests' output free of it."""

    with serving(Handler) as server:
        yield server.server_port, hosts
