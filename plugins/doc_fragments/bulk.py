# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What the modules that work on many resources have in common."""

    DOCUMENTATION = r"""
options:
  requests_per_second:
    description:
      - How many requests per second may be sent to each service for the project, such as V(20). All processes of this
        user on this machine that work in the same project share the limit.
      - V(auto) starts at 5, speeds up while the cloud does not throttle requests, and slows down when it does.
      - V(ovhcloud) and V(rackspace) are the limits that these clouds publish.
      - With all of these, a throttled request (HTTP 429, or 413 with C(Retry-After)) is sent again after the delay that
        the cloud asks for, and is not a failure.
    type: str
    default: auto
  concurrency:
    description:
      - How many actions may be in progress at the same time, over all processes of this user on this machine that work
        in the same project. V(0) sets no limit.
      - An action is in progress until the cloud has finished it or, if that is not waited for, until the cloud has
        accepted it.
    type: int
    default: 0
  slices:
    description:
      - How many jobs of the same kind run at the same time, as with job slicing in AWX. Each job uses its share of
        O(requests_per_second) and O(concurrency), so that together they stay within the limits; jobs in containers or
        on several machines cannot see each other. So O(concurrency) must be V(0) or at least this number, and each job
        counts O(max_failures) by itself.
      - With O(requests_per_second=auto), each job starts at its share and finds its own rate.
    type: int
    default: 1
  max_failures:
    description:
      - Start no more actions once more items than this have failed, as a number such as V(5) or a share such as V(10%).
        Actions in progress are finished; the remaining items are V(skipped).
      - By default, failed items never stop the rest.
    type: str
  report:
    description:
      - Write the outcome of each item to three files on the host that runs the module, at this path with the extensions
        C(.json), C(.csv) and C(.html). The HTML file is a page for people, with a timeline of the run.
      - Missing directories are created. Nothing is written in check mode, or if nothing is selected.
    type: path
  timeout:
    description:
      - Seconds for the whole call, including signing in. After that, items whose action has not started are V(skipped);
        actions in progress count as failed, but continue in the cloud; partly finished items are V(incomplete). The
        next call of the run picks up all of these.
      - Pending requests may take three more seconds to be answered. After that, they are V(unconfirmed), and the upload
        of an image file is cut off.
    type: int
    default: 1800
  ignore_failures:
    description:
      - Succeed even if items failed; they are in RV(ignore:results) and RV(ignore:counts). A playbook can then run its
        last steps, such as revoking the token, before it fails.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Nothing changes. Items that would change are V(planned), and RV(ignore:plan) says what that would cost.
  diff_mode:
    support: none
    description: There is no state to compare.
  platform:
    support: full
    platforms: posix
    description: The hosts that the module works on.
notes:
  - On the controller, the task shows its progress while it runs.
  - When the play is interrupted (Ctrl-C), no more actions are started, and those in progress are finished. The next
    call of the same run does the rest.
  - A request without an answer is not simply sent again; the module first finds out whether it was carried out.
"""
