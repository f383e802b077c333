# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cloud's services over an openstacksdk connection: their addresses, their versions, and one request to them.

openstacksdk's own calls are not used for requests: a 429 in the middle of a listing ends its generator, and its proxies
send a request again when the connection breaks, which makes a second image.
"""

from __future__ import annotations

import contextlib
import math
import threading
import typing as t

from ..._modules.redirects import RedirectedError
from ..._session.util import deadline
from ..._session.util.errors import public
from ..control.time_budget import TimeBudget
from ..model.errors import CloudError, ServiceAbsentError, UnconfirmedError
from .request_counts import requests_for

try:
    from keystoneauth1 import exceptions as keystoneauth
    from openstack import exceptions as sdk
except ImportError:
    pass  # connection.connect() says what to install before anything here is reached

if t.TYPE_CHECKING:
    import openstack.connection
    import requests

Service = t.Literal["compute", "image", "block_storage"]
T = t.TypeVar("T")

#: How long an answer may take, in seconds, unless the user set api_timeout.
ANSWER_TIMEOUT = 120.0
#: How long what was sent before the end of the run may still be answered after it, in seconds.
LAST_ANSWERS = 3.0
#: What the libraries raise over a catalog or a list of versions that is not as they expect.
UNEXPECTED = (AttributeError, LookupError, RecursionError, TypeError, ValueError)


class Services:
    """Raises the errors of bulk runs for those of the libraries, but for an answer of Keystone's to a sign-in."""

    def __init__(self, connection: openstack.connection.Connection, budget: TimeBudget) -> None:
        self._connection = connection
        self._budget = budget
        self._endpoints: dict[Service, str] = {}
        #: Another one after each token that turned out to be refused.
        self.token_generation = 0
        self._lock = threading.Lock()

    def request(self, service: Service, method: str, path: str, options: dict[str, t.Any]) -> requests.Response:
        """Send one request, once, and return whatever the service answers."""
        # The content of an image takes as long as the line is slow.
        longest = math.inf if "data" in options else self._longest_answer
        with requests_for(service), self._translated_errors(service):
            return self._in_time(service, lambda: self._request(service, method, path, options), longest)

    def _request(self, service: Service, method: str, path: str, options: dict[str, t.Any]) -> requests.Response:
        proxy = self._proxy(service)
        return proxy.request(
            path,
            method,
            endpoint_override=self._endpoint(service, proxy),
            raise_exc=False,
            connect_retries=0,
            status_code_retries=0,
            allow_reauth=False,
            timeout=self._answer_timeout,
            **options,
        )

    def _endpoint(self, service: Service, proxy: t.Any) -> str | None:
        """A service's address. keystoneauth copies the whole catalog each time that it looks for one."""
        if service not in self._endpoints:
            endpoint = proxy.endpoint_override or proxy.get_endpoint()
            if endpoint is None:
                return None
            self._endpoints[service] = endpoint
        return self._endpoints[service]

    def project_id(self) -> str | None:
        """The project that the connection works in."""
        try:
            return self._in_time("identity", lambda: self._connection.current_project_id)
        except (keystoneauth.ClientException, sdk.SDKException) as exc:
            raise CloudError(sentence(exc)) from exc

    def supports_microversion(self, service: Service, microversion: str) -> bool | None:
        """Whether a service knows it; None where it does not say which versions it has."""
        from openstack import utils

        def ask() -> bool | None:
            proxy = self._proxy(service)
            known = getattr(proxy.get_endpoint_data(), "max_microversion", None)
            return utils.supports_microversion(proxy, microversion) if known else None

        try:
            with requests_for(service), self._translated_errors(service):
                return self._in_time(service, ask, self._longest_answer)
        except keystoneauth.HttpError as exc:
            raise CloudError(sentence(exc)) from exc

    def forget_token(self, generation: int) -> None:
        """Have the next request sign in again, unless another thread has seen to that since this one was sent."""
        with self._lock:
            if generation == self.token_generation:
                self.token_generation += 1
                self._connection.session.invalidate()

    def _in_time(self, service: str, work: t.Callable[[], T], longest: float = math.inf) -> T:
        """Do what waits for a service, but not for longer than this, nor than the run may take."""
        until_end = self._budget.left + LAST_ANSWERS
        try:
            return deadline.within(min(longest, until_end), work)
        except deadline.LateError:
            slow = f"within {longest:.0f} s (set api_timeout higher if the cloud is that slow)"
            within = slow if longest < until_end else f"before the time of {self._budget.timeout:.0f} s was up"
            raise UnconfirmedError(f"a request to the {display_name(service)} service got no answer {within}") from None

    def _proxy(self, service: Service) -> t.Any:
        """A service as openstacksdk has it, which may sign in and ask the service for its versions."""
        try:
            return getattr(self._connection, service)
        except ValueError as exc:
            # keystoneauth finds the service under two types, and none of them in this region under this interface.
            raise self._absent(service) from exc

    def _absent(self, service: Service) -> ServiceAbsentError:
        config = self._connection.config
        region, interface = config.get_region_name(), config.get_interface(service.replace("_", "-"))
        where = f"in region {region}" if region else "in any region"
        return ServiceAbsentError(
            f"The cloud offers this project no {display_name(service)} service {where} with interface {interface}: "
            "check region_name and interface."
        )

    @contextlib.contextmanager
    def _translated_errors(self, service: Service) -> t.Iterator[None]:
        """Raise our errors for those of the libraries, but for an answer of Keystone's."""
        try:
            yield
        except (keystoneauth.EndpointNotFound, sdk.ServiceDisabledException) as exc:
            raise self._absent(service) from exc
        except (
            keystoneauth.RetriableConnectionFailure,
            keystoneauth.UnknownConnectionError,
            sdk.NotSupported,
            sdk.ServiceDiscoveryException,
        ) as exc:
            # "Does not have any supported versions" is how the SDK puts it when the list of versions is refused, as
            # by a rate limit; a connection that breaks in the middle of an answer is an unknown error.
            raise UnconfirmedError(
                f"a request to the {display_name(service)} service got no answer: {sentence(exc)}"
            ) from exc
        except keystoneauth.HttpError:
            raise
        except RedirectedError as exc:
            raise CloudError(f"The {display_name(service)} service cannot be used: {exc}") from exc
        except (keystoneauth.ClientException, sdk.SDKException, OSError) as exc:
            # An error of the system is that of a file with certificates: those of the network are keystoneauth's.
            raise CloudError(sentence(exc)) from exc
        except UNEXPECTED as exc:
            raise UnconfirmedError(
                f"the {display_name(service)} service or Keystone gave an answer that openstacksdk cannot read "
                f"({type(exc).__name__})"
            ) from exc

    @property
    def _longest_answer(self) -> float:
        """How long an answer may take from its first byte to its last, in seconds."""
        return max(self._answer_timeout, ANSWER_TIMEOUT)

    @property
    def _answer_timeout(self) -> float:
        """How long nothing may come of an answer, in seconds."""
        return getattr(self._connection.session, "timeout", None) or ANSWER_TIMEOUT


def sentence(exc: Exception) -> str:
    """What an exception says, on one line."""
    return " ".join(public(str(exc)).split()) or type(exc).__name__


def display_name(service: str) -> str:
    return service.replace("_", " ")
