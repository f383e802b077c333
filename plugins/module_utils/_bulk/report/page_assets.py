# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The style and the script of the report's page. The page names their hashes, so a browser runs nothing else."""

from __future__ import annotations

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
