# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors on purpose: with the same seed, the same requests get the same errors in any order.

The seed, the method, the target and the number of earlier such requests determine what happens to a request. Only
"every third" counts all requests together.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from hashlib import blake2b

from .messages import Request
from .settings import Settings, Share

THROTTLED, UNAVAILABLE, CUT = "429", "503", "cut"
READING = ("GET", "HEAD")


@dataclasses.dataclass(frozen=True)
class Trouble:
    kind: str
    #: Whether the request is carried out nevertheless.
    carried_out: bool


class Storm:
    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.sent: Counter[tuple[str, str]] = Counter()
        self.counted: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()

    def trouble_for(self, request: Request) -> Trouble | None:
        shares = {
            THROTTLED: self.settings.storm_429,
            UNAVAILABLE: self.settings.storm_503,
            CUT: self.settings.storm_cut,
        }
        if not any(share.fraction or share.every for share in shares.values()):
            return None
        key = (request.method, request.target)
        self.sent[key] += 1
        text = f"{self.settings.seed} {request.method} {request.target} {self.sent[key]}"
        digest = blake2b(text.encode(), digest_size=9).digest()
        kind = self.kind_of(int.from_bytes(digest[:8], "big") / 2**64, shares)
        if kind is None:
            return None
        carried_out = kind != THROTTLED and request.method not in READING and digest[8] % 2 == 0
        self.counts[kind] += 1
        self.counts["carried_out"] += carried_out
        return Trouble(kind, carried_out)

    def kind_of(self, drawn: float, shares: dict[str, Share]) -> str | None:
        """The storm that a number between 0 and 1 falls into, with the shares one after the other."""
        hit = None
        for kind, share in shares.items():
            if share.every:
                self.counted[kind] += 1
                if self.counted[kind] % share.every == 0:
                    hit = hit or kind
            elif drawn < share.fraction:
                hit = hit or kind
                drawn = 1.0
            else:
                drawn -= share.fraction
        return hit
