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
import html
import re
import string
import typing as t

from ..._session.util import clock
from ..model.item import ACCEPTED, ALREADY, BLOCKED, DONE, FAILED, INCOMPLETE, OUTCOMES, PLANNED, SKIPPED

if t.TYPE_CHECKING:
    from .report import Report

#: What needs attention comes first.
ORDER = (FAILED, INCOMPLETE, BLOCKED, SKIPPED, PLANNED, ACCEPTED, DONE, ALREADY)
#: The number of these is shown even when it is 0.
USUAL = (DONE, ALREADY, SKIPPED, FAILED, PLANNED)

#: A timeline of so many items names each beside its bar; one of more has thinner bars.
NAMED = 40
#: A timeline of so many items has bars that each tell their item; of more, no bar can be pointed at.
TITLED = 1000
#: Heights in the timeline, in pixels; the first is also in the style.
NAMED_ROW, ROW, LONGEST_PLOT, STRIP, AXIS = 22, 8, 520, 16, 26
#: A failure is so many pixels high at least, however many items there are.
VISIBLE = 1.5
#: The bars' own width of the plot.
WIDTH = 10_000
#: No bar is narrower than this.
NARROWEST = 25

#: Steps of a time axis, in seconds.
STEPS = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * minutes for minutes in (1, 2, 5, 10, 15, 30)),
    *(3600 * hours for hours in (1, 2, 3, 6, 12, 24)),
)
MOST_STEPS = 8

#: Pictures of characters that a browser would not show, and a mark for those that turn the text around them.
_VISIBLE = {code: 0x2400 + code for code in range(32)} | {127: 0x2421}
_VISIBLE |= dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #1b2027; --soft: #59626d; --line: #dfe3e8; --focus: #2b6cb0;
  --done: #3a6ea5; --already: #758fab; --skipped: #8a8f98; --failed: #c2410c; --planned: #59626d; --limit: #8a6a10;
  --accepted: #2f7f86; --incomplete: #b0661a; --blocked: #6d5f9e;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --paper: #15181d; --ink: #e4e7eb; --soft: #9da6b1; --line: #2e343c; --focus: #7fb2e5;
    --done: #6ba3d9; --already: #5d7791; --skipped: #7a818b; --failed: #ff8a5c; --planned: #9da6b1; --limit: #d3a93c;
    --accepted: #58aeb5; --incomplete: #e0a64a; --blocked: #a698d9;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 3rem 2rem 4rem; max-width: 76rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums;
}
h1 { margin: 0; font-size: 2rem; line-height: 1.2; font-weight: 600; letter-spacing: -.015em; overflow-wrap: anywhere; }
h2 { margin: 3rem 0 .9rem; font-size: 1.05rem; line-height: 1.3; font-weight: 600; }
.kind { margin: 0 0 .25rem; color: var(--soft); }
.verdict { margin: .5rem 0 0; font-size: 1.1rem; }
.stopped { margin: 1.25rem 0 0; padding: .1rem 0 .1rem .9rem; border-left: 3px solid var(--failed); }
dl { margin: 0; }
dt { color: var(--soft); font-size: .8rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.facts { display: flex; flex-wrap: wrap; gap: .9rem 2.5rem; margin-top: 1.75rem; }
.tiles {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); margin-top: 2rem;
  border: solid var(--line); border-width: 1px 0;
}
.tiles div { display: flex; flex-direction: column-reverse; padding: .9rem 0 1rem; }
.tiles dt { font-size: .9rem; }
.tiles dd { font-size: 2rem; line-height: 1.2; letter-spacing: -.02em; }
.tiles .none dd { color: var(--soft); }
.mark::before {
  content: ""; display: inline-block; width: .62em; height: .62em; margin-right: .5em; border-radius: 1px;
  background: var(--outcome);
}
.done { --outcome: var(--done); } .already { --outcome: var(--already); } .skipped { --outcome: var(--skipped); }
.accepted { --outcome: var(--accepted); } .incomplete { --outcome: var(--incomplete); }
.blocked { --outcome: var(--blocked); } .failed { --outcome: var(--failed); } .planned { --outcome: var(--planned); }
.planned.mark::before { background: none; border: 1.5px solid var(--outcome); }
.totals { display: flex; flex-wrap: wrap; gap: 1.5rem 5rem; align-items: flex-start; }
.totals table { flex: 0 1 32rem; }
.totals dl { display: grid; gap: .7rem; padding-top: .4rem; }
.totals dd { font-size: 1.05rem; }
table { width: 100%; border-collapse: collapse; }
th { text-align: left; font-weight: 400; }
thead th { color: var(--soft); font-size: .8rem; vertical-align: bottom; }
th, td { padding: .4rem 1.25rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th:last-child, td:last-child { padding-right: 0; }
tfoot th, tfoot td { border-bottom: 0; font-weight: 600; }
.number { text-align: right; }
figure { margin: 0; }
figcaption { margin-top: .6rem; color: var(--soft); font-size: .8rem; max-width: 60em; }
.chart { display: flex; gap: 1rem; }
.chart ol { flex: none; max-width: 13rem; margin: 0; padding: 0; list-style: none; font-size: .8rem; }
.refused ol { padding-top: 16px; }
.chart li { height: 22px; line-height: 22px; overflow: hidden; white-space: nowrap; text-overflow: ellipsis; }
svg { display: block; }
.chart > svg { flex: 1; min-width: 0; overflow: visible; }
.grid { stroke: var(--line); }
.base { stroke: var(--soft); }
.ticks { stroke: var(--limit); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
text { fill: var(--soft); font-size: 12px; text-anchor: middle; }
rect { fill: var(--outcome); }
path { stroke: var(--outcome); }
.solid { shape-rendering: crispEdges; }
form { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; margin-bottom: .9rem; }
form[hidden] { display: none; }
input, select {
  font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--soft); border-radius: 4px;
  padding: .3rem .6rem; min-height: 2.25rem;
}
input { flex: 0 1 22rem; min-width: 0; }
output { color: var(--soft); font-size: .9rem; }
:focus-visible { outline: 2px solid var(--focus); outline-offset: 1px; }
/* A table of rows that are each laid out alone: those out of sight then cost nothing. */
#items, #items thead, #items tbody { display: block; }
#items tr {
  display: grid; grid-template-columns: 25fr 6rem 30fr 4.5rem 29fr; gap: 0 1.25rem; padding: .4rem 0;
  border-bottom: 1px solid var(--line);
}
#items tbody tr { content-visibility: auto; contain-intrinsic-size: auto 4rem; }
#items tr[hidden] { display: none; }
#items thead { position: sticky; top: 0; z-index: 1; background: var(--paper); }
#items th, #items td { border: 0; padding: 0; min-width: 0; overflow-wrap: anywhere; }
td.failed { color: var(--failed); font-weight: 600; }
small {
  display: block; color: var(--soft); font: 11.5px/1.6 ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
td span { display: inline-block; color: var(--soft); font-size: .85rem; }
thead button {
  font: inherit; color: inherit; background: none; border: 0; padding: 0; cursor: pointer; text-align: inherit;
}
thead button::after { content: "\\2195"; margin-left: .35em; opacity: .45; }
thead .number button { display: inline-flex; flex-direction: row-reverse; }
thead .number button::after { margin: 0 .35em 0 0; }
[aria-sort] button { color: var(--ink); }
[aria-sort=ascending] button::after { content: "\\2191"; opacity: 1; }
[aria-sort=descending] button::after { content: "\\2193"; opacity: 1; }
footer { margin-top: 3rem; color: var(--soft); font-size: .8rem; }
@media screen and (max-width: 46rem) {
  body { padding: 1.5rem 1rem 3rem; }
  h1 { font-size: 1.6rem; }
  .tiles { grid-template-columns: repeat(3, 1fr); }
  .tiles dd { font-size: 1.6rem; }
  .chart ol { max-width: 6rem; }
  #items thead { position: static; }
  #items tr { grid-template-columns: 1fr auto; padding: .6rem 0; }
  #items thead tr { display: flex; flex-wrap: wrap; }
  #items tbody th, #items td { grid-column: 1 / -1; }
  #items td.mark { grid-area: 2 / 1; }
  #items td.number { grid-area: 2 / 2; }
}
@media print {
  @page { margin: 14mm; }
  html, body { font-size: 12px; }
  body { padding: 0; max-width: none; }
  h2 { margin-top: 1.75rem; break-after: avoid; }
  small { font-size: 8px; }
  .totals { gap: 1.5rem 3rem; }
  .totals table { flex-basis: 26rem; }
  form, thead button::after { display: none; }
  #items thead { position: static; }
  #items tbody tr { content-visibility: visible; }
  tr, figure, .totals { break-inside: avoid; }
  rect, path, line, .mark::before { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
}
"""

SCRIPT = """
"use strict";
(() => {
  const body = document.querySelector("#items tbody");
  const form = document.querySelector("form");
  if (!body) return;
  const [text, outcome, shown] = form.elements;
  const rows = [...body.rows].map((row, place) => ({ row, place, words: row.textContent.toLowerCase() }));
  const ranks = [...outcome.options].map(option => option.value);
  const { compare } = new Intl.Collator(undefined, { numeric: true });
  const numbers = { 1: cell => ranks.indexOf(cell.textContent), 3: cell => Number(cell.textContent || -1) };

  const filter = () => {
    const wanted = text.value.toLowerCase().split(/\\s+/);
    let count = 0;
    for (const { row, words } of rows) {
      const chosen = !outcome.value || row.cells[1].textContent === outcome.value;
      row.hidden = !chosen || !wanted.every(word => words.includes(word));
      count += !row.hidden;
    }
    shown.value = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")}`;
  };

  const sort = (header, column) => {
    const descending = header.getAttribute("aria-sort") === "ascending";
    for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
    header.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const number = numbers[column];
    for (const one of rows) one.key = number ? number(one.row.cells[column]) : one.row.cells[column].textContent;
    const order = number ? (a, b) => a.key - b.key : (a, b) => compare(a.key, b.key);
    rows.sort((a, b) => (descending ? order(b, a) : order(a, b)) || a.place - b.place);
    for (const { row } of rows) body.append(row);
  };

  [...document.querySelectorAll("#items thead th")].forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => sort(header, column));
  });
  form.addEventListener("input", filter);
  form.addEventListener("submit", event => event.preventDefault());
  form.hidden = false;
  filter();
})();
"""

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
    run = _text(report.run or "")
    return PAGE.substitute(
        policy=_policy(),
        style=STYLE,
        script=SCRIPT,
        title=f"{run}: {_text(report.action)}",
        action=_text(report.action),
        run=run,
        verdict=_verdict(report),
        stopped=_stopped(report),
        facts=_facts(report),
        tiles=_tiles(report),
        timeline=_timeline(report),
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


def _text(value: str) -> str:
    return html.escape(value.translate(_VISIBLE))


def _number(value: float) -> str:
    return f"{value:,}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:,.2f}" if whole else "–"


def _duration(seconds: float) -> str:
    if round(seconds, 1) < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def _service(name: str) -> str:
    return _text(name.replace("_", " "))


def _verdict(report: Report) -> str:
    items = len(report.results)
    if not items:
        return "There was nothing to do: no item was selected."
    words = {ALREADY: "done already"}
    counts = {outcome: report.counts.get(outcome, 0) for outcome in ORDER}
    parts = [f"{_number(count)} {words.get(outcome, outcome)}" for outcome, count in counts.items() if count]
    nothing_done = " Nothing was changed." if report.counts.get(PLANNED) == items else ""
    return f"{_number(items)} item{'s' if items > 1 else ''}: {', '.join(parts)}.{nothing_done}"


def _stopped(report: Report) -> str:
    return f'<p class="stopped">Ended early: {_text(report.stopped.rstrip("."))}.</p>\n' if report.stopped else ""


def _facts(report: Report) -> str:
    facts = {
        "Cloud": _text(report.cloud),
        "Project": _text(report.project),
        "Region": _text(report.region_name),
        "Started": _time(clock.show(report.started)),
        "Ended": _time(clock.show(report.ended)),
        "Took": _duration(report.seconds),
    }
    return "".join(f"<div><dt>{name}</dt><dd>{value or '–'}</dd></div>\n" for name, value in facts.items())


def _time(moment: str) -> str:
    return f'<time datetime="{moment}">{moment}</time>'


def _tiles(report: Report) -> str:
    def tile(outcome: str) -> str:
        count = report.counts.get(outcome, 0)
        empty = "" if count else ' class="none"'
        return f'<div{empty}><dt class="mark {outcome}">{outcome}</dt><dd>{_number(count)}</dd></div>\n'

    return "".join(tile(outcome) for outcome in OUTCOMES if outcome in USUAL or report.counts.get(outcome))


def _requests(report: Report) -> str:
    """Requests and refusals by service."""
    items = len(report.results)
    refused = [service for service, _seconds in report.refusals]
    services = dict.fromkeys([*report.requests, *refused])

    def row(name: str, requests: int, refusals: int) -> str:
        numbers = (_number(requests), _share(requests, items), _number(refusals))
        cells = "".join(f'<td class="number">{number}</td>' for number in numbers)
        return f'<tr><th scope="row">{name}</th>{cells}</tr>'

    rows = (row(_service(name), report.requests.get(name, 0), refused.count(name)) for name in services)
    total = row("all", sum(report.requests.values()), len(refused))
    return REQUESTS.substitute(rows="".join(f"{line}\n" for line in rows), total=total)


def _limits(report: Report) -> str:
    facts = {
        "Tokens issued": _number(report.tokens_issued),
        "Waited for the cloud's limit": f"{report.throttled_seconds:,.1f} s",
        "Requests a second": f"{sum(report.requests.values()) / report.seconds:,.1f}" if report.seconds else "–",
    }
    rows = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>\n" for name, value in facts.items())
    return f"<dl>\n{rows}</dl>\n"


class _Bar(t.NamedTuple):
    """An item in the timeline: where it starts, how long it is, on which row."""

    start: int
    width: int
    row: int
    result: dict[str, t.Any]


def _timeline(report: Report) -> str:
    """Each item's time as a bar, over a time axis; refusals as ticks above them."""
    started = sorted(
        (result for result in report.results if result["started_at"] is not None),
        key=lambda result: (result["started_at"], result["name"]),
    )
    if not started:
        return "<p>No item was started.</p>\n"
    length = max(report.seconds, *(result["ended_at"] or 0 for result in started), *_moments(report), 1)
    strip = STRIP if report.refusals else 0
    plot = NAMED_ROW * len(started) if len(started) <= NAMED else min(LONGEST_PLOT, ROW * len(started))
    bars = [_bar(result, row, report.seconds, length) for row, result in enumerate(started)]
    names = "".join(f"<li>{_text(result['name'])}</li>" for result in started) if len(started) <= NAMED else ""
    return (
        f'<figure><div class="chart{" refused" if strip else ""}">\n'
        + (f'<ol aria-hidden="true">{names}</ol>\n' if names else "")
        + f'<svg width="100%" height="{strip + plot + AXIS}" role="img" aria-label="{_summary(report, started)}">\n'
        + _axis(length, strip + plot)
        + (_ticks(report, length) if strip else "")
        + f'<svg y="{strip}" width="100%" height="{plot}" viewBox="0 0 {WIDTH} {len(bars)}" '
        + f'preserveAspectRatio="none">\n{_bars(bars, plot / len(bars))}</svg>\n</svg>\n</div>\n'
        + f"<figcaption>{_caption(report, length)}</figcaption></figure>\n"
    )


def _moments(report: Report) -> list[float]:
    return [seconds for _service_name, seconds in report.refusals]


def _summary(report: Report, started: list[dict[str, t.Any]]) -> str:
    return (
        f"{_number(len(started))} items over {_duration(report.seconds)}, "
        f"{_number(len(report.refusals))} requests refused by the limit. The table of items has the same in words."
    )


def _caption(report: Report, length: float) -> str:
    bars = f"Each bar is an item from its start to its end, in the order of their starts; time in {_unit(length)}."
    return bars + (" A tick above is a request that the cloud's limit refused." if report.refusals else "")


def _bar(result: dict[str, t.Any], row: int, seconds: float, length: float) -> _Bar:
    """The bar of an item that did not end reaches to the end of the run."""
    start = result["started_at"]
    end = seconds if result["ended_at"] is None else result["ended_at"]
    width = max(NARROWEST, round((end - start) / length * WIDTH))
    return _Bar(min(round(start / length * WIDTH), WIDTH - NARROWEST), width, row, result)


def _bars(bars: list[_Bar], pixels: float) -> str:
    """The bars, each so many pixels high; those that matter most are drawn last, over the others."""
    by_outcome = {outcome: [one for one in bars if one.result["outcome"] == outcome] for outcome in reversed(ORDER)}
    draw = _titled if len(bars) <= TITLED else _joined
    return "".join(
        f'<g class="{outcome}{" solid" if pixels < ROW else ""}">{draw(drawn, _thickness(outcome, pixels))}</g>\n'
        for outcome, drawn in by_outcome.items()
        if drawn
    )


def _thickness(outcome: str, pixels: float) -> float:
    """Of a bar, in rows."""
    if pixels >= ROW:
        return 0.7
    return max(1, VISIBLE / pixels) if outcome == FAILED else 1


def _titled(bars: list[_Bar], thickness: float) -> str:
    return "".join(_titled_bar(one, thickness) for one in bars)


def _titled_bar(one: _Bar, thickness: float) -> str:
    result, top = one.result, one.row + (1 - thickness) / 2
    title = f"{_text(result['name'])}: {result['outcome']}, {result['seconds']:.1f} s"
    place = f'x="{one.start}" y="{top:.2f}" width="{one.width}" height="{thickness:.2f}"'
    return f"<rect {place}><title>{title}</title></rect>"


def _joined(bars: list[_Bar], thickness: float) -> str:
    lines = "".join(f"M{one.start} {one.row + 0.5}h{one.width}" for one in bars)
    return f'<path stroke-width="{thickness:.2f}" d="{lines}"/>'


def _ticks(report: Report, length: float) -> str:
    """Where the limit refused requests, in the strip above the bars."""
    places = sorted({round(seconds / length * WIDTH) for seconds in _moments(report)})
    lines = "".join(f"M{place} 0v1" for place in places)
    return (
        f'<svg width="100%" height="{STRIP - 6}" viewBox="0 0 {WIDTH} 1" preserveAspectRatio="none">'
        f'<path class="ticks" d="{lines}"><title>{_number(len(report.refusals))} requests refused by the limit</title>'
        "</path></svg>\n"
    )


def _step(length: float) -> int:
    return next((step for step in STEPS if length / step <= MOST_STEPS), STEPS[-1] * (int(length / STEPS[-1]) // 8 + 1))


def _axis(length: float, bottom: int) -> str:
    """Lines at round times, and what times they are."""
    step = _step(length)
    lines = [f'<line class="base" y1="{bottom}" x2="100%" y2="{bottom}"/>']
    for seconds in range(0, int(length) + 1, step):
        x = f"{seconds / length:.3%}"
        lines.append(f'<line class="grid" x1="{x}" x2="{x}" y2="{bottom}"/>')
        lines.append(f'<text x="{x}" y="{bottom + 18}">{_clock(seconds, _unit(length))}</text>')
    return "\n".join(lines) + "\n"


def _unit(length: float) -> str:
    if length <= 120:
        return "seconds"
    return "minutes:seconds" if length <= 7200 else "hours:minutes"


def _clock(seconds: int, unit: str) -> str:
    if unit == "seconds":
        return str(seconds)
    whole, rest = divmod(seconds if unit == "minutes:seconds" else seconds // 60, 60)
    return f"{whole}:{rest:02}"


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
        f"<tr><th scope=row>{_text(result['name'])}<small>{_text(result['id'])}</small>"
        f'<td class="mark {outcome}">{outcome}<td>{_text(result["reason"])}<td class=number>{seconds}<td>{created}\n'
    )


def _created(one: dict[str, t.Any]) -> str:
    kind = _text(one["type"].replace("_", " "))
    size = "" if one["size"] is None else f", {_size(one['size'])}"
    status = f", {_text(one['status'])}" if one["status"] else ""
    return f"<div>{_text(one['name'] or '')} <span>{kind}{status}{size}</span><small>{_text(one['id'])}</small></div>"


def _size(size: int) -> str:
    gibibytes = size / 2**30
    return f"{gibibytes:,.1f} GiB" if gibibytes >= 0.95 else f"{size / 2**20:,.0f} MiB"
