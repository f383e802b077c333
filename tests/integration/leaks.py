# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Search everything that a run writes or shows for secrets."""

from __future__ import annotations

import base64
import contextlib
import fnmatch
import json
import os
import pathlib
import typing as t
import urllib.parse

#: What a run wrote or showed, by place; a file's place is its path in the user's home.
Evidence = t.Mapping[str, bytes]


class Secrets:
    """Texts that must not appear anywhere, in any form."""

    def __init__(self, *texts: str) -> None:
        assert all(texts)
        self._forms = {form for text in texts for half in _halves(text) for form in _forms(half)}

    def in_text(self, content: bytes) -> bool:
        return any(form in content for form in self._forms)

    def places(self, evidence: Evidence) -> list[str]:
        """The places that have one of them, in the content or in the name."""
        return sorted(place for place, text in evidence.items() if self.in_text(place.encode() + b"\n" + text))


def _halves(text: str) -> tuple[str, str]:
    """Wherever a text is cut, as lines may be, one of these is still whole."""
    # The padding of a token is %3D in an address.
    text = text.rstrip("=")
    middle = len(text) // 2
    return text[:middle], text[middle:]


def _forms(text: str) -> t.Iterator[bytes]:
    """Plain, in a URL, in JSON, and in base64, which depends on the offset in the encoded whole."""
    yield text.encode()
    for safe in ("", "/"):
        yield urllib.parse.quote(text, safe=safe).encode()
    yield json.dumps(text)[1:-1].encode()
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + text.encode()).rstrip(b"=")
        # The first and last letters depend on the neighbouring bytes.
        inner = encoded[2 * shift : -1]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def files_below(home: pathlib.Path, exceptions: t.Collection[str] = ()) -> dict[str, bytes]:
    """The contents of all files below a home, except those that match these patterns of paths."""
    found = {}
    for path in (pathlib.Path(folder, name) for folder, _folders, names in os.walk(home) for name in names):
        relative = path.relative_to(home)
        excepted = any(
            fnmatch.fnmatch(str(part), pattern) for pattern in exceptions for part in (relative, *relative.parents)
        )
        # A process that still runs may remove its files.
        with contextlib.suppress(FileNotFoundError):
            if not excepted and path.is_file() and not path.is_symlink():
                found[str(relative)] = path.read_bytes()
    return found
