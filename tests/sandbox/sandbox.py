# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real OpenStack on this machine alone, for the tests: sandbox.py up|down|reset|status|limits."""

from __future__ import annotations

import argparse
import os
import sys

from control.cloud import Cloud
from control.errors import SandboxError
from control.layout import Layout
from control.limits import DIALECTS, HIGHEST, SECONDS, read_limits, write_limits


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="sandbox.py", description="A real OpenStack on this machine, for the tests.")
    commands = top.add_subparsers(dest="command", required=True, metavar="up|down|reset|status|limits")
    commands.add_parser("up", help="install, start and fill whatever is missing")
    commands.add_parser("down", help="stop everything, keep the data")
    commands.add_parser("reset", help="stop, delete the data, start again")
    commands.add_parser("status", help="show what runs; exit code 1 unless everything does")
    limits = commands.add_parser("limits", help="change the limits of the running cloud and reset the counts")
    limits.add_argument("--token-requests-per-minute", type=natural, metavar="N", help="0: no limit")
    limits.add_argument("--requests-per-second", type=natural, metavar="N", help="0: no limit")
    limits.add_argument("--dialect", choices=DIALECTS)
    limits.add_argument(
        "--keystone-status", type=status, metavar="STATUS|off", help="answer every token request with this status"
    )
    for name, what in SECONDS.items():
        limits.add_argument(f"--{name.replace('_', '-')}", type=duration, metavar="N", help=f"seconds that {what}")
    return top


def natural(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 0 on")
    return int(text)


def duration(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= HIGHEST:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds from 0 on")
    return seconds


def status(text: str) -> int:
    """An HTTP status; 0 for `off`, as None means that the option is absent."""
    if text == "off":
        return 0
    if not text.isdecimal() or not 400 <= int(text) <= 599:
        raise argparse.ArgumentTypeError(f"{text} is neither a status from 400 to 599 nor off")
    return int(text)


def change_limits(layout: Layout, options: argparse.Namespace) -> None:
    chosen = {
        name: getattr(options, name)
        for name in ("token_requests_per_minute", "requests_per_second", "dialect", "keystone_status", *SECONDS)
    }
    changes = {name: value for name, value in chosen.items() if value is not None}
    if "keystone_status" in changes:
        changes["keystone_status"] = changes["keystone_status"] or None
    limits = write_limits(layout, changes) if layout.root.exists() else read_limits(layout)
    for name, value in limits.items():
        print(f"{name}: {'off' if value is None else value}")


def main() -> int:
    options = parser().parse_args()
    layout = Layout.chosen(os.environ)
    cloud = Cloud(layout)
    try:
        if options.command == "status":
            return 0 if cloud.status() else 1
        if options.command == "limits":
            change_limits(layout, options)
            return 0
        with cloud.alone():
            getattr(cloud, options.command)()
    except SandboxError as error:
        print(f"sandbox {options.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"sandbox {options.command}: interrupted; run `up` to continue.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
