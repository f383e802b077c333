# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the bulk modules share: their options, and a run made of them."""

from __future__ import annotations

import dataclasses
import functools
import os
import typing as t

from ansible.module_utils.basic import AnsibleModule

from .._modules.base import run_module
from .._modules.connection import connect
from .._session.rate_limit.limit import RateLimit
from .._session.rate_limit.limiter import RateLimiter
from .._session.store import usage
from .._session.store.session import ISSUED, Session
from .._session.util import deadline
from .._session.util.clock import now
from .._session.util.errors import ConfigurationError, OneTokenError
from .api.client import PAGE_SIZE, Client
from .api.project import Project
from .api.request_counts import RequestCounts
from .api.services import ANSWER_TIMEOUT
from .control.cancellation import Cancellation
from .control.interruption import Interruption, patience
from .control.max_failures import MaxFailures
from .control.run_lock import RunLock
from .control.slots import Slots
from .control.time_budget import TimeBudget
from .engine.plan import Plan
from .engine.progress import Progress
from .engine.run import Run
from .engine.workers import WORKERS
from .model.action import Action
from .model.errors import DeadlineError
from .report import files as report_files
from .report.answer import RunFailedError, answer
from .report.report import Report, results_of

if t.TYPE_CHECKING:
    import openstack.connection

NewAction = t.Callable[[Client], Action[t.Any]]
#: Makes an action of a module's options. What is wrong with them is found before the first request.
PrepareAction = t.Callable[[AnsibleModule], NewAction]

#: In addition to the options of openstack.cloud's modules, such as cloud and wait.
BULK_OPTIONS: dict[str, t.Any] = {
    "requests_per_second": {"type": "str", "default": "auto"},
    "concurrency": {"type": "int", "default": 0},
    "slices": {"type": "int", "default": 1},
    "max_failures": {"type": "str"},
    "report": {"type": "path"},
    "timeout": {"type": "int", "default": 1800},
    "ignore_failures": {"type": "bool", "default": False},
}
SELECTION_OPTIONS: dict[str, t.Any] = {
    "name_pattern": {"type": "str"},
    "metadata": {"type": "dict", "default": {}},
    "status": {"type": "list", "elements": "str", "default": []},
    "availability_zone": {"type": "list", "elements": "str", "default": []},
    "older_than": {"type": "int"},
    "newer_than": {"type": "int"},
}
SERVER_OPTIONS: dict[str, t.Any] = {
    "servers": {"type": "list", "elements": "str"},
    "tags": {"type": "list", "elements": "str", "default": []},
    **SELECTION_OPTIONS,
}
VOLUME_OPTIONS: dict[str, t.Any] = {
    "volumes": {"type": "list", "elements": "str"},
    **SELECTION_OPTIONS,
}


def run_bulk_module(prepare: PrepareAction, options: dict[str, t.Any], **module_options: t.Any) -> None:
    """Run a module that does this action on many resources."""
    run_module(functools.partial(_carry_out, prepare), options={**BULK_OPTIONS, **options}, **module_options)


def _carry_out(prepare: PrepareAction, module: AnsibleModule) -> dict[str, t.Any]:
    params = module.params
    limit, max_failures = _limits_of(params)
    new_action = prepare(module)
    writes_report = bool(params["report"]) and not module.check_mode
    if writes_report:
        report_files.check(params["report"])
    started, budget, counts = now(), TimeBudget(params["timeout"]), RequestCounts()
    connection, project = _sign_in(module, counts)
    # Each slice keeps to its share, wherever the others run: on one machine too, they do not share that once more.
    shared = os.environ if params["slices"] == 1 else None
    limiter = RateLimiter(project.key, limit, shared, timeout=params["timeout"])
    progress = Progress.of_environment(os.environ)
    session = Session.of_environment(os.environ)
    interruption = Interruption(lambda: progress.listener_gone, patience(os.environ))
    cancellation = Cancellation(interruption)
    client = Client(connection, limiter, budget, cancellation)
    with interruption, usage.finishing(session):
        action = new_action(client)
        lock = None
        # Slices work on different servers, so none has to wait for what another one submits.
        if params.get("run") and shared is not None and not module.check_mode:
            lock = RunLock(shared, project.key.file_name(f"{action.name} {params['run']}"))
        slots = Slots(project.key, params["concurrency"] // params["slices"], shared)
        run = Run(
            action,
            limiter,
            budget,
            cancellation,
            progress,
            wait=params.get("wait", True),
            max_failures=max_failures,
            lock=lock,
            slots=slots,
        )
        run.plan()
        plan = Plan.of(action, run.items, limiter.rate, PAGE_SIZE) if module.check_mode else None
        if plan is None:
            run.carry_out()
        reason = cancellation.reason
        report = Report(
            action=action.name,
            past=action.past,
            resources=action.resources,
            run=(params["run"] or "") if "run" in params else None,
            results=results_of(run.items),
            started=started,
            seconds=budget.spent,
            changed=any(item.changed for item in run.items),
            cloud=project.cloud,
            project=project.name,
            region_name=project.region_name,
            requests=counts.by_service(),
            tokens_issued=_tokens_issued(session, counts),
            throttled_seconds=limiter.throttled_seconds,
            refusals=[(name, round(budget.since_start(moment), 3)) for name, moment in limiter.throttled_requests],
            stopped=reason.text if reason else "",
            stopped_code=reason.code.value if reason else "",
            extras=action.extras(),
            plan=plan,
            nothing_selected=action.nothing_selected,
        )
        # A run without any item must not replace the last report that says something.
        if writes_report and run.items:
            report = _write(report, params["report"])
    if not report.results:
        module.warn(report.nothing_selected)
    if report.failed and not params["ignore_failures"]:
        raise RunFailedError(report)
    return answer(report)


def _limits_of(params: t.Mapping[str, t.Any]) -> tuple[RateLimit, MaxFailures | None]:
    """What limits this call's requests and failures, after a check of the options that are numbers."""
    for name, least in (("timeout", 1), ("queued_timeout", 1), ("concurrency", 0), ("slices", 1)):
        if params.get(name, least) < least:
            raise ConfigurationError(f"{name} must be at least {least}, not {params[name]}.")
    slices = params["slices"]
    if 0 < params["concurrency"] < slices:
        raise ConfigurationError(
            f"concurrency is {params['concurrency']}, which is less than one for each of {slices} slices: give at "
            f"least {slices}, or 0 for no limit."
        )
    return RateLimit.parse(params["requests_per_second"]).share(slices), MaxFailures.parse(params["max_failures"])


def _sign_in(module: AnsibleModule, counts: RequestCounts) -> tuple[openstack.connection.Connection, Project]:
    """A connection with a token, and the project that it leads to."""

    def sign_in() -> tuple[openstack.connection.Connection, Project]:
        connection = connect(module)
        # A silent cloud must not hold up what is not a request of ours, such as a discovery, for ever.
        connection.session.timeout = connection.session.timeout or ANSWER_TIMEOUT
        counts.watch(connection, WORKERS)
        return connection, Project.of(connection, module.params)

    timeout = module.params["timeout"]
    try:
        return deadline.within(timeout, sign_in)
    except deadline.LateError:
        raise DeadlineError(
            f"Nothing was submitted, as Keystone gave no token within the timeout of {timeout} s: try again later, or "
            "check auth_url and the network."
        ) from None


def _write(report: Report, path: str) -> Report:
    try:
        return dataclasses.replace(report, files=report_files.write_report(report, path))
    except report_files.ReportError as exc:
        # The task returns its results nevertheless.
        exc.result = answer(report)
        raise


def _tokens_issued(session: Session | None, counts: RequestCounts) -> int:
    """By the session, or by this process where it has none."""
    try:
        return counts.tokens_issued if session is None else session.counted(ISSUED)
    except OneTokenError:
        return counts.tokens_issued
