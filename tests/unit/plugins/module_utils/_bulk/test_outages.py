# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is reported of a service that cannot be used, or that lets nothing through for long."""

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._bulk.model.errors import (
    CloudError,
    DeadlineError,
    OutageError,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import PROBE_INTERVAL
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._bulk.wire_cloud import answer


@pytest.mark.parametrize("text", ["<html>Back soon</html>", "", "[]", "{}"])
def test_a_page_instead_of_a_list_counts_as_an_outage(new_wired, wire, text):
    """A look that gets one is taken again; it must not end the run."""
    wire.react = lambda exchange: answer(200, text)
    with pytest.raises(OutageError):
        list(new_wired().listing("image", "/images", "images"))


def test_what_a_limit_holds_until_the_time_is_up_says_so_whoever_was_refused(new_wired, wire):
    requests = new_wired(timeout=600)
    wire.react = lambda exchange: answer(429, Retry_After="86400")
    for told in ("as the cloud limits the rate of requests", r"lets no request through for another 3600 s"):
        with pytest.raises(DeadlineError, match=told):
            requests.post("compute", "/servers/1/action", {})
    assert 1 < len(wire.exchanges) <= 600 / PROBE_INTERVAL + 1


def test_certificates_that_are_not_there_are_a_sentence(new_wired, wired_connection):
    requests = new_wired()
    wired_connection.compute.request("/servers", "GET", raise_exc=False)
    wired_connection.session.verify = "/nowhere/ca.pem"
    wired_connection.session.session.mount("http://", _Verifying(wired_connection.session.session.adapters["http://"]))
    with pytest.raises(CloudError, match="invalid path: /nowhere/ca.pem"):
        requests.post("compute", "/servers/1/action", {})


class _Verifying:
    """Looks for the certificates as for an address with TLS."""

    def __init__(self, adapter):
        self._adapter = adapter

    def send(self, request, **options):
        from requests.adapters import HTTPAdapter

        HTTPAdapter().cert_verify(None, "https://127.0.0.1", options["verify"], None)
        return self._adapter.send(request, **options)

    def close(self):
        self._adapter.close()
