# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import pathlib

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store import documents
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.documents import (
    KEPT,
    KEPT_AT_LEAST,
    Document,
)
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util import boot
from ansible_collections.onetoken.openstack.plugins.module_utils._session.util.errors import SessionError

URL = "https://cloud.example:8774/"
NAME = documents.name_of(URL, "what versions?")


def document(age: float = 0.0, start: str | None = None) -> Document:
    """An answer that came so many seconds ago."""
    start = boot.identifier() if start is None else start
    return Document(200, {"Content-Type": "application/json"}, '{"versions": []}', URL, boot.now() - age, start)


def test_it_is_read_as_it_was_written(empty):
    assert documents.read(empty, NAME) is None
    written = document()
    documents.write(empty, NAME, written)

    assert documents.read(empty, NAME) == written


@pytest.mark.parametrize(("age", "served"), [(0, True), (KEPT - 60, True), (KEPT + 1, False), (-60, False)])
def test_it_is_served_for_ten_minutes(empty, age, served):
    documents.write(empty, NAME, document(age))

    assert (documents.read(empty, NAME) is not None) is served


def test_it_is_not_served_after_another_start_of_the_machine(empty):
    documents.write(empty, NAME, document(start="an earlier start"))

    assert documents.read(empty, NAME) is None


def test_another_request_and_another_url_have_other_names():
    names = {
        documents.name_of(url, question)
        for url in (URL, "https://cloud.example:8776/", "https://other.example:8774/")
        for question in ("what versions?", "what versions, with a token?")
    }

    assert len(names) == 6
    assert documents.name_of(URL, "what versions?") == NAME


def test_all_documents_of_the_host_are_forgotten_and_no_others(empty):
    same_host = documents.name_of(f"{URL}v2.1", "another question")
    other_port = documents.name_of("https://cloud.example:8776/", "what versions?")
    for name in (NAME, same_host, other_port):
        documents.write(empty, name, document(KEPT_AT_LEAST + 5))

    documents.forget(empty, "cloud.example:8774")

    assert documents.read(empty, NAME) is None
    assert documents.read(empty, same_host) is None
    assert documents.read(empty, other_port) is not None


def test_a_recent_document_is_not_forgotten(empty):
    documents.write(empty, NAME, document(KEPT_AT_LEAST - 5))

    documents.forget(empty, "cloud.example:8774")

    assert documents.read(empty, NAME) is not None


@pytest.mark.parametrize("content", ["", "{", "[]", "5", "{}", '{"status": 200}', '{"unknown": 1}'])
def test_a_damaged_document_counts_as_none_and_is_forgotten(empty, content):
    documents.write(empty, NAME, document())
    path = pathlib.Path(empty.path, "discovery", NAME)
    path.write_text(content)

    assert documents.read(empty, NAME) is None
    documents.forget(empty, "cloud.example:8774")
    assert not path.exists()


def test_reading_makes_nothing(empty):
    before = os.listdir(empty.path)
    documents.read(empty, NAME)

    assert os.listdir(empty.path) == before


def test_a_missing_session_is_an_error(session):
    with pytest.raises(SessionError, match="There is no session"):
        documents.read(session, NAME)
