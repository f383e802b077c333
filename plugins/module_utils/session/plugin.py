# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The keystoneauth plugin that signs a process in with a session instead of credentials."""

from __future__ import annotations

import typing as t

try:
    from keystoneauth1 import access, loading
    from keystoneauth1.exceptions import AuthorizationFailure
    from keystoneauth1.identity.base import BaseIdentityPlugin
    from openstack.exceptions import SDKException
except ImportError:  # Ansible looks into every file of a collection; only keystoneauth ever uses this one
    access = loading = None
    AuthorizationFailure = SDKException = Exception
    BaseIdentityPlugin = BaseLoader = object
else:
    BaseLoader = loading.BaseLoader

from . import lifecycle
from .errors import OneTokenError
from .store import Session
from .token import TokenId


class SessionUnusableError(SDKException, AuthorizationFailure):
    """What a program sees when the session has no token for it: both libraries' callers know how to report it."""

    def __init__(self, message: str) -> None:
        SDKException.__init__(self, message)


class SessionAuth(BaseIdentityPlugin):
    """Signs in with the token that the session holds for a cloud."""

    def __init__(self, onetoken_session: str, onetoken_cloud: str) -> None:
        super().__init__(auth_url=None, reauthenticate=True)
        self._session = Session(onetoken_session)
        self._cloud = onetoken_cloud
        self._refused: TokenId | None = None

    def get_auth_ref(self, session: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            token = lifecycle.current_token(self._session, self._cloud, self._refused)
        except OneTokenError as exc:
            raise SessionUnusableError(str(exc)) from None
        self.auth_url = token.auth_url
        return access.create(body={"token": token.body}, auth_token=token.id.reveal())

    def invalidate(self) -> bool:
        """Remember which token a service refused; the next request gets another one, if there is one."""
        if self.auth_ref is None:
            return False
        self._refused = TokenId(self.auth_ref.auth_token)
        return super().invalidate()


class SessionLoader(BaseLoader):
    """Makes the plugin from a session's clouds.yaml."""

    @property
    def plugin_class(self) -> type[SessionAuth]:
        return SessionAuth

    def get_options(self) -> list[t.Any]:
        # Distinct names: the openstack command makes an argument --os-NAME of every option of every plugin.
        return [
            loading.Opt("onetoken-session", required=True, help="Directory of the session"),
            loading.Opt("onetoken-cloud", required=True, help="Name of the cloud in the session"),
        ]

    def load_from_options(self, **kwargs: t.Any) -> t.Any:
        # The scope, the auth URL and what a secure.yaml adds to the same cloud stand beside our options.
        own = {option.dest for option in self.get_options()}
        return super().load_from_options(**{key: value for key, value in kwargs.items() if key in own})
