# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest
from ansible_collections.onetoken.openstack.plugins.module_utils.session import clock, session_clouds
from ansible_collections.onetoken.openstack.plugins.module_utils.session.renewal import RenewalPolicy
from ansible_collections.onetoken.openstack.plugins.module_utils.session.store import SessionRecord, StoredTokens
from ansible_collections.onetoken.openstack.plugins.module_utils.session.token import Token, TokenId


@pytest.fixture
def issued(session, source, keystone):
    """A session with a token for the cloud sandbox, made by hand; the cloud second was not issued yet."""
    text = keystone.issue()
    token = Token(TokenId(text), keystone.alive[text], keystone.auth_url, clock.now())
    record = SessionRecord(source.files, {source.cloud: source}, RenewalPolicy(), tokens_issued=1)
    session.make()
    session.write_record(record)
    session.write_tokens(source.cloud, StoredTokens(token))
    session_clouds.write(session, record, source.cloud)
    return session
