# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How `make docs` builds these pages, which are to be read on a forge as well, and the reference of all plugins."""

from __future__ import annotations

import pathlib
import posixpath
import typing as t

import yaml

HERE = pathlib.Path(__file__).parent
GALAXY = yaml.safe_load((HERE.parent / "galaxy.yml").read_text(encoding="utf-8"))

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
author = GALAXY["authors"][0]
version = release = GALAXY["version"]

extensions = ["myst_parser", "sphinx_antsibull_ext"]
myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {version}"
# Nothing is fetched while it is built.
intersphinx_mapping: dict[str, t.Any] = {}


def lead_out(_app: t.Any, docname: str, source: list[str]) -> None:
    """Have links to files of the repository that are no pages lead to the repository."""
    folder = posixpath.dirname(docname)
    up = "../" * (folder.count("/") + 2 if folder else 1)
    source[0] = source[0].replace(f"]({up}", f"]({GALAXY['repository']}/blob/main/")


def setup(app: t.Any) -> None:
    app.connect("source-read", lead_out)
