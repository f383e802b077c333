# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The options by which the token modules name a session."""

    DOCUMENTATION = r"""
options:
  session:
    description:
      - The session to work on, as an absolute path or a plain name.
      - A plain name is a directory in C(${XDG_STATE_HOME:-~/.local/state}/onetoken) or, if that cannot be used,
        C($XDG_RUNTIME_DIR/onetoken), or C(onetoken) among temporary files, if nobody else can write there.
      - By default, it is the session that E(ONETOKEN_SESSION_DIRECTORY) names. If there is none,
        M(onetoken.openstack.os_token_issue) makes a new one.
      - A session that this option names lasts until it is revoked. Any other ends with the run that made it; on a host
        other than the controller, only if it is revoked there.
    type: str
attributes:
  check_mode:
    support: full
    description: Nothing is changed, on disk or in Keystone; the module reports what would change.
  diff_mode:
    support: none
    description: A token's id is a secret, so there is nothing to compare.
  platform:
    support: full
    platforms: posix
    description: The hosts that the module works on.
notes:
  - Run the module on the host that runs the OpenStack tasks, as the same user.
  - The module returns no secret, unless RV(onetoken.openstack.os_token_issue#module:token) was requested.
"""
