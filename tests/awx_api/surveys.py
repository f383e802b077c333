# Copyright (c) 2026, onetoken.openstack contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX's checks of a survey and of the answers to it."""

from __future__ import annotations

import typing as t

Item = dict[str, t.Any]

#: The types that the default of a question may have.
DEFAULTS: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "textarea": (str,),
    "password": (str,),
    "multiplechoice": (str,),
    "multiselect": (str, list),
    "integer": (int,),
    "float": (float, int),
}
CHOICES = ("multiplechoice", "multiselect")
NUMBERS = {kind: DEFAULTS[kind] for kind in ("integer", "float")}


class RefusedError(Exception):
    """AWX would refuse this."""

    def __init__(self, status: int, **body: t.Any) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def check_survey(survey: Item) -> None:
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
        types = DEFAULTS.get(question["type"])
        need(types, f"'{question['type']}' in survey question {number} is not allowed.")
        default = question.get("default", "")
        need(default == "" or isinstance(default, types or ()), f"Default value in survey question {number} is wrong.")
        for field in ("min", "max"):
            need(isinstance(question.get(field, 0), int), f"The {field} in survey question {number} expected integer.")
        if question["type"].startswith("multi"):
            need(question.get("choices"), f"Survey question {number} must specify choices.")
            chosen = default.splitlines() if isinstance(default, str) else default
            need(set(chosen) <= set(question["choices"]), "Default choice must be answered from the choices listed.")


def answered(survey: Item, variables: Item, answers: Item, all_required: bool = True) -> Item:
    """The variables of a job: the template's, the survey's defaults if they are valid answers, and the answers."""
    questions = survey.get("spec", [])
    errors = [error for question in questions if (error := _error(question, answers, all_required))]
    if errors:
        raise RefusedError(400, variables_needed_to_start=errors)
    same = {name for name, value in answers.items() if name in variables and variables[name] == value}
    unknown = set(answers) - {question["variable"] for question in questions} - same
    if unknown:
        raise RefusedError(400, extra_vars=[f"Variables {', '.join(sorted(unknown))} are not allowed on launch."])
    defaults = {question["variable"]: question["default"] for question in questions if "default" in question}
    valid = {q["variable"] for q in questions if not _error(q, defaults, False)}
    return {**variables, **{name: value for name, value in defaults.items() if name in valid}, **answers}


def _error(question: Item, answers: Item, all_required: bool) -> str:
    """Why AWX refuses the answer to a question; empty if it does not."""
    name = question["variable"]
    if name not in answers:
        return f"'{name}' value missing" if question["required"] and all_required else ""
    value = answers[name]
    if expected := _expected(question, value):
        return f"Value {value} for '{name}' expected {expected}."
    return (
        "" if question["type"] in CHOICES else _bounds_error(question, len(value) if isinstance(value, str) else value)
    )


def _expected(question: Item, value: t.Any) -> str:
    """What the answer should have been; empty if it fits."""
    kind = question["type"]
    if kind == "multiselect":
        fits = isinstance(value, list) and set(value) <= set(question["choices"])
        return "" if fits else f"to be a list of {question['choices']}"
    if kind == "multiplechoice":
        return "" if value in question["choices"] else f"one of {question['choices']}"
    if kind in NUMBERS:
        return "" if isinstance(value, NUMBERS[kind]) and not isinstance(value, bool) else "to be a number"
    return "" if isinstance(value, str) else "to be a string"


def _bounds_error(question: Item, size: float) -> str:
    name, least, most = question["variable"], question.get("min"), question.get("max")
    if least not in ("", None) and size < least:
        return f"'{name}' value {size} is too small (must be at least {least})."
    if most not in ("", None) and size > most:
        return f"'{name}' value {size} is too large (must be no more than {most})."
    return ""
