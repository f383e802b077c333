# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""This collection's errors, in a form that programs on openstacksdk and keystoneauth report."""

from __future__ import annotations

import sys
import typing as t

try:
    from keystoneauth1 import exceptions
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    exceptions = None

from ..util.errors import OneTokenError

#: Where openstacksdk drops its own errors, and continues without data.
_DROPS_ERRORS = "openstack.cloud.meta"


def of_program(reason: OneTokenError) -> Exception:
    """The error that a program sees; callers of both libraries know how to report it."""
    sdk: t.Any = sys.modules.get("openstack.exceptions")
    if sdk is None:
        return exceptions.AuthorizationFailure(str(reason))
    bases = (sdk.SDKException, exceptions.AuthorizationFailure)
    error: Exception = type("SessionUnusableError", bases, {"__init__": sdk.SDKException.__init__})(str(reason))
    return error


def of_limit(reason: OneTokenError) -> Exception:
    """The same for a request that waited too long for a limit; never one that openstacksdk drops together with data."""
    sdk: t.Any = sys.modules.get("openstack.exceptions")
    if sdk is None or _is_dropped():
        return exceptions.ClientException(str(reason))
    bases = (sdk.SDKException, exceptions.ClientException)
    error: Exception = type("LimitError", bases, {"__init__": sdk.SDKException.__init__})(str(reason))
    return error


def _is_dropped() -> bool:
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == _DROPS_ERRORS:
            return True
        frame = t.cast(t.Any, frame.f_back)
    return False
