# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The script that scripts/onetoken starts: it finds the collection by its own path, without Ansible."""

from __future__ import annotations

import importlib
import os
import sys
import types

#: The name of plugins/ as a package of this process. Its code imports itself relatively, so any name does; the one
#: below ansible_collections could lead to another copy of the collection.
_PACKAGE = "onetoken_plugins"

if __name__ == "__main__":
    # The directory of this file.
    del sys.path[0]
    package = types.ModuleType(_PACKAGE)
    package.__path__ = [os.path.dirname(os.path.dirname(os.path.realpath(__file__)))]
    sys.modules[_PACKAGE] = package
    importlib.import_module(f"{_PACKAGE}.plugin_utils.shell").main()
