# Copyright: (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots of many servers: plan from two listings, ask for each image once, watch them all with one listing a look.

What belongs to a run is written on the images themselves: a run that stopped halfway is finished by running it again.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
import string
import typing as t
from dataclasses import asdict, dataclass, field

from .patient_requests import CloudError, LostAnswerError, PatientRequests, RefusedError, ServiceAbsentError
from .server_selection import Criteria, Server, list_servers, texts
from .session.clock import now
from .session.errors import ConfigurationError, OneTokenError
from .session.pacing import Waiter

if t.TYPE_CHECKING:
    import openstack.connection

DONE, ALREADY, FAILED, PLANNED = OUTCOMES = ("done", "already", "failed", "planned")

RESERVED = "onetoken_"
RUN, SERVER_ID, SERVER_NAME = "onetoken_run", "onetoken_server_id", "onetoken_server_name"
PLACEHOLDERS = ("server", "server_id", "run", "date")

ACTIVE = "active"
IMAGE_IN_PROGRESS = {"queued", "saving", "uploading", "importing"}
SNAPSHOT_IN_PROGRESS = {"creating"}
SNAPSHOT_USABLE = {"available", "backing-up", "restoring"}

#: From this microversion on, Nova gives the image's id in the answer's body instead of a header.
IMAGE_ID_IN_BODY = "2.45"
OLDEST = "2.1"
CONFLICT = 409
#: createImage is sent so often at most when no answer comes.
ATTEMPTS = 3
#: Pauses before each look for the image of a request that got no answer.
LOOKS_FOR_LOST = (1.0, 3.0, 6.0)
FIRST_INTERVAL, LONGEST_INTERVAL, INTERVAL_GROWTH = 1.0, 10.0, 1.5
#: What has just been made may be absent from listings that come from a late database replica.
MISSES_ALLOWED = 2
#: A server in another status is refused by Nova, as far as can be told without asking.
SNAPSHOTABLE = {"ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED"}


@dataclass(frozen=True)
class SnapshotOptions:
    run: str
    image_name: str = "{server}-{run}"
    properties: t.Mapping[str, t.Any] = field(default_factory=dict)
    wait: bool = True
    timeout: int = 1800
    moment: datetime.datetime = field(default_factory=now)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,128}", self.run):
            raise ConfigurationError(f"run must be 1 to 128 letters, digits, '.', '_' or '-', not {self.run!r}.")
        if self.timeout < 1:
            raise ConfigurationError(f"timeout must be at least 1 second, not {self.timeout}.")
        if reserved := sorted(key for key in texts(self.properties, "properties") if key.startswith(RESERVED)):
            raise ConfigurationError(f"Properties that start with {RESERVED} are written here: leave out {reserved}.")
        self._check_image_name()

    def _check_image_name(self) -> None:
        try:
            parts = list(string.Formatter().parse(self.image_name))
        except ValueError as exc:
            raise ConfigurationError(f"image_name {self.image_name!r} cannot be read: {exc}.") from exc
        for _text, placeholder, format_spec, conversion in parts:
            if placeholder is None:
                continue
            if placeholder not in PLACEHOLDERS or format_spec or conversion:
                known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
                raise ConfigurationError(
                    f"image_name {self.image_name!r} has a placeholder that is not known: use {known}, as they are."
                )

    def image_name_of(self, server: Server) -> str:
        moment = self.moment.astimezone(datetime.timezone.utc)
        values = {
            "server": server.name,
            "server_id": server.id,
            "run": self.run,
            "date": moment.strftime("%Y-%m-%dT%H%M%SZ"),
        }
        return self.image_name.format_map(values)

    def properties_of(self, server: Server) -> dict[str, str]:
        mark = {RUN: self.run, SERVER_ID: server.id, SERVER_NAME: server.name}
        return {**texts(self.properties, "properties"), **mark}


def run_of_today() -> str:
    """The run that a call belongs to when it names none: all calls of a day (UTC) are one run."""
    return now().strftime("%Y-%m-%d")


@dataclass
class Image:
    id: str = ""
    name: str = ""
    status: str = ""
    size: int | None = None


@dataclass
class VolumeSnapshot:
    id: str
    status: str = ""
    size: int | None = None


@dataclass
class Item:
    """One server, and what has become of it."""

    id: str
    name: str
    outcome: str = PLANNED
    reason: str = ""
    seconds: float = 0.0
    image: Image = field(default_factory=Image)
    volume_snapshots: list[VolumeSnapshot] = field(default_factory=list)
    under_way: bool = False
    asked_at: float | None = None
    misses: int = 0

    @property
    def changed(self) -> bool:
        return self.asked_at is not None or self.outcome == PLANNED

    @property
    def stage(self) -> str:
        """What it is still waiting for."""
        return "creating the volume snapshots" if self.image.status == ACTIVE else self.image.status or "queued"

    def settle(self, outcome: str, reason: str = "") -> None:
        self.outcome, self.reason, self.under_way = outcome, reason, False

    def result(self) -> dict[str, t.Any]:
        return {
            "id": self.id,
            "name": self.name,
            "action": "snapshot",
            "outcome": self.outcome,
            "reason": self.reason,
            "seconds": round(self.seconds, 1),
            "image": asdict(self.image),
            "volume_snapshots": [asdict(snapshot) for snapshot in self.volume_snapshots],
        }

    def see_image(self, body: dict[str, t.Any] | None) -> None:
        """Take in what a listing says of the image."""
        if body is None:
            self._miss("the image disappeared, as Nova deletes it when the snapshot fails")
            return
        self.image = Image(body["id"], body["name"] or "", body["status"], body.get("size"))
        if self.image.status == ACTIVE:
            self.volume_snapshots = self.volume_snapshots or [VolumeSnapshot(id) for id in _volume_snapshot_ids(body)]
        elif self.image.status not in IMAGE_IN_PROGRESS:
            self.settle(FAILED, f"the image is in status {self.image.status}")

    def see_volume_snapshots(self, bodies: t.Mapping[str, dict[str, t.Any]]) -> None:
        """Take in what a listing says of the volume snapshots."""
        for snapshot in self.volume_snapshots:
            body = bodies.get(snapshot.id)
            if body is None:
                self._miss(f"the volume snapshot {snapshot.id} of the image does not exist any more")
                continue
            snapshot.status, snapshot.size = body["status"], body["size"]
            if snapshot.status not in SNAPSHOT_USABLE | SNAPSHOT_IN_PROGRESS:
                self.settle(FAILED, f"the volume snapshot {snapshot.id} of the image is in status {snapshot.status}")

    def _miss(self, reason: str) -> None:
        self.misses += 1
        if self.asked_at is None or self.misses > MISSES_ALLOWED:
            self.settle(FAILED, reason)

    @property
    def complete(self) -> bool:
        return self.image.status == ACTIVE and all(
            snapshot.status in SNAPSHOT_USABLE for snapshot in self.volume_snapshots
        )


class RunFailedError(OneTokenError):
    """Servers of the run have no snapshot; the others have theirs."""

    def __init__(self, report: Report) -> None:
        super().__init__(report.failure())
        self.result = report.answer()


@dataclass(frozen=True)
class Report:
    run: str
    items: list[Item]

    @property
    def changed(self) -> bool:
        return any(item.changed for item in self.items)

    @property
    def failed(self) -> list[Item]:
        return [item for item in self.items if item.outcome == FAILED]

    def results(self) -> list[dict[str, t.Any]]:
        return [item.result() for item in self.items]

    def counts(self) -> dict[str, int]:
        return {outcome: sum(item.outcome == outcome for item in self.items) for outcome in OUTCOMES}

    def answer(self) -> dict[str, t.Any]:
        """What the task returns."""
        return {"changed": self.changed, "run": self.run, "counts": self.counts(), "results": self.results()}

    def failure(self) -> str:
        """The servers that failed and why, in a sentence."""
        reasons = "; ".join(f"{item.name}: {item.reason.rstrip('.')}" for item in self.failed)
        return f"Run {self.run} failed for {len(self.failed)} of {len(self.items)} servers: {reasons}."


def snapshot_servers(
    connection: openstack.connection.Connection,
    criteria: Criteria,
    options: SnapshotOptions,
    check_mode: bool = False,
    new_waiter: t.Callable[[float], Waiter] = Waiter,
) -> Report:
    """Make the images of a run that are not there yet."""
    requests = PatientRequests(connection, options.timeout, new_waiter)
    selection = criteria.select(list_servers(requests))
    items = [Item(id="", name=name, outcome=FAILED, reason=reason) for name, reason in selection.unresolved.items()]
    if selection.servers:
        items += _Run(requests, options).carry_out(selection.servers, check_mode)
    return Report(options.run, sorted(items, key=lambda item: (item.name, item.id)))


class _Run:
    def __init__(self, requests: PatientRequests, options: SnapshotOptions) -> None:
        self._requests = requests
        self._options = options
        self._owner = requests.project_id()

    def carry_out(self, servers: list[Server], check_mode: bool) -> list[Item]:
        images = self._images()
        plan = [(server, self._plan(server, images)) for server in sorted(servers, key=lambda server: server.name)]
        items = [item for _server, item in plan]
        to_make = [(server, item) for server, item in plan if item.outcome == PLANNED]
        if check_mode:
            for server, item in to_make:
                item.reason = _likely_refusal(server)
        else:
            self._ask_for_all(to_make)
        try:
            # What was found needs no second listing of the images; what was asked for does.
            self._look(items, self._images() if any(item.asked_at is not None for item in items) else images)
            if self._options.wait and not check_mode:
                self._watch(items)
        except OneTokenError as exc:
            for item in _under_way(items):
                item.settle(FAILED if self._options.wait else item.outcome, f"not watched to its end: {exc}")
        for item in _under_way(items):
            item.under_way = False
        return items

    def _plan(self, server: Server, images: dict[str, dict[str, t.Any]]) -> Item:
        item = Item(id=server.id, name=server.name, image=Image(name=self._options.image_name_of(server)))
        if existing := _image_of(server, images):
            item.outcome, item.under_way, item.image.id = ALREADY, True, existing["id"]
        return item

    def _ask_for_all(self, plan: t.Iterable[tuple[Server, Item]]) -> None:
        hopeless: OneTokenError | None = None
        for server, item in plan:
            if hopeless:
                item.settle(FAILED, f"not asked for: {hopeless}")
            elif not self._requests.waiter.seconds_left:
                item.settle(FAILED, f"not asked for: the time of {self._options.timeout} s was up")
            else:
                try:
                    self._ask(server, item)
                except CloudError as exc:
                    # A wrong password must not be sent once a server: that locks accounts.
                    hopeless = exc
                    item.settle(FAILED, str(exc))
                except OneTokenError as exc:
                    item.settle(FAILED, str(exc))

    def _ask(self, server: Server, item: Item) -> None:
        """Ask for an image until there is one; never again before a look whether it is there already."""
        asked_at = self._requests.seconds_spent
        for attempt in range(ATTEMPTS):
            try:
                image_id = self._create_image(server)
            except LostAnswerError as exc:
                lost: OneTokenError = exc
            except RefusedError as exc:
                if not attempt or exc.status_code != CONFLICT:
                    raise
                lost = exc  # the server may be busy with the request that got no answer
            else:
                break
            if image_id := self._find_lost(server):
                break
        else:
            raise OneTokenError(f"{lost}; no image of the run appeared") from lost
        item.outcome, item.under_way, item.asked_at = DONE, True, asked_at
        item.image.id = image_id

    @functools.cached_property
    def _image_id_in_body(self) -> bool:
        return self._requests.supports_microversion("compute", IMAGE_ID_IN_BODY)

    def _create_image(self, server: Server) -> str:
        response = self._requests.post(
            "compute",
            f"/servers/{server.id}/action",
            {
                "createImage": {
                    "name": self._options.image_name_of(server),
                    "metadata": self._options.properties_of(server),
                }
            },
            microversion=IMAGE_ID_IN_BODY if self._image_id_in_body else OLDEST,
        )
        if self._image_id_in_body:
            return response.json()["image_id"]
        return response.headers["Location"].rstrip("/").rsplit("/", 1)[1]

    def _find_lost(self, server: Server) -> str:
        for seconds in LOOKS_FOR_LOST:
            if not self._requests.waiter.pause(seconds):
                break
            if image := _image_of(server, self._images()):
                return image["id"]
        return ""

    def _watch(self, items: list[Item]) -> None:
        interval = FIRST_INTERVAL
        waiter = self._requests.waiter
        while under_way := _under_way(items):
            # Half of the time that is left: the last look is then within a second of the end.
            if waiter.seconds_left < FIRST_INTERVAL or not waiter.pause(min(interval, waiter.seconds_left / 2)):
                for item in under_way:
                    item.seconds = self._seconds(item)
                    item.settle(
                        FAILED, f"still {item.stage} after {self._options.timeout} s; the image keeps being made"
                    )
                return
            interval = min(LONGEST_INTERVAL, interval * INTERVAL_GROWTH)
            self._look(under_way, self._images())

    def _look(self, items: list[Item], images: dict[str, dict[str, t.Any]]) -> None:
        for item in _under_way(items):
            item.see_image(images.get(item.image.id))
        unwatchable = self._look_at_volume_snapshots([item for item in _under_way(items) if item.volume_snapshots])
        for item in _under_way(items):
            if item.complete or (unwatchable and item.volume_snapshots):
                item.seconds = self._seconds(item)
                item.settle(item.outcome, unwatchable if item.volume_snapshots else "")

    def _look_at_volume_snapshots(self, items: list[Item]) -> str:
        """Take in the volume snapshots of these; otherwise, say why that is not possible."""
        missing = {snapshot.id for item in items for snapshot in item.volume_snapshots}
        if not missing:
            return ""
        found = {}
        try:
            # The newest come first, so that years of snapshots are not listed at each look.
            newest_first = {"sort": "created_at:desc"}
            for body in self._requests.listing("block_storage", "/snapshots/detail", "snapshots", newest_first):
                if body["id"] in missing:
                    found[body["id"]] = body
                    missing.remove(body["id"])
                    if not missing:
                        break
        except (ServiceAbsentError, RefusedError) as exc:
            return f"the volume snapshots were not checked: {exc}"
        for item in items:
            item.see_volume_snapshots(found)
        return ""

    def _images(self) -> dict[str, dict[str, t.Any]]:
        """The images of this run, by id."""
        filters = {RUN: self._options.run}
        if self._owner:
            # An image that another project made public could carry our marks.
            filters["owner"] = self._owner
        return {body["id"]: body for body in self._requests.listing("image", "/images", "images", filters)}

    def _seconds(self, item: Item) -> float:
        return 0.0 if item.asked_at is None else self._requests.seconds_spent - item.asked_at


def _likely_refusal(server: Server) -> str:
    if server.task_state:
        return f"Nova may refuse it while the server is busy with {server.task_state}"
    return "" if server.status in SNAPSHOTABLE else f"Nova may refuse it, as the server is in status {server.status}"


def _under_way(items: list[Item]) -> list[Item]:
    return [item for item in items if item.under_way]


def _image_of(server: Server, images: dict[str, dict[str, t.Any]]) -> dict[str, t.Any] | None:
    """The image of a server among those of the run, one that is complete if there is any."""
    usable = [
        body
        for body in images.values()
        if body.get(SERVER_ID) == server.id and body["status"] in IMAGE_IN_PROGRESS | {ACTIVE}
    ]
    return max(usable, key=lambda body: (body["status"] == ACTIVE, body["created_at"]), default=None)


def _volume_snapshot_ids(image: dict[str, t.Any]) -> list[str]:
    """The volume snapshots that stand behind the image of a volume-backed server."""
    mapping = json.loads(image.get("block_device_mapping") or "[]")
    return [device["snapshot_id"] for device in mapping if device.get("snapshot_id")]
