# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module or a script, and write down which file of plugins/ called which other one, and how often.

python traced.py OUTPUT MODULE|SCRIPT.py
"""

from __future__ import annotations

import collections
import functools
import json
import re
import runpy
import sys
import threading
import types
import typing as t

#: The collection's own code, and the copy of module_utils/_session/ in a session's site/.
_OURS = re.compile(r".*/openstack/plugins/(?P<file>.*)\.py$|.*/onetoken_session/(?P<copy>.*)\.py$")


@functools.cache
def name_of(path: str) -> str:
    """A file by its path below plugins/; empty for one of somebody else."""
    if not (found := _OURS.match(path)):
        return ""
    return found["file"] or f"module_utils/_session/{found['copy']}"


class Trace:
    """A profiler: counts the calls from each of our files to each other one, through whatever is between them."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.calls: collections.Counter[tuple[str, str]] = collections.Counter()

    def __call__(self, frame: types.FrameType, event: str, _argument: t.Any) -> None:
        # What runs because a file is imported is no step of the way.
        if event != "call" or frame.f_code.co_name == "<module>" or not (called := name_of(frame.f_code.co_filename)):
            return
        self.files.add(called)
        caller = frame.f_back
        while caller is not None and not name_of(caller.f_code.co_filename):
            caller = caller.f_back
        if caller is not None and caller.f_code.co_name != "<module>":
            calling = name_of(caller.f_code.co_filename)
            if calling != called:
                self.calls[calling, called] += 1


def main() -> None:
    output, target = sys.argv[1:]
    sys.argv[1:] = []
    trace = Trace()
    threading.setprofile(trace)
    sys.setprofile(trace)
    try:
        if target.endswith(".py"):
            runpy.run_path(target, run_name="__main__")
        else:
            runpy.run_module(target, run_name="__main__", alter_sys=True)
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
        calls = [[*pair, count] for pair, count in sorted(trace.calls.items())]
        with open(output, "w", encoding="utf-8") as stream:
            json.dump({"files": sorted(trace.files), "calls": calls}, stream)


if __name__ == "__main__":
    main()
