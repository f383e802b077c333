# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The data of a new sandbox: others start from a copy, instead of making and filling all tables."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from .layout import FIRST, Layout, Settings


class Template:
    """The data of the first new sandbox with a number of servers; `up` corrects a copy like any other data."""

    def __init__(self, settings: Settings) -> None:
        self.directory = FIRST / f"new-{settings.servers}"
        self.layout = Layout(self.directory)
        #: The directory in which the data was made.
        self.origin = self.directory / "origin"

    @property
    def exists(self) -> bool:
        return self.directory.is_dir()

    def keep(self, layout: Layout) -> None:
        """Copy a sandbox's data from there, while nothing writes to it."""
        draft = Layout(Path(tempfile.mkdtemp(prefix="new-", dir=FIRST)))
        # Sockets are the running server's.
        shutil.copytree(layout.state, draft.state, ignore=shutil.ignore_patterns("*.sock", "mariadb-tmp"))
        shutil.copy(layout.passwords, draft.passwords)
        (draft.root / "origin").write_text(str(layout.root), encoding="utf-8")
        try:
            draft.root.rename(self.directory)
        except OSError:
            # Another new sandbox did it at the same time.
            shutil.rmtree(draft.root)

    def copy_to(self, layout: Layout) -> str:
        """Copy the data to a sandbox; the SQL that adapts paths in it."""
        shutil.copytree(self.layout.state, layout.state)
        shutil.copy(self.layout.passwords, layout.passwords)
        origin = self.origin.read_text(encoding="utf-8")
        return f"UPDATE glance.image_locations SET value = REPLACE(value, '{origin}/', '{layout.root}/');\n"
