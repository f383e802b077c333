# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options that every module shares with openstack.cloud, and a connection made from them."""

from __future__ import annotations

import contextlib
import gc
import inspect
import math
import os
import re
import sys
import typing as t
from importlib import metadata

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.openstack.cloud.plugins.module_utils import openstack as openstack_cloud

from .._session.util.errors import ConfigurationError, without_sdk
from .configuration import explained
from .redirects import refuse_other_hosts
from .task_cloud import TaskCloud, label_of

if t.TYPE_CHECKING:
    import openstack.connection

#: The oldest openstacksdk that the tests run with.
OLDEST_SDK = "4.13"


def argument_spec(**options: t.Any) -> dict[str, t.Any]:
    """openstack.cloud's connection options, with these added or replaced."""
    # A mapping for cloud has a password, which Ansible would write to syslog with the other options.
    cloud = {"type": "raw", "no_log": True}
    # openstack.cloud's default, public, would hide whether the user asked for it.
    interface = {"type": "str", "choices": ["admin", "internal", "public"], "aliases": ["endpoint_type"]}
    return openstack_cloud.openstack_full_argument_spec(cloud=cloud, interface=interface, **options)


def import_sdk(module: AnsibleModule) -> t.Any:
    """Import openstacksdk, or report what to install."""
    try:
        with _without_garbage_collection():
            import openstack
    except ImportError:
        raise ConfigurationError(without_sdk(sys.executable)) from None
    _refuse_old_sdk()
    _warn_of_broken_pair(module, openstack)
    return openstack


@contextlib.contextmanager
def _without_garbage_collection() -> t.Iterator[None]:
    """An import leaves little garbage, and collecting it takes a third of the import's time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _refuse_old_sdk() -> None:
    # In a source tree without a version, it may be any.
    with contextlib.suppress(metadata.PackageNotFoundError):
        version = metadata.version("openstacksdk")
        if _numbers(version) < _numbers(OLDEST_SDK):
            raise ConfigurationError(
                f"openstacksdk {version} of {sys.executable} is too old: install {OLDEST_SDK} or later there, or set "
                "ansible_python_interpreter to a Python that has it."
            )


def _numbers(version: str) -> tuple[float, ...]:
    """The first two numbers of a version; infinite if it has none, as it may be new."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (math.inf,)


def _warn_of_broken_pair(module: AnsibleModule, sdk: t.Any) -> None:
    """Warn if the modules of openstack.cloud cannot work with this openstacksdk: they end in a traceback.

    openstack.cloud up to 2.5.0 uses ``openstack.version``, which openstacksdk 4.15 removed.
    """
    if hasattr(sdk, "version") or "sdk.version." not in inspect.getsource(openstack_cloud):
        return
    module.warn(
        "The openstack.cloud collection in use does not work with openstacksdk "
        f"{metadata.version('openstacksdk')}: install openstacksdk below 4.15, or openstack.cloud 2.6.0 or later."
    )


def connect(module: AnsibleModule) -> openstack.connection.Connection:
    """Connect as an openstack.cloud module does with the same options."""
    sdk = import_sdk(module)
    params = module.params
    if params["sdk_log_path"]:
        sdk.enable_logging(debug=params["sdk_log_level"] == "DEBUG", path=params["sdk_log_path"])
    connection = _opened(sdk, params)
    refuse_other_hosts(connection)
    return connection


def _opened(sdk: t.Any, params: dict[str, t.Any]) -> openstack.connection.Connection:
    with explained(label_of(params)):
        return sdk.connection.Connection(config=TaskCloud.of_params(params, os.environ).region)
