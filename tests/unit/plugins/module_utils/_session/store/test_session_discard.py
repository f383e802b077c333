# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    PACKAGE,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.store.session_files import (
    files_of,
)
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    SECRET,
)


class TestDiscarding:
    def test_nothing_is_left_of_a_session(self, full):
        full.key()
        full.discard()

        assert not os.path.lexists(full.path)

    def test_nothing_is_left_of_a_session_of_an_earlier_version(self, full):
        os.rename(os.path.join(full.path, "session.json"), os.path.join(full.path, "source.json"))
        old = os.path.join(full.site, f"{PACKAGE}-0.1.0.dist-info")
        os.mkdir(old)
        for name in ("METADATA", "entry_points.txt"):
            with open(os.path.join(old, name), "w", encoding="utf-8"):
                pass
        full.discard()

        assert not os.path.lexists(full.path)

    @pytest.mark.parametrize(
        "folder",
        ["", "tokens", "locks", "stale", "site", f"site/{PACKAGE}", f"site/{PACKAGE}/store/__pycache__"],
    )
    @pytest.mark.parametrize("kind", ["file", "directory"])
    def test_other_files_stay(self, full, folder, kind):
        stranger = os.path.join(full.path, folder, "stranger.txt")
        if kind == "file":
            with open(stranger, "w", encoding="utf-8") as stream:
                stream.write("precious")
        else:
            os.mkdir(stranger)
            with open(os.path.join(stranger, "a.json"), "w", encoding="utf-8") as stream:
                stream.write("precious")
        full.discard()

        expected = "stranger.txt" if kind == "file" else "stranger.txt/a.json"
        assert files_of(full) == {os.path.join(folder, expected)}

    def test_it_does_not_follow_links(self, full, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        (elsewhere / "precious.json").touch()
        full.remove_tokens(IDENTITY)
        os.rmdir(os.path.join(full.path, "tokens"))
        os.symlink(elsewhere, os.path.join(full.path, "tokens"))

        full.discard()

        assert os.listdir(elsewhere) == ["precious.json"]

    def test_the_temporary_file_of_a_killed_writer_is_removed(self, full):
        with open(os.path.join(full.path, "tokens", f".{IDENTITY}.json.0123abcd"), "w", encoding="utf-8") as stream:
            stream.write(SECRET)
        full.discard()

        assert not os.path.lexists(full.path)
