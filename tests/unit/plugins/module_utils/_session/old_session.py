# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions as the version before wrote them, by the name of a cloud and with the configuration that they took over."""

from __future__ import annotations

import json
import pathlib

from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import PACKAGE, Session

#: How it called the file with the tokens of a cloud named "../ü x".
TOKENS = "%2E%2E%2F%C3%BC x.json"


def make_old(session: Session) -> None:
    """Let a session be as the version before would have left it, with the same tokens."""
    path = pathlib.Path(session.path)
    path.joinpath("session.json").unlink()
    path.joinpath("source.json").write_text(json.dumps({"format": 1, "files": {}, "sources": {}, "living": []}))
    path.joinpath("clouds.yaml").write_text('{"clouds": {}}')
    code = path / "site" / PACKAGE
    code.mkdir(parents=True, exist_ok=True)
    for name in ("__init__.py", "plugin.py"):
        code.joinpath(name).write_text("")
    distribution = path / "site" / f"{PACKAGE}-0.1.0.dist-info"
    distribution.mkdir()
    for name in ("METADATA", "entry_points.txt"):
        distribution.joinpath(name).write_text("")
    for file in path.glob("tokens/*.json"):
        data = json.loads(file.read_text())
        for record in (data["current"], *data["replaced"]):
            for key in ("began", "boot", "python"):
                del record[key]
        file.unlink()
        file.with_name(TOKENS).write_text(json.dumps({"format": 1, "cloud": "../ü x", **data}))
