"""Are these requests ones that Anthropic's Messages API would accept? The schema, and what models and fields allow."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NoReturn

from hb_testing.server.anthropic_messages import check_messages, refuse
from hb_testing.server.schema import Problem, RequestSchema, given, listed

SCHEMA = RequestSchema("anthropic")
SAMPLING = ("temperature", "top_p", "top_k")
MOST_MARKS = 4
UNTYPED_VERSION = "2023-06-01"
"""The last version of the API that knows sampling parameters."""

# Models that always decide by themselves how much to think, and sample as they see fit.
_ADAPTIVE = re.compile(r"claude-(?:opus-4-[78]|(?:opus|sonnet|fable|mythos)-5|haiku-5)")
_INLINE_SYSTEM = re.compile(r"claude-(?:opus-4-8|(?:opus|fable|mythos)-5|(?:sonnet|haiku)-5-5)")
_NEVER_FORCED = re.compile(r"claude-(?:opus-5-5|sonnet-5-5|(?:fable|mythos)-5-[12])")
_ALWAYS_THINKING = re.compile(r"claude-(?:opus-5-5|sonnet-5-5|(?:fable|mythos)-5)")
_TYPES = {"array": "list", "object": "dictionary"}
_BLANK = "messages: text content blocks must contain non-whitespace text"


def check_create(payload: Mapping[str, Any], version: str, extensions: Collection[str]) -> None:
    """Refuse a request for a message that the API would refuse in this version of it."""
    _check("CreateMessageParams", payload, extensions)
    _check_prompt(payload)
    _check_sampling(payload, version)
    _check_thinking(payload)


def check_count(payload: Mapping[str, Any], extensions: Collection[str]) -> None:
    """Refuse a request for a count of tokens that the API would refuse."""
    _check("CountMessageTokensParams", payload, extensions)
    _check_prompt(payload)


def marks(value: Any) -> int:
    """How many blocks carry `cache_control`."""
    return sum(1 for table in _tables(value) if table.get("cache_control") is not None)


def _tables(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        yield value
        for item in value.values():
            yield from _tables(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tables(item)


def _check(operation: str, payload: Mapping[str, Any], extensions: Collection[str]) -> None:
    problem = SCHEMA.problem(operation, given(payload, extensions, SCHEMA.fields(operation)))
    if problem is not None:
        _refuse_problem(problem)


def _refuse_problem(problem: Problem) -> NoReturn:
    where, keyword, wanted = problem.dotted, problem.keyword, problem.wanted
    if keyword == "additionalProperties":
        refuse(f"{where}: Extra inputs are not permitted")
    if keyword == "required":
        refuse(f"{where}: Field required")
    if keyword == "type":
        names = dict.fromkeys(_TYPES.get(name, name) for name in wanted if name != "null")
        refuse(f"{where}: Input should be a valid {' or '.join(names)}")
    if keyword in ("enum", "const") and problem.place[-1] == "type":
        outer, _, _ = where.rpartition(".")
        refuse(
            f"{outer}: Input tag '{problem.value}' found using 'type' does not match any of the expected tags: "
            f"{listed(wanted if isinstance(wanted, list) else [wanted])}"
        )
    if keyword == "pattern" and (problem.place[-1] == "text" or problem.place[-1] == "content"):
        refuse(_BLANK)
    if keyword == "pattern" and problem.general == "stop_sequences":
        refuse("stop_sequences: each stop sequence must contain non-whitespace")
    if keyword == "pattern" and problem.place[-1] == "url":
        refuse(f"{where}: Only HTTPS URLs are supported.")
    if keyword == "minItems" and problem.general == "messages":
        refuse("messages: at least one message is required")
    if keyword == "minimum":
        refuse(f"{where}: Input should be greater than or equal to {wanted}")
    refuse(f"{where}: Input {problem.text}")


def _check_prompt(payload: Mapping[str, Any]) -> None:
    check_messages(payload["messages"], inline_system=bool(_INLINE_SYSTEM.search(payload["model"])))
    _check_tools(payload)
    wanted = (payload.get("output_config") or {}).get("format") or {}
    for table in _tables(wanted.get("schema")):
        if table.get("type") == "object" and table.get("additionalProperties") is not False:
            refuse("output_config.format.schema: For 'object' type, 'additionalProperties' must be set to false")
    found = marks([payload.get(name) for name in ("system", "tools", "messages")])
    if found > MOST_MARKS:
        refuse(f"A maximum of 4 blocks with cache_control may be provided. Found {found}.")


def _check_sampling(payload: Mapping[str, Any], version: str) -> None:
    named = [name for name in SAMPLING if payload.get(name) is not None]
    if named and version != UNTYPED_VERSION:
        refuse(f"{named[0]}: Extra inputs are not permitted")
    for name in named:
        if _ADAPTIVE.search(payload["model"]) and payload[name] != 1:
            refuse(f"`{name}` is deprecated for this model.")


def _check_thinking(payload: Mapping[str, Any]) -> None:
    thinking, model = payload.get("thinking") or {}, payload["model"]
    name = thinking.get("type")
    if name == "enabled":
        if _ADAPTIVE.search(model):
            refuse('"thinking.type.enabled" is not supported for this model.')
        if thinking["budget_tokens"] >= payload["max_tokens"]:
            refuse("`max_tokens` must be greater than `thinking.budget_tokens`.")
        if payload.get("temperature", 1) != 1:
            refuse("`temperature` may only be set to 1 when thinking is enabled.")
        if payload.get("top_k") is not None:
            refuse("`top_k` must be unset when thinking is enabled.")
        if (payload.get("tool_choice") or {}).get("type") in ("any", "tool"):
            refuse("Thinking may not be enabled when tool_choice forces tool use.")
    elif name == "adaptive":
        if not re.search(r"claude-(?:opus|sonnet)-4-6", model) and not _ADAPTIVE.search(model):
            refuse("adaptive thinking is not supported on this model")
    elif name == "disabled" and _ALWAYS_THINKING.search(model):
        refuse('"thinking.type.disabled" is not supported for this model.')


def _check_tools(payload: Mapping[str, Any]) -> None:
    tools = payload.get("tools", [])
    # The provider's own tools have types of their own.
    names = [tool["name"] for tool in tools if tool.get("type") in (None, "custom", "function")]
    if len(names) != len(set(names)):
        refuse("tools: Tool names must be unique.")
    choice = payload.get("tool_choice")
    if choice is None:
        return
    if choice["type"] != "none" and not tools:
        refuse("tool_choice: tools must be provided when tool_choice is set")
    if choice["type"] == "tool" and names and choice["name"] not in names:
        refuse(f"tool_choice.tool.name: Tool '{choice['name']}' not found in provided tools")
    if choice["type"] in ("any", "tool") and _NEVER_FORCED.search(payload["model"]):
        refuse("tool_choice: forcing tool use is not supported on this model")
