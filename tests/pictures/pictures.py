# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the pictures of the documentation again, from real runs on the sandbox and a real browser.

.venv/bin/python tests/pictures/pictures.py                        all, in some minutes
.venv/bin/python tests/pictures/pictures.py demo report            those two
.venv/bin/python tests/pictures/pictures.py chart                  only the chart, from the existing data
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# The checkout is there as the collection onetoken.openstack.
sys.path.insert(0, str(REPOSITORY / ".venv" / "collections"))

from ansible_collections.onetoken.openstack.tests.helpers.browser import Browser  # noqa: E402
from ansible_collections.onetoken.openstack.tests.helpers.controller import Controller  # noqa: E402
from ansible_collections.onetoken.openstack.tests.pictures import keystone_requests, terminal_film  # noqa: E402
from ansible_collections.onetoken.openstack.tests.pictures.user import IMAGES, delete_images, make_user  # noqa: E402


def chart(_user: Controller) -> None:
    keystone_requests.draw()


def requests(user: Controller) -> None:
    keystone_requests.measure(user)
    keystone_requests.draw()


def demo(user: Controller) -> None:
    """What `make demo` prints, when everything is installed."""
    user.directory = REPOSITORY
    user.environment["PATH"] = os.environ["PATH"]
    frames = terminal_film.record(user, "$ make demo", ["make", "--no-print-directory", "demo"])
    picture = terminal_film.svg("The demo in a terminal", frames)
    (IMAGES / "demo.svg").write_text(picture, encoding="utf-8")


def report(user: Controller) -> None:
    """The report of a run in which one server fails, as it is in ERROR."""
    run = "nightly"
    variables = {"cloud": "mycloud", "name_pattern": "[bw]*", "run_name": run, "concurrency": 4, "report": "page"}
    delete_images(user, run)
    done = user.command("ansible-playbook", "onetoken.openstack.bulk_snapshot", "-e", json.dumps(variables))
    delete_images(user, run)
    page = user.home / "page.html"
    assert "10 of 11 servers snapshotted, 1 failed" in done.output, done.output
    browser = Browser(user.home)
    for name, dark in (("light", False), ("dark", True)):
        (IMAGES / f"report_{name}.png").write_bytes(browser.screenshot(page, 1040, 736, dark))


PICTURES = {"requests": requests, "chart": chart, "demo": demo, "report": report}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help=f"some of {', '.join(PICTURES)}")
    chosen = parser.parse_args().pictures or ["requests", "demo", "report"]
    IMAGES.mkdir(exist_ok=True)
    for name in chosen:
        with tempfile.TemporaryDirectory() as home:
            print(f"{name}...", flush=True)
            PICTURES[name](make_user(pathlib.Path(home)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
