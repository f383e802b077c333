# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Glance: images, their listing, upload, import and properties."""

from __future__ import annotations

import json
import re
import typing as t
from hashlib import sha512
from urllib.parse import unquote, urlencode

from . import work
from .cloud import Cloud
from .messages import Answer, Headers, Request, json_answer, page_error
from .resources import Image, MarkerError, in_seconds

#: The default and the largest size of a page.
DEFAULT_PAGE, PAGE = 25, 1000
VERSIONS = (15, 13, 12, 11, 10, 9, 8, 17, 7, 6, 5, 4, 3, 2, 1, 0)
CURRENT = 17
IMPORT_METHODS = ["glance-direct", "web-download", "copy-image"]
#: What the owner may set, and the types.
WRITABLE: dict[str, type] = {
    "name": str,
    "visibility": str,
    "disk_format": str,
    "container_format": str,
    "min_disk": int,
    "min_ram": int,
    "protected": bool,
    "os_hidden": bool,
    "tags": list,
}
READ_ONLY = (
    "created_at", "updated_at", "status", "checksum", "size", "virtual_size", "direct_url", "self", "file", "schema",
    "id", "os_hash_algo", "os_hash_value",
)  # fmt: skip
#: What else cannot be set on a new image.
NOT_GIVEN = ("direct_url", "self", "file", "schema", "stores")
SORT_KEYS: dict[str, t.Callable[[Image], t.Any]] = {
    "name": lambda image: image.name or "",
    "status": lambda image: image.status,
    "container_format": lambda image: image.container_format or "",
    "disk_format": lambda image: image.disk_format or "",
    "size": lambda image: image.size or 0,
    "id": lambda image: image.id,
    "created_at": lambda image: image.created,
    "updated_at": lambda image: image.updated,
}
NO_IMAGE = "No image found with ID {}"
NOT_FILTERS = ("limit", "marker", "sort_key", "sort_dir", "sort", "member_status")


class Glance:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @property
    def url(self) -> str:
        return self.cloud.urls["glance"]

    def versions(self, request: Request) -> Answer | None:
        if request.path.rstrip("/") not in ("", "/versions"):
            return None
        versions = [
            {
                "id": f"v2.{minor}",
                "status": "CURRENT" if minor == CURRENT else "SUPPORTED",
                "links": [{"rel": "self", "href": f"{self.url}/v2/"}],
            }
            for minor in VERSIONS
        ]
        return json_answer(200 if request.path.startswith("/versions") else 300, {"versions": versions})

    def version_of(self, _request: Request) -> int:
        return CURRENT

    def headers_for(self, _version: int) -> Headers:
        return ()

    def answer(self, request: Request, _version: int) -> Answer:
        parts = request.path.strip("/").split("/")
        method = request.method
        if parts[:2] == ["v2", "images"]:
            if len(parts) == 2 and method in ("GET", "POST"):
                return self.list_images(request) if method == "GET" else self.create(request)
            if len(parts) == 3 and method in ("GET", "PATCH", "DELETE"):
                image = self.image(parts[2], "Failed to find image {} to delete" if method == "DELETE" else NO_IMAGE)
                if method == "DELETE":
                    return self.delete(image)
                return self.shown(image) if method == "GET" else self.patch(image, request)
            if len(parts) == 4:
                return self.data(self.image(parts[2]), parts[3], request)
            if len(parts) == 5 and parts[3] == "tags" and method in ("PUT", "DELETE"):
                return self.tag(self.image(parts[2]), unquote(parts[4]), method)
        if parts[:2] == ["v2", "info"] and method == "GET" and len(parts) == 3:
            return self.info(parts[2])
        raise page_error(404, "The resource could not be found.")

    def image(self, image_id: str, message: str = NO_IMAGE) -> Image:
        image = self.cloud.images.by_id.get(image_id)
        if image is None:
            raise page_error(404, message.format(image_id))
        return image

    def owner_of(self, image: Image) -> str:
        return image_owner(self.cloud, image)

    def shown(self, image: Image, status: int = 200, *headers: tuple[str, str]) -> Answer:
        return Answer(status, encoded(self.cloud, image), headers)

    # Listings

    def list_images(self, request: Request) -> Answer:
        parameters = request.parameters()
        limit = parameters.get("limit", str(DEFAULT_PAGE))
        if not limit.isdigit():
            raise page_error(400, "limit param must be an integer")
        wanted = self.wanted(parameters)
        try:
            images, more = self.cloud.images.page(
                min(int(limit), PAGE), parameters.get("marker"), wanted, image_order(request, parameters)
            )
        except MarkerError as exc:
            raise page_error(400, NO_IMAGE.format(exc)) from exc
        # Including repeated parameters, such as several sort keys.
        first = [pair for pair in request.query.split("&") if pair and not pair.startswith("marker=")]
        links = {"first": f"/v2/images?{'&'.join(first)}".rstrip("?"), "schema": "/v2/schemas/images"}
        if more:
            links["next"] = f"/v2/images?{'&'.join([*first, urlencode({'marker': images[-1].id})])}"
        bodies = b", ".join([encoded(self.cloud, image) for image in images])
        return Answer(200, b'{"images": [%s], %s' % (bodies, json.dumps(links).encode()[1:]))

    def wanted(self, parameters: dict[str, str]) -> t.Callable[[Image], bool] | None:
        """The test for the request's filters, each with one value, or with several after `in:`."""
        tests: list[t.Callable[[Image], bool]] = []
        for key, value in parameters.items():
            if key not in NOT_FILTERS:
                tests.append(self.test_for(key, value))
        return (lambda image: all(test(image) for test in tests)) if tests else None

    def test_for(self, key: str, value: str) -> t.Callable[[Image], bool]:
        if key == "tag":
            return lambda image: value in image.tags
        if key in ("size_min", "size_max"):
            bound = int(value)
            return lambda image: (image.size or 0) >= bound if key == "size_min" else (image.size or 0) <= bound
        if key in ("created_at", "updated_at"):
            return moment_test(SORT_KEYS[key], value)
        if key == "visibility" and value == "all":
            return lambda _image: True
        several = key in ("id", "name", "status", "disk_format", "container_format")
        return self.equality_test(key, set(values_in(value)) if several else {value})

    def equality_test(self, key: str, values: set[str]) -> t.Callable[[Image], bool]:
        if key == "owner":
            return lambda image: self.owner_of(image) in values
        if key in WRITABLE or key in ("id", "status"):
            name = "hidden" if key == "os_hidden" else key
            return lambda image: as_text(getattr(image, name)) in values
        return lambda image: image.properties.get(key) in values

    def info(self, what: str) -> Answer:
        quota = self.cloud.settings.image_quota
        if what == "import":
            methods = {"description": "Import methods available.", "type": "array", "value": IMPORT_METHODS}
            return json_answer(200, {"import-methods": methods})
        if what == "stores":
            return json_answer(200, {"stores": [{"id": "images", "default": "true"}]})
        if what == "usage" and quota:
            usage = {"limit": quota, "usage": work.owned_images(self.cloud)}
            return json_answer(200, {"usage": {"image_count_total": usage}})
        raise page_error(404, "The resource could not be found.")

    # Changes

    def create(self, request: Request) -> Answer:
        content = json_object(request)
        values, properties = {}, {}
        for key, value in content.items():
            if key in WRITABLE:
                values["hidden" if key == "os_hidden" else key] = checked(key, value)
            elif key == "id":
                values["id"] = self.free_id(value)
            elif key in NOT_GIVEN or key in READ_ONLY:
                raise page_error(403, f"Attribute '{key}' is read-only.")
            else:
                properties[key] = checked_property(key, value)
        name = values.pop("name", None)
        values.setdefault("visibility", "shared")
        try:
            image = work.new_image(self.cloud, name, f"called {name}", properties=properties, **values)
        except work.QuotaReachedError as exc:
            message = (
                f"The request returned a 413 Request Entity Too Large: image_count_total is limited to {exc.limit}."
            )
            raise page_error(413, message) from exc
        location = ("Location", f"{self.url}/v2/images/{image.id}")
        methods = ("OpenStack-image-import-methods", ",".join(IMPORT_METHODS))
        return self.shown(image, 201, location, methods)

    def free_id(self, image_id: str) -> str:
        if image_id in self.cloud.images.by_id:
            raise page_error(409, f"Image ID {image_id} already exists!")
        return image_id

    def delete(self, image: Image) -> Answer:
        if image.protected:
            raise page_error(403, f"Image {image.id} is protected and cannot be deleted.")
        if self.owner_of(image) != self.cloud.project_id:
            raise page_error(403, "You are not permitted to delete this image.")
        self.cloud.images.remove(image)
        return Answer(204)

    def patch(self, image: Image, request: Request) -> Answer:
        media_type = request.headers.get("content-type", "")
        if not media_type.startswith("application/openstack-images-v2"):
            raise page_error(415, f"Unsupported Content-Type {media_type}")
        try:
            changes = [(change["op"], change["path"].lstrip("/"), change.get("value")) for change in request.json()]
        except (ValueError, KeyError, TypeError, AttributeError) as exc:
            raise page_error(400, "Request body must be a JSON array of operation objects.") from exc
        values: dict[str, t.Any] = {"properties": dict(image.properties)}
        for operation, path, value in changes:
            apply_change(values, operation, path.replace("~1", "/").replace("~0", "~"), value)
        image.change(**values)
        return self.shown(image)

    def data(self, image: Image, what: str, request: Request) -> Answer:
        if what == "file" and request.method == "PUT":
            if image.status != "queued":
                raise page_error(409, f"Image status transition from {image.status} to saving is not allowed")
            image.change(status="active", size=len(request.body))
            return Answer(204)
        if what == "stage" and request.method == "PUT":
            if image.status != "queued":
                raise page_error(409, f"Image status transition from {image.status} to uploading is not allowed")
            image.change(status="uploading", staged_size=len(request.body))
            return Answer(204)
        if what == "import" and request.method == "POST":
            return self.import_data(image, request)
        raise page_error(404, "The resource could not be found.")

    def import_data(self, image: Image, request: Request) -> Answer:
        method = json_object(request).get("method", {})
        name = method.get("name")
        conflicts = (
            (name not in ("glance-direct", "web-download"), f"Import method '{name}' is not enabled."),
            (image.status == "active", "Image with status active cannot be target for import"),
            (name == "web-download" and image.status != "queued",
             "Image needs to be in 'queued' state to use 'web-download' method"),
            (name == "glance-direct" and image.status != "uploading",
             "Image needs to be staged before 'glance-direct' method can be used"),
            (not image.container_format, "'container_format' needs to be set before import"),
            (not image.disk_format, "'disk_format' needs to be set before import"),
        )  # fmt: skip
        for met, message in conflicts:
            if met:
                raise page_error(409, message)
        size = image.staged_size if image.staged_size is not None else work.snapshot_size(str(method.get("uri")))
        work.upload(self.cloud, image, size, self.cloud.settings.snapshot_seconds, saving="importing")
        return Answer(202)

    def tag(self, image: Image, tag: str, method: str) -> Answer:
        if method == "DELETE" and tag not in image.tags:
            raise page_error(404, "The specified tag could not be found.")
        tags = [other for other in image.tags if other != tag]
        image.change(tags=[*tags, tag] if method == "PUT" else tags)
        return Answer(204)


def image_owner(cloud: Cloud, image: Image) -> str:
    """The first image, from which servers boot, belongs to another project."""
    return cloud.project_id if image.sequence else "0" * 32


def encoded(cloud: Cloud, image: Image) -> bytes:
    return image.encoded("", lambda: json.dumps(image_body(cloud, image)).encode())


def image_body(cloud: Cloud, image: Image) -> dict[str, t.Any]:
    digest = sha512(image.id.encode()).hexdigest() if image.status == "active" else None
    path = f"/v2/images/{image.id}"
    content = {
        **image.properties,
        "name": image.name,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "visibility": image.visibility,
        "size": image.size,
        "virtual_size": image.size or None,
        "status": image.status,
        "checksum": digest and digest[:32],
        "protected": image.protected,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "owner": image_owner(cloud, image),
        "os_hidden": image.hidden,
        "os_hash_algo": digest and "sha512",
        "os_hash_value": digest,
        "id": image.id,
        "created_at": in_seconds(image.created),
        "updated_at": in_seconds(image.updated),
        "tags": image.tags,
        "self": path,
        "file": f"{path}/file",
        "schema": "/v2/schemas/image",
    }
    return {**content, "stores": "images"} if digest else content


def image_order(request: Request, parameters: dict[str, str]) -> list[tuple[t.Callable[[Image], t.Any], bool]]:
    """From sort=key:direction,..., or from sort_key and sort_dir, each of which may come several times."""
    if "sort" in parameters:
        pairs = [part.partition(":")[::2] for part in parameters["sort"].split(",")]
    else:
        keys = re.findall(r"(?:^|&)sort_key=([^&]*)", request.query)
        directions = re.findall(r"(?:^|&)sort_dir=([^&]*)", request.query) or ["desc"]
        pairs = [(key, directions[min(at, len(directions) - 1)]) for at, key in enumerate(keys)]
        if not keys and directions == ["asc"]:
            pairs = [("created_at", "asc")]
    for key, _direction in pairs:
        if key not in SORT_KEYS:
            keys_text = ", ".join(SORT_KEYS)
            raise page_error(400, f"Invalid sort key: {key}. It must be one of the following: {keys_text}.")
    order = [(SORT_KEYS[key], direction != "asc") for key, direction in pairs]
    # That is the order without sorting.
    return [] if pairs and pairs[0][0] == "created_at" and order[0][1] else order


def values_in(text: str) -> list[str]:
    if not text.startswith("in:"):
        return [text]
    return [value.strip('"') for value in text[3:].split(",")]


def moment_test(value_of: t.Callable[[Image], float], text: str) -> t.Callable[[Image], bool]:
    """The test for a value such as gte:2026-11-25T02:17:30Z."""
    operator, _colon, moment = text.partition(":")
    tests: dict[str, t.Callable[[str], bool]] = {
        "gt": lambda of_image: of_image > moment,
        "gte": lambda of_image: of_image >= moment,
        "lt": lambda of_image: of_image < moment,
        "lte": lambda of_image: of_image <= moment,
        "eq": lambda of_image: of_image == moment,
        "neq": lambda of_image: of_image != moment,
    }
    if operator not in tests:
        raise page_error(400, f"Unable to filter by a range of {text}.")
    return lambda image: tests[operator](in_seconds(value_of(image)))


def as_text(value: t.Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def json_object(request: Request) -> dict[str, t.Any]:
    try:
        content = request.json()
    except ValueError as exc:
        raise page_error(400, "Malformed JSON in request body.") from exc
    if not isinstance(content, dict):
        raise page_error(400, "Request body must be a JSON object.")
    return content


def checked(key: str, value: t.Any) -> t.Any:
    kind = WRITABLE[key]
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool)):
        raise page_error(
            400, f"Provided object does not match schema 'image': {value!r} is not of type {kind.__name__!r}."
        )
    return value


def checked_property(key: str, value: t.Any) -> str:
    if not isinstance(value, str):
        raise page_error(
            400, f"Provided object does not match schema 'image': {value!r} is not of type 'string'. ({key})"
        )
    return value


def apply_change(values: dict[str, t.Any], operation: str, path: str, value: t.Any) -> None:
    """Apply one change of a JSON patch to the image's new values."""
    properties = values["properties"]
    if path in READ_ONLY:
        raise page_error(403, f"Attribute '{path}' is read-only.")
    if path == "owner":
        raise page_error(403, "Owner can't be updated by non admin.")
    if path in WRITABLE:
        if operation == "remove":
            raise page_error(403, f"Property {path} may not be removed.")
        values["hidden" if path == "os_hidden" else path] = checked(path, value)
    elif operation == "add":
        properties[path] = checked_property(path, value)
    elif operation not in ("replace", "remove"):
        raise page_error(400, f"Operations must be one of add, remove, replace, not {operation}.")
    elif path not in properties:
        raise page_error(409, f"Property {path} does not exist.")
    elif operation == "replace":
        properties[path] = checked_property(path, value)
    else:
        del properties[path]
