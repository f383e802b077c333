# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers like the API of AWX 24, as far as the modules of awx.awx use it. It is not AWX."""

from __future__ import annotations

import copy
import http.server
import json
import re
import threading
import typing as t
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.onetoken.openstack.tests.awx_api.surveys import Item, RefusedError, answered, check_survey

TOKEN = "stand-in-token"
ENCRYPTED = "$encrypted$"
#: The kinds of resources: their fields except name and description, with defaults.
KINDS: dict[str, Item] = {
    "organizations": {},
    "execution_environments": {"organization": None, "image": "", "credential": None, "pull": ""},
    "projects": {
        "organization": None, "default_environment": None, "credential": None, "scm_type": "", "scm_url": "",
        "scm_branch": "", "scm_revision": "", "status": "never updated", "summary_fields": {},
    },
    "project_updates": {"project": None, "status": "", "failed": False, "finished": "", "scm_revision": ""},
    "credential_types": {"kind": "cloud", "inputs": {}, "injectors": {}, "managed": False},
    "credentials": {"organization": None, "credential_type": None, "inputs": {}},
    "inventories": {"organization": None, "kind": "", "host_filter": None},
    "inventory_sources": {
        "inventory": None, "source": "", "source_project": None, "source_path": "", "credential": None,
        "execution_environment": None, "overwrite": False, "overwrite_vars": False, "update_on_launch": False,
        "update_cache_timeout": 0, "status": "never updated",
    },
    "hosts": {"inventory": None, "enabled": True, "variables": ""},
    "job_templates": {
        "organization": None, "project": None, "playbook": "", "inventory": None, "execution_environment": None,
        "job_type": "run", "extra_vars": "", "ask_job_type_on_launch": False, "ask_limit_on_launch": False,
        "job_slice_count": 1, "survey_enabled": False,
    },
    "schedules": {"unified_job_template": None, "rrule": "", "extra_data": {}, "enabled": True},
    "workflow_job_templates": {"organization": None, "survey_enabled": False},
    "workflow_job_template_nodes": {
        "workflow_job_template": None, "unified_job_template": None, "identifier": "", "job_type": None,
        "extra_data": {},
    },
    "workflow_approval_templates": {"timeout": 0},
}  # fmt: skip
#: The fields that only AWX itself sets.
READ_ONLY = {"type", "scm_revision", "status", "summary_fields"}
#: The lists of associated resources.
ASSOCIATIONS = ("credentials", "success_nodes", "failure_nodes", "always_nodes")
#: The kinds from which jobs are launched, by their name in searches.
LAUNCHED = {"job_template": "job_templates", "workflow_job_template": "workflow_job_templates", "project": "projects"}
#: The fields of AWX's own credential type for OpenStack.
OPENSTACK = {
    "fields": [
        {"id": "username", "label": "Username", "type": "string"},
        {"id": "password", "label": "Password (API Key)", "type": "string", "secret": True},
        {"id": "host", "label": "Host (Authentication URL)", "type": "string"},
        {"id": "project", "label": "Project (Tenant Name)", "type": "string"},
        {"id": "project_domain_name", "label": "Project (Domain Name)", "type": "string"},
        {"id": "domain", "label": "Domain Name", "type": "string"},
        {"id": "region", "label": "Region Name", "type": "string"},
        {"id": "verify_ssl", "label": "Verify SSL", "type": "boolean", "default": True},
    ],
    "required": ["username", "password", "host", "project"],
}


class AwxApi:
    """The API on a port of 127.0.0.1, inside a `with` block. Its projects have these playbooks."""

    def __init__(self, playbooks: t.Collection[str]) -> None:
        self.items: dict[str, dict[int, Item]] = {kind: {} for kind in KINDS}
        self.surveys: dict[str, Item] = {}
        self.associated: dict[str, list[int]] = {}
        self.secrets: dict[int, Item] = {}
        #: The method and path of all writes.
        self.writes: list[tuple[str, str]] = []
        #: Whether projects can be synced, and the revision that their repository then has.
        self.repository_answers = True
        self.revision = "first"
        self._playbooks = playbooks
        self._last_id = 0
        # A new AWX has these.
        self.add("organizations", {"name": "Default"})
        self.add("credential_types", {"name": "OpenStack", "inputs": OPENSTACK, "managed": True})
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
                    status, answer = refusal.status, refusal.body
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
                """Print nothing."""

        self._server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> AwxApi:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environ(self) -> dict[str, str]:
        """The variables by which the modules of awx.awx find it."""
        return {"CONTROLLER_HOST": f"http://127.0.0.1:{self._server.server_port}", "CONTROLLER_OAUTH_TOKEN": TOKEN}

    def copy_from(self, other: AwxApi) -> None:
        """Take over everything that the other one has."""
        kept = (other.items, other.surveys, other.associated, other.secrets)
        self.items, self.surveys, self.associated, self.secrets = copy.deepcopy(kept)
        self._last_id = other._last_id

    def named(self, kind: str) -> dict[str, Item]:
        return {item.get("name") or item["identifier"]: item for item in self.items[kind].values()}

    def variables(self, template: str, answers: Item) -> Item:
        """The variables of a job that is launched from a job template with answers to its survey."""
        item = self.named("job_templates")[template]
        return answered(self._survey(item), json.loads(item["extra_vars"]), answers)

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
            item = self.add(kind, body)
            if kind == "projects":
                # AWX syncs a new project at once.
                return 201, {**item, "summary_fields": {"current_update": {"id": self._sync(item)["id"]}}}
            return 201, item
        found = [item for item in self.items[kind].values() if matches(self._with_names(item), query)]
        return 200, listed([self._with_organization(item) for item in found])

    def _with_organization(self, item: Item) -> Item:
        organization = self.items["organizations"].get(item.get("organization") or 0)
        if organization is None:
            return item
        summary = {"organization": {"id": organization["id"], "name": organization["name"]}}
        return {**item, "summary_fields": {**item.get("summary_fields", {}), **summary}}

    def _with_names(self, item: Item) -> Item:
        """The item with the names of resources that it refers to, for searches by them."""
        kinds = {"organization": self.items["organizations"], "unified_job_template": self.items["job_templates"]}
        found = {field: items.get(item.get(field) or 0) for field, items in kinds.items()}
        return {**item, **{f"{field}__name": other["name"] for field, other in found.items() if other}}

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
        if (kind, rest) == ("projects", ["update"]) and method == "POST":
            return 202, self._sync(item)
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

    def _sync(self, project: Item) -> Item:
        """Sync a project at once."""
        status = "successful" if self.repository_answers else "failed"
        if self.repository_answers:
            project["scm_revision"] = self.revision
        project["status"] = status
        update = self.add("project_updates", {"project": project["id"]})
        result = {"status": status, "failed": status == "failed", "scm_revision": project["scm_revision"]}
        update.update(result, finished="2026-01-31T12:00:00Z")
        return update

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
        related = {"survey_spec": f"{url}survey_spec/"} if kind.endswith("job_templates") else {}
        if kind == "projects":
            related["update"] = f"{url}update/"
        item: Item = {"id": self._last_id, "url": url, "related": related, "description": "", **KINDS[kind]}
        item["type"] = {"inventories": "inventory"}.get(kind, kind.removesuffix("s"))
        self._set(kind, item, body)
        self.items[kind][item["id"]] = item
        return item

    def _set(self, kind: str, item: Item, body: Item) -> None:
        body = {name: value for name, value in body.items() if name not in READ_ONLY}
        unknown = set(body) - set(KINDS[kind]) - {"name", "description"}
        if unknown:
            raise RefusedError(400, detail=f"The stand-in knows no {', '.join(sorted(unknown))} of {kind}.")
        changed = {**item, **body}
        if kind == "credentials" and "inputs" in body:
            inputs = self._checked_inputs(changed)
            self.secrets[item["id"]] = body["inputs"]
            body = {**body, "inputs": inputs}
        if kind == "credential_types":
            check_injectors(changed["injectors"])
        if kind == "job_templates" and not (
            self._is_synced(changed["project"]) and changed["playbook"] in self._playbooks
        ):
            raise RefusedError(400, playbook=["Playbook not found for project."])
        if kind in ("schedules", "workflow_job_template_nodes") and changed["unified_job_template"]:
            self._check_prompts(changed, all_required=kind == "schedules")
        item.update(body)

    def _is_synced(self, project: int) -> bool:
        return bool(self.items["projects"][project]["scm_revision"])

    def _checked_inputs(self, credential: Item) -> Item:
        """The inputs of a credential as AWX shows them."""
        fields = {
            field["id"]: field
            for field in self.items["credential_types"][credential["credential_type"]]["inputs"]["fields"]
        }
        for name, value in credential["inputs"].items():
            if name not in fields:
                raise RefusedError(400, inputs=[f"Additional properties are not allowed ('{name}' was unexpected)"])
            if not isinstance(value, bool if fields[name]["type"] == "boolean" else str):
                raise RefusedError(400, inputs={name: [f"{value} is not of type '{fields[name]['type']}'"]})
        secret = {name for name, field in fields.items() if field.get("secret")}
        return {name: ENCRYPTED if name in secret else value for name, value in credential["inputs"].items()}

    def _check_prompts(self, launch: Item, all_required: bool) -> None:
        """Check what a schedule or a node would launch with; a workflow answers what a node does not."""
        template = self.items["job_templates"].get(launch["unified_job_template"])
        if template is None:
            return
        if launch.get("job_type") and not template["ask_job_type_on_launch"]:
            raise RefusedError(400, job_type=["Field is not configured to prompt on launch."])
        answered(self._survey(template), json.loads(template["extra_vars"]), launch["extra_data"], all_required)

    def _survey(self, template: Item) -> Item:
        return self.surveys.get(template["related"]["survey_spec"], {}) if template["survey_enabled"] else {}

    def _launched(self, query: dict[str, str]) -> list[Item]:
        # An unknown type matches nothing, as in AWX.
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
