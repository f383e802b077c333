# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find pages of the documentation that scroll sideways; on a phone, tables may, each in a box of its own."""

from __future__ import annotations

import html
import json
import pathlib
import re
import sys
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
# The checkout stands there as the collection onetoken.openstack.
sys.path.insert(0, str(REPOSITORY / ".venv" / "collections"))

from ansible_collections.onetoken.openstack.tests.helpers.browser import Browser  # noqa: E402

#: In pixels.
LAPTOP, PHONE = 1280, 390
#: Measures each page in a frame, as to start the browser takes longer than to show a page.
SCRIPT = """
const found = [];
function measure(page, width, frame) {
  const root = frame.contentDocument.documentElement;
  if (root.scrollWidth > root.clientWidth) found.push(`${page} at ${width} px`);
  for (const box of root.querySelectorAll("body *")) {
    const scrolls = ["auto", "scroll"].includes(frame.contentWindow.getComputedStyle(box).overflowX);
    const may = width === PHONE && box.matches(".table-wrapper");
    if (scrolls && box.scrollWidth > box.clientWidth && !may)
      found.push(`${page} at ${width} px: ${box.tagName.toLowerCase()} ${box.className}`);
  }
}
for (const width of [LAPTOP, PHONE]) {
  for (const page of PAGES) {
    const frame = document.createElement("iframe");
    frame.style.width = `${width}px`;
    frame.onload = () => measure(page, width, frame);
    frame.src = page;
    document.body.append(frame);
  }
}
window.onload = () => { document.body.innerHTML = `<pre>${JSON.stringify(found)}</pre>`; };
"""


def scrolling(site: pathlib.Path) -> list[str]:
    """The pages of a site that scroll sideways, with the width and, if it is not the whole page, the element."""
    pages = sorted(path.as_uri() for path in site.rglob("*.html"))
    constants = f"const PAGES = {json.dumps(pages)}, LAPTOP = {LAPTOP}, PHONE = {PHONE};"
    with tempfile.TemporaryDirectory(prefix="widths-") as home:
        page = pathlib.Path(home, "widths.html")
        page.write_text(f"<!doctype html><body><script>{constants}{SCRIPT}</script>", encoding="utf-8")
        dom = Browser(pathlib.Path(home)).visit(page, "--allow-file-access-from-files").dom
    (found,) = re.findall("<pre>(.*)</pre>", dom)
    return [one.removeprefix(f"{site.as_uri()}/") for one in json.loads(html.unescape(found))]
