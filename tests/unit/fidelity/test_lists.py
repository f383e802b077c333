# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cases and the table cover every module of openstack.cloud."""

from __future__ import annotations

import pathlib

from ansible_collections.onetoken.openstack.tests.fidelity import case, collection, report

REPOSITORY = pathlib.Path(__file__).resolve().parents[3]


def test_every_module_of_openstack_cloud_has_a_case_or_a_reason_to_have_none():
    assert case.module_names(collection.release()) == collection.modules()


def test_a_modules_case_uses_the_module():
    cases = [entry for service in case.SERVICES for entry in case.cases_of(service, collection.release())]
    assert [entry.name for entry in cases if entry.name not in entry.modules] == []


def test_the_table_names_the_modules_that_the_cases_name():
    document = (REPOSITORY / report.FILE).read_text(encoding="utf-8")
    assert report.module_names(document) == case.module_names(report.release(document))
