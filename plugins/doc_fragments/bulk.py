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
      - How many requests a second may go to each service for the project, such as V(20); all processes of this user on
        this machine that work in the same project share it.
      - V(auto) begins with 5, speeds up while the cloud refuses nothing, and slows down when it does.
      - V(ovhcloud) and V(rackspace) are the limits that these clouds publish.
      - Whatever is set, a refusal by a rate limit (429, or 413 with C(Retry-After)) is waited out, for as long as the
        cloud asks, and is no failure.
    type: str
    default: auto
  concurrency:
    description:
      - How many actions may be under way at a time, over all processes of this user on this machine that work in the
        same project. V(0) sets no limit.
      - An action is under way until the cloud has finished it, or only until it is accepted where that is not waited
        for.
    type: int
    default: 0
  slices:
    description:
      - How many jobs of the same kind work at the same time, as with the job slicing of AWX. Each keeps to its part of
        O(requests_per_second) and O(concurrency), so that together they stay within them; jobs in containers or on
        several machines cannot see each other. So O(concurrency) is V(0) or at least as many, and O(max_failures) is
        counted in each by itself.
      - With O(requests_per_second=auto), each begins with its part and finds its own pace by what the cloud refuses.
    type: int
    default: 1
  max_failures:
    description:
      - Ask for nothing more when more items than this have failed, a number such as V(5) or a share such as V(10%).
        What is under way is seen through; what was not asked for is V(skipped).
      - By default, a failed item never stops the rest.
    type: str
  report:
    description:
      - Write what became of each item to three files on the host that runs the module, named as this path with the
        endings C(.json), C(.csv) and C(.html). The last one is a page for people, with a timeline of the run.
      - Directories that are missing are made. Nothing is written in check mode, nor where nothing is selected.
    type: path
  timeout:
    description:
      - Seconds for the whole call, all items together, signing in included. What is not asked for by then is
        V(skipped); what is under way fails, but goes on in the cloud; what is done in part is V(incomplete). The next
        call of the run takes up all of these.
      - Answers that are still awaited then may take three more seconds. After that, such a request is V(unconfirmed),
        and the file of an image is sent no further.
    type: int
    default: 1800
  ignore_failures:
    description:
      - Succeed although items failed; they are in RV(ignore:results) and RV(ignore:counts). A playbook can then do its
        last steps, such as revoking the token, before it fails.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Nothing is done. What would be done has the outcome V(planned), and RV(ignore:plan) says what it costs.
  diff_mode:
    support: none
    description: There is no state to compare.
  platform:
    support: full
    platforms: posix
    description: The hosts that the module works on.
notes:
  - While it works, the task tells how far it is, where it runs on the controller itself.
  - When the play is interrupted (Ctrl-C), nothing more is asked for, and what is under way is seen through. The next
    call of the same run takes up the rest.
  - A request that got no answer is not simply sent again; what became of it is looked up first.
"""
