# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that never answers: its clients wait."""

from __future__ import annotations

import contextlib
import select
import socket
import typing as t


class SilentService:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self.port: int = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def is_asked(self) -> bool:
        """Whether a client has connected, even if it is gone by now."""
        return bool(select.select([self._listener], [], [], 0)[0])


@contextlib.contextmanager
def silent_service() -> t.Iterator[SilentService]:
    """Listen on a free port of 127.0.0.1: the system accepts connections, and nobody reads from them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield SilentService(listener)
