#!/usr/bin/python
# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Its code is the action plugin of this name.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: bulk
short_description: Run a bulk module with the variables of the role bulk
version_added: "0.1.0"
author: onetoken.openstack contributors (@onetoken)
description:
  - The tasks of the role P(onetoken.openstack.bulk#role) use this. Use the role, or the module that you need, instead.
  - Checks the role's variables and runs the module of the entry point with them, as options of the same names. It
    fails before anything is done if a variable is wrong, misspelt or empty, or if none says what to work on.
options:
  entry_point:
    description: The entry point of the role.
    type: str
    required: true
  validate_only:
    description: Check the variables and stop there.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: The module runs in check mode, and so does the entry point C(retention) unless its dry_run is V(false).
  diff_mode:
    support: none
    description: There is no state to compare.
  platform:
    support: full
    platforms: posix
    description: The hosts that the module works on.
"""

EXAMPLES = r"""
- name: Check the variables of a bulk snapshot
  onetoken.openstack.bulk:
    entry_point: server_snapshot
    validate_only: true
"""

RETURN = r"""
results:
  description: The results of the module, as its documentation has them, with all of its other return values.
  returned: unless O(validate_only)
  type: list
  elements: dict
  sample: [{name: web-01, outcome: done}]
deletions:
  description: What M(onetoken.openstack.os_retention) returned for each kind of copy, after the module.
  returned: if the variable keep_last or keep_days is set, not in check mode
  type: list
  elements: dict
  sample: []
"""
