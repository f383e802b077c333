# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tests marked `versions` on the oldest and the newest ansible-core, or on its development branch (devel)."""

from __future__ import annotations

import os
import subprocess
import sys

from environments import DEVEL, MAIN, NEWEST, OLDEST, REPOSITORY, Environment, failures, say

DEVELOPMENT_BRANCH = "https://github.com/ansible/ansible/archive/refs/heads/devel.tar.gz"


def passes(environment: Environment) -> bool:
    """Whether the tests pass: pytest runs in .venv, and starts the ansible-playbook of the environment."""
    version = subprocess.run([environment.bin / "ansible", "--version"], capture_output=True, text=True, check=True)
    say(f"{environment.name}: {version.stdout.splitlines()[0]}")
    env = {**os.environ, "ONETOKEN_ANSIBLE_BIN": str(environment.bin)}
    env["ANSIBLE_COLLECTIONS_PATH"] = str(environment.collections)
    command = [MAIN.python, "-m", "pytest", "-m", "versions", "tests/integration"]
    return subprocess.run(command, cwd=REPOSITORY, env=env, check=False).returncode == 0


def passes_on_devel(environment: Environment) -> bool:
    command = [environment.python, "-m", "pip", "install", "--quiet", "--upgrade", "--no-deps", DEVELOPMENT_BRANCH]
    subprocess.run(command, check=True)
    # Use Ansible's private parts, which are not checked with this branch: the tests are to find out.
    os.environ["ONETOKEN_ANY_ANSIBLE"] = "true"
    return passes(environment)


def main() -> int:
    failed = failures([DEVEL], passes_on_devel) if "devel" in sys.argv[1:] else failures((OLDEST, NEWEST), passes)
    if failed:
        print(f"failed on {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
