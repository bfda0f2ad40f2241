"""Are these requests ones that Anthropic's Messages API would accept? Unknown fields, types, ranges, combinations."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from hb_testing.server.anthropic_messages import (
    check_mark,
    check_messages,
    check_text_blocks,
    kind,
    only,
    refuse,
    required,
)

CREATE_FIELDS = frozenset(
    [
        "model",
        "messages",
        "max_tokens",
        "cache_control",
        "container",
        "diagnostics",
        "inference_geo",
        "metadata",
        "output_config",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "system",
        "temperature",
        "thinking",
        "tool_choice",
        "tools",
        "top_k",
        "top_p",
    ]
)
COUNT_FIELDS = frozenset(
    ["model", "messages", "cache_control", "output_config", "speed", "system", "thinking", "tool_choice", "tools"]
)
EFFORTS = ("low", "medium", "high", "xhigh", "max")
SAMPLING = ("temperature", "top_p", "top_k")
MOST_MARKS = 4
LEAST_BUDGET = 1024
UNTYPED_VERSION = "2023-06-01"
"""The last version of the API that knows sampling parameters."""

_TOOL_FIELDS = frozenset(
    [
        *("type", "name", "description", "input_schema", "cache_control", "strict"),
        *("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples"),
    ]
)
_TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Models that always decide by themselves how much to think, and sample as they see fit.
_ADAPTIVE = re.compile(r"claude-(?:opus-4-[78]|(?:opus|sonnet|fable|mythos)-5|haiku-5)")
_INLINE_SYSTEM = re.compile(r"claude-(?:opus-4-8|(?:opus|fable|mythos)-5|(?:sonnet|haiku)-5-5)")
_NEVER_FORCED = re.compile(r"claude-(?:opus-5-5|sonnet-5-5|(?:fable|mythos)-5-[12])")
_ALWAYS_THINKING = re.compile(r"claude-(?:opus-5-5|sonnet-5-5|(?:fable|mythos)-5)")


def check_create(payload: Mapping[str, Any], version: str, extensions: Collection[str]) -> None:
    """Refuse a request for a message that the API would refuse in this version of it."""
    for field in payload:
        if field not in CREATE_FIELDS and field not in extensions:
            refuse(f"{field}: Extra inputs are not permitted")
    for field in ("model", "max_tokens", "messages"):
        if field not in payload:
            refuse(f"{field}: Field required")
    kind(payload["max_tokens"], "max_tokens", int, "integer")
    if payload["max_tokens"] < 1:
        refuse("max_tokens: Input should be greater than or equal to 1")
    _check_prompt(payload)
    _check_sampling(payload, version)
    _check_thinking(payload)
    kind(payload.get("stream", False), "stream", bool, "boolean")
    stops = payload.get("stop_sequences", [])
    kind(stops, "stop_sequences", list, "list")
    for stop in stops:
        if not isinstance(stop, str) or not stop.strip():
            refuse("stop_sequences: each stop sequence must contain non-whitespace")
    if "metadata" in payload:
        kind(payload["metadata"], "metadata", dict, "dictionary")
        only(payload["metadata"], ("user_id",), "metadata")
    if payload.get("service_tier", "auto") not in ("auto", "standard_only"):
        refuse("service_tier: Input should be 'auto' or 'standard_only'")


def check_count(payload: Mapping[str, Any], extensions: Collection[str]) -> None:
    """Refuse a request for a count of tokens that the API would refuse."""
    for field in payload:
        if field not in COUNT_FIELDS and field not in extensions:
            refuse(f"{field}: Extra inputs are not permitted")
    for field in ("model", "messages"):
        if field not in payload:
            refuse(f"{field}: Field required")
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


def _check_prompt(payload: Mapping[str, Any]) -> None:
    kind(payload["model"], "model", str, "string")
    if not payload["model"]:
        refuse("model: String should have at least 1 character")
    check_messages(payload["messages"], inline_system=bool(_INLINE_SYSTEM.search(payload["model"])))
    if "system" in payload:
        check_text_blocks(payload["system"], "system")
    _check_tools(payload)
    _check_output(payload)
    found = marks([payload.get(name) for name in ("system", "tools", "messages")])
    if found > MOST_MARKS:
        refuse(f"A maximum of 4 blocks with cache_control may be provided. Found {found}.")


def _check_sampling(payload: Mapping[str, Any], version: str) -> None:
    given = [name for name in SAMPLING if payload.get(name) is not None]
    if given and version != UNTYPED_VERSION:
        refuse(f"{given[0]}: Extra inputs are not permitted")
    for name in given:
        value = payload[name]
        if name == "top_k":
            kind(value, name, int, "integer")
        else:
            kind(value, name, (int, float), "number")
            if not 0 <= value <= 1:
                refuse(f"{name}: range: 0..1")
        if _ADAPTIVE.search(payload["model"]) and value != 1:
            refuse(f"`{name}` is deprecated for this model.")


def _check_thinking(payload: Mapping[str, Any]) -> None:
    thinking = payload.get("thinking")
    if thinking is None:
        return
    kind(thinking, "thinking", dict, "dictionary")
    name, model = thinking.get("type"), payload["model"]
    if name == "enabled":
        if _ADAPTIVE.search(model):
            refuse('"thinking.type.enabled" is not supported for this model.')
        required(thinking, "thinking.enabled", "budget_tokens")
        only(thinking, ("type", "budget_tokens", "display"), "thinking.enabled")
        kind(thinking["budget_tokens"], "thinking.enabled.budget_tokens", int, "integer")
        if thinking["budget_tokens"] < LEAST_BUDGET:
            refuse("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
        if thinking["budget_tokens"] >= payload["max_tokens"]:
            refuse("`max_tokens` must be greater than `thinking.budget_tokens`.")
        if payload.get("temperature", 1) != 1:
            refuse("`temperature` may only be set to 1 when thinking is enabled.")
        if payload.get("top_k") is not None:
            refuse("`top_k` must be unset when thinking is enabled.")
        if payload.get("tool_choice", {}).get("type") in ("any", "tool"):
            refuse("Thinking may not be enabled when tool_choice forces tool use.")
    elif name == "adaptive":
        only(thinking, ("type", "display"), "thinking.adaptive")
        if not re.search(r"claude-(?:opus|sonnet)-4-6", model) and not _ADAPTIVE.search(model):
            refuse("adaptive thinking is not supported on this model")
    elif name in ("disabled", "between_tools"):
        only(thinking, ("type",), f"thinking.{name}")
        if name == "disabled" and _ALWAYS_THINKING.search(model):
            refuse('"thinking.type.disabled" is not supported for this model.')
    else:
        refuse(f"thinking: Input tag '{name}' found using 'type' does not match any of the expected tags")


def _check_tools(payload: Mapping[str, Any]) -> None:
    tools = payload.get("tools", [])
    kind(tools, "tools", list, "list")
    names: set[str] = set()
    for place, tool in enumerate(tools):
        where = f"tools.{place}"
        kind(tool, where, dict, "dictionary")
        check_mark(tool, where)
        if tool.get("type") not in (None, "custom", "function"):
            continue  # one of the provider's own tools
        required(tool, f"{where}.custom", "name", "input_schema")
        only(tool, _TOOL_FIELDS, f"{where}.custom")
        if not isinstance(tool["name"], str) or not _TOOL_NAME.fullmatch(tool["name"]):
            refuse(f"{where}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if tool["name"] in names:
            refuse("tools: Tool names must be unique.")
        names.add(tool["name"])
        kind(tool["input_schema"], f"{where}.custom.input_schema", dict, "dictionary")
        if tool["input_schema"].get("type") != "object":
            refuse(f"{where}.custom.input_schema.type: Field required")
    choice = payload.get("tool_choice")
    if choice is None:
        return
    kind(choice, "tool_choice", dict, "dictionary")
    known = {"any": (), "auto": (), "none": (), "tool": ("name",)}
    name = choice.get("type")
    if name not in known:
        refuse(f"tool_choice: Input tag '{name}' found using 'type' does not match any of the expected tags")
    parallel = () if name == "none" else ("disable_parallel_tool_use",)
    only(choice, ("type", *known[name], *parallel), f"tool_choice.{name}")
    required(choice, f"tool_choice.{name}", *known[name])
    if name != "none" and not tools:
        refuse("tool_choice: tools must be provided when tool_choice is set")
    if name == "tool" and names and choice["name"] not in names:
        refuse(f"tool_choice.tool.name: Tool '{choice['name']}' not found in provided tools")
    if name in ("any", "tool") and _NEVER_FORCED.search(payload["model"]):
        refuse("tool_choice: forcing tool use is not supported on this model")


def _check_output(payload: Mapping[str, Any]) -> None:
    config = payload.get("output_config")
    if config is None:
        return
    kind(config, "output_config", dict, "dictionary")
    only(config, ("effort", "format"), "output_config")
    if config.get("effort", "high") not in EFFORTS:
        refuse(f"output_config.effort: Input should be {', '.join(map(repr, EFFORTS))}")
    wanted = config.get("format")
    if wanted is not None:
        kind(wanted, "output_config.format", dict, "dictionary")
        only(wanted, ("type", "schema"), "output_config.format")
        if wanted.get("type") != "json_schema":
            refuse("output_config.format.type: Input should be 'json_schema'")
        required(wanted, "output_config.format", "schema")
        for table in _tables(wanted["schema"]):
            if table.get("type") == "object" and table.get("additionalProperties") is not False:
                refuse("output_config.format.schema: For 'object' type, 'additionalProperties' must be set to false")
