# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that change users, roles and projects: the next task sees the change, as without a session."""

from __future__ import annotations

import typing as t

import pytest
import yaml
from ansible_collections.onetoken.openstack.tests.helpers.controller import CALLBACK, clouds_yaml
from ansible_collections.onetoken.openstack.tests.integration.transparency.comparison import Case, case, play_of_cases
from ansible_collections.onetoken.openstack.tests.integration.transparency.users import PREFIX, cloud_of, make_user

FLAVORS = "openstack.cloud.compute_flavor_info"
REPEATS = pytest.mark.repeats


@pytest.mark.parametrize(
    "chosen",
    [("promoted", "disabled"), pytest.param(("promoted", "renewed", "disabled", "homeless"), marks=REPEATS)],
    ids=["some", "all"],
)
def test_the_next_task_sees_what_a_task_changed_in_keystone(comparison, sandbox, admin, chosen):
    names = {name: f"{PREFIX}{name}" for name in ("promoted", "renewed", "disabled", "homeless") if name in chosen}
    clouds = sandbox.clouds
    clouds.update({name: cloud_of(sandbox, user) for name, user in names.items()})
    of_homeless = f"{PREFIX}homeless"
    if "homeless" in chosen:
        clouds["homeless"]["auth"]["project_name"] = of_homeless
    comparison.files["clouds.yaml"] = clouds_yaml(clouds)

    def prepare() -> None:
        found = admin.identity.find_project(of_homeless)
        if found:
            admin.identity.delete_project(found)
        admin.identity.create_project(name=of_homeless, domain_id="default")
        for user in names.values():
            make_user(admin, user, of_homeless if user == of_homeless else "demo")

    comparison.prepare = prepare

    def change(cloud: str, module: str, question: str = FLAVORS, **arguments: t.Any) -> Case:
        tasks = [
            {question: {"cloud": cloud}, "register": f"{cloud}_before", "ignore_errors": True},
            {f"openstack.cloud.{module}": {"cloud": "sandbox-admin", **arguments}},
            {question: {"cloud": cloud}, "register": f"{cloud}_after", "ignore_errors": True},
        ]
        keys = ("failed", "msg", "flavors", "projects")
        answers = (f"{cloud}_{when}.{key} | default('')" for when in ("before", "after") for key in keys)
        return case(cloud, f"admin, {cloud}", yaml.safe_dump(tasks), *answers)

    changes = [
        change(
            "promoted", "role_assignment", "openstack.cloud.project_info",
            user=f"{PREFIX}promoted", role="admin", project="demo",
        ),
        change(
            "renewed", "identity_user", name=f"{PREFIX}renewed", domain="default", password="another one",
            update_password="always",
        ),
        change("disabled", "identity_user", name=f"{PREFIX}disabled", domain="default", enabled=False),
        change("homeless", "project", name=of_homeless, state="absent"),
    ]  # fmt: skip
    changes = [one for one in changes if one.name in chosen]
    without, found = comparison.run(play_of_cases(changes))
    for one in changes:
        assert found.answers[one.name][4] is not without.answers[one.name][0], one.name
    for one in changes:
        # A list of projects has ids, which differ from run to run.
        kept = slice(0, 7 if one.name == "promoted" else 8)
        assert found.answers[one.name][kept] == without.answers[one.name][kept], one.name
    assert [found.answers[one.name][4] for one in changes] == [one.name != "promoted" for one in changes], found.answers
    assert found.posts <= without.posts
    assert comparison.living_tokens() == []


def test_making_users_and_projects_takes_one_sign_in(comparison, admin):
    tasks = f"""
- openstack.cloud.identity_user: {{cloud: sandbox-admin, name: "{PREFIX}{{{{ item }}}}", domain: default}}
  loop: [one, two]
- openstack.cloud.project: {{cloud: sandbox-admin, name: {PREFIX}made, domain: default}}
- {FLAVORS}: {{cloud: sandbox-admin}}
"""
    found = comparison.once(play_of_cases([case("made", "admin", tasks)]), **CALLBACK)
    assert (found.posts, found.deletes) == (1, 1), found.output
