# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The project that a bulk run works in: its report names it, and all that work in it share its rate limit."""

from __future__ import annotations

import os
import typing as t
from dataclasses import dataclass

from ..._modules.task_cloud import label_of
from ..._session.rate_limit.project_key import ProjectKey
from ..._session.util.errors import ConfigurationError
from ..model.errors import CloudError
from .services import UNEXPECTED, sentence

try:
    from keystoneauth1 import exceptions as keystoneauth
    from openstack import exceptions as sdk
except ImportError:
    pass  # connection.connect() says what to install before anything here is reached

if t.TYPE_CHECKING:
    import openstack.connection


@dataclass(frozen=True)
class Project:
    cloud: str
    name: str
    id: str
    region_name: str
    auth_url: str

    @classmethod
    def of(cls, connection: openstack.connection.Connection, params: t.Mapping[str, t.Any]) -> Project:
        """Signs in, where there is no session to be signed in from."""
        session, cloud = connection.session, params["cloud"]
        project = project_id = auth_url = ""
        # A private cloud may have a kind of authentication without a token.
        if hasattr(session.auth, "get_access"):
            try:
                access = session.auth.get_access(session)
                project, project_id = _text(access.project_name), _text(access.project_id)
                auth_url = _text(_keystone(session))
            except (keystoneauth.ClientException, sdk.SDKException, OSError) as exc:
                raise CloudError(sentence(exc)) from exc
            except UNEXPECTED as exc:
                raise CloudError(
                    f"Keystone gave {label_of(params)} an answer that keystoneauth cannot read ({type(exc).__name__}): "
                    "check auth_url."
                ) from exc
            if not project_id:
                raise ConfigurationError(
                    f"A bulk run works in a project, and the token of {label_of(params)} has none: add project_name "
                    "(and project_domain_name) to its credentials, or name another cloud."
                )
        return cls(
            cloud=cloud if isinstance(cloud, str) else os.environ.get("OS_CLOUD", "") if cloud is None else "",
            name=project,
            id=project_id,
            region_name=connection.config.get_region_name() or "",
            auth_url=auth_url,
        )

    @property
    def key(self) -> ProjectKey:
        return ProjectKey(self.auth_url, self.id, self.region_name)


def _keystone(session: t.Any) -> str | None:
    """As the catalog has it, which is the same for everybody; not all catalogs do."""
    try:
        return session.auth.get_endpoint(session, service_type="identity", interface="public")
    except keystoneauth.EndpointNotFound:
        return getattr(session.auth, "auth_url", None)


def _text(value: t.Any) -> str:
    if value is not None and not isinstance(value, str):
        raise TypeError
    return value or ""
