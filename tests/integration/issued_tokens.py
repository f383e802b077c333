# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens that Keystone issued, and whether it still accepts them."""

from __future__ import annotations

import pathlib
import urllib.error
import urllib.request

from ansible_collections.onetoken.openstack.tests.helpers.access_log import AGENT


class IssuedTokens:
    """Every token that Keystone issued to clients since a certain moment, by Keystone's own list."""

    def __init__(self, path: pathlib.Path, auth_url: str) -> None:
        self._path = path
        self._auth_url = auth_url
        self.forget()

    def forget(self) -> None:
        """Leave out the tokens issued so far."""
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
        """Ask Keystone, authenticated by the token itself."""
        headers = {"X-Auth-Token": token, "X-Subject-Token": token, "User-Agent": AGENT}
        request = urllib.request.Request(f"{self._auth_url}/auth/tokens?nocatalog=1", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30):
                return True
        except urllib.error.HTTPError as error:
            assert error.code in (401, 404), error
            return False
