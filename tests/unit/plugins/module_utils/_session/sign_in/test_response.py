# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils._session.sign_in import response
from keystoneauth1 import exceptions


@pytest.mark.parametrize(
    ("error", "heard"),
    [
        (exceptions.ConnectTimeout("lost"), exceptions.ConnectTimeout),
        (exceptions.SSLError("lost"), exceptions.SSLError),
        (exceptions.UnknownConnectionError("lost", OSError()), exceptions.ConnectionError),
        (exceptions.ClientException("lost"), exceptions.ClientException),
    ],
    ids=repr,
)
def test_an_error_is_restored_from_its_name_and_text_as_well_as_possible(error, heard):
    made = response.error_of(type(error).__name__, str(error))

    assert (type(made), str(made)) == (heard, "lost")
