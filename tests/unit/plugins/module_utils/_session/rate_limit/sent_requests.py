# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that a test sends through a rate limiter, in fake time."""

from __future__ import annotations

import itertools

from ansible_collections.onetoken.openstack.plugins.module_utils._session.rate_limit.project_key import ProjectKey

FOREVER = 1e9
PROJECT = ProjectKey("https://cloud.example/v3", "p1", "RegionOne")


def send(limiter, fake, count, service="compute"):
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


def throttle(limiter, fake, headers=None, service="compute"):
    """A request is sent, and throttled a moment later."""
    assert limiter.take(service, FOREVER)
    sent_at = fake.clock()
    fake.sleep(0.001)
    limiter.throttled(service, headers or {}, sent_at)
