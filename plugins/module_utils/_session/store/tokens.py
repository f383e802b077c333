# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tokens of an identity, as they are written to a session's files."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ..util import clock
from .token import Tls, Token, TokenId

#: What reading a damaged record raises.
_DAMAGE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


@dataclasses.dataclass(frozen=True)
class StoredTokens:
    """The tokens that a session holds for one identity: the one in use, and those that it replaced."""

    current: Token
    replaced: tuple[Token, ...] = ()

    @property
    def newest_first(self) -> tuple[Token, ...]:
        return (self.current, *self.replaced)

    @classmethod
    def of_record(cls, data: dict[str, t.Any]) -> StoredTokens:
        return cls(_token_of(data["current"]), tuple(_token_of(token) for token in data["replaced"]))

    def record(self) -> dict[str, t.Any]:
        return {
            "current": _record_of(self.current, self.current.body),
            # A token that only waits to be revoked needs no catalog.
            "replaced": [_record_of(token, _without_catalog(token.body)) for token in self.replaced],
        }


def readable(data: dict[str, t.Any]) -> tuple[list[Token], bool]:
    """The tokens of a record that can be read, newest first, and whether these are all."""
    replaced = data.get("replaced")
    records = [data.get("current"), *(replaced if isinstance(replaced, list) else [])]
    found = []
    for record in records:
        with contextlib.suppress(*_DAMAGE):
            found.append(_token_of(record))
    return found, isinstance(replaced, list) and len(found) == len(records)


def _record_of(token: Token, body: dict[str, t.Any]) -> dict[str, t.Any]:
    return {
        "token": token.id.reveal(),
        "auth_url": token.auth_url,
        "token_url": token.token_url,
        "obtained_at": token.obtained_at.isoformat(),
        "began": token.began,
        "boot": token.boot,
        "python": token.python,
        "tls": dataclasses.asdict(token.tls),
        "renewable": token.renewable,
        "body": body,
    }


def _token_of(record: t.Any) -> Token:
    tls = Tls(**record["tls"])
    _typed(tls.verify, bool, str)
    if isinstance(tls.cert, list):
        certificate, key = tls.cert
        tls = dataclasses.replace(tls, cert=(_typed(certificate, str), _typed(key, str)))
    else:
        _typed(tls.cert, str, type(None))
    _typed(tls.min_version, str, type(None))
    _typed(tls.ciphers, str, type(None))
    _typed(tls.proxy, str, type(None))
    return Token(
        TokenId(record["token"]),
        _typed(record["body"], dict),
        _typed(record["auth_url"], str),
        clock.parse(record["obtained_at"]),
        tls,
        _typed(record["renewable"], bool),
        # Earlier versions did not write these.
        _typed(record.get("token_url"), str, type(None)),
        float(record.get("began", 0.0)),
        _typed(record.get("boot", ""), str),
        _typed(record.get("python", ""), str),
    )


def _typed(value: t.Any, *types: type) -> t.Any:
    if not isinstance(value, types):
        raise TypeError(f"an unexpected {type(value).__name__}")
    return value


def _without_catalog(body: dict[str, t.Any]) -> dict[str, t.Any]:
    return {key: value for key, value in body.items() if key != "catalog"}
