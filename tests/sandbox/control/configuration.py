# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services' configuration files."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import typing as t
from pathlib import Path

from . import database
from .layout import INSIDE, Layout, Settings, read_json, write_json, write_private

Options = dict[str, dict[str, t.Any]]

MAIN_FILE = {
    "keystone": "keystone.conf",
    "nova": "nova.conf",
    "glance": "glance-api.conf",
    "neutron": "neutron.conf",
    "placement": "placement.conf",
    "cinder": "cinder.conf",
}
# Files from the packages that services need beside their configuration.
SHIPPED_FILES = {
    "nova": ("api-paste.ini",),
    "glance": ("glance-api-paste.ini",),
    "neutron": ("api-paste.ini",),
    "cinder": ("api-paste.ini", "resource_filters.json"),
}
UNLIMITED = -1


def ensure_passwords(layout: Layout) -> dict[str, str]:
    """Random passwords, but a short one for the user `short`, who exists for that."""
    passwords = read_json(layout.passwords)
    for name in ("database", "admin", "service", "demo"):
        passwords.setdefault(name, os.urandom(16).hex())
    passwords.setdefault("short", "gA")
    if passwords != read_json(layout.passwords):
        write_json(layout.passwords, passwords)
    return passwords


class Configuration:
    """Everything under `.sandbox/etc`."""

    def __init__(self, layout: Layout, settings: Settings, passwords: t.Mapping[str, str]) -> None:
        self.layout = layout
        self.settings = settings
        self.passwords = passwords

    def directory(self, service: str) -> Path:
        return self.layout.configuration / service

    def state(self, service: str) -> str:
        return str(self.layout.state / service)

    def write(self, service: str) -> None:
        """Write the service's files, and make the directories that they name."""
        directory = self.directory(service)
        directory.mkdir(parents=True, exist_ok=True)
        Path(self.state(service)).mkdir(parents=True, exist_ok=True)
        write_private(directory / MAIN_FILE[service], as_text(getattr(self, service)()))
        for name in SHIPPED_FILES.get(service, ()):
            shutil.copyfile(self.layout.venv / "etc" / service / name, directory / name)
        if service == "keystone":
            for keys in ("fernet-keys", "credential-keys"):
                make_keys(Path(self.state(service)) / keys)

    def fingerprint(self, service: str) -> str:
        """Changes with the configuration and with our code around the service: then it must be restarted."""
        digest = hashlib.sha256()
        for file in sorted([*self.directory(service).iterdir(), *INSIDE.glob("*.py")]):
            if file.is_file() and file.name not in ("migrate.py", "seed.py"):
                digest.update(file.read_bytes())
        return digest.hexdigest()

    def environment(self, service: str) -> dict[str, str]:
        """The variables by which the service finds its configuration."""
        name = f"OS_{service.upper()}_CONFIG"
        extra = {
            "neutron": {f"{name}_FILES": MAIN_FILE[service]},
            "nova": {"OS_NOVA_DISABLE_EVENTLET_PATCHING": "1"},
        }
        return {f"{name}_DIR": str(self.directory(service)), **extra.get(service, {})}

    # What several services share

    def internal_url(self, service: str) -> str:
        """The endpoint for other services: neither counted nor limited, and recognizable in the access log."""
        return f"{self.settings.url(service)}/internal"

    def database(self, name: str) -> dict[str, t.Any]:
        return {
            "connection": database.url(self.settings, self.passwords["database"], name),
            "max_pool_size": 10,
            "max_overflow": 30,
        }

    def service_user(self, service: str) -> dict[str, t.Any]:
        return {
            "auth_type": "password",
            "auth_url": f"{self.internal_url('keystone')}/v3",
            "username": service,
            "password": self.passwords["service"],
            "user_domain_id": "default",
            "project_name": "service",
            "project_domain_id": "default",
        }

    def authtoken(self, service: str) -> dict[str, t.Any]:
        return {
            "www_authenticate_uri": self.settings.url("keystone"),
            "interface": "internal",
            "region_name": "RegionOne",
            "service_token_roles": "service",
            "service_token_roles_required": True,
            **self.service_user(service),
        }

    def client(self, service: str) -> dict[str, t.Any]:
        return {**self.service_user(service), "valid_interfaces": "internal", "region_name": "RegionOne"}

    # The services

    def keystone(self) -> Options:
        state = self.state("keystone")
        return {
            "database": self.database("keystone"),
            # As in production; in a single process, changes invalidate it at once.
            "cache": {"enabled": True, "backend": "dogpile.cache.memory_pickle"},
            "token": {"provider": "fernet", "expiration": self.settings.token_seconds},
            "fernet_tokens": {"key_repository": f"{state}/fernet-keys"},
            "fernet_receipts": {"key_repository": f"{state}/fernet-keys"},
            "credential": {"key_repository": f"{state}/credential-keys"},
            # The default methods and totp.
            "auth": {"methods": "external,password,token,oauth1,mapped,application_credential,totp"},
            # bcrypt's minimum, so that hashing does not dominate measurements.
            "identity": {"password_hash_rounds": 4},
        }

    def glance(self) -> Options:
        state = self.state("glance")
        return {
            "DEFAULT": {"enabled_backends": "images:file", "log_file": "", "use_keystone_limits": True},
            "glance_store": {"default_backend": "images"},
            "images": {"filesystem_store_datadir": f"{state}/images"},
            "os_glance_staging_store": {"filesystem_store_datadir": f"{state}/staging"},
            "os_glance_tasks_store": {"filesystem_store_datadir": f"{state}/tasks"},
            "database": self.database("glance"),
            "keystone_authtoken": self.authtoken("glance"),
            "paste_deploy": {"flavor": "keystone"},
            "oslo_concurrency": {"lock_path": f"{state}/locks"},
            # By default, web-download refuses this machine, and all ports but 80 and 443.
            "import_filtering_opts": {"allowed_hosts": "[127.0.0.1,localhost]", "allowed_ports": "[]"},
            # Quotas are Keystone's limits for this endpoint, which the seed sets.
            "oslo_limit": {
                **self.client("glance"),
                "endpoint_service_type": "image",
                "endpoint_region_name": "RegionOne",
                "endpoint_interface": "internal",
            },
        }

    def placement(self) -> Options:
        return {
            "api": {"auth_strategy": "keystone"},
            "placement_database": {**self.database("placement"), "sync_on_startup": True},
            "keystone_authtoken": self.authtoken("placement"),
        }

    def neutron(self) -> Options:
        state = self.state("neutron")
        return {
            "DEFAULT": {
                "core_plugin": "ml2",
                "service_plugins": "router",
                "api_extensions_path": "",
                "api_paste_config": self.directory("neutron") / "api-paste.ini",
                "auth_strategy": "keystone",
                "state_path": state,
                "transport_url": "fake://",
                "notify_nova_on_port_status_changes": False,
                "notify_nova_on_port_data_changes": False,
            },
            "ml2": {"type_drivers": "local", "tenant_network_types": "local", "mechanism_drivers": "logger"},
            "database": self.database("neutron"),
            "keystone_authtoken": self.authtoken("neutron"),
            "oslo_concurrency": {"lock_path": f"{state}/locks"},
            "quotas": {
                f"quota_{item}": UNLIMITED
                for item in ("network", "subnet", "port", "security_group", "security_group_rule")
            },
        }

    def nova(self) -> Options:
        state = self.state("nova")
        return {
            "DEFAULT": {
                "host": "sandbox",
                "my_ip": "127.0.0.1",
                "state_path": state,
                "compute_driver": "fake.SandboxDriver",
                # In-process: API, conductor, scheduler and compute share one process.
                "transport_url": "fake://",
                "vif_plugging_is_fatal": False,
                "vif_plugging_timeout": 0,
                "block_device_allocate_retries_interval": 1,
                # The fake hypervisor has no power states to compare with the database.
                "sync_power_state_interval": -1,
                "running_deleted_instance_action": "noop",
                "max_concurrent_builds": 4,
                # By default, Nova asks Placement about each server every minute.
                "update_resources_interval": 600,
                "shelved_poll_interval": 10,
            },
            "api_database": self.database("nova_api"),
            "database": self.database("nova"),
            "keystone_authtoken": self.authtoken("nova"),
            # If the user's token expires during an upload, the service's token vouches for it.
            "service_user": {"send_service_user_token": True, **self.service_user("nova")},
            "placement": self.client("nova"),
            "glance": {"valid_interfaces": "internal", "region_name": "RegionOne"},
            "neutron": self.client("nova"),
            "cinder": {"catalog_info": "volumev3::internalURL", "os_region_name": "RegionOne"},
            "oslo_concurrency": {"lock_path": f"{state}/locks"},
            "quota": dict.fromkeys(("instances", "cores", "ram", "key_pairs", "server_groups"), UNLIMITED),
        }

    def cinder(self) -> Options:
        state = self.state("cinder")
        return {
            "DEFAULT": {
                "host": "sandbox",
                "my_ip": "127.0.0.1",
                "state_path": state,
                "auth_strategy": "keystone",
                "api_paste_config": self.directory("cinder") / "api-paste.ini",
                "resource_query_filters_file": self.directory("cinder") / "resource_filters.json",
                "transport_url": "fake://",
                "enabled_backends": "fake",
                "default_volume_type": "__DEFAULT__",
                "glance_api_servers": self.internal_url("glance"),
                # Both are 60 s by default, which would delay the start.
                "scheduler_driver_init_wait_time": 1,
                "backend_stats_polling_interval": 3,
                # The services in one process share a heartbeat, so all but one would seem dead after a minute.
                "service_down_time": 10**9,
                "backup_manager": "block_storage.SandboxBackupManager",
                "backup_driver": "block_storage.SandboxBackupDriver",
                # The minimum: nothing is read or written.
                "backup_native_threads_pool_size": 20,
                **{f"quota_{item}": UNLIMITED for item in ("volumes", "snapshots", "gigabytes", "backups")},
            },
            "fake": {
                "volume_driver": "block_storage.SandboxVolumeDriver",
                "volume_backend_name": "fake",
            },
            "coordination": {"backend_url": f"file://{state}/coordination"},
            "database": self.database("cinder"),
            "keystone_authtoken": self.authtoken("cinder"),
            "service_user": {"send_service_user_token": True, **self.service_user("cinder")},
            "nova": {**self.service_user("cinder"), "interface": "internal", "region_name": "RegionOne"},
            "oslo_concurrency": {"lock_path": f"{state}/locks"},
        }


def as_text(options: Options) -> str:
    lines: list[str] = []
    for section, content in options.items():
        lines.append(f"[{section}]")
        # oslo.config takes $NAME for another option's value.
        lines += [f"{name} = {str(value).replace('$', '$$')}" for name, value in content.items()]
        lines.append("")
    return "\n".join(lines)


def make_keys(directory: Path) -> None:
    """Make a staged and a primary Fernet key, like `keystone-manage fernet_setup`."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in ("0", "1"):
        if not (directory / name).exists():
            write_private(directory / name, base64.urlsafe_b64encode(os.urandom(32)).decode())


def migration_of(requirements: bytes) -> str:
    """The releases that the databases are migrated to."""
    return " ".join(
        re.findall(
            r"^(?:keystone|nova|glance|neutron|openstack-placement|cinder)==\S+", requirements.decode(), re.MULTILINE
        )
    )
