# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The settings: each is a command-line option and a key of POST /control."""

from __future__ import annotations

import argparse
import dataclasses
import re
import typing as t

DIALECTS = ("none", "retry-after", "retry-after-date", "x-ratelimit-reset", "x-retry-after", "413")
ORDINALS = {"second": 2, "third": 3, "fourth": 4, "fifth": 5, "tenth": 10}


class SettingError(ValueError):
    """A setting does not accept a value."""


@dataclasses.dataclass(frozen=True)
class Share:
    """The requests that a storm hits: a fraction of them, or every nth."""

    text: str = "0"
    fraction: float = 0.0
    every: int = 0

    @classmethod
    def of(cls, value: t.Any) -> Share:
        """From 0.25, or from "every third", "every 3"."""
        text = str(value)
        counted = re.fullmatch(r"every (\w+)", text)
        try:
            if counted:
                every = ORDINALS.get(counted.group(1)) or int(counted.group(1))
                if every > 0:
                    return cls(text, every=every)
            else:
                fraction = float(text)
                if 0 <= fraction <= 1:
                    return cls(text, fraction=fraction)
        except ValueError:
            pass
        raise SettingError(f"{text!r} is neither a fraction between 0 and 1 nor like 'every third'.")


def setting(default: t.Any, text: str, **more: t.Any) -> t.Any:
    """A field with its help; `start` marks what cannot change at run time."""
    # A dataclass calls it.
    # pylint: disable-next=invalid-field-call
    return dataclasses.field(default=default, metadata={"text": text, **more})


@dataclasses.dataclass
class Settings:
    servers: int = setting(0, "servers booted from an image, ACTIVE: web-00001 and so on", start=True)
    volume_backed: int = setting(0, "servers booted from a volume, ACTIVE: db-00001 and so on", start=True)
    volumes: int = setting(0, "volumes that nothing is attached to: data-00001 and so on", start=True)
    broken: int = setting(0, "servers in ERROR: broken-00001 and so on", start=True)
    busy: int = setting(0, "servers whose task_state is set for ever: busy-00001 and so on", start=True)
    seed: int = setting(0, "what every id and every storm is derived from", start=True)
    requests_per_second: int = setting(
        0, "requests of a project to each of Nova, Glance and Cinder; 0: no limit", limit=True
    )
    token_requests_per_minute: int = setting(0, "token requests of a user; 0: no limit", limit=True)
    dialect: str = setting("none", "how throttled requests are answered", choices=DIALECTS)
    rate_headers: bool = setting(False, "add X-RateLimit-* headers to each answer")
    snapshot_seconds: float = setting(0.0, "seconds that an image takes from queued to active")
    action_seconds: float = setting(0.0, "seconds that all other actions take")
    shelved_offload_seconds: float = setting(
        0.0, "seconds until a shelved server is offloaded; -1: never automatically (Nova's option)"
    )
    latency: float = setting(0.0, "seconds by which each answer is delayed")
    stuck: int = setting(0, "how many of the next images stay queued for ever")
    token_seconds: float = setting(86400.0, "lifetime of a token")
    storm_429: Share = setting(Share(), "share of the requests that is throttled")
    storm_503: Share = setting(Share(), "share that is answered 503; half of the writes are carried out")
    storm_cut: Share = setting(
        Share(), "share whose connection is closed without an answer; half of the writes are carried out"
    )
    storm_keystone: bool = setting(False, "let the storms hit requests for tokens too")
    storm_discovery: bool = setting(False, "let the storms hit the lists of versions too")
    image_quota: int = setting(0, "images a project may have; 0: no quota, and 404 for its usage")
    snapshot_quota: int = setting(-1, "volume snapshots a project may have; -1: any number")
    backup_quota: int = setting(-1, "volume backups a project may have; -1: any number")
    admin: bool = setting(False, "let the user shelve-offload, which Nova leaves to administrators")

    def change(self, values: t.Mapping[str, t.Any]) -> None:
        """Change settings at run time: all of these, or none with a SettingError."""
        known = {field.name: field for field in dataclasses.fields(self)}
        taken = {}
        for name, value in values.items():
            if name not in known or known[name].metadata.get("start"):
                raise SettingError(f"{name} cannot be changed at run time.")
            taken[name] = converted(known[name], value)
        for name, value in taken.items():
            setattr(self, name, value)

    def touches_limits(self, values: t.Mapping[str, t.Any]) -> bool:
        return any(field.name in values for field in dataclasses.fields(self) if field.metadata.get("limit"))

    def as_json(self) -> dict[str, t.Any]:
        return {
            field.name: value.text if isinstance(value := getattr(self, field.name), Share) else value
            for field in dataclasses.fields(self)
        }


def converted(field: dataclasses.Field[t.Any], value: t.Any) -> t.Any:
    """The value in the type of the field's default."""
    choices = field.metadata.get("choices")
    try:
        if isinstance(field.default, Share):
            return Share.of(value)
        if isinstance(field.default, bool) is not isinstance(value, bool):
            raise SettingError(f"{field.name} does not take {value!r}.")
        taken: t.Any = t.cast(type, type(field.default))(value)
    except (TypeError, ValueError) as exc:
        raise exc if isinstance(exc, SettingError) else SettingError(f"{field.name} does not take {value!r}.") from exc
    if choices and taken not in choices:
        raise SettingError(f"{field.name} is one of {', '.join(choices)}, not {value!r}.")
    return taken


def add_options(parser: argparse.ArgumentParser) -> None:
    for field in dataclasses.fields(Settings):
        option = f"--{field.name.replace('_', '-')}"
        text = field.metadata["text"].replace("%", "%%")
        if isinstance(field.default, bool):
            parser.add_argument(option, action="store_true", help=text)
        elif isinstance(field.default, Share):
            parser.add_argument(option, type=share_option, default=field.default, metavar="SHARE", help=text)
        else:
            choices = field.metadata.get("choices")
            parser.add_argument(option, type=type(field.default), default=field.default, choices=choices, help=text)


def share_option(text: str) -> Share:
    try:
        return Share.of(text)
    except SettingError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def from_options(options: argparse.Namespace) -> Settings:
    return Settings(**{field.name: getattr(options, field.name) for field in dataclasses.fields(Settings)})
