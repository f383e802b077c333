# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of a process that it cannot change, or not any more when its program begins.

A program may run in a fork of another process only if all of these are equal. The name of a server is made from them,
so processes that differ use different servers.
"""

from __future__ import annotations

import hashlib
import json
import os

#: Servers and clients of different versions have different names, too.
PROTOCOL = 1
#: Fields of /proc/self/status.
_STATUS = (
    *("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp"),
    *("Seccomp_filters", "Cpus_allowed", "Mems_allowed"),
)
#: Variables that Python, the dynamic loader, the locale and openstacksdk read only at their start.
_VARIABLES = ("HOME", "LANG", "LANGUAGE", "GLIBC_TUNABLES", "GCONV_PATH", "LOCPATH")
_PREFIXES = ("PYTHON", "LC_", "XDG_", "LD_", "MALLOC_", "OPENSSL_", "ONETOKEN_")


def environment(environ: dict[str, str]) -> dict[str, str]:
    """The variables that a server is started with: they must be equal, and none is secret."""
    return {name: value for name, value in environ.items() if name in _VARIABLES or name.startswith(_PREFIXES)}


def of_process(environ: dict[str, str], directory: str, status: dict[str, str]) -> list[object]:
    """The attributes of this process with this status, for a program with these variables in this directory."""
    return [
        PROTOCOL,
        sorted(environment(environ).items()),
        directory,
        [value for name, value in sorted(status.items()) if name in _STATUS],
        [read(name) for name in ("cgroup", "oom_score_adj", "attr/current")],
        [os.readlink(f"/proc/self/ns/{name}") for name in sorted(os.listdir("/proc/self/ns"))],
        [os.getpriority(os.PRIO_PROCESS, 0), os.sched_getscheduler(0)],
        list(os.stat("/"))[1:3],
    ]


def status() -> dict[str, str]:
    """The fields of /proc/self/status."""
    return dict(line.split(":", 1) for line in read("status").splitlines() if ":" in line)


def of_interpreter(path: str) -> list[object]:
    """The attributes of an interpreter: the same for all its names in one directory, such as python and python3.

    If the directory is a symbolic link, its name determines where Python looks for packages, and its target which ones
    are there.
    """
    status = os.stat(path)
    directory = os.path.dirname(os.path.abspath(path))
    return [directory, os.path.realpath(directory), status.st_dev, status.st_ino]


def name(process: list[object], interpreter: list[object], program: str) -> str:
    """The name of the server for such processes."""
    text = json.dumps([process, interpreter, program], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def read(file: str) -> str:
    """A file of /proc/self; empty if it cannot be read."""
    try:
        with open(f"/proc/self/{file}", encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except OSError:
        return ""
