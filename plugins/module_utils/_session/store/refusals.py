# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keystone's last refusal of an identity, which answers all processes that waited, and delays the next ones."""

from __future__ import annotations

import dataclasses
import json

from ..util import boot
from . import directory
from .answer import Answer
from .session import REFUSALS, Session

#: Seconds between two requests that Keystone refuses an identity, so that a run with many forks locks no account.
PAUSE = 3.0


@dataclasses.dataclass(frozen=True)
class Refusal(Answer):
    """An answer without a token."""

    #: The name of keystoneauth's exception if there was no answer.
    error: str = ""

    def answers(self, arrived: float) -> bool:
        """Whether it answers a process that has waited since that moment. Other errors may pass."""
        return self.is_final and self.came_since(arrived)

    def came_since(self, moment: float) -> bool:
        return self.boot == boot.identifier() and self.at >= moment

    @property
    def is_final(self) -> bool:
        """Whether Keystone refused the credentials."""
        return self.status in (401, 403)

    @property
    def pause(self) -> float:
        """Seconds until Keystone may be asked again."""
        return max(0.0, PAUSE - self.age) if self.is_final else 0.0


def read(session: Session, name: str) -> Refusal | None:
    with session.opened() as handle:
        text = directory.read(handle, f"{REFUSALS}/{name}.json")
    try:
        return None if text is None else Refusal(**json.loads(text))
    except (TypeError, ValueError):
        return None


def write(session: Session, name: str, refusal: Refusal) -> None:
    with session.opened() as handle, directory.subdirectory(handle, REFUSALS) as folder:
        directory.write(folder, f"{name}.json", json.dumps(dataclasses.asdict(refusal)))


def remove(session: Session, name: str) -> None:
    with session.opened() as handle:
        directory.remove(handle, f"{REFUSALS}/{name}.json")
