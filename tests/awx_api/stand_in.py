# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers like the API of AWX 24, as far as the modules of awx.awx ask for it. It is not AWX."""

from __future__ import annotations

import http.server
import json
import re
import threading
import typing as t
from urllib.parse import parse_qsl, urlsplit

Item = dict[str, t.Any]

TOKEN = "stand-in-token"
ENCRYPTED = "$encrypted$"
#: What can be made, and the fields that it has beside its name and description.
KINDS: dict[str, set[str]] = {
    "organizations": set(),
    "execution_environments": {"organization", "image", "pull"},
    "projects": {"organization", "default_environment", "scm_type", "scm_url", "scm_branch", "allow_override"},
    "credential_types": {"kind", "inputs", "injectors", "managed"},
    "credentials": {"organization", "credential_type", "inputs"},
    "inventories": {"organization", "kind", "host_filter"},
    "inventory_sources": {
        *("inventory", "source", "source_project", "source_path", "credential", "execution_environment"),
        *("overwrite", "overwrite_vars", "update_on_launch", "update_cache_timeout"),
    },
    "job_templates": {
        *("organization", "project", "playbook", "inventory", "execution_environment", "job_type", "extra_vars"),
        *("ask_job_type_on_launch", "ask_limit_on_launch", "allow_simultaneous", "job_slice_count", "survey_enabled"),
    },
    "schedules": {"unified_job_template", "rrule", "extra_data", "enabled"},
    "workflow_job_templates": {"organization", "inventory", "survey_enabled"},
    "workflow_job_template_nodes": {
        *("workflow_job_template", "unified_job_template", "identifier", "job_type", "extra_data"),
    },
    "workflow_approval_templates": {"timeout"},
}
#: What the modules send with these although they are fields of something else; AWX passes over it.
PASSED_OVER = {"workflow_approval_templates": {"workflow_job_template", "identifier"}}
#: Lists of what belongs to something.
ASSOCIATIONS = ("credentials", "success_nodes", "failure_nodes", "always_nodes", "labels", "instance_groups")
#: The kinds that a job can be launched from, by what a search calls them.
LAUNCHED = {
    "job_template": "job_templates",
    "workflow_job_template": "workflow_job_templates",
    "project": "projects",
}
SURVEY_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "textarea": (str,),
    "password": (str,),
    "multiplechoice": (str,),
    "multiselect": (str, list),
    "integer": (int,),
    "float": (float, int),
}


class RefusedError(Exception):
    """AWX would not take this."""

    def __init__(self, status: int, **told: t.Any) -> None:
        super().__init__(told)
        self.status = status
        self.told = told


class AwxApi:
    """The API, on a port of 127.0.0.1, while it is entered."""

    def __init__(self) -> None:
        self.items: dict[str, dict[int, Item]] = {kind: {} for kind in KINDS}
        self.surveys: dict[str, Item] = {}
        self.associated: dict[str, list[int]] = {}
        self.secrets: dict[int, Item] = {}
        #: Method and path of everything that was written.
        self.writes: list[tuple[str, str]] = []
        #: AWX has its own types of credentials from the start.
        self._last_id = 0
        self.add("credential_types", {"name": "OpenStack", "kind": "cloud", "inputs": {}, "injectors": {}})
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                try:
                    if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                        raise RefusedError(401, detail="Authentication credentials were not provided.")
                    status, answer = api.answer(self.command, self.path, body)
                except RefusedError as refusal:
                    status, answer = refusal.status, refusal.told
                content = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.send_header("X-API-Product-Name", "AWX")
                self.send_header("X-API-Product-Version", "24.6.1")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_arguments: t.Any) -> None:
                """Nothing on stderr."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> AwxApi:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environ(self) -> dict[str, str]:
        """Where the modules of awx.awx find it."""
        return {"CONTROLLER_HOST": f"http://127.0.0.1:{self._server.server_port}", "CONTROLLER_OAUTH_TOKEN": TOKEN}

    def named(self, kind: str) -> dict[str, Item]:
        return {item.get("name") or item["identifier"]: item for item in self.items[kind].values()}

    def answer(self, method: str, path: str, body: Item) -> tuple[int, t.Any]:
        split = urlsplit(path)
        if method != "GET":
            self.writes.append((method, split.path))
        parts = split.path.strip("/").split("/")[2:]
        if parts in ([], ["ping"], ["config"]):
            return 200, {"version": "24.6.1"}
        kind, *rest = parts
        if kind == "unified_job_templates":
            return 200, listed(self._launched(dict(parse_qsl(split.query))))
        if kind not in KINDS:
            raise RefusedError(404, detail=f"The stand-in has no {kind}.")
        if not rest:
            return self._answer_list(kind, method, dict(parse_qsl(split.query)), body)
        item = self.items[kind].get(int(rest[0]))
        if item is None:
            raise RefusedError(404, detail="Not found.")
        return self._answer_item(kind, item, rest[1:], method, body, split.path)

    def _answer_list(self, kind: str, method: str, query: dict[str, str], body: Item) -> tuple[int, t.Any]:
        if method == "POST":
            return 201, self.add(kind, body)
        return 200, listed([item for item in self.items[kind].values() if matches(item, query)])

    def _answer_item(
        self, kind: str, item: Item, rest: list[str], method: str, body: Item, path: str
    ) -> tuple[int, t.Any]:
        if rest == ["survey_spec"]:
            if method == "POST":
                check_survey(body)
                self.surveys[path] = body
            return 200, self.surveys.get(path, {})
        if rest == ["create_approval_template"]:
            approval = self.add("workflow_approval_templates", body)
            item["unified_job_template"] = approval["id"]
            item["related"]["unified_job_template"] = approval["url"]
            return 201, approval
        if rest and rest[0] in ASSOCIATIONS:
            return self._associate(rest[0], method, body, path)
        if rest:
            raise RefusedError(404, detail=f"The stand-in has no {rest} of {kind}.")
        if method == "PATCH":
            self._set(kind, item, body)
        elif method == "DELETE":
            del self.items[kind][item["id"]]
            return 204, None
        return 200, item

    def _associate(self, name: str, method: str, body: Item, path: str) -> tuple[int, t.Any]:
        ids = self.associated.setdefault(path, [])
        if method == "GET":
            return 200, listed([{"id": one} for one in ids])
        kind = name if name in KINDS else "workflow_job_template_nodes"
        if body["id"] not in self.items[kind]:
            raise RefusedError(400, detail=f"There is no {name} with the id {body['id']}.")
        if body.get("disassociate"):
            ids.remove(body["id"])
        else:
            ids.append(body["id"])
        return 204, None

    def add(self, kind: str, body: Item) -> Item:
        if "name" in body and body["name"] in self.named(kind):
            raise RefusedError(400, __all__=[f"There is one with the name {body['name']} already."])
        self._last_id += 1
        url = f"/api/v2/{kind}/{self._last_id}/"
        item: Item = {"id": self._last_id, "url": url, "related": {"survey_spec": f"{url}survey_spec/"}}
        item["type"] = kind.removesuffix("s")
        if kind == "projects":
            item.update(status="successful", scm_revision="0" * 40, summary_fields={})
        self._set(kind, item, body)
        self.items[kind][item["id"]] = item
        return item

    def _set(self, kind: str, item: Item, body: Item) -> None:
        body = {name: value for name, value in body.items() if name not in PASSED_OVER.get(kind, ())}
        unknown = set(body) - KINDS[kind] - {"name", "description"}
        if unknown:
            raise RefusedError(400, detail=f"The stand-in knows no {', '.join(sorted(unknown))} of {kind}.")
        if kind == "credentials" and "inputs" in body:
            self._check_inputs(item, body)
            self.secrets[item["id"]] = body["inputs"]
            hidden = self._secret_fields(body.get("credential_type", item.get("credential_type")))
            inputs = {name: ENCRYPTED if name in hidden else value for name, value in body["inputs"].items()}
            body = {**body, "inputs": inputs}
        if kind == "credential_types":
            check_injectors(body.get("injectors", {}))
        item.update(body)

    def _check_inputs(self, item: Item, body: Item) -> None:
        of_type = self.items["credential_types"][body.get("credential_type", item.get("credential_type"))]
        known = {field["id"] for field in of_type["inputs"].get("fields", [])}
        if known and set(body["inputs"]) - known:
            raise RefusedError(400, inputs=[f"Additional properties are not allowed: {set(body['inputs']) - known}."])

    def _secret_fields(self, type_id: int) -> set[str]:
        fields = self.items["credential_types"][type_id]["inputs"].get("fields", [])
        return {field["id"] for field in fields if field.get("secret")} or {"password"}

    def _launched(self, query: dict[str, str]) -> list[Item]:
        # A type that it does not know finds nothing, as with AWX.
        kinds = [LAUNCHED.get(query.pop("type"), "")] if "type" in query else list(LAUNCHED.values())
        return [item for kind in kinds if kind for item in self.items[kind].values() if matches(item, query)]


def listed(items: t.Sequence[Item]) -> Item:
    return {"count": len(items), "next": None, "previous": None, "results": list(items)}


def matches(item: Item, query: t.Mapping[str, str]) -> bool:
    alternatives = {name.removeprefix("or__"): value for name, value in query.items() if name.startswith("or__")}
    wanted = {name: value for name, value in query.items() if not name.startswith("or__")}
    if alternatives and not any(str(item.get(name)) == value for name, value in alternatives.items()):
        return False
    return all(str(item.get(name)) == value for name, value in wanted.items())


def check_injectors(injectors: Item) -> None:
    for name in injectors.get("env", {}):
        if name.startswith("ANSIBLE_") or not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name):
            raise RefusedError(400, injectors=[f"Environment variable {name} may not be used in credentials."])


def check_survey(survey: Item) -> None:
    """What AWX checks of a survey before it keeps it."""

    def need(true: t.Any, error: str) -> None:
        if not true:
            raise RefusedError(400, error=error)

    for field, kind in (("name", str), ("description", str), ("spec", list)):
        need(isinstance(survey.get(field), kind), f"Field '{field}' is missing from survey spec, or of another type.")
    need(survey["spec"], "'spec' doesn't contain any items.")
    variables = [question.get("variable") for question in survey["spec"]]
    need(len(set(variables)) == len(variables), "'variable' duplicated in survey.")
    for number, question in enumerate(survey["spec"]):
        for field in ("type", "question_name", "variable"):
            need(isinstance(question.get(field), str), f"'{field}' in survey question {number} expected to be string.")
        need(isinstance(question.get("required"), bool), f"'required' in survey question {number} expected boolean.")
        types = SURVEY_TYPES.get(question["type"])
        need(types, f"'{question['type']}' in survey question {number} is not allowed.")
        default = question.get("default", "")
        need(default == "" or isinstance(default, types or ()), f"Default value in survey question {number} is wrong.")
        for field in ("min", "max"):
            need(isinstance(question.get(field, 0), int), f"The {field} in survey question {number} expected integer.")
        if question["type"].startswith("multi"):
            need(question.get("choices"), f"Survey question {number} must specify choices.")
            chosen = default.splitlines() if isinstance(default, str) else default
            need(set(chosen) <= set(question["choices"]), "Default choice must be answered from the choices listed.")
