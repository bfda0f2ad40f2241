"""Refusals as OpenAI words them: message, `param` and `code`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from hb_testing.server.schema import Problem, RequestSchema, given, listed
from hb_testing.server.wire import Rejected

_DECIMALS = ("temperature", "top_p", "presence_penalty", "frequency_penalty", "logit_bias")
_TOOL_FIELDS = ("type", "function", "custom")


def refuse(message: str, param: str | None = None, code: str | None = "invalid_value") -> NoReturn:
    """Refuse the request with status 400."""
    raise Rejected(message, param=param, code=code)


def missing(param: str) -> NoReturn:
    """Refuse a request without a required parameter."""
    refuse(f"Missing required parameter: '{param}'.", param, "missing_required_parameter")


def check(schema: RequestSchema, operation: str, payload: Mapping[str, Any], extensions: Collection[str]) -> None:
    """Refuse a request that does not fit its schema; `extensions` are extra fields to accept at its top."""
    problem = schema.problem(operation, given(payload, extensions, schema.fields(operation)))
    if problem is not None:
        _refuse_problem(problem)


def says_json(value: Any) -> bool:
    """Whether the word stands in a prompt, without which OpenAI writes no JSON."""
    return "json" in json.dumps(value).lower()


def _refuse_problem(problem: Problem) -> NoReturn:
    param, keyword, wanted, value = problem.path, problem.keyword, problem.wanted, problem.value
    is_top = len(problem.place) == 1
    if is_top and keyword == "additionalProperties":
        refuse(f"Unrecognized request argument supplied: {wanted}", None, None)
    if param == "model" and keyword != "type":
        refuse("you must provide a model parameter", None, None)
    if keyword == "additionalProperties":
        refuse(f"Unknown parameter: '{param}'.", param, "unknown_parameter")
    if keyword == "required" and problem.place[0] in ("tools", "tool_choice") and wanted in _TOOL_FIELDS:
        # What makes a tool one is looked at as if null stood there.
        if wanted == "type":
            refuse(f"Invalid value: None. Supported values are: 'function'. - '{param}'", param)
        keyword, wanted = "type", ["object"]
    if keyword == "required":
        missing(param)
    if keyword == "type" and value is None and problem.place[-1] == "content":
        refuse(f"Invalid value for 'content': expected a string, got null. - '{param}'", param)
    if keyword == "type":
        expected = " or ".join(dict.fromkeys(name for name in wanted if name != "null"))
        found = "null" if value is None else type(value).__name__
        refuse(f"Invalid type for '{param}': expected {expected}, but got {found} instead.", param, "invalid_type")
    if keyword in ("enum", "const"):
        words = wanted if isinstance(wanted, list) else [wanted]
        known = listed(word for word in words if word is not None)
        refuse(f"Invalid value: {value!r}. Supported values are: {known}.", param)
    if keyword in ("minimum", "maximum"):
        word = "decimal" if problem.place[0] in _DECIMALS else "integer"
        side, sign = ("below", ">=") if keyword == "minimum" else ("above", "<=")
        refuse(
            f"Invalid '{param}': {word} {side} {keyword} value. Expected a value {sign} {wanted}, but got {value} "
            "instead.",
            param,
            f"{word}_{side}_{keyword[:3]}_value",
        )
    _refuse_size(problem, param)


def _refuse_size(problem: Problem, param: str) -> NoReturn:
    keyword, wanted = problem.keyword, problem.wanted
    if keyword == "minLength":
        refuse(f"Invalid '{param}': empty string.", param, "empty_string")
    if keyword == "minItems":
        refuse(
            f"Invalid '{param}': empty array. Expected an array with minimum length {wanted}, but got an empty array "
            "instead.",
            param,
            "empty_array",
        )
    if keyword == "maxItems":
        refuse(
            f"Invalid '{param}': array too long. Expected an array with maximum length {wanted}, but got an array "
            f"with length {len(problem.value)} instead.",
            param,
            "array_above_max_length",
        )
    if problem.place[-1] in ("url", "image_url"):
        refuse(
            "Invalid image URL. Expected an http(s) URL, or a base64-encoded data URL with an image MIME type.",
            param,
            "invalid_image_url" if problem.place[-1] == "url" else "invalid_value",
        )
    refuse(f"Invalid '{param}': string does not match pattern. It {problem.text}.", param)
