# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wrappers around keystoneauth's methods.

A wrapper never fails for a reason of its own: if the session cannot answer, Keystone is asked.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import threading
import typing as t

from ..util import broken

if t.TYPE_CHECKING:
    # They are loaded by name when they are first needed; because of this, Ansible ships them with a module.
    from ..transport import sending  # noqa: F401  # pylint: disable=unused-import
    from . import cache, discovery, federation, signing, writes  # noqa: F401  # pylint: disable=unused-import

#: What a thread is doing: the keystoneauth session that signs in, or discovers; the federated sign-in.
_thread = threading.local()
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
#: No answer, 404, or 300, which Nova and Glance answer with their versions to a request for a version that is unknown.
_NOT_FOUND = (None, 300, 404)
_TOKEN_PATH = "/auth/tokens"
_WRAPPED_BY = "_onetoken_wrapped_by"


def wrap(module: t.Any) -> None:
    """Wrap the method of one of hook.WANTED, instead of the wrapper of another copy of this package."""
    owner, name, wrapper = WRAPPERS[module.__name__]
    holder = getattr(module, owner, None) if owner else module
    plain = getattr(holder, name, None)
    if plain is None:
        # An unknown version of keystoneauth works as it does without the session.
        return
    wrapped_by = getattr(plain, _WRAPPED_BY, None)
    if wrapped_by == __name__:
        return
    if wrapped_by is not None:
        plain = plain.__wrapped__
    wrapped = functools.wraps(plain)(_method(wrapper, plain) if owner else functools.partial(wrapper, plain))
    setattr(wrapped, _WRAPPED_BY, __name__)
    setattr(holder, name, wrapped)


def _method(wrapper: t.Callable[..., t.Any], plain: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    def method(self: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        return wrapper(plain, self, *args, **kwargs)

    return method


@contextlib.contextmanager
def left_alone() -> t.Iterator[None]:
    """Meanwhile, send this thread's requests as without the session: they are the session's own."""
    with _about("left_alone", True):
        yield


@contextlib.contextmanager
def _about(name: str, value: t.Any) -> t.Iterator[None]:
    before = getattr(_thread, name, None)
    setattr(_thread, name, value)
    try:
        yield
    finally:
        setattr(_thread, name, before)


def _loaded(name: str) -> t.Any:
    """A module that a wrapper needs, loaded at its first call; None if the session is gone with its file."""
    try:
        return importlib.import_module(f".{name}", __package__)
    except Exception:  # pylint: disable=broad-exception-caught
        broken.report()
        return None


def _get_auth_ref(plain: t.Any, self: t.Any, session: t.Any, **kwargs: t.Any) -> t.Any:
    with _about("signs_in", session), _about("discovers", None):
        return plain(self, session, **kwargs)


def _get_federated_auth_ref(plain: t.Any, self: t.Any, session: t.Any, **kwargs: t.Any) -> t.Any:
    federation = _loaded("federation")
    if federation is None:
        return plain(self, session, **kwargs)
    found = federation.begin(self, session)
    if found.access is not None:
        return found.access
    access = None
    try:
        with _about("federates", found), _about("discovers", None):
            access = plain(self, session, **kwargs)
    finally:
        found.end(access)
    return access


def _invalidate(plain: t.Any, self: t.Any) -> t.Any:
    with contextlib.suppress(Exception):
        if self.auth_ref is not None:
            _loaded("cache").refuse(self.auth_ref.auth_token)
    return plain(self)


def _get_version_data(plain: t.Any, session: t.Any, url: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
    with _about("discovers", session):
        return plain(session, url, *args, **kwargs)


def _request(plain: t.Any, self: t.Any, url: str, method: str, *args: t.Any, **kwargs: t.Any) -> t.Any:
    call = functools.partial(plain, self, url, method, *args, **kwargs)
    if getattr(_thread, "left_alone", None) or args or not os.environ.get("ONETOKEN_SESSION_DIRECTORY"):
        return call()
    sending = _loaded(".transport.sending")
    federated = getattr(_thread, "federates", None)
    if method == "POST" and not federated and getattr(_thread, "signs_in", None) is self and _is_sign_in(url, kwargs):
        return _sign_in(sending, call, self, url, kwargs)
    if sending is not None:
        call = functools.partial(sending.through, call, self, kwargs, True)
    discovery = _loaded("discovery") if getattr(_thread, "discovers", None) is self else None
    if method == "GET" and discovery is not None:
        return discovery.answer(call, self, url, kwargs)
    return _other(call, federated, url, method, kwargs)


def _is_sign_in(url: str, kwargs: t.Mapping[str, t.Any]) -> bool:
    return kwargs.get("authenticated") is False and url.partition("?")[0].endswith(_TOKEN_PATH)


def _sign_in(sending: t.Any, call: t.Callable[..., t.Any], self: t.Any, url: str, kwargs: dict[str, t.Any]) -> t.Any:
    answer = None
    with contextlib.suppress(Exception):
        answer = _loaded("signing").prepare(self, url, kwargs)
    if sending is not None:
        # The cache waits for Keystone's own limit, once for all processes.
        call = functools.partial(sending.through, call, self, kwargs, answer is None)
    try:
        return call() if answer is None else answer(call)
    except Exception as exc:
        _forget_documents(exc)
        raise


def _other(
    call: t.Callable[[], t.Any], federated: t.Any, url: str, method: str, kwargs: t.Mapping[str, t.Any]
) -> t.Any:
    """Send a request, and learn from its outcome what it means for the session."""
    try:
        response = federated.ask(call) if federated else call()
    except Exception as exc:
        _learn(exc, url, method, kwargs)
        raise
    _learn(response, url, method, kwargs)
    return response


def _learn(outcome: t.Any, url: str, method: str, kwargs: t.Mapping[str, t.Any]) -> None:
    _forget_documents(outcome)
    status = _status_of(outcome)
    # If the answer was lost, or came from a gateway, something may have been written.
    if method in _WRITES and (status is None or not 400 <= status < 500):
        with contextlib.suppress(Exception), left_alone():
            _loaded("writes").note(method, getattr(outcome, "url", None) or url, kwargs)


def _status_of(outcome: t.Any) -> int | None:
    """The status of a response or of an exception; None if there was no answer."""
    return getattr(outcome, "status_code", getattr(outcome, "http_status", None))


def _forget_documents(outcome: t.Any) -> None:
    """If something was not found, an outdated version document may be the reason."""
    if _status_of(outcome) in _NOT_FOUND:
        with contextlib.suppress(Exception), left_alone():
            _loaded("discovery").forget_outdated(outcome)


WRAPPERS: dict[str, tuple[str, str, t.Callable[..., t.Any]]] = {
    "keystoneauth1.discover": ("", "get_version_data", _get_version_data),
    "keystoneauth1.identity.base": ("BaseIdentityPlugin", "invalidate", _invalidate),
    "keystoneauth1.identity.v3.base": ("Auth", "get_auth_ref", _get_auth_ref),
    "keystoneauth1.identity.v3.federation": ("_Rescoped", "get_auth_ref", _get_federated_auth_ref),
    "keystoneauth1.session": ("Session", "request", _request),
}
