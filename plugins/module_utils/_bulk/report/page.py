# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report of a bulk run as one HTML page, which needs nothing but itself.

A policy in the page allows its own style and script, by their hashes, and nothing else: not even a name of a server
that slipped through the escaping could run or load anything.
"""

from __future__ import annotations

import base64
import hashlib
import re
import string
import typing as t

from ..._modules.duration import duration
from ..._session.util import clock
from ..model.item import ALREADY, DONE, FAILED, OUTCOMES, PLANNED, SKIPPED
from .markup import number, text
from .page_assets import SCRIPT, STYLE
from .report import Report
from .timeline import ORDER, timeline

#: The number of these is shown even when it is 0.
USUAL = (DONE, ALREADY, SKIPPED, FAILED, PLANNED)

PAGE = string.Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="$policy">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<p class="kind">Bulk run: $action</p>
<h1>$run</h1>
<p class="verdict">$verdict</p>
$stopped<dl class="facts">
$facts</dl>
</header>
<main>
<dl class="tiles">
$tiles</dl>
<section>
<h2>Timeline</h2>
$timeline</section>
<section>
<h2>Requests</h2>
<div class="totals">
$totals</div>
</section>
<section>
<h2>Items</h2>
$items</section>
</main>
<footer>$footer</footer>
<script>$script</script>
</body>
</html>
""")

REQUESTS = string.Template("""<table>
<thead><tr><th scope="col">Service</th><th scope="col" class="number">Requests</th>\
<th scope="col" class="number">Per item</th><th scope="col" class="number">Refused by the limit</th></tr></thead>
<tbody>
$rows</tbody>
<tfoot>$total</tfoot>
</table>
""")

ITEMS = string.Template("""<form hidden role="search">
<input type="search" placeholder="Name, ID, reason" aria-label="Filter by name, ID or reason">
<select aria-label="Filter by outcome"><option value="">All outcomes</option>$options</select>
<output aria-live="polite"></output>
</form>
<table id="items">
<thead><tr><th scope="col">Name and ID</th><th scope="col">Outcome</th><th scope="col">Reason</th>\
<th scope="col" class="number">Seconds</th><th scope="col">Created</th></tr></thead>
<tbody>
$rows</tbody>
</table>
""")


def render(report: Report) -> str:
    """The whole page."""
    run = text(report.run or "")
    return PAGE.substitute(
        policy=_policy(),
        style=STYLE,
        script=SCRIPT,
        title=f"{run}: {text(report.action)}",
        action=text(report.action),
        run=run,
        verdict=_verdict(report),
        stopped=_stopped(report),
        facts=_facts(report),
        tiles=_tiles(report),
        timeline=timeline(report),
        totals=_requests(report) + _limits(report),
        items=_items(report),
        footer="Made by onetoken.openstack. Times are in UTC. The same is beside this page as JSON and as CSV.",
    )


def _policy() -> str:
    return (
        f"default-src 'none'; style-src '{_source_hash(STYLE)}'; script-src '{_source_hash(SCRIPT)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _source_hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _share(part: int, whole: int) -> str:
    return f"{part / whole:,.2f}" if whole else "–"


def _service(name: str) -> str:
    return text(name.replace("_", " "))


def _verdict(report: Report) -> str:
    items = len(report.results)
    if not items:
        return "There was nothing to do: no item was selected."
    words = {ALREADY: "done already"}
    counts = {outcome: report.counts.get(outcome, 0) for outcome in ORDER}
    parts = [f"{number(count)} {words.get(outcome, outcome)}" for outcome, count in counts.items() if count]
    nothing_done = " Nothing was changed." if report.counts.get(PLANNED) == items else ""
    return f"{number(items)} item{'s' if items > 1 else ''}: {', '.join(parts)}.{nothing_done}"


def _stopped(report: Report) -> str:
    return f'<p class="stopped">Ended early: {text(report.stopped.rstrip("."))}.</p>\n' if report.stopped else ""


def _facts(report: Report) -> str:
    facts = {
        "Cloud": text(report.cloud),
        "Project": text(report.project),
        "Region": text(report.region_name),
        "Started": _time(clock.show(report.started)),
        "Ended": _time(clock.show(report.ended)),
        "Took": duration(report.seconds, exact=True),
    }
    return "".join(f"<div><dt>{name}</dt><dd>{value or '–'}</dd></div>\n" for name, value in facts.items())


def _time(moment: str) -> str:
    return f'<time datetime="{moment}">{moment}</time>'


def _tiles(report: Report) -> str:
    def tile(outcome: str) -> str:
        count = report.counts.get(outcome, 0)
        empty = "" if count else ' class="none"'
        return f'<div{empty}><dt class="mark {outcome}">{outcome}</dt><dd>{number(count)}</dd></div>\n'

    return "".join(tile(outcome) for outcome in OUTCOMES if outcome in USUAL or report.counts.get(outcome))


def _requests(report: Report) -> str:
    """Requests and refusals by service."""
    items = len(report.results)
    refused = [service for service, _seconds in report.refusals]
    services = dict.fromkeys([*report.requests, *refused])

    def row(name: str, requests: int, refusals: int) -> str:
        numbers = (number(requests), _share(requests, items), number(refusals))
        cells = "".join(f'<td class="number">{cell}</td>' for cell in numbers)
        return f'<tr><th scope="row">{name}</th>{cells}</tr>'

    rows = (row(_service(name), report.requests.get(name, 0), refused.count(name)) for name in services)
    total = row("all", sum(report.requests.values()), len(refused))
    return REQUESTS.substitute(rows="".join(f"{line}\n" for line in rows), total=total)


def _limits(report: Report) -> str:
    facts = {
        "Tokens issued": number(report.tokens_issued),
        "Waited for the cloud's limit": f"{report.throttled_seconds:,.1f} s",
        "Requests a second": f"{sum(report.requests.values()) / report.seconds:,.1f}" if report.seconds else "–",
    }
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>\n" for name, value in facts.items())
    return f"<dl>\n{rows}</dl>\n"


def _items(report: Report) -> str:
    """The table of items, what needs attention first."""
    if not report.results:
        return "<p>None.</p>\n"
    ranks = {outcome: rank for rank, outcome in enumerate(ORDER)}
    results = sorted(report.results, key=lambda result: (ranks[result["outcome"]], _natural(result["name"])))
    options = "".join(f"<option>{outcome}</option>" for outcome in ORDER if report.counts.get(outcome))
    return ITEMS.substitute(options=options, rows="".join(_row(result) for result in results))


def _natural(name: str) -> list[str | int]:
    """So that web-2 comes before web-10."""
    return [int(part) if place % 2 else part for place, part in enumerate(re.split(r"(\d+)", name.casefold()))]


def _row(result: dict[str, t.Any]) -> str:
    # Thousands of rows: HTML closes cells by itself.
    outcome = result["outcome"]
    seconds = f"{result['seconds']:.1f}" if result["seconds"] else ""
    created = "".join(_created(one) for one in result["created"])
    return (
        f"<tr><th scope=row>{text(result['name'])}<small>{text(result['id'])}</small>"
        f'<td class="mark {outcome}">{outcome}<td>{text(result["reason"])}<td class=number>{seconds}<td>{created}\n'
    )


def _created(one: dict[str, t.Any]) -> str:
    kind = text(one["type"].replace("_", " "))
    size = "" if one["size"] is None else f", {_size(one['size'])}"
    status = f", {text(one['status'])}" if one["status"] else ""
    return f"<div>{text(one['name'] or '')} <span>{kind}{status}{size}</span><small>{text(one['id'])}</small></div>"


def _size(size: int) -> str:
    gibibytes = size / 2**30
    return f"{gibibytes:,.1f} GiB" if gibibytes >= 0.95 else f"{size / 2**20:,.0f} MiB"
