# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The service and the project that a request is for, by which a cloud counts it."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
import urllib.parse
import weakref

from ..rate_limit.project_key import ProjectKey

IDENTITY = "identity"
_TOKENS = "/auth/tokens"
#: Older names of a type of service.
_TYPES = {
    **dict.fromkeys(("volume", "volumev2", "volumev3", "block_store"), "block_storage"),
    "computev21": "compute",
    "identityv3": IDENTITY,
}
#: Keystone's address in a catalog: keystoneauth copies the catalog at each look-up.
_keystones: weakref.WeakKeyDictionary[t.Any, str] = weakref.WeakKeyDictionary()


@dataclasses.dataclass(frozen=True)
class Target:
    key: ProjectKey
    #: Empty if it is not known.
    service: str

    @classmethod
    def of(cls, session: t.Any, options: t.Mapping[str, t.Any], url: str) -> Target:
        """The target of a request by a keystoneauth session, with the options of its call.

        Without a service or a project, the limit is that of the host.
        """
        plugin = options.get("auth") or session.auth
        access = getattr(plugin, "auth_ref", None)
        chosen = options.get("endpoint_filter") or {}
        place = urllib.parse.urlsplit(url)
        service = service_of(str(chosen.get("service_type") or "")) or _by_catalog(access, place)
        if place.path.endswith(_TOKENS) or place.netloc == _host(getattr(plugin, "auth_url", None)):
            service = service or IDENTITY
        project = getattr(access, "project_id", None)
        if service and project:
            region = chosen.get("region_name") or ""
            return cls(ProjectKey(_keystone(plugin, access), project, region), service)
        return cls(ProjectKey(f"{place.scheme}://{place.netloc}", "", ""), service)


def service_of(service_type: str) -> str:
    """One name for a service, whichever the catalog or the program uses."""
    name = service_type.lower().replace("-", "_")
    return _TYPES.get(name, name)


def _host(url: t.Any) -> str | None:
    return urllib.parse.urlsplit(url).netloc if isinstance(url, str) else None


def _keystone(plugin: t.Any, access: t.Any) -> str:
    """Keystone's address: in the catalog, if it has one, it is the same for everybody."""
    found = None
    with contextlib.suppress(Exception):
        catalog = access.service_catalog
        found = _keystones.get(catalog)
        if found is None:
            found = _keystones[catalog] = catalog.url_for(service_type=IDENTITY, interface="public")
    return str(found or getattr(plugin, "auth_url", None) or "")


def _by_catalog(access: t.Any, place: urllib.parse.SplitResult) -> str:
    """The service that the catalog has at this address: requests for versions name none."""
    found: dict[str, set[str]] = {}
    with contextlib.suppress(Exception):
        for one in access.service_catalog.catalog:
            for endpoint in one["endpoints"]:
                known = urllib.parse.urlsplit(endpoint.get("url") or "")
                if known.netloc == place.netloc:
                    found.setdefault(_first_part(known.path), set()).add(service_of(one["type"]))
    services = set().union(*found.values()) if len(found) == 1 else found.get(_first_part(place.path), set())
    return services.pop() if len(services) == 1 else ""


def _first_part(path: str) -> str:
    return path.strip("/").partition("/")[0]
