# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limit import USED_SHARE, RateLimit
from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.limiter import RateLimiter
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import boot
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.fake_time import FakeTime
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.rate_limit.sent_requests import (
    PROJECT,
    gaps,
    most_in_a_second,
    send,
    throttle,
)


class TestUnusableFiles:
    def file(self, environ, service="compute"):
        return os.path.join(
            environ["XDG_STATE_HOME"], "onetoken", ".rate-limits", PROJECT.file_name(f"requests {service}")
        )

    def test_the_state_is_private(self, limiter, fake, environ):
        send(limiter("20"), fake, 1)

        assert os.stat(self.file(environ)).st_mode & 0o777 == 0o600
        assert os.stat(os.path.dirname(self.file(environ))).st_mode & 0o777 == 0o700

    @pytest.mark.parametrize("content", [b"", b"x", b"\0" * 72, os.urandom(72), b"x" * 10_000], ids=len)
    def test_a_damaged_one_is_replaced(self, limiter, fake, environ, content):
        send(limiter("20"), fake, 1)
        with open(self.file(environ), "wb") as stream:
            stream.write(content)
        one = limiter("20")

        assert gaps(send(one, fake, 3)) == pytest.approx([1 / (20 * USED_SHARE)] * 2, abs=0.02)
        assert send(limiter("20"), fake, 1)[0] > fake.clock() - 0.1

    def test_one_bit_that_changed_is_damage(self, limiter, fake, environ):
        throttle(limiter("20"), fake, {"Retry-After": "100"})
        with open(self.file(environ), "r+b") as stream:
            stream.seek(33)
            byte = stream.read(1)
            stream.seek(33)
            stream.write(bytes([byte[0] ^ 1]))

        assert limiter("20").holding("compute") == 0

    def test_one_of_a_clock_that_was_ahead_does_not_block(self, limiter, fake, environ):
        early = FakeTime()
        fake.sleep(1_000_000)
        throttle(limiter("20"), fake, {"Retry-After": "100"})
        one = RateLimiter(PROJECT, RateLimit.parse("20"), environ, early.clock, early.sleep, early.wall_clock)

        assert one.take("compute", 1)

    def test_one_of_an_earlier_boot_does_not_block(self, limiter, fake, monkeypatch):
        other = limiter("20")
        monkeypatch.setattr(boot, "identifier", lambda: "the boot before")
        one = limiter("20")
        throttle(one, fake, {"Retry-After": "100"})

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

        assert most_in_a_second(send(one, fake, 60)) <= 20
        throttle(one, fake, {"Retry-After": "7"})
        assert one.holding() >= 6.9
        assert other.holding("compute") == 0

    def test_a_disk_that_fails_meanwhile_fails_nothing(self, limiter, fake, monkeypatch):
        one = limiter("20")
        send(one, fake, 2)

        def fail(*_arguments):
            raise OSError(5, "Input/output error")

        for name in ("pread", "pwrite"):
            monkeypatch.setattr(f"os.{name}", fail)
        assert most_in_a_second(send(one, fake, 60)) <= 20
