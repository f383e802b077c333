# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How `make docs` builds these pages, which are to be read on a forge as well, and the reference of all plugins."""

from __future__ import annotations

import pathlib
import posixpath
import re
import typing as t
import zlib

import yaml
from sphinx import addnodes
from sphinx.environment.adapters.toctree import TocTree

HERE = pathlib.Path(__file__).parent
GALAXY = yaml.safe_load((HERE.parent / "galaxy.yml").read_text(encoding="utf-8"))

project = f"{GALAXY['namespace']}.{GALAXY['name']}"
author = GALAXY["authors"][0]
version = release = GALAXY["version"]

extensions = ["myst_parser", "sphinx_antsibull_ext", "sphinx.ext.intersphinx", "sphinx_copybutton"]
myst_heading_anchors = 3
html_theme = "furo"
# Broken at the dot, if it must be.
html_title = f"{project.replace('.', '.<wbr>')} {version}"
html_static_path = ["_static"]
html_css_files = ["wide.css"]
html_copy_source = False
# Nothing leads to it.
html_use_index = False
# Commands and files have a copy button, output has none; a prompt is not copied.
copybutton_selector = "div:not(.highlight-none, .highlight-text) > div.highlight > pre"
copybutton_prompt_text = "$ "
antsibull_ext_color_scheme = "default-autodark"

# What the reference takes from Ansible's own documentation. That is not asked for it, so that nothing is fetched.
ANSIBLE = "https://docs.ansible.com/ansible/latest/"
ANSIBLE_LABELS = """\
common_return_values std:label -1 reference_appendices/common_return_values.html#common-return-values Return Values
ansible_configuration_settings std:label -1 reference_appendices/config.html#ansible-configuration-settings Settings
action_plugins std:label -1 plugins/action.html#action-plugins Action plugins
callback_plugins std:label -1 plugins/callback.html#callback-plugins Callback plugins
"""
INVENTORY_HEAD = b"# Sphinx inventory version 2\n# Project: Ansible\n# Version: latest\n# compressed using zlib\n"
INVENTORY = "ansible.inv"
intersphinx_mapping = {"ansible": (ANSIBLE, INVENTORY)}

#: What `make docs` adds to the pages of the index.
REFERENCE = "Modules, plugins and role"
CHANGELOG = "Changelog"
GENERATED = ("reference/index", "reference/playbooks", "reference/changelog")

#: Furo's labels and the captions of the index, for the pages below this folder.
FRENCH = "fr/"
LABELS = {
    "Back to top": "Haut de page",
    "Home": "Accueil",
    "Next": "Suivant",
    "On this page": "Sur cette page",
    "Previous": "Précédent",
    "Search": "Rechercher",
    "Skip to content": "Aller au contenu",
    "For users": "Utilisation, en anglais",
    "For maintainers": "Maintenance, en anglais",
    "Reference": "Référence, en anglais",
}


def read(_app: t.Any, docname: str, source: list[str]) -> None:
    """Make of a page for a forge one for Sphinx."""
    source[0] = without_contents(shortened(pictured(led_out(docname, source[0]))))
    if posixpath.basename(docname) == "index":
        source[0] += "".join(contents(source[0]))
    if docname == "index":
        source[0] += toctree("Reference", GENERATED)


def led_out(docname: str, text: str) -> str:
    """Links to files of the repository that are no pages lead to the repository."""
    up = "../" * (docname.count("/") + 1)
    return text.replace(f"]({up}", f"]({GALAXY['repository']}/blob/main/")


def pictured(text: str) -> str:
    """A picture for a light and one for a dark page, as Furo has it."""
    source = r'<source media="\(prefers-color-scheme: dark\)" srcset="([^"]+)">'
    image = r'<img src="([^"]+)" alt="([^"]+)">'
    shown = "```{{image}} {}\n:alt: {}\n:class: {}\n```\n"
    both = shown.format(r"\2", r"\3", "only-light") + shown.format(r"\1", r"\3", "only-dark")
    return re.sub(rf"<picture>\s*{source}\s*{image}\s*</picture>\n", both, text)


def shortened(text: str) -> str:
    """Titles of the reference with room in a list of them."""
    text = re.sub(r"^Onetoken\.Openstack\n=+$", f"{REFERENCE}\n{'=' * len(REFERENCE)}", text, flags=re.MULTILINE)
    text = re.sub(rf"\A(=+\n){project} Release Notes(?=\n=+\n)", rf"\1{CHANGELOG}", text)
    return re.sub(rf"^{project}\.(\w+ \w+) -- .*(\n\+\+\+)", r"\1\2", text, flags=re.MULTILINE)


def without_contents(text: str) -> str:
    """Furo has a page's contents beside it, and wants none within."""
    return re.sub(r"^\.\. contents::.*\n(   :.*\n)*", "", text, flags=re.MULTILINE)


def contents(index: str) -> t.Iterator[str]:
    """What an index lists, section by section: a forge shows a list, and no toctree."""
    for section in re.split(r"^## ", index, flags=re.MULTILINE)[1:]:
        yield toctree(section.partition("\n")[0], re.findall(r"^- \[[^]]+\]\((\S+)\.md\)", section, re.MULTILINE))


def toctree(caption: str, pages: t.Sequence[str]) -> str:
    return "\n```{toctree}\n:hidden:\n:caption: " + caption + "\n\n" + "\n".join(pages) + "\n```\n"


def translate(app: t.Any, docname: str, _template: str, context: dict[str, t.Any], _doctree: t.Any) -> None:
    """Sphinx has one language for all pages: give French pages French labels, and list the French pages first."""
    if not docname.startswith(FRENCH):
        return

    def label(text: str) -> str:
        return LABELS.get(text, text)

    def navigation(**options: t.Any) -> str:
        own, others = (app.env.get_doctree(index).findall(addnodes.toctree) for index in (f"{FRENCH}index", "index"))
        parts = [*own, *(node for node in others if f"{FRENCH}index" not in node["includefiles"])]
        for node in parts:
            node["caption"] = label(node["caption"])
        resolved = [TocTree(app.env).resolve(docname, app.builder, node, **options) for node in parts]
        return "".join(app.builder.render_partial(part)["fragment"] for part in resolved if part)

    context.update(language="fr", master_doc=f"{FRENCH}index", gettext=label, _=label, toctree=navigation)


def setup(app: t.Any) -> None:
    (HERE / INVENTORY).write_bytes(INVENTORY_HEAD + zlib.compress(ANSIBLE_LABELS.encode()))
    app.connect("source-read", read)
    # Before Furo makes its navigation.
    app.connect("html-page-context", translate, priority=400)
