# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Limits, storms, revoked tokens and request counts, for which the stand-in exists."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
import typing as t
from email.utils import parsedate_to_datetime

import pytest
from ansible_collections.onetoken.openstack.tests.stand_in import running
from ansible_collections.onetoken.openstack.tests.stand_in.inside.messages import Request
from ansible_collections.onetoken.openstack.tests.stand_in.inside.settings import SettingError, Settings, Share
from ansible_collections.onetoken.openstack.tests.stand_in.inside.storm import Storm
from ansible_collections.onetoken.openstack.tests.stand_in.running import StandInError

pytestmark = pytest.mark.processes


def statuses_of(connection: t.Any, requests: int, path: str = "/limits") -> list[int]:
    return [connection.compute.get(path).status_code for _turn in range(requests)]


def first_throttled(connection: t.Any, requests: int) -> t.Any:
    """Send requests; the first answer that is throttled."""
    answers = [connection.compute.get("/limits") for _turn in range(requests)]
    return next(answer for answer in answers if answer.status_code in (413, 429))


@pytest.mark.parametrize(
    ("dialect", "status", "headers"),
    [
        ("none", 429, {}),
        ("retry-after", 429, {"Retry-After": "1"}),
        ("x-ratelimit-reset", 429, {"x-ratelimit-limit": "2", "x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}),
        ("x-retry-after", 429, {"X-RateLimit-Limit": "2r/s", "X-RateLimit-Reset": "1", "X-Retry-After": "1"}),
        ("413", 413, {"Retry-After": "1"}),
    ],
)
def test_requests_over_the_limit_are_throttled_in_the_dialect(
    start: t.Any, connect: t.Any, dialect: str, status: int, headers: dict[str, str]
) -> None:
    connection = connect(start(requests_per_second=2, dialect=dialect))

    answer = first_throttled(connection, 40)

    assert answer.status_code == status
    assert headers.items() <= dict(answer.headers).items()
    assert dialect != "none" or not [name for name in answer.headers if "retry" in name.lower()]


def test_retry_after_can_be_a_date(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(requests_per_second=2, dialect="retry-after-date"))
    before = time.time()

    answer = first_throttled(connection, 40)

    moment = parsedate_to_datetime(answer.headers["Retry-After"]).timestamp()
    assert before <= moment <= time.time() + 2


def test_each_service_has_a_limit_of_its_own(start: t.Any, connect: t.Any) -> None:
    cloud = start(requests_per_second=1)
    connection = connect(cloud)
    # Discovery counts, so it comes first.
    connection.compute.get_endpoint_data(), connection.image.get_endpoint_data()
    cloud.control(requests_per_second=1)

    statuses = [connection.compute.get("/limits").status_code, connection.image.get("/images").status_code]

    assert statuses == [200, 200]


def test_answers_can_show_what_is_left_of_the_limit(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(requests_per_second=100, rate_headers=True))

    answer = connection.compute.get("/limits")

    assert answer.headers["X-RateLimit-Limit"] == "100"
    assert answer.headers["X-RateLimit-Remaining"] == "99"
    assert answer.headers["X-RateLimit-Reset"] == "1"


def test_tokens_are_limited_per_minute(start: t.Any, connect: t.Any) -> None:
    from keystoneauth1 import exceptions

    cloud = start(token_requests_per_minute=1)
    connect(cloud).authorize()

    with pytest.raises(exceptions.HttpError) as caught:
        connect(cloud).session.get_token()

    assert caught.value.http_status == 429
    assert cloud.count("keystone", "POST", "/v3/auth/tokens", status=201) == 1
    cloud.control(token_requests_per_minute=0)
    assert connect(cloud).authorize()


def storm_of(seed: int, targets: t.Iterable[str], **shares: t.Any) -> dict[str, t.Any]:
    """What happens to a POST to each target."""
    converted: dict[str, t.Any] = {name: Share.of(value) for name, value in shares.items()}
    settings = dataclasses.replace(Settings(seed=seed), **converted)
    storm = Storm(settings)
    return {target: storm.trouble_for(Request("POST", target, {}, b"")) for target in targets}


def test_the_same_requests_get_the_same_errors_in_any_order() -> None:
    targets = [f"/v2.1/servers/{number}/action" for number in range(200)]
    shares = {"storm_429": 0.1, "storm_503": 0.2, "storm_cut": 0.1}

    once, backwards = storm_of(1, targets, **shares), storm_of(1, reversed(targets), **shares)
    other = storm_of(2, targets, **shares)

    assert once == backwards
    assert once != other


def test_a_storm_hits_about_its_share_and_half_of_the_writes_are_carried_out() -> None:
    targets = [f"/v2.1/servers/{number}/action" for number in range(5000)]

    troubles = list(storm_of(0, targets, storm_429=0.1, storm_503=0.2, storm_cut=0.1).values())

    kinds = [trouble.kind for trouble in troubles if trouble]
    assert kinds.count("429") == pytest.approx(500, rel=0.15)
    assert kinds.count("503") == pytest.approx(1000, rel=0.15)
    assert kinds.count("cut") == pytest.approx(500, rel=0.15)
    assert sum(trouble.carried_out for trouble in troubles if trouble) == pytest.approx(750, rel=0.15)
    assert not any(trouble.carried_out for trouble in troubles if trouble and trouble.kind == "429")


def test_every_third_hits_every_third_request(start: t.Any, connect: t.Any) -> None:
    cloud = start()
    connection = connect(cloud)
    connection.compute.get("/limits")
    cloud.control(storm_429="every third")

    assert statuses_of(connection, 7) == [200, 200, 429, 200, 200, 429, 200]
    assert cloud.state("storm")["storm"]["429"] == 2


def test_some_failed_writes_are_carried_out(start: t.Any, connect: t.Any) -> None:
    cloud = start(servers=20, storm_503=1)
    connection = connect(cloud)

    for server in cloud.state("servers")["servers"]:
        body = {"createImage": {"name": server["name"]}}
        assert connection.compute.post(f"/servers/{server['id']}/action", json=body).status_code == 503

    images = cloud.state("images")["images"]
    carried_out = cloud.state("storm")["storm"]["carried_out"]
    assert 0 < carried_out < 20
    # One more is the image that the servers booted from.
    assert len(images) == carried_out + 1


def test_a_connection_closed_without_an_answer_is_logged(start: t.Any, connect: t.Any) -> None:
    from keystoneauth1 import exceptions

    cloud = start(storm_cut="every second")
    connection = connect(cloud)
    assert connection.compute.get("/limits").status_code == 200

    with pytest.raises(exceptions.ConnectFailure):
        # openstacksdk would repeat it.
        connection.compute.get("/limits", connect_retries=0)

    assert cloud.count("nova", status=444) == 1
    assert connection.compute.get("/limits").status_code == 200


def test_storms_spare_keystone_by_default(start: t.Any, connect: t.Any) -> None:
    from keystoneauth1 import exceptions

    cloud = start(storm_503=1)
    assert connect(cloud).authorize()
    cloud.control(storm_keystone=True)

    with pytest.raises(exceptions.HttpError) as caught:
        connect(cloud).session.get_token()

    assert caught.value.http_status == 503


def test_a_revoked_token_is_refused_and_signing_in_again_works(start: t.Any, connect: t.Any) -> None:
    cloud = start(servers=1)
    connection = connect(cloud)
    assert statuses_of(connection, 1, "/servers/detail") == [200]
    headers = {"X-Auth-Token": connection.session.get_token()}

    assert cloud.revoke_tokens() == 1
    refused = connection.session.get(
        f"{cloud.urls['nova']}/v2.1/limits", headers=headers, authenticated=False, raise_exc=False
    )

    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == f'Keystone uri="{cloud.urls["keystone"]}"'
    # keystoneauth signs in again by itself.
    assert statuses_of(connection, 1, "/servers/detail") == [200]
    assert cloud.count("nova", status=401) == 2
    assert [token["live"] for token in cloud.state("tokens")["tokens"]] == [False, True]


def test_revoking_a_token_revokes_those_exchanged_for_it(start: t.Any, connect: t.Any) -> None:
    cloud = start()
    connection = connect(cloud)
    url = f"{cloud.urls['keystone']}/v3/auth/tokens"
    token = connection.session.get_token()
    body = {"auth": {"identity": {"methods": ["token"], "token": {"id": token}}}}
    child = connection.session.post(url, json=body, authenticated=False).headers["X-Subject-Token"]

    def ask(method: str, subject: str) -> int:
        headers = {"X-Auth-Token": subject, "X-Subject-Token": subject}
        return connection.session.request(
            url, method, headers=headers, authenticated=False, raise_exc=False
        ).status_code

    assert [ask("GET", token), ask("GET", child)] == [200, 200]
    assert ask("DELETE", token) == 204
    assert [ask("GET", token), ask("GET", child)] == [401, 401]


def test_a_token_expires_as_set(start: t.Any, connect: t.Any) -> None:
    connection = connect(start(token_seconds=0))

    assert connection.session.get(connection.compute.get_endpoint() + "/limits", raise_exc=False).status_code == 401


def test_a_wrong_password_is_refused(start: t.Any, connect: t.Any) -> None:
    connection = connect(start())
    connection.config.config["auth"]["password"] = "wrong"

    assert (
        connection.session.post(
            f"{connection.config.config['auth']['auth_url']}/auth/tokens",
            json={"auth": {"identity": {"methods": ["password"], "password": {"user": {"name": "demo"}}}}},
            authenticated=False,
            raise_exc=False,
        ).status_code
        == 401
    )


def test_the_counts_match_what_was_sent(start: t.Any, connect: t.Any) -> None:
    cloud = start(servers=5, requests_per_second=10)
    connection = connect(cloud)
    sent = []
    for server in cloud.state("servers")["servers"]:
        for _turn in range(6):
            body = {"createImage": {"name": "x"}}
            sent.append(connection.compute.post(f"/servers/{server['id']}/action", json=body).status_code)

    assert cloud.count("nova", "POST", "/servers/[^/]+/action$") == 30
    assert cloud.count("nova", "POST", status=429) == sent.count(429) > 0
    assert cloud.count("nova", "POST", status=202) == sent.count(202)
    assert cloud.count("keystone", "POST") == 1
    assert len(cloud.state("images")["images"]) == 1 + sent.count(202)
    cloud.forget_requests()
    assert cloud.count("nova") == 0


def test_the_log_has_the_sandboxs_format(start: t.Any, connect: t.Any) -> None:
    cloud = start()
    connect(cloud).compute.get("/limits", params={"reserved": "1"})
    cloud.ask("/control/flush")

    line = (cloud.directory / "nova.access.log").read_text(encoding="utf-8").splitlines()[-1]

    assert line.startswith("127.0.0.1 - - [")
    assert '+0000] "GET /v2.1/limits?reserved=1 HTTP/1.1" 200 ' in line
    assert line.endswith('"') and "openstacksdk/" in line


def test_equal_seeds_make_equal_clouds(start: t.Any) -> None:
    ids = [[server["id"] for server in start(servers=3, seed=seed).state("servers")["servers"]] for seed in (7, 7, 8)]

    assert ids[0] == ids[1]
    assert not set(ids[0]) & set(ids[2])


def test_invalid_settings_are_refused_and_change_nothing(start: t.Any) -> None:
    cloud = start(servers=1)

    for settings in ({"servers": 2}, {"dialect": "latin"}, {"latency": 1, "storm_503": 2}, {"colour": "red"}):
        with pytest.raises(StandInError):
            cloud.control(**settings)

    assert cloud.control() == cloud.ask("/control")
    assert cloud.ask("/control")["latency"] == 0


@pytest.mark.parametrize(("text", "every"), [("every third", 3), ("every 4", 4), ("0.5", 0), ("0", 0)])
def test_a_share_is_a_fraction_or_a_count(text: str, every: int) -> None:
    assert Share.of(text).every == every


@pytest.mark.parametrize("text", ["often", "1.5", "-1", "every 0", "every other"])
def test_an_invalid_share_is_refused(text: str) -> None:
    with pytest.raises(SettingError):
        Share.of(text)


def test_it_ends_with_the_process_that_started_it(tmp_path: t.Any) -> None:
    code = (
        "import sys, time; sys.path.insert(0, sys.argv[1]); from running import StandIn\n"
        "cloud = StandIn(sys.argv[2]); cloud.start(); print(cloud.process.pid, flush=True); time.sleep(600)"
    )
    command = [sys.executable, "-c", code, os.path.dirname(running.__file__), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout
        pid = int(starter.stdout.readline())
        stand_in = os.pidfd_open(pid)
        starter.send_signal(signal.SIGKILL)

    # Readable once the process has ended.
    import select

    assert select.select([stand_in], [], [], 30)[0]
    os.close(stand_in)
