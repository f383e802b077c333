# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import email.utils
import itertools
import os
import threading

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit import limiter as limiter_module
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import PACED, RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.schedule import (
    BACK_OFF,
    BACK_OFF_OF_SET,
    FIRST_HOLD,
    FIRST_RATE,
    KEPT,
    LONGEST_ASKED,
    LONGEST_HOLD,
    PROBE,
    SPREAD,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import ConfigurationError
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime

FOREVER = 1e9
PROJECT = ProjectKey("https://cloud.example/v3", "p1", "RegionOne")


@pytest.fixture
def fake():
    return FakeTime()


@pytest.fixture
def limiter(environ, fake):
    """Make a limiter; each has its own state, and shares the files with the others, as in several processes."""

    def make(rate="auto", key=PROJECT):
        return RateLimiter(key, RateLimit.parse(rate), environ, fake.clock, fake.sleep, fake.wall_clock)

    return make


def moments(limiter, fake, count, service="compute"):
    """When so many requests are sent, one as soon as it may be after the other."""
    sent = []
    for _turn in range(count):
        assert limiter.take(service, FOREVER)
        sent.append(fake.clock())
    return sent


def gaps(sent):
    return [later - earlier for earlier, later in itertools.pairwise(sent)]


def most_in_a_second(sent):
    return max(sum(start <= moment < start + 1 for moment in sent) for start in sent)


def refuse(limiter, fake, headers=None, service="compute"):
    """A request is sent, and refused a moment later."""
    assert limiter.take(service, FOREVER)
    sent_at = fake.clock()
    fake.sleep(0.001)
    limiter.refused(service, headers or {}, sent_at)


class TestRateLimit:
    @pytest.mark.parametrize("option", [20, 20.0, "20", " 20 ", "2e1"], ids=repr)
    def test_a_number_is_for_each_service(self, option):
        assert RateLimit.parse(option).most("compute") == pytest.approx(20 * PACED)
        assert RateLimit.parse(option).most("identity") == pytest.approx(20 * PACED)

    @pytest.mark.parametrize("option", ["auto", "AUTO", " auto"])
    def test_auto_has_no_number(self, option):
        assert RateLimit.parse(option).most("compute") is None

    def test_a_cloud_s_name_stands_for_its_limits(self):
        assert RateLimit.parse("ovhcloud").most("image") == pytest.approx(20 * PACED)
        assert RateLimit.parse("ovhcloud").most("identity") == pytest.approx(1 * PACED)
        assert RateLimit.parse("rackspace").most("compute") == pytest.approx(100 / 60 * PACED)

    def test_the_slices_of_a_job_share_it_evenly(self):
        share = RateLimit.parse("ovhcloud").share(4)
        assert share.most("image") == pytest.approx(5 * PACED)
        assert share.most("identity") == pytest.approx(0.25 * PACED)
        assert RateLimit.parse("auto").share(4).most("image") is None
        assert RateLimit.parse("auto").share(4).first_rate == FIRST_RATE / 4

    @pytest.mark.parametrize(
        "option",
        [0, -1, "0", "-3", "nan", "inf", "-inf", True, False, None, "", "fast", "20/s", [], 10**400, 0.001],
        ids=repr,
    )
    def test_what_is_no_rate_is_refused_with_the_names_that_are_known(self, option):
        with pytest.raises(ConfigurationError, match="auto, ovhcloud, rackspace"):
            RateLimit.parse(option)


class TestSetRate:
    def test_requests_are_sent_evenly(self, limiter, fake):
        sent = moments(limiter("20"), fake, 100)

        assert sent[0] == 0
        assert max(gaps(sent)) < 1.05 / (20 * PACED)
        assert sent[-1] == pytest.approx(99 / (20 * PACED), abs=0.02)

    @pytest.mark.parametrize("number", [1, 5, 20, 200])
    def test_no_second_has_more_than_the_number(self, limiter, fake, number):
        """Not even when each request takes a little longer or shorter to the cloud, which counts them there."""
        sent = moments(limiter(number), fake, number * 5)
        jitter = itertools.cycle([0.0, 0.015, 0.005])

        assert most_in_a_second([moment + delay for moment, delay in zip(sent, jitter, strict=False)]) <= number

    def test_idle_time_is_no_credit(self, limiter, fake):
        one = limiter("20")
        moments(one, fake, 3)
        fake.sleep(60)

        assert most_in_a_second(moments(one, fake, 60)) <= 20

    def test_a_thread_that_wakes_late_does_not_lower_the_rate(self, limiter, fake, monkeypatch):
        punctual = fake.sleep
        one = limiter("20")
        one._sleep = lambda seconds: punctual(seconds + 0.005)

        assert moments(one, fake, 101)[-1] == pytest.approx(100 / (20 * PACED), rel=0.005)

    def test_services_do_not_wait_for_each_other(self, limiter, fake):
        one = limiter("1")
        assert moments(one, fake, 1) == moments(one, fake, 1, "image") == moments(one, fake, 1, "block_storage") == [0]

    def test_a_service_has_the_rate_of_its_own(self, limiter, fake):
        one = limiter("ovhcloud")

        assert one.rate("compute") == pytest.approx(20 * PACED)
        assert one.rate("identity") == pytest.approx(PACED)
        assert moments(one, fake, 3, "identity")[-1] > 2


class TestSharing:
    def test_two_processes_send_no_more_than_one(self, limiter, fake):
        pair = [limiter("20"), limiter("20")]
        sent = [moments(pair[number % 2], fake, 1)[0] for number in range(100)]

        assert most_in_a_second(sent) <= 20

    @pytest.mark.parametrize(
        "other",
        [
            ProjectKey("https://other.example/v3", "p1", "RegionOne"),
            ProjectKey("https://cloud.example/v3", "p2", "RegionOne"),
            ProjectKey("https://cloud.example/v3", "p1", "RegionTwo"),
            ProjectKey("https://cloud.example/v3", None, None),
        ],
        ids=str,
    )
    def test_another_project_is_counted_by_itself(self, limiter, fake, other):
        assert moments(limiter("1"), fake, 1) == moments(limiter("1", other), fake, 1)

    @pytest.mark.parametrize(
        "auth_url", ["https://cloud.example/v3/", "https://cloud.example", "https://cloud.example/"]
    )
    def test_one_keystone_is_one_cloud_however_it_is_written(self, limiter, fake, auth_url):
        first = moments(limiter("1"), fake, 1)
        assert moments(limiter("1", ProjectKey(auth_url, "p1", "RegionOne")), fake, 1)[0] > first[0] + 1

    def test_a_refusal_of_one_holds_the_others(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        refuse(one, fake, {"Retry-After": "7"})

        assert 7 <= other.holding("compute") <= 7 + SPREAD
        assert moments(other, fake, 1)[0] >= 7

    def test_what_auto_learnt_is_known_to_the_next_process(self, limiter, fake):
        one = limiter()
        moments(one, fake, 40)
        refuse(one, fake)

        assert limiter().rate("compute") == one.rate("compute") != FIRST_RATE

    def test_it_is_forgotten_when_no_one_sent_for_long(self, limiter, fake):
        moments(limiter(), fake, 40)
        assert limiter().rate("compute") > 2 * FIRST_RATE

        fake.sleep(KEPT + 1)
        assert limiter().rate("compute") == FIRST_RATE

    def test_a_hold_is_not_forgotten_however_long_it_is(self, limiter, fake):
        refuse(limiter(), fake, {"Retry-After": str(2 * KEPT)})
        fake.sleep(KEPT + 1)

        assert limiter().holding("compute") > KEPT / 2


class TestSlices:
    """Wherever the slices of a job run, on one machine or on several, each keeps to its share by itself."""

    @pytest.fixture
    def a_slice(self, fake):
        def make(pace, slices):
            share = RateLimit.parse(pace).share(slices)
            return RateLimiter(PROJECT, share, None, fake.clock, fake.sleep, fake.wall_clock)

        return make

    def test_on_one_machine_they_send_the_whole_rate_together_and_no_more(self, a_slice, fake):
        slices, sent = [a_slice("20", 4) for _number in range(4)], []
        for _turn in range(25):
            for one in slices:
                assert one.take("compute", FOREVER)
                sent.append(fake.clock())
        assert 19 < len(sent) / (sent[-1] - sent[0]) < 20.5
        assert all(later - earlier > 1 for earlier, later in zip(sent, sent[20:], strict=False))

    def test_auto_begins_with_a_share(self, a_slice):
        assert a_slice("auto", 5).rate("compute") == FIRST_RATE / 5

    def test_a_slice_leaves_no_file_and_reads_none(self, a_slice, limiter, fake, environ):
        assert limiter("0.5").take("compute", FOREVER)
        before = sorted(os.listdir(os.path.join(environ["XDG_STATE_HOME"], "onetoken", ".rate-limits")))
        assert a_slice("20", 4).take("compute", fake.clock())
        assert sorted(os.listdir(os.path.join(environ["XDG_STATE_HOME"], "onetoken", ".rate-limits"))) == before


class TestFilesThatAreOfNoUse:
    def file(self, environ, service="compute"):
        return os.path.join(
            environ["XDG_STATE_HOME"], "onetoken", ".rate-limits", PROJECT.file_name(f"requests {service}")
        )

    def test_the_state_is_private(self, limiter, fake, environ):
        moments(limiter("20"), fake, 1)

        assert os.stat(self.file(environ)).st_mode & 0o777 == 0o600
        assert os.stat(os.path.dirname(self.file(environ))).st_mode & 0o777 == 0o700

    @pytest.mark.parametrize("content", [b"", b"x", b"\0" * 72, os.urandom(72), b"x" * 10_000], ids=len)
    def test_a_damaged_one_is_begun_anew(self, limiter, fake, environ, content):
        moments(limiter("20"), fake, 1)
        with open(self.file(environ), "wb") as stream:
            stream.write(content)
        one = limiter("20")

        assert gaps(moments(one, fake, 3)) == pytest.approx([1 / (20 * PACED)] * 2, abs=0.02)
        assert moments(limiter("20"), fake, 1)[0] > fake.clock() - 0.1

    def test_one_bit_that_changed_is_damage(self, limiter, fake, environ):
        refuse(limiter("20"), fake, {"Retry-After": "100"})
        with open(self.file(environ), "r+b") as stream:
            stream.seek(33)
            byte = stream.read(1)
            stream.seek(33)
            stream.write(bytes([byte[0] ^ 1]))

        assert limiter("20").holding("compute") == 0

    def test_one_of_a_clock_that_was_ahead_does_not_block(self, limiter, fake, environ):
        early = FakeTime()
        fake.sleep(1_000_000)
        refuse(limiter("20"), fake, {"Retry-After": "100"})
        one = RateLimiter(PROJECT, RateLimit.parse("20"), environ, early.clock, early.sleep, early.wall_clock)

        assert one.take("compute", 1)

    def test_one_of_an_earlier_boot_does_not_block(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        one._boot = "the boot before"
        refuse(one, fake, {"Retry-After": "100"})

        assert one.holding() > 99
        assert other.holding("compute") == 0

    @pytest.mark.parametrize("way", ["a file where the folder should be", "a folder that others can read", "a link"])
    def test_without_one_a_process_limits_itself_alone(self, limiter, fake, environ, way):
        base = os.path.join(environ["XDG_STATE_HOME"], "onetoken")
        os.mkdir(base, 0o700)
        folder = os.path.join(base, ".rate-limits")
        if way == "a link":
            os.symlink(environ["XDG_STATE_HOME"], folder)
        elif way.startswith("a folder"):
            os.mkdir(folder)
            os.chmod(folder, 0o755)
        else:
            open(folder, "w").close()
        one, other = limiter("20"), limiter("20")

        assert most_in_a_second(moments(one, fake, 60)) <= 20
        refuse(one, fake, {"Retry-After": "7"})
        assert one.holding() >= 6.9
        assert other.holding("compute") == 0

    def test_a_disk_that_fails_in_the_middle_fails_nothing(self, limiter, fake, monkeypatch):
        one = limiter("20")
        moments(one, fake, 2)

        def fail(*_arguments):
            raise OSError(5, "Input/output error")

        for name in ("pread", "pwrite"):
            monkeypatch.setattr(f"os.{name}", fail)
        assert most_in_a_second(moments(one, fake, 60)) <= 20


class TestAuto:
    def test_it_starts_low(self, limiter, fake):
        assert limiter().rate("compute") == FIRST_RATE
        assert gaps(moments(limiter(), fake, 2)) == [pytest.approx(1 / FIRST_RATE, rel=0.2)]

    def test_it_doubles_each_second_while_nothing_is_refused(self, limiter, fake):
        one = limiter()
        rates = []
        for second in range(1, 5):
            while fake.clock() < second:
                moments(one, fake, 1)
            rates.append(one.rate("compute"))

        assert rates == pytest.approx([FIRST_RATE * 2**second for second in range(1, 5)], rel=0.2)

    def test_it_does_not_speed_up_for_who_sends_seldom(self, limiter, fake):
        one = limiter()
        for _turn in range(100):
            moments(one, fake, 1)
            fake.sleep(1)

        assert one.rate("compute") == FIRST_RATE

    def test_a_refusal_slows_it_down(self, limiter, fake):
        one = limiter()
        moments(one, fake, 40)
        before = one.rate("compute")
        refuse(one, fake)

        assert one.rate("compute") == pytest.approx(before * BACK_OFF, rel=0.1)

    def test_afterwards_it_comes_near_what_was_refused_and_stays_below_for_a_while(self, limiter, fake):
        one = limiter()
        moments(one, fake, 100)
        refuse(one, fake, {"Retry-After": "1"})
        refused = one.rate("compute") / BACK_OFF
        rates = []
        end = fake.clock() + 6
        while fake.clock() < end:
            moments(one, fake, 1)
            rates.append(one.rate("compute"))

        assert rates == sorted(rates)
        assert rates[5] < 0.8 * refused
        assert 0.9 * refused < rates[-1] < refused

    def test_and_beyond_when_that_holds(self, limiter, fake):
        """Somebody else's work may have been what took the limit."""
        one = limiter()
        refuse(one, fake)
        while fake.clock() < 120:
            moments(one, fake, 1)

        assert one.rate("compute") > 3 * FIRST_RATE

    def test_a_burst_of_refusals_counts_once(self, limiter, fake):
        one, other = limiter(), limiter()
        sent = moments(one, fake, 10)
        for moment in sent:
            one.refused("compute", {}, moment)
            other.refused("compute", {}, moment)

        assert one.rate("compute") > FIRST_RATE * BACK_OFF
        assert one.holding() <= FIRST_HOLD * 1.5
        assert len(one.refusals) == 10

    def test_a_refusal_counts_although_nothing_was_sent_for_long(self, limiter, fake):
        one = limiter()
        one.refused("compute", {}, fake.clock())
        fake.sleep(5)

        assert one.limits("compute")
        # No rate was tried yet that could have been too high.
        assert one.rate("compute") == FIRST_RATE

    def test_a_cloud_without_limits_is_sent_no_more_than_can_be(self, limiter, fake):
        one = limiter()
        moments(one, fake, 4000)

        assert one.rate("compute") == 1000

    def test_refusals_without_end_leave_a_rate(self, limiter, fake):
        one = limiter()
        for _turn in range(100):
            refuse(one, fake, {"Retry-After": "1"})

        assert one.rate("compute") > 0.4

    def test_it_finds_the_limit_of_a_cloud(self, limiter, fake):
        """20 in any second: most of it gets through, little is refused."""
        one = limiter()
        let_through, refusals = [], 0
        while fake.clock() < 60:
            sent = moments(one, fake, 1)[0]
            if sum(moment > sent - 1 for moment in let_through[-20:]) < 20:
                let_through.append(sent)
                one.answered("compute", {}, fake.clock())
            else:
                refusals += 1
                one.refused("compute", {}, sent)

        assert len(let_through) > 0.8 * 20 * 60
        assert refusals < 30


class TestRefusals:
    @pytest.mark.parametrize(
        "headers",
        [
            {"Retry-After": "7"},
            {"retry-after": "7"},
            {"X-Retry-After": "7"},
            {"X-RateLimit-Reset": "7"},
            {"X-RateLimit-Reset": str(1_800_000_007)},
            {"Retry-After": email.utils.formatdate(1_800_000_007, usegmt=True)},
        ],
        ids=str,
    )
    def test_the_service_is_held_for_as_long_as_it_asks(self, limiter, fake, headers):
        one = limiter("20")
        refuse(one, fake, headers)

        assert 6.99 <= one.holding("compute") <= 7.01 + SPREAD
        assert one.holding() == one.holding("compute")
        assert one.holding("image") == 0
        assert 7 <= moments(one, fake, 1)[0] <= 7.3 + SPREAD
        assert one.holding() == 0

    def test_another_service_goes_on(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "7"})

        assert moments(one, fake, 1, "image")[0] < 1

    @pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}, {"Retry-After": "soon"}], ids=str)
    def test_without_a_word_it_is_held_longer_each_time(self, limiter, fake, headers):
        one = limiter("20")
        holds = []
        for _turn in range(12):
            refuse(one, fake, headers)
            holds.append(one.holding())

        for turn, hold in enumerate(holds):
            least = min(LONGEST_HOLD, FIRST_HOLD * 2**turn)
            assert least * 0.99 <= hold <= min(LONGEST_HOLD, least * 1.5) * 1.001
        assert holds[-1] == pytest.approx(LONGEST_HOLD)

    def test_a_success_ends_the_row(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        for _turn in range(5):
            refuse(one, fake)
        moments(other, fake, 1)
        other.answered("compute", {}, fake.clock())
        refuse(one, fake)

        assert one.holding() <= FIRST_HOLD * 1.5

    def test_a_success_that_was_sent_before_the_refusal_does_not(self, limiter, fake):
        one = limiter("20")
        for _turn in range(5):
            sent_at = fake.clock()
            refuse(one, fake)
            one.answered("compute", {}, sent_at)

        assert one.holding() > FIRST_HOLD * 8

    def test_a_later_word_of_the_same_burst_can_make_the_hold_longer_but_not_shorter(self, limiter, fake):
        one = limiter("20")
        sent = moments(one, fake, 3)
        one.refused("compute", {"Retry-After": "7"}, sent[0])
        one.refused("compute", {"Retry-After": "3"}, sent[1])
        assert one.holding() >= 7

        one.refused("compute", {"Retry-After": "9"}, sent[2])
        assert one.holding() >= 9

    def test_no_service_is_believed_without_bound(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "1e300"})

        assert one.holding() <= LONGEST_ASKED + SPREAD

    def test_an_absurd_word_holds_another_process_no_longer_than_until_a_probe(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        refuse(one, fake, {"Retry-After": "1e9"})
        moments(other, fake, 1)

        assert fake.clock() <= PROBE + 1
        other.answered("compute", {}, fake.clock())
        assert one.holding() == 0
        assert moments(other, fake, 20)[-1] <= PROBE + 3

    def test_while_a_service_goes_on_refusing_only_probes_are_sent(self, limiter, fake):
        pair = [limiter("20"), limiter("20")]
        refuse(pair[0], fake, {"Retry-After": "600"})
        rate, sent = pair[0].rate("compute"), []
        for number in range(9):
            sent += moments(pair[number % 2], fake, 1)
            pair[number % 2].refused("compute", {"Retry-After": str(600 - fake.clock())}, fake.clock())

        assert min(gaps(sent)) >= PROBE
        assert pair[0].rate("compute") == rate

    def test_a_probe_that_is_not_answered_yet_holds_the_others(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "600"})

        assert min(gaps(moments(one, fake, 5))) >= PROBE

    def test_a_short_run_finds_out_within_its_own_time(self, environ, fake):
        one = RateLimiter(PROJECT, RateLimit.parse("20"), environ, fake.clock, fake.sleep, fake.wall_clock, timeout=15)
        refuse(one, fake, {"Retry-After": "1e9"})

        assert one.take("compute", 15)
        assert fake.clock() < 10

    def test_machines_that_were_told_the_same_do_not_come_back_in_the_same_moment(self, limiter, fake):
        holds = set()
        for project in range(20):
            one = limiter("20", ProjectKey("https://cloud.example", str(project), None))
            refuse(one, fake, {"Retry-After": "7"})
            holds.add(round(one.holding(), 6))

        assert len(holds) > 10

    def test_after_a_hold_requests_are_spaced_too(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "7"})

        assert most_in_a_second(moments(one, fake, 60)) <= 20

    def test_a_set_rate_comes_back(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "1"})
        assert one.rate("compute") == pytest.approx(20 * PACED * BACK_OFF_OF_SET)

        moments(one, fake, 100)
        assert one.rate("compute") > 0.9 * 20 * PACED
        moments(one, fake, 1000)
        assert one.rate("compute") == pytest.approx(20 * PACED)

    def test_each_is_on_the_record(self, limiter, fake):
        one = limiter("20")
        fake.sleep(3)
        one.refused("compute", {}, 2.5)
        fake.sleep(1)
        one.refused("image", {}, 3.5)

        assert one.refusals == [("compute", 3), ("image", 4)]


class TestRefusalsForAnotherReason:
    """A service that refuses whatever the rate: waiting longer and longer would end it all."""

    @pytest.mark.parametrize("pace, slowest", [("20", 20 * PACED / 4), ("auto", 2.0)])
    def test_a_rate_does_not_fall_without_end(self, limiter, fake, pace, slowest):
        paced = limiter(pace)
        for _refusal in range(100):
            refuse(paced, fake)
            assert paced.take("compute", FOREVER)
            paced.answered("compute", {}, fake.clock())
            assert paced.rate("compute") >= slowest - 0.001


class TestUsedUp:
    def test_a_success_that_was_the_last_one_holds_the_service(self, limiter, fake):
        one, other = limiter("20"), limiter("20")
        one.answered("compute", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "5"}, fake.clock())

        assert moments(other, fake, 1)[0] >= 5
        assert other.rate("compute") == pytest.approx(20 * PACED)
        assert one.refusals == []

    def test_one_that_was_not_holds_nothing(self, limiter, fake):
        one = limiter("20")
        one.answered("compute", {"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "5"}, fake.clock())

        assert one.holding() == 0


class TestDeadline:
    def test_a_turn_that_would_be_too_late_is_not_waited_for(self, limiter, fake):
        one = limiter("1")
        moments(one, fake, 1)

        assert not one.take("compute", 0.5)
        assert fake.clock() == 0

    def test_nor_a_hold(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "100"})
        before = fake.clock()

        assert not one.take("compute", 50)
        assert fake.clock() == before

    def test_nothing_is_sent_after_it(self, limiter, fake):
        one = limiter("1")
        fake.sleep(10)

        assert not one.take("compute", 9.9)
        assert moments(one, fake, 1) == [10]

    def test_nothing_stays_reserved(self, limiter, fake):
        one = limiter("1")
        moments(one, fake, 1)
        for _turn in range(10):
            assert not one.take("compute", 0.5)

        assert moments(one, fake, 1)[0] < 1.1


class TestGivingUp:
    def test_who_gave_up_before_sends_nothing(self, limiter, fake):
        one = limiter("1")

        assert not one.take("compute", FOREVER, lambda: True)
        assert moments(one, fake, 1) == [0]

    def test_a_wait_is_given_up_soon(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "100"})

        assert not one.take("compute", FOREVER, lambda: fake.clock() > 5)
        assert 5 < fake.clock() < 5.3

    def test_who_goes_on_waits_no_shorter_for_being_asked(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "3"})

        assert one.take("compute", FOREVER, lambda: False)
        assert 3 <= fake.clock() <= 3.2 + SPREAD

    def test_a_thread_behind_another_gives_up_too(self, environ):
        one = RateLimiter(PROJECT, RateLimit.parse("20"), environ)
        ended = threading.Event()
        one.refused("compute", {"Retry-After": "1000"}, limiter_module.time.monotonic())
        first = threading.Thread(target=one.take, args=("compute", 1e12, ended.is_set))
        first.start()
        while not one._line("compute").head.locked():
            pass
        asked = []

        assert not one.take("compute", 1e12, lambda: asked.append(1) or len(asked) > 1)
        assert not one.take("compute", limiter_module.time.monotonic() + 0.01)
        ended.set()
        first.join()
        assert not one._line("compute").head.locked()


class TestThrottledSeconds:
    def test_it_is_the_wait_for_a_hold(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "7"})
        assert one.throttled_seconds == 0

        moments(one, fake, 1)
        assert 7 <= one.throttled_seconds <= 7.1 + SPREAD

    def test_waiting_for_the_rate_is_none(self, limiter, fake):
        one = limiter("20")
        moments(one, fake, 100)

        assert one.throttled_seconds == 0

    def test_a_hold_that_nobody_waited_for_is_none(self, limiter, fake):
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "7"})
        fake.sleep(8)
        moments(one, fake, 1)

        assert one.throttled_seconds == 0

    def test_threads_that_wait_at_the_same_time_are_counted_once(self, limiter, fake):
        """Two services are held: the wait for the second begins while the one for the first goes on."""
        one = limiter("20")
        refuse(one, fake, {"Retry-After": "7"}, "image")
        refuse(one, fake, {"Retry-After": "7"}, "compute")
        plain = fake.sleep

        def sleep(seconds):
            one._sleep = plain
            moments(one, fake, 1, "image")
            assert one.throttled_seconds == pytest.approx(fake.clock(), abs=0.01)

        one._sleep = sleep
        moments(one, fake, 1, "compute")
        assert one.throttled_seconds == pytest.approx(fake.clock(), abs=0.1)
