# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of a command in a terminal, as an animated SVG."""

from __future__ import annotations

import time
import typing as t
from html import escape
from itertools import groupby

import pyte

from ..helpers.controller import Controller
from ..helpers.sandbox import REPOSITORY

COLUMNS, ROWS = 108, 32
FONT_SIZE, LINE_HEIGHT, PADDING, FRAME = 14, 19, 18, 34
#: The width of a character, in any font.
ADVANCE = 8.4
WIDTH, SCREEN = round(COLUMNS * ADVANCE) + 2 * PADDING, ROWS * LINE_HEIGHT + 2 * PADDING
HEIGHT = SCREEN + FRAME
#: Seconds that a frame is shown, at least and at most, and that the last one is.
SHORTEST, LONGEST, LAST = 0.15, 1.0, 8.0
TIMEOUT = 300
STYLE = """
.screen { fill: #161b22 } .frame { fill: #21262d }
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre }
text { fill: #e6edf3 } .title { fill: #9198a1 } .bold { font-weight: 700 }
.red { fill: #ff7b72 } .green { fill: #56d364 } .brown { fill: #e3b341 } .blue { fill: #79c0ff } .cyan { fill: #76e3ea }
.magenta { fill: #d2a8ff } .brightblack { fill: #8b949e }
"""


class Frame(t.NamedTuple):
    """The screen from a moment on, in seconds: the pieces of each row, with column and class."""

    start: float
    rows: tuple[tuple[tuple[int, str, str], ...], ...]


def record(user: Controller, prompt: str, command: t.Sequence[str]) -> list[Frame]:
    """Run a command in a terminal, with the paths of a user's machine."""
    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    stream.feed(f"{prompt}\r\n")
    frames = [Frame(0.0, _rows(screen))]
    shown, moment, began = "", 0.0, time.monotonic()
    sized = f'stty cols {COLUMNS} rows {ROWS} && exec "$@"'
    with user.started("bash", "-c", sized, "bash", *command, TERM="xterm-256color") as terminal:
        while True:
            ended = terminal.ended
            output = terminal.output.replace(str(user.home), "~").replace(str(REPOSITORY), "~/onetoken.openstack")
            assert time.monotonic() < began + TIMEOUT, output
            if output != shown:
                stream.feed(output[len(shown) :])
                shown = output
                rows = _rows(screen)
                if rows != frames[-1].rows:
                    now = time.monotonic() - began
                    frames.append(Frame(frames[-1].start + min(max(now - moment, SHORTEST), LONGEST), rows))
                    moment = now
            if ended:
                break
            time.sleep(SHORTEST)
        assert terminal.process.returncode == 0, output
    return frames


def _rows(screen: pyte.Screen) -> tuple[tuple[tuple[int, str, str], ...], ...]:
    return tuple(tuple(_pieces(screen, row)) for row in range(ROWS))


def _pieces(screen: pyte.Screen, row: int) -> t.Iterator[tuple[int, str, str]]:
    """The pieces of a row with the same style."""
    characters = [screen.buffer[row][column] for column in range(COLUMNS)]
    for look, group in groupby(enumerate(characters), key=lambda pair: (pair[1].fg, pair[1].bold)):
        pieces = list(group)
        text = "".join(character.data for _column, character in pieces)
        if text.strip():
            colour, bold = look
            classes = ([colour] if colour != "default" else []) + (["bold"] if bold else [])
            yield pieces[0][0] + len(text) - len(text.lstrip()), text.strip(), " ".join(classes)


def svg(title: str, frames: t.Sequence[Frame]) -> str:
    """An animation: the frames one below the other, one visible at a time; without motion, the last one."""
    length = frames[-1].start + LAST
    steps = [
        f"{frame.start / length:.3%} {{ transform: translateY({-number * SCREEN}px) }}"
        for number, frame in enumerate(frames)
    ]
    end = f"transform: translateY({-(len(frames) - 1) * SCREEN}px)"
    style = (
        f"{STYLE}.film {{ {end}; animation: play {length:.1f}s step-end infinite }}\n"
        f"@keyframes play {{ {' '.join(steps)} 100% {{ {end} }} }}\n"
        "@media (prefers-reduced-motion: reduce) { .film { animation: none } }\n"
    )
    film = "\n".join(
        f'<g transform="translate(0 {number * SCREEN})">\n{_drawn(frame)}</g>' for number, frame in enumerate(frames)
    )
    buttons = "".join(
        f'<circle cx="{PADDING + 4 + 18 * number}" cy="{FRAME // 2}" r="5.5" fill="{colour}"/>'
        for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        f'role="img">\n<title>{escape(title)}</title>\n<style>{style}</style>\n'
        f'<clipPath id="window"><rect width="{WIDTH}" height="{HEIGHT}" rx="8"/></clipPath>\n'
        f'<clipPath id="glass"><rect width="{WIDTH}" height="{SCREEN}"/></clipPath>\n'
        '<g clip-path="url(#window)">\n'
        f'<rect class="screen" width="{WIDTH}" height="{HEIGHT}"/>\n'
        f'<rect class="frame" width="{WIDTH}" height="{FRAME}"/>\n{buttons}\n'
        f'<g transform="translate(0 {FRAME})" clip-path="url(#glass)"><g class="film">\n{film}\n</g></g>\n'
        "</g>\n</svg>\n"
    )


def _drawn(frame: Frame) -> str:
    lines = []
    for number, pieces in enumerate(frame.rows):
        y = PADDING + number * LINE_HEIGHT + FONT_SIZE
        for column, text, classes in pieces:
            place = f'x="{PADDING + column * ADVANCE:.1f}" y="{y}" textLength="{len(text) * ADVANCE:.1f}"'
            look = f' class="{classes}"' if classes else ""
            lines.append(f"<text {place}{look}>{escape(text, quote=False)}</text>\n")
    return "".join(lines)
