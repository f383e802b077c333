# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A light stand-in of Keystone, Nova, Glance and Cinder: not OpenStack, only what bulk runs need of its APIs.

    python tests/stand_in/stand_in.py --directory DIR --servers 1000 --requests-per-second 20

It prints one line of JSON once it is ready, and runs until SIGTERM. README.md says what it leaves out.
"""

from __future__ import annotations

import argparse
import asyncio

from inside.server import run
from inside.settings import add_options, from_options


def main() -> None:
    parser = argparse.ArgumentParser(description="A light stand-in of Keystone, Nova, Glance and Cinder.")
    parser.add_argument("--directory", required=True, help="for clouds.yaml and the access logs")
    parser.add_argument("--end-with-stdin", action="store_true", help="end when standard input is closed")
    add_options(parser)
    options = parser.parse_args()
    asyncio.run(run(options.directory, from_options(options), options.end_with_stdin))


if __name__ == "__main__":
    main()
