# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a process cannot change about itself, or has used up by the time its program begins.

A program may run in a fork of another process only where all of this is equal. It names the server to ask, so that
processes that differ never meet.
"""

from __future__ import annotations

import hashlib
import json
import os

#: Servers and clients of another version do not meet either.
PROTOCOL = 1
#: Of /proc/self/status.
_STATUS = (
    *("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"),
    *("Seccomp_filters", "Cpus_allowed", "Mems_allowed"),
)
#: What Python, the loader of libraries, the locale and openstacksdk read once, when they start.
_VARIABLES = ("HOME", "LANG", "LANGUAGE", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH")
_PREFIXES = ("PYTHON", "LC_", "XDG_", "LD_", "MALLOC_", "OPENSSL_", "ONETOKEN_")


def environment(environ: dict[str, str]) -> dict[str, str]:
    """The variables that a server starts with: they must be equal, and none of them holds a secret."""
    return {name: value for name, value in environ.items() if name in _VARIABLES or name.startswith(_PREFIXES)}


def of_process(environ: dict[str, str], directory: str, status: dict[str, str]) -> list[object]:
    """Of this process, which has this status, for a program that it runs with these variables in this directory."""
    return [
        PROTOCOL,
        sorted(environment(environ).items()),
        directory,
        [value for name, value in sorted(status.items()) if name in _STATUS],
        [_read(name) for name in ("cgroup", "oom_score_adj", "attr/current")],
        [os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))],
        [os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)],
        list(os.stat("/"))[1:3],
    ]


def status() -> dict[str, str]:
    """What the system says of this process."""
    return dict(line.split(":", 1) for line in _read("status").splitlines() if ":" in line)


def of_interpreter(path: str) -> list[object]:
    """The same for every name of an interpreter in one directory, as python and python3.

    Where that is a link, its name decides where Python looks for packages, and its target which ones are there.
    """
    status = os.stat(path)
    directory = os.path.dirname(os.path.abspath(path))
    return [directory, os.path.realpath(directory), status.st_dev, status.st_ino]


def name(process: list[object], interpreter: list[object], program: str) -> str:
    """What the server for such processes is called."""
    text = json.dumps([process, interpreter, program], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _read(file: str) -> str:
    try:
        with open(f"/proc/self/{file}", encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""
