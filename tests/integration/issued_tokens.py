# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Keystone knows of the tokens that it issued."""

from __future__ import annotations

import pathlib
import urllib.error
import urllib.request

from ansible_collections.onetoken.openstack.tests.helpers.access_log import AGENT


class IssuedTokens:
    """Every token that Keystone gave to a client since a moment, from its own list and not from any session."""

    def __init__(self, path: pathlib.Path, auth_url: str) -> None:
        self._path = path
        self._auth_url = auth_url
        self.forget()

    def forget(self) -> None:
        """From now on, only tokens that are issued later."""
        self._start = self._path.stat().st_size if self._path.exists() else 0

    def all(self) -> list[str]:
        if not self._path.exists():
            return []
        with self._path.open(encoding="ascii") as file:
            file.seek(self._start)
            return file.read().split()

    def living(self) -> list[str]:
        return [token for token in self.all() if self.lives(token)]

    def lives(self, token: str) -> bool:
        """Ask Keystone about a token with the token itself, as a service would."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token, "User-Agent": AGENT}
        request = urllib.request.Request(f"{self._auth_url}/auth/tokens?nocatalog=1", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30):
                return True
        except urllib.error.HTTPError as error:
            assert error.code in (401, 404), error
            return False
