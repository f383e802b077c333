# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines about requests at the end of a run: one, and with -v one for each service that throttled some."""

from __future__ import annotations

import typing as t


def traffic_lines(report: t.Mapping[str, t.Any], verbose: bool) -> list[str]:
    """The lines; none if nothing was sent. The first one has further parts if there is something to report."""
    traffic = report["traffic"]
    if not traffic:
        return []
    counts = ", ".join(f"{_readable(name)} {one['requests']}" for name, one in sorted(traffic.items()))
    parts = [f"requests: {counts}"]
    throttled = sum(one["throttled"] for one in traffic.values())
    seconds = sum(one["seconds"] for one in traffic.values())
    if throttled or seconds >= 1:
        parts.append(f"throttled: {throttled}, held back by rate limits: {seconds:.0f} s")
    if report["documents_served"]:
        parts.append(f"version documents served from the session: {report['documents_served']}")
    if report["served"]:
        parts.append(f"programs run by the fork server: {report['served']}")
    lines = [f"one_token: {'; '.join(parts)}"]
    if verbose:
        lines += [
            f"one_token: {_readable(name)}: requests: {one['requests']}, throttled: {one['throttled']}, "
            f"held back by rate limits: {one['seconds']:.1f} s"
            for name, one in sorted(traffic.items())
            if one["throttled"] or one["seconds"]
        ]
    return lines


def _readable(service: str) -> str:
    return service.replace("_", " ")
