# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection options that every module shares with openstack.cloud, and a connection made from them."""

from __future__ import annotations

import inspect
import os
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.openstack.cloud.plugins.module_utils import openstack as openstack_cloud

from .redirects import refuse_other_hosts
from .session.config_files import ConfigFiles
from .session.errors import ConfigurationError, without_sdk
from .session.source import Source, absent_config_file, environment_has_credentials, explained, refuse_quoted_verify
from .session.version import APPLICATION, VERSION

if t.TYPE_CHECKING:
    import openstack.connection

#: Connection options that go to openstacksdk, under the name that it has for them.
SDK_NAMES = {
    "region_name": "region_name",
    "interface": "interface",
    "validate_certs": "verify",
    "ca_cert": "cacert",
    "client_cert": "cert",
    "client_key": "key",
    "api_timeout": "api_timeout",
}


def argument_spec(**options: t.Any) -> dict[str, t.Any]:
    """openstack.cloud's connection options, with these besides or instead."""
    # A mapping for cloud has a password in it, which Ansible would write to syslog with the other options.
    cloud = {"type": "raw", "no_log": True}
    # With openstack.cloud's default, nobody could tell whether public is meant or the cloud's own interface.
    interface = {"type": "str", "choices": ["admin", "internal", "public"], "aliases": ["endpoint_type"]}
    return openstack_cloud.openstack_full_argument_spec(cloud=cloud, interface=interface, **options)


def import_sdk(module: AnsibleModule) -> t.Any:
    """openstacksdk, or a sentence on what to install."""
    try:
        import openstack
    except ImportError:
        raise ConfigurationError(without_sdk(sys.executable)) from None
    _warn_of_broken_pair(module, openstack)
    return openstack


def _warn_of_broken_pair(module: AnsibleModule, sdk: t.Any) -> None:
    """Say that openstack.cloud cannot work here: its own modules would end in a traceback.

    openstack.cloud up to 2.5.0 reads ``openstack.version``, which openstacksdk 4.15 dropped.
    """
    if hasattr(sdk, "version") or "sdk.version." not in inspect.getsource(openstack_cloud):
        return
    from importlib.metadata import version

    module.warn(
        f"The openstack.cloud collection in use does not work with openstacksdk {version('openstacksdk')}: install "
        "openstacksdk below 4.15, or openstack.cloud 2.6.0 or later."
    )


def sdk_options(params: dict[str, t.Any]) -> dict[str, t.Any]:
    """The connection options that were given, under openstacksdk's names."""
    given = {sdk_name: params[name] for name, sdk_name in SDK_NAMES.items()}
    return {name: value for name, value in given.items() if value is not None}


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
    options = sdk_options(params)
    cloud = params["cloud"]
    if not (cloud or params["auth"] or os.environ.get("OS_CLOUD")) and environment_has_credentials(os.environ):
        source = Source.of_environment(os.environ, ConfigFiles(), options, auth_type=params["auth_type"])
        return sdk.connection.Connection(config=source.region())
    if isinstance(cloud, dict):
        options = {**options, **cloud}
    else:
        options.update(cloud=cloud, auth_type=params["auth_type"], auth=params["auth"])
    try:
        with explained(label(params)):
            connection = sdk.connect(app_name=APPLICATION, app_version=VERSION, **options)
    except ConfigurationError:
        if why := absent_config_file(os.environ):
            raise ConfigurationError(f"The configuration of {label(params)} cannot be used because {why}.") from None
        raise
    config = connection.config.config
    refuse_quoted_verify(label(params), config.get("verify"), config.get("auth", {}).get("auth_url"))
    return connection


def label(params: t.Mapping[str, t.Any]) -> str:
    """How messages call what these options name."""
    cloud = params["cloud"]
    if isinstance(cloud, str) and cloud:
        return f"cloud {cloud!r}"
    return "the cloud option" if cloud else "the auth option" if params["auth"] else "the environment"
