# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a watcher is doing, as seen from outside."""

from __future__ import annotations

import array
import fcntl
import os
import termios

from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke.watcher_client import Watcher
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import Session


def is_on_watch(session: Session, name: str) -> bool:
    """Whether the watcher holds the lock on its run's file, from which on no signal ends it."""
    with open(os.path.join(session.path, "owners", name), encoding="utf-8") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def has_read_its_order(watcher: Watcher) -> bool:
    assert watcher.process.stdin is not None
    waiting = array.array("i", [0])
    fcntl.ioctl(watcher.process.stdin, termios.FIONREAD, waiting)
    return waiting[0] == 0
