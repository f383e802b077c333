# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a session's site/ holds: this package as a keystoneauth plugin, for processes that know no Ansible."""

from __future__ import annotations

import pkgutil
import typing as t

from .errors import SessionError
from .version import VERSION

if t.TYPE_CHECKING:
    # Nothing else imports them; this is what makes Ansible ship them with a module.
    from . import plugin, watcher  # noqa: F401

PACKAGE = "onetoken_session"
#: The name of the authentication, as in auth_type and OS_AUTH_TYPE.
AUTH_TYPE = "onetoken"
MODULES = (
    "__init__",
    "clock",
    "cloud_entry",
    "config_files",
    "deadline",
    "detached",
    "directory",
    "environment",
    "errors",
    "keystone",
    "lifecycle",
    "owners",
    "pacing",
    "plugin",
    "renewal",
    "session_clouds",
    "site",
    "source",
    "store",
    "sweep",
    "token",
    "usage",
    "version",
    "watcher",
)


DISTRIBUTION = f"{PACKAGE}-{VERSION}.dist-info"


def files() -> dict[str, str]:
    """The files of site/ by their path in it."""
    shipped = {f"{PACKAGE}/{name}.py": _source(name) for name in MODULES}
    shipped[f"{DISTRIBUTION}/METADATA"] = f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: {VERSION}\n"
    shipped[f"{DISTRIBUTION}/entry_points.txt"] = (
        f"[keystoneauth1.plugin]\n{AUTH_TYPE} = {PACKAGE}.plugin:SessionLoader\n"
    )
    return shipped


def _source(name: str) -> str:
    # The loader knows where the code is, be it a folder or the archive in which Ansible sends a module.
    text = pkgutil.get_data(__package__, f"{name}.py")
    if text is None:
        raise SessionError(f"The collection's file {name}.py cannot be read: install the collection again.")
    return text.decode("utf-8")
