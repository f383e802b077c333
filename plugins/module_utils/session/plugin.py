# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The keystoneauth plugin that signs a process in with a session instead of credentials."""

from __future__ import annotations

import os
import typing as t

try:
    from keystoneauth1 import access, loading
    from keystoneauth1.exceptions import AuthorizationFailure
    from keystoneauth1.identity.base import BaseIdentityPlugin
    from keystoneauth1.loading import BaseLoader
    from openstack.exceptions import SDKException
except ImportError:  # Ansible looks into every file of a collection; only keystoneauth ever uses this one
    access = loading = None
    # Two of them: one cannot be a base twice.
    SDKException, AuthorizationFailure = RuntimeError, Exception
    BaseIdentityPlugin = BaseLoader = object

from . import cloud_entry, lifecycle, session_clouds, usage
from .config_files import ConfigFiles
from .errors import OneTokenError, SessionClosedError
from .source import Source, environment_has_credentials
from .store import Session
from .token import TokenId

_SECRET_KEYS = ("password", "token", "application_credential_secret")


class SessionUnusableError(SDKException, AuthorizationFailure):
    """What a program sees when the session has no token for it: both libraries' callers know how to report it."""

    def __init__(self, message: str) -> None:
        SDKException.__init__(self, message)


class SessionAuth(BaseIdentityPlugin):
    """Signs in with the token that the session holds for a cloud."""

    def __init__(self, session: str, cloud: str) -> None:
        super().__init__(auth_url=None, reauthenticate=True)
        self._session = Session(session)
        self._cloud = cloud
        self._refused: TokenId | None = None

    def get_auth_ref(self, session: t.Any, **kwargs: t.Any) -> t.Any:
        try:
            usage.hold(self._session)
            token = lifecycle.current_token(self._session, self._cloud, self._refused)
        except SessionClosedError as exc:
            # Revoked is revoked: whatever the run may fall back to, this is the end of it.
            raise SessionUnusableError(str(exc)) from None
        except OneTokenError as exc:
            return self._fall_back(session, exc)
        usage.count_authentication(self._session)
        self.auth_url = token.auth_url
        return access.create(body={"token": token.body}, auth_token=token.id.reveal())

    def _fall_back(self, session: t.Any, reason: OneTokenError) -> t.Any:
        """Sign in with the user's own credentials, if the run was told to where the session has no token."""
        try:
            record = self._session.read_record()
            source = record.source(self._cloud)
            if not record.fallback or source is None:
                raise reason
            own = source.region().get_auth()
        except OneTokenError as exc:
            raise SessionUnusableError(str(exc)) from None
        answer = own.get_access(session)
        self.auth_url = own.auth_url
        return answer

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
        # A name of its own: the openstack command makes an argument --os-NAME of every option of every plugin. Whom a
        # process wants to be must arrive here as well, to be compared with the session; but not password, token and
        # auth_url, which the command then asks for.
        return [
            loading.Opt("onetoken", help="The session, as its clouds.yaml has it"),
            *(loading.Opt(key.replace("_", "-")) for key in cloud_entry.DECISIVE_KEYS if key != "auth_url"),
        ]

    def load_from_options(self, **kwargs: t.Any) -> t.Any:
        """The session's sign-in, unless the process was given another one of its own.

        An explicit ``auth`` arrives here laid over the session's cloud. It must not be taken for the session's: the
        process would work as another user, or in another project, than it was told to.
        """
        own = kwargs.pop("onetoken", None)
        if own is None:
            # A clouds.yaml of the process's own, or the cloud that openstacksdk makes of the OS_* variables: to these,
            # OS_AUTH_TYPE is all that is told.
            own = _own_part(_session_of_this_file(), os.environ.get("OS_CLOUD", ""))
        session, cloud = own.get("session", _session_of_this_file()), own.get("cloud", os.environ.get("OS_CLOUD", ""))
        has_credentials = any(kwargs.get(key) for key in _SECRET_KEYS)
        if not own:
            if has_credentials:
                return _load_own(kwargs)
            if environment_has_credentials(os.environ):
                return _load_variables()
            raise SessionUnusableError(
                f"The session {session} does not know cloud {cloud!r}: name one of its clouds, or give the process "
                "credentials of its own."
            )
        if not own["covered"] or (own["from_variables"] and _differ(own["variables"])):
            return _sign_in_without(Session(session), cloud)
        identity = own["identity"]
        differences = [key for key in cloud_entry.DECISIVE_KEYS if _differs(key, kwargs.get(key), own)]
        if not differences:
            return SessionAuth(session, cloud)
        if has_credentials:
            return _load_own(kwargs)
        raise SessionUnusableError(
            f"The session {session} was issued with {differences[0]} {identity.get(differences[0])!r} for cloud "
            f"{cloud!r}, and this process asks for {kwargs[differences[0]]!r}: issue a session for that, give the "
            "process credentials of its own in clouds.yaml, or keep its task from the session with one_token: false."
        )


def _load_variables() -> t.Any:
    """The sign-in of the OS_* variables that a process was given."""
    variables = {name: value for name, value in os.environ.items() if name != "OS_AUTH_TYPE"}
    try:
        return Source.of_environment(variables, ConfigFiles()).region().get_auth()
    except OneTokenError as exc:
        raise SessionUnusableError(str(exc)) from None


def _own_part(session: str, cloud: str) -> dict[str, t.Any]:
    try:
        return session_clouds.own_part(Session(session), cloud)
    except OneTokenError as exc:
        raise SessionUnusableError(str(exc)) from None


def _sign_in_without(session: Session, cloud: str) -> t.Any:
    """The own sign-in of a cloud that the run does not want on the session."""
    try:
        source = session.read_record().source(cloud)
        if source is None:
            raise SessionUnusableError(f"The session {session.path} does not know where cloud {cloud!r} is described.")
        return source.region().get_auth()
    except OneTokenError as exc:
        raise SessionUnusableError(str(exc)) from None


def _session_of_this_file() -> str:
    """The session in whose site/ this file lies."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _differs(key: str, value: t.Any, own: dict[str, t.Any]) -> bool:
    identity = own["identity"]
    if not value or str(value) == identity.get(key):
        return False
    if key == "auth_url" and key not in identity:
        return False  # a vendor profile has it, for the session and for the process alike
    # The openstack command takes an openrc file that was sourced before for arguments; the session comes before that.
    return str(value) != own["variables"].get(key)


def _differ(recorded: dict[str, str]) -> bool:
    """Whether this process has the variables of another openrc file than the session was made from."""
    mine = cloud_entry.identity_of_variables(os.environ)
    return any(recorded.get(key) not in (None, value) for key, value in mine.items())


def _load_own(options: dict[str, t.Any]) -> t.Any:
    """The plugin for credentials that a process brought itself."""
    name = "token" if options.get("token") else "password"
    if options.get("application_credential_id") or options.get("application_credential_name"):
        name = "v3applicationcredential"
    loader = loading.get_plugin_loader(name)
    known = {option.dest for option in loader.get_options()}
    return loader.load_from_options(**{key: value for key, value in options.items() if key in known})
