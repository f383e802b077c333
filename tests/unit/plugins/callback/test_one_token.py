# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the callback says before anything of a run signs in."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.processes

CALLBACK = "[defaults]\ncallbacks_enabled = onetoken.openstack.one_token\n[callback_one_token]\n"


@pytest.fixture
def warnings_of_run(run_playbook, no_cloud):
    """What a run of the callback warns of, with this in its ansible.cfg."""

    def warnings_of(settings: str, **environ: str) -> list[str]:
        (no_cloud / "ansible.cfg").write_text(CALLBACK + settings, encoding="utf-8")
        tasks = [{"ansible.builtin.debug": {"msg": "nothing"}}] * 2
        run = run_playbook(tasks, COLUMNS="1000", **environ)
        assert run.returncode == 0, run.stdout + run.stderr
        said = " ".join((run.stdout + run.stderr).split())
        return said.split("[WARNING]: ")[1:]

    return warnings_of


def test_a_dropped_option_is_reported_once_with_each_place_that_sets_it(warnings_of_run, no_cloud):
    warnings = warnings_of_run("clouds = sandbox\nFallback = false ; 100%\n", ONETOKEN_CLOUDS="sandbox")

    clouds, fallback = warnings
    assert "the option clouds has no effect any more, because a process signs in as whoever it is" in clouds
    assert f"remove ONETOKEN_CLOUDS and clouds in {no_cloud / 'ansible'}" in clouds
    assert f"remove fallback in {no_cloud / 'ansible'}" in fallback


def test_a_run_without_such_an_option_does_not_warn(warnings_of_run):
    assert warnings_of_run("renew_after = 50%\n; clouds = sandbox\n") == []


def test_an_option_that_does_not_exist_is_reported(warnings_of_run, no_cloud):
    (warning,) = warnings_of_run("renew_aftr = 50%\ndrain = true\n")

    assert f"there is no option renew_aftr, which is in {no_cloud / 'ansible'}" in warning
    assert "it has directory, drain, drain_timeout, " in warning


def test_a_session_in_a_shared_directory_is_warned_about_once(warnings_of_run, tmp_path):
    everybody_s = tmp_path / "everybody's"
    everybody_s.mkdir()
    everybody_s.chmod(0o1777)
    (everybody_s / "mine").mkdir(mode=0o700)

    (warning,) = warnings_of_run("", ONETOKEN_DIRECTORY=str(everybody_s / "mine"))

    assert f"is below {everybody_s}, to which other users can write" in warning
    assert "name a directory that only you can write to" in warning
