# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.onetoken.openstack.plugins.module_utils._session.revoke import revocation
from ansible_collections.onetoken.openstack.plugins.module_utils._session.store.session import (
    REQUESTS,
)
from ansible_collections.onetoken.openstack.tests.helpers.token_age import let_it_age
from ansible_collections.onetoken.openstack.tests.unit.plugins.module_utils._session.tokens import (
    IDENTITY,
    sign_in,
)

EXPIRED = 25 * 3600


class TestPreview:
    def test_it_counts_without_asking_keystone(self, issued, second, keystone):
        sign_in(issued, keystone)
        issued.count(REQUESTS, 3)

        result = revocation.preview(issued)

        assert (result.revoked, result.already_dead, result.tokens_issued, result.keystone_requests) == (3, 0, 3, 3)
        assert keystone.requests == []
        assert not issued.closed

    def test_a_session_that_does_not_exist_has_nothing_to_revoke(self, session):
        assert revocation.preview(session) == revocation.Revocation()

    def test_an_expired_token_counts_as_dead(self, issued):
        let_it_age(issued, IDENTITY, EXPIRED)

        result = revocation.preview(issued)

        assert (result.revoked, result.already_dead) == (0, 1)
