# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of what services say of a resource, each read as what it must be.

A field that is absent or null has the value of its default. One of another kind is an error, as nothing can be decided
by it: what deletes would be wrong, and what waits would wait for ever.
"""

from __future__ import annotations

import json
import typing as t

from ..._session.util.clock import parse
from ..model.errors import UnreadableError
from .services import Service, display_name

T = t.TypeVar("T")

#: So much of an odd value is shown, in characters.
_LONGEST_VALUE = 60


class Fields:
    """What a service says of one resource."""

    def __init__(self, service: Service, kind: str, body: t.Mapping[str, t.Any]) -> None:
        self._service = service
        self._kind = kind
        self._body = body

    def error(self, key: str, expected: str) -> UnreadableError:
        """That a field is not as expected."""
        name = self._body.get("id")
        which = f"{self._kind} {name}" if name and isinstance(name, str) else f"a {self._kind}"
        value = _shown(self._body[key]) if key in self._body else "nothing"
        return UnreadableError(
            f"the {display_name(self._service)} service gives {value} as the {key} of {which}, and not {expected}"
        )

    def text(self, key: str) -> str:
        """A text, empty by default."""
        return self._read(key, str, "a text", "")

    def required(self, key: str) -> str:
        """A text that is never empty."""
        if not (text := self.text(key)):
            raise self.error(key, "a text")
        return text

    def number(self, key: str) -> int | None:
        """A whole number."""
        if isinstance(self._body.get(key), bool):
            raise self.error(key, "a number")
        return self._read(key, int, "a number", None)

    def flag(self, key: str) -> bool:
        """True or false, which is the default."""
        return self._read(key, bool, "true or false", False)

    def moment(self, key: str) -> str:
        """A time as ISO 8601 has it, empty by default."""
        text = self.text(key)
        try:
            if text:
                parse(text)
        except ValueError:
            raise self.error(key, "a time") from None
        return text

    def required_moment(self, key: str) -> str:
        """A time as ISO 8601 has it."""
        if not (text := self.moment(key)):
            raise self.error(key, "a time")
        return text

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts."""
        values = self._read(key, list, "a list of texts", [])
        if not all(isinstance(value, str) for value in values):
            raise self.error(key, "a list of texts")
        return tuple(values)

    def metadata(self, key: str) -> dict[str, str]:
        """Names and texts."""
        values = self._read(key, dict, "a mapping of texts", {})
        if not all(isinstance(value, str) for value in values.values()):
            raise self.error(key, "a mapping of texts")
        return dict(values)

    def inner(self, key: str) -> Fields:
        """What is said of a part of it."""
        return Fields(self._service, f"{self._kind}'s {key}", self._read(key, dict, "a mapping", {}))

    def rows(self, key: str) -> list[Fields]:
        """What is said of several parts of it."""
        values = self._read(key, list, "a list of mappings", [])
        if not all(isinstance(value, dict) for value in values):
            raise self.error(key, "a list of mappings")
        return [Fields(self._service, f"{self._kind}'s {key}", value) for value in values]

    def _read(self, key: str, kind: type, expected: str, default: t.Any) -> t.Any:
        value = self._body.get(key)
        if value is None:
            return default
        if not isinstance(value, kind):
            raise self.error(key, expected)
        return value


def readable(
    rows: t.Iterable[dict[str, t.Any]],
    read: t.Callable[[dict[str, t.Any]], T],
    unreadable: dict[str, UnreadableError] | None = None,
) -> t.Iterator[T]:
    """What these rows of a listing say. One that cannot be read is an error, or goes into the mapping by its id: what
    deletes must know everything, what makes something may go on without a part."""
    for row in rows:
        try:
            found = read(row)
        except UnreadableError as exc:
            if unreadable is None:
                raise
            unreadable[row["id"]] = exc
        else:
            yield found


def _shown(value: t.Any) -> str:
    """The beginning of a value."""
    try:
        text = json.dumps(value)
    except (RecursionError, TypeError, ValueError):
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
