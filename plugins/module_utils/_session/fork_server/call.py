# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program to run, with what its process would be started with."""

from __future__ import annotations

import resource

from . import attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Importing this takes longer than everything else here.
    import typing as t

#: The resource limits that a fork takes from its client.
LIMITS = tuple(sorted(getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")))


class DeclinedError(Exception):
    """The program is to run as without a server; the text says why."""


class Call:
    """A program to run."""

    def __init__(
        self, program: str, interpreter: str, command: list[str], environ: dict[str, str], directory: str
    ) -> None:
        #: The path of a command, or one name for all modules: each has a server of its own.
        self.program = program
        self.interpreter = interpreter
        #: The interpreter as it was named, and its arguments; without any, the program comes from standard input.
        self.command = command
        self.environ = environ
        self.directory = directory
        #: The fields of /proc/self/status.
        self.status = attributes.status()
        self.ignored = _signals(self.status["SigIgn"])
        self.blocked = _signals(self.status["SigBlk"])
        self.umask = int(self.status["Umask"], 8)

    def request(self) -> dict[str, t.Any]:
        return {
            "interpreter": self.interpreter,
            "command": self.command,
            "environment": self.environ,
            "directory": self.directory,
            "umask": self.umask,
            "limits": [[limit, *resource.getrlimit(limit)] for limit in LIMITS],
            "ignored": self.ignored,
            "blocked": self.blocked,
        }


def _signals(mask: str) -> list[int]:
    """The numbers of the signals in a mask of /proc/self/status."""
    number = int(mask, 16)
    return [signal for signal in range(1, 65) if number >> (signal - 1) & 1]
