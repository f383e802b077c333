# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# mypy: disallow-untyped-defs=False
"""Loaded by each Python process of a run, as the first entry of its search path: puts it on the run's session.

Every Python can parse it, it costs processes that never sign in next to nothing, and it runs the sitecustomize that it
hides.
"""

import os
import sys


def _begin():
    if sys.version_info < (3, 8) or not os.environ.get("ONETOKEN_SESSION_DIRECTORY"):
        return
    from onetoken_session import hook

    hook.install()
    if os.path.isdir(os.path.join(os.environ["ONETOKEN_SESSION_DIRECTORY"], "fork_server")):
        from onetoken_session.fork_server import door

        door.hand_over()


def _load_hidden():
    """Import the sitecustomize that is further back on the search path; Python reports what it raises."""
    here = os.path.dirname(os.path.abspath(__file__))
    own = sys.modules.pop("sitecustomize", None)
    ours = [path for path in sys.path if os.path.abspath(path or os.curdir) == here]
    place = sys.path.index(ours[0]) if ours else 0
    sys.path[:] = [path for path in sys.path if path not in ours]
    try:
        import sitecustomize  # noqa: F401  # pylint: disable=unused-import,import-self
    except ImportError as exc:
        if getattr(exc, "name", None) != "sitecustomize":
            raise
    finally:
        # It may have changed the search path.
        sys.path[place:place] = ours[:1]
        if own is not None:
            # Importing a module requires it there.
            sys.modules.setdefault("sitecustomize", own)


if __name__ == "sitecustomize":
    try:
        _begin()
    except Exception as _error:  # pylint: disable=broad-exception-caught
        # A process that cannot be put on the session signs in by itself.
        del _error
    _load_hidden()
