# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An error of ours, as programs on openstacksdk and keystoneauth report errors."""

from __future__ import annotations

import sys
import typing as t

try:
    from keystoneauth1 import exceptions
except ImportError:  # Ansible looks into every file of a collection; where this is used, keystoneauth is there
    exceptions = None

from ..util.errors import OneTokenError

#: Where openstacksdk goes on without data when one of its own errors comes.
_FORGIVING = "openstack.cloud.meta"


def of_program(reason: OneTokenError) -> Exception:
    """What a program sees of an error of ours: the callers of both libraries know how to report it."""
    sdk: t.Any = sys.modules.get("openstack.exceptions")
    if sdk is None:
        return exceptions.AuthorizationFailure(str(reason))
    bases = (sdk.SDKException, exceptions.AuthorizationFailure)
    error: Exception = type("SessionUnusableError", bases, {"__init__": sdk.SDKException.__init__})(str(reason))
    return error


def of_limit(reason: OneTokenError) -> Exception:
    """The same for a limit that was not over in time, and never one that openstacksdk drops together with data."""
    sdk: t.Any = sys.modules.get("openstack.exceptions")
    if sdk is None or _is_forgiven():
        return exceptions.ClientException(str(reason))
    bases = (sdk.SDKException, exceptions.ClientException)
    error: Exception = type("LimitError", bases, {"__init__": sdk.SDKException.__init__})(str(reason))
    return error


def _is_forgiven() -> bool:
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__") == _FORGIVING:
            return True
        frame = t.cast(t.Any, frame.f_back)
    return False
