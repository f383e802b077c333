# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a notice into each French page whose English page has changed since, and remove it from the others.

.venv/bin/python tests/tools/translations.py
.venv/bin/python tests/tools/translations.py done PAGE...

The second form records that these French pages are up to date.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pathlib
import re
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# The checkout stands there as the collection onetoken.openstack.
sys.path.insert(0, str(REPOSITORY / ".venv" / "collections"))

from ansible_collections.onetoken.openstack.tests.examples.pages import original  # noqa: E402

#: The first line of a French page: the digest of the English text that it translates.
RECORD = "<!-- Translated from the English text {}; see tests/tools/translations.py -->\n\n"
NOTICE = "> La [page anglaise]({}) a changé depuis cette traduction.\n\n"
NOTICE_LINE = r"^> La \[page anglaise\]\(.*\) a changé depuis cette traduction\.\n\n"
#: What a program writes into both languages.
GENERATED = re.compile(r"^<!-- Written by .*? from here -->$.*?^<!-- to here -->$", re.DOTALL | re.MULTILINE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    done = parser.add_subparsers().add_parser("done", help="record that French pages are up to date")
    done.add_argument("pages", nargs="+", type=pathlib.Path, metavar="PAGE")
    chosen = [page.resolve() for page in getattr(parser.parse_args(), "pages", ())]
    known = pairs(REPOSITORY)
    if unknown := [str(page) for page in chosen if page not in known]:
        parser.error(f"not a French page: {', '.join(unknown)}")
    for french, english in known.items():
        text = french.read_text(encoding="utf-8")
        current = with_notice(with_record(text, english) if french in chosen else text, french, english)
        if current != text:
            french.write_text(current, encoding="utf-8")
            state = "is behind" if is_behind(current, english) else "is up to date"
            print(f"{french.relative_to(REPOSITORY)} {state}.")


def pairs(repository: pathlib.Path) -> dict[pathlib.Path, pathlib.Path]:
    """The French pages, and the English page that each translates."""
    pages = sorted([*repository.glob("*.md"), *repository.glob("docs/**/*.md")])
    names = {page: original(str(page.relative_to(repository))) for page in pages}
    return {page: repository / name for page, name in names.items() if repository / name != page}


def digest(text: str) -> str:
    """The digest of an English text, whatever its line breaks."""
    words = " ".join(GENERATED.sub("", text).split())
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def is_behind(text: str, english: pathlib.Path) -> bool:
    """Whether a French text does not translate the English page as it is now."""
    return not text.startswith(_record_of(english))


def with_record(text: str, english: pathlib.Path) -> str:
    """A French text that records the English page as it is now."""
    return _record_of(english) + without_record(text)


def without_record(text: str) -> str:
    return re.sub(rf"\A{RECORD.format('[0-9a-f]+')}", "", text)


def with_notice(text: str, french: pathlib.Path, english: pathlib.Path) -> str:
    """A French text with the notice below its title, or without it if the text is up to date."""
    text = re.sub(NOTICE_LINE, "", text, flags=re.MULTILINE)
    if not is_behind(text, english):
        return text
    notice = NOTICE.format(os.path.relpath(english, french.parent))
    return re.sub(r"^# .*\n\n", lambda title: title[0] + notice, text, count=1, flags=re.MULTILINE)


def _record_of(english: pathlib.Path) -> str:
    return RECORD.format(digest(english.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
