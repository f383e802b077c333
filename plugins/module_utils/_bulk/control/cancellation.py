# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a bulk run is to send anything more: one object, which every layer asks, from any thread.

A cancelled run starts no other item, and finishes those in progress. One that is to end at once does not even wait for
what it has sent.
"""

from __future__ import annotations

from ..model.reason import Code, Reason
from .interruption import Interruption


class Cancellation:
    """Cancelled by the run itself, with a reason, or by an interruption."""

    def __init__(self, interruption: Interruption | None = None) -> None:
        self._interruption = interruption or Interruption()
        self._reason: Reason | None = None

    def cancel(self, reason: Reason) -> None:
        """Start nothing more. The first reason stays."""
        self._reason = self._reason or reason

    @property
    def reason(self) -> Reason | None:
        """Why the run was cancelled; None while it was not."""
        return self._reason

    @property
    def requested(self) -> bool:
        """Whether nothing more is to be started."""
        return self._reason is not None or bool(self._interruption.reason)

    @property
    def immediate(self) -> bool:
        """Whether nothing at all is to be sent or waited for any more."""
        return self._interruption.forced

    def check_interruption(self) -> bool:
        """Whether somebody interrupted the run, or its playbook run is gone. Only the run's own thread may ask."""
        return self._interruption.requested

    @property
    def interruption(self) -> Reason:
        """What an interrupted run reports."""
        return Reason(Code.INTERRUPTED, f"the run was {self._interruption.reason}")
