# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rate limiters of this process, one for each project."""

from __future__ import annotations

import functools
import os
import threading

from ..rate_limit.limit import RateLimit
from ..rate_limit.limiter import RateLimiter
from ..rate_limit.project_key import ProjectKey
from ..store.session import OFF, LimitOptions, Session


class Limits:
    """A session's options for rate limits, and the limiters that follow them."""

    def __init__(self, session: Session, options: LimitOptions) -> None:
        self.session = session
        self.timeout = options.timeout
        self._rate = None if options.requests_per_second == OFF else RateLimit.parse(options.requests_per_second)
        self._limiters: dict[ProjectKey, RateLimiter] = {}
        self._lock = threading.Lock()

    def limiter(self, key: ProjectKey) -> RateLimiter | None:
        """None where the user wants no limiter."""
        if self._rate is None:
            return None
        with self._lock:
            if key not in self._limiters:
                self._limiters[key] = RateLimiter(key, self._rate, os.environ, timeout=self.timeout)
            return self._limiters[key]


@functools.lru_cache(maxsize=None)
def of_session(path: str) -> Limits:
    """The limits of a session, which are read once."""
    session = Session(path)
    return Limits(session, session.read_record().limits)


# A fork would share the locks on files with its parent, so it opens them itself.
os.register_at_fork(after_in_child=of_session.cache_clear)
