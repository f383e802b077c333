# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user in the pictures: a home with a cloud called `mycloud`."""

from __future__ import annotations

import pathlib

import yaml

from ..helpers.controller import Controller
from ..helpers.sandbox import REPOSITORY, Sandbox

IMAGES = REPOSITORY / "docs" / "images"


def make_user(home: pathlib.Path) -> Controller:
    user = Controller(home)
    # Ansible prints the path of the collection, which must look normal.
    collections = home / "collections"
    collections.symlink_to(user.environment["ANSIBLE_COLLECTIONS_PATH"])
    user.environment["ANSIBLE_COLLECTIONS_PATH"] = str(collections)
    clouds = home / ".config" / "openstack" / "clouds.yaml"
    clouds.parent.mkdir(parents=True)
    clouds.write_text(yaml.safe_dump({"clouds": {"mycloud": Sandbox().clouds["sandbox"]}}))
    for name in ("OS_CLIENT_CONFIG_FILE", "ANSIBLE_NOCOLOR"):
        del user.environment[name]
    return user


def delete_images(user: Controller, run: str) -> None:
    """Delete the images of a run, so that it can be repeated."""
    command = 'openstack image list --property "onetoken_run=$1" -f value -c ID | xargs -r openstack image delete'
    done = user.command("bash", "-o", "pipefail", "-c", command, "bash", run, OS_CLOUD="mycloud")
    assert done.ok, done.output
