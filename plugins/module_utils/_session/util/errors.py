# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of this collection; each message is one sentence for the user, with a remedy and without secrets."""

from __future__ import annotations

import re
import typing as t

#: The user and the password in an address.
_USER_INFO = re.compile(r"(?<=://)[^/?#\s]*@")


class OneTokenError(Exception):
    """Anything that this collection reports to its user."""

    #: What the task returns with the message.
    result: t.Mapping[str, t.Any] = {}


class ConfigurationError(OneTokenError):
    """An option, a variable or a config file cannot be used as it is."""


class CredentialsRefusedError(OneTokenError):
    """Keystone refused the credentials; asking again could lock the account."""


class KeystoneUnavailableError(OneTokenError):
    """Keystone cannot be reached, or did not give a usable answer in time."""


class TokenNotRevokedError(OneTokenError):
    """A token was not revoked, and asking again now would not help."""

    def __init__(
        self,
        reason: str,
        remedy: str | None = None,
        by_keystone: bool = False,
        lives: bool = False,
        by_policy: bool = False,
    ) -> None:
        super().__init__(reason)
        #: What the user can do, other than trying again later.
        self.remedy = remedy
        #: Whether Keystone refused, and not something in front of it.
        self.by_keystone = by_keystone
        #: Whether Keystone's policy forbids it.
        self.by_policy = by_policy
        #: Whether the token is known to be valid; otherwise nobody knows.
        self.lives = lives


class SessionError(OneTokenError):
    """A session's directory cannot be used."""


class SessionDamagedError(SessionError):
    """A file of a session does not hold what this collection wrote into it."""


class SessionAbsentError(SessionError):
    """There is no directory at the session's path."""


class SessionClosedError(SessionError):
    """The session was revoked; only os_token_issue opens it again."""


class SourceUnreadableError(OneTokenError):
    """The credentials that a session was made from cannot be read from here."""


def without_sdk(interpreter: str) -> str:
    """The message for a task whose Python has no openstacksdk."""
    return (
        f"This task runs on {interpreter}, which cannot import openstacksdk: install it there, or set "
        "ansible_python_interpreter to a Python that has it."
    )


def public(text: str) -> str:
    """A text without the user and the password in the addresses that it quotes."""
    return _USER_INFO.sub("", text)
