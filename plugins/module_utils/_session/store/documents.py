# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The version documents of services, kept for other processes."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import urllib.parse

from . import directory
from .answer import Answer
from .session import DOCUMENTS, Session

#: Seconds for which a document is served.
KEPT = 600.0
#: Seconds for which it is kept though it may be wrong: asking so soon again would give the same.
KEPT_AT_LEAST = 10.0


class Document(Answer):
    """An answer to a request for versions."""


def read(session: Session, name: str) -> Document | None:
    """The document of this name; None if there is none, or it is too old."""
    with session.opened() as handle:
        document = _read(handle, name)
    return document if document and document.age < KEPT else None


def write(session: Session, name: str, document: Document) -> None:
    with session.opened() as handle, directory.subdirectory(handle, DOCUMENTS) as folder:
        directory.write(folder, name, json.dumps(dataclasses.asdict(document)))


def forget(session: Session, host: str) -> None:
    """Remove the documents of a host, which led to something that does not exist."""
    with session.opened() as handle, directory.subdirectory(handle, DOCUMENTS) as folder:
        for name in os.listdir(folder):
            if name.startswith(f"{_digest(host)}-"):
                document = _read(handle, name)
                if document is None or document.age > KEPT_AT_LEAST:
                    directory.remove(folder, name)


def name_of(url: str, question: str) -> str:
    """The name of the document that answers a question to a URL."""
    return f"{_digest(urllib.parse.urlsplit(url).netloc)}-{_digest(question)}.json"


def _read(handle: int, name: str) -> Document | None:
    with contextlib.suppress(TypeError, ValueError):
        text = directory.read(handle, f"{DOCUMENTS}/{name}")
        return None if text is None else Document(**json.loads(text))
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
