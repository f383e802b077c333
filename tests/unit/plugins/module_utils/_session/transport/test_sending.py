# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests on a session to a service with rate limits: a stand-in, as no real one gives all of these answers."""

from __future__ import annotations

import io
import json
import os
import threading
import time
import types

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import traffic
from ansible_collections.onetoken.openstack.plugins.module_utils._session.transport import sending
from keystoneauth1 import exceptions
from keystoneauth1 import session as keystone_session

THROTTLED = (429, {}, b"{}")


def counted(session):
    counts = list(traffic.read(session).values())
    assert len(counts) == 1
    return counts[0]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Retry-After": "1"},
        {"X-Retry-After": "1"},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"},
        {"RateLimit-Remaining": "0", "RateLimit-Reset": "1"},
    ],
    ids=str,
)
def test_a_throttled_request_is_sent_again_when_the_limit_lets_it_through(on_session, service, client, headers):
    session = on_session()
    service.answers = [(429, headers, b"{}")]

    assert client.post(service.url, json={"a": 1}).json() == {"a": 1}
    (_method, first_body, first, first_peer), (_m, body, second, peer) = service.requests
    assert body == first_body
    assert second - first >= (1 if headers else 0.3)
    assert peer == first_peer, "the connection was not kept"
    assert (counted(session).requests, counted(session).throttled) == (2, 1)
    assert counted(session).seconds >= 0.3


def test_413_is_a_limit_with_a_delay_and_a_quota_without(on_session, service, client):
    on_session()
    service.answers = [(413, {"Retry-After": "1"}, b"{}"), (413, {"Retry-After": "0"}, b"{}")]

    with pytest.raises(exceptions.RequestEntityTooLarge):
        client.post(service.url, json={})
    assert len(service.requests) == 2


def test_nothing_waits_before_the_first_throttled_request(on_session, service, client):
    session = on_session()
    began = time.monotonic()
    for _turn in range(50):
        client.get(service.url)

    # At 5 a second it would be 10 s.
    assert time.monotonic() - began < 5
    assert (counted(session).requests, counted(session).seconds) == (50, 0)


def test_a_rate_that_is_set_holds_from_the_first_request_on(on_session, service, client):
    on_session(requests_per_second="10")
    for _turn in range(6):
        client.get(service.url)

    moments = [moment for _method, _body, moment, _peer in service.requests]
    assert moments[-1] - moments[0] >= 0.45


def test_off_leaves_the_answer_to_the_program(on_session, service, client):
    session = on_session(requests_per_second="false")
    service.answers = [THROTTLED]

    with pytest.raises(exceptions.HttpError) as throttled:
        client.get(service.url)
    assert throttled.value.http_status == 429
    assert counted(session).requests == 1


def test_keystoneauth_still_tries_again_by_itself(on_session, service, client):
    on_session(requests_per_second="false")
    service.answers = [(503, {"Retry-After": "0"}, b"")]

    client.get(service.url, status_code_retries=1, status_code_retry_delay=0.01)
    assert len(service.requests) == 2


def test_a_file_is_sent_again_from_where_it_began(on_session, service, client):
    on_session()
    service.answers = [THROTTLED]
    stream = io.BytesIO(b"headcontent")
    stream.seek(4)

    client.put(service.url, data=stream)
    assert [body for _method, body, _moment, _peer in service.requests] == [b"content", b"content"]


def test_a_stream_that_cannot_be_sent_again_gets_the_answer(on_session, service, client):
    on_session()
    service.answers = [THROTTLED]

    with pytest.raises(exceptions.HttpError) as throttled:
        client.put(service.url, data=(part for part in [b"a", b"b"]))
    assert throttled.value.http_status == 429
    assert len(service.requests) == 1


def test_a_download_is_still_a_stream(on_session, service, client):
    on_session()
    service.answers = [THROTTLED, (200, {}, b"x" * 100_000)]

    response = client.get(service.url, stream=True)
    assert not response._content_consumed
    assert sum(map(len, response.iter_content(1000))) == 100_000


def test_a_limit_that_lasts_ends_with_a_sentence(on_session, service, client):
    on_session(timeout=1)
    service.answers = [(429, {"Retry-After": "100"}, b"{}")] * 10
    began = time.monotonic()

    with pytest.raises(exceptions.ClientException, match="limits the rate of requests.*limit_timeout=1"):
        client.get(service.url)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("POST", 1)])
def test_only_safe_requests_are_repeated_when_a_service_is_unavailable(on_session, service, client, method, tries):
    on_session()
    service.answers = [(503, {}, b"{}")]

    client.request(service.url, method, raise_exc=False)
    assert len(service.requests) == tries


@pytest.mark.parametrize(("method", "tries"), [("GET", 2), ("POST", 1)])
def test_only_safe_requests_are_repeated_after_a_lost_connection(on_session, service, client, method, tries):
    on_session()
    service.answers = [(0, {}, b"")]

    if method == "POST":
        with pytest.raises(exceptions.ConnectFailure):
            client.request(service.url, method)
    else:
        client.request(service.url, method)
    assert len(service.requests) == tries


def test_a_limiter_that_does_not_work_fails_no_request(on_session, service, client, monkeypatch):
    on_session()
    service.answers = [THROTTLED]

    def fail(*_arguments, **_keywords):
        raise RuntimeError

    for name in ("limits", "take", "throttled", "answered"):
        monkeypatch.setattr(sending.RateLimiter, name, fail)
    assert client.get(service.url).status_code == 200
    assert len(service.requests) == 2


def test_threads_share_what_one_learns(on_session, service):
    session = on_session()
    service.answers = [(429, {"Retry-After": "1"}, b"{}")]
    clients = [keystone_session.Session() for _number in range(4)]
    clients[0].get(service.url)
    threads = [threading.Thread(target=one.get, args=(service.url,)) for one in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in clients:
        one.session.close()

    assert (counted(session).requests, counted(session).throttled) == (6, 1)


def test_a_damaged_line_of_the_counts_hides_no_other(on_session, service, client):
    session = on_session()
    client.get(service.url)
    with open(os.path.join(session.path, traffic.TRAFFIC), "ab") as stream:
        stream.write(b"\xff\n")
    client.get(service.url)
    assert counted(session).requests == 2


def test_adapters_stay_what_they_are(on_session, service):
    on_session()
    own = sending.requests.Session()
    adapter = own.get_adapter(service.url)
    client = keystone_session.Session(session=own)
    service.answers = [THROTTLED]

    assert client.get(service.url).ok
    assert own.get_adapter(service.url) is adapter
    # What is not asked by way of keystoneauth is none of ours.
    service.answers = [THROTTLED]
    assert own.get(service.url).status_code == 429
    own.close()


def test_a_program_with_a_limiter_of_its_own_is_only_counted(on_session, service, client):
    session = on_session()
    setattr(client.session, sending.OWN_LIMITER, True)
    service.answers = [THROTTLED]

    assert client.get(service.url, raise_exc=False).status_code == 429
    assert (counted(session).requests, counted(session).throttled) == (1, 1)


class TestTarget:
    def of(self, url, service_type=None, project="p1", auth_url="http://keystone/v3"):
        catalog = [
            {"type": "compute", "endpoints": [{"url": "http://cloud/compute/v2.1", "interface": "public"}]},
            {"type": "volumev3", "endpoints": [{"url": "http://cloud/volume/v3/p1", "interface": "public"}]},
            {"type": "image", "endpoints": [{"url": "http://images:9292", "interface": "public"}]},
        ]

        def url_for(**_options):
            raise LookupError

        services = types.SimpleNamespace(catalog=catalog, url_for=url_for)
        access = types.SimpleNamespace(project_id=project, service_catalog=services)
        session = types.SimpleNamespace(auth=types.SimpleNamespace(auth_ref=access, auth_url=auth_url))
        options = {"endpoint_filter": {"service_type": service_type, "region_name": "R"}} if service_type else {}
        return sending.Target.of(session, options, url)

    @pytest.mark.parametrize(
        ("service_type", "service"),
        [
            ("volumev3", "block_storage"),
            ("block-store", "block_storage"),
            ("compute", "compute"),
            ("load-balancer", "load_balancer"),
        ],
    )
    def test_a_service_has_one_name(self, service_type, service):
        target = self.of("http://anywhere/", service_type)

        assert target.service == service
        assert json.loads(json.dumps([target.key.auth_url, target.key.project_id, target.key.region_name])) == [
            "http://keystone/v3",
            "p1",
            "R",
        ]

    @pytest.mark.parametrize(
        ("url", "service"),
        [
            ("http://cloud/compute/", "compute"),
            ("http://cloud/volume/v3", "block_storage"),
            ("http://cloud/", ""),
            ("http://images:9292/v2", "image"),
            ("http://keystone/v3", "identity"),
            ("http://elsewhere/v3", ""),
        ],
    )
    def test_the_service_of_an_address_is_found_in_the_catalog(self, url, service):
        assert self.of(url).service == service

    def test_without_a_project_the_host_is_the_key(self):
        target = self.of("http://images:9292/v2", "image", project=None)

        assert (target.key.auth_url, target.key.project_id) == ("http://images:9292", "")


@pytest.mark.processes
def test_a_copy_of_a_process_shares_the_limit_and_counts(on_session, service, client):
    session = on_session()
    service.answers = [(429, {"Retry-After": "1"}, b"{}")]
    client.get(service.url)
    pid = os.fork()
    if not pid:
        status = 1
        try:
            keystone_session.Session().get(service.url)
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0

    assert counted(session).requests == 3


def test_a_file_of_the_program_with_our_descriptor_is_not_touched(on_session, service, client, tmp_path):
    """As in a daemon, which closes all files that it finds open."""
    session = on_session()
    client.get(service.url)
    with (tmp_path / "mine").open("wb") as mine:
        number = traffic._files[session.path].number
        os.dup2(mine.fileno(), number)
        client.get(service.url)
        os.close(number)
    assert (tmp_path / "mine").read_bytes() == b""
    client.get(service.url)
    assert counted(session).requests == 3
