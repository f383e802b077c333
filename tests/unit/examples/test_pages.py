# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of a page: each block is run, written to a file or refused, and the first that fails is named."""

from __future__ import annotations

import pathlib
import subprocess

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.examples import pages

PAGE = """
# A page

```sh
export NAME=two
```

- In a list:

  <!-- file: folder/settings.ini -->
  ```ini
  [defaults]
  ```

    this is output

```text
so is this
```

<!-- more of: folder/settings.ini -->
```ini
one = $NAME
```

<!-- not run: there is no
     such program -->
```sh
no-such-program
```

Text, and no directive any more.

```sh
cat folder/settings.ini; echo "$NAME"
```
"""


def run(blocks: list[pages.Block], directory: pathlib.Path) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", pages.script(blocks)]
    return subprocess.run(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )


@pytest.mark.processes
def test_a_page_runs_in_one_shell_with_the_files_that_it_names(tmp_path):
    done = run(pages.blocks_of_page("page.md", PAGE), tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.endswith("[defaults]\none = $NAME\ntwo\n")


def test_a_block_that_is_not_run_has_a_place_and_a_reason():
    (block,) = (block for block in pages.blocks_of_page("page.md", PAGE) if block.directive == "not run")
    assert (block.place, block.value) == ("page.md:28", "there is no such program")


@pytest.mark.processes
def test_the_first_block_that_fails_ends_the_page_and_is_named(tmp_path):
    page = "```sh\necho good\n```\n\n```sh\nfalse\necho later\n```\n\n```sh\necho never\n```\n"
    done = run(pages.blocks_of_page("page.md", page), tmp_path)
    assert done.returncode == 1
    assert pages.failed_block(done.stdout) == "page.md:5\n"


@pytest.mark.parametrize(
    "page", ["```ini\n[a]\n```\n", "```\nls\n```\n", "```python\n1\n```\n", "```yaml\nword\n```\n"]
)
def test_a_block_that_no_rule_covers_is_refused(page):
    with pytest.raises(pages.NoRuleError, match="page.md:1: "):
        pages.script(pages.blocks_of_page("page.md", page))


def test_a_comment_is_only_for_the_block_in_the_next_line():
    page = "<!-- file: a.ini -->\n\nText\n\n```ini\n[a]\n```\n"
    with pytest.raises(pages.NoRuleError):
        pages.script(pages.blocks_of_page("page.md", page))


@pytest.mark.processes
@pytest.mark.parametrize(
    ("shown", "keys"),
    [
        ("- hosts: all\n  tasks: []\n", {"hosts", "tasks"}),
        ("- ansible.builtin.import_playbook: a.yml\n", {"ansible.builtin.import_playbook"}),
        ("- name: A task\n  ansible.builtin.ping:\n", {"hosts", "gather_facts", "tasks"}),
        ("environment:\n  A: b\n", {"hosts", "gather_facts", "environment", "tasks"}),
    ],
)
def test_yaml_becomes_a_playbook(shown, keys, tmp_path):
    blocks = pages.blocks_of_page("page.md", f"```yaml\n{shown}```\n")
    subprocess.run(
        ["bash", "-c", f"ansible-playbook() {{ [ $OS_CLOUD = mycloud ]; }}\n{pages.script(blocks)}"],
        cwd=tmp_path, check=True, stdout=subprocess.PIPE, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    (play,) = yaml.safe_load((tmp_path / "block-1.yml").read_text())
    assert set(play) == keys


def test_commands_are_found_at_the_top_of_a_playbook():
    playbook = (
        "# Licence\n---\n# What it does:\n#\n#   [defaults]\n#   a = b\n#\n# or\n#\n"
        "#   run me \\\n#       -e a='b c'    # now\n#   run me too\n# Text\n- hosts: all\n#   later\n"
    )
    settings, shell = pages.shown_at_the_top(playbook)
    assert settings == "[defaults]\na = b\n"
    assert pages.commands(shell) == ["run me -e a='b c'", "run me too"]
