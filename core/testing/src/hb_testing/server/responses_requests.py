"""Are these requests ones that OpenAI's Responses API would accept? The schema, and items that need others."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from hb_testing.server.checks import check, missing, refuse, says_json
from hb_testing.server.schema import RequestSchema

SCHEMA = RequestSchema("responses")
COUNTED = frozenset(
    {
        *("conversation", "input", "instructions", "model", "parallel_tool_calls", "personality"),
        *("previous_response_id", "reasoning", "text", "tool_choice", "tools", "truncation"),
    }
)
"""What a request to count input tokens may hold."""
_CONTINUED = ("previous_response_id", "conversation", "prompt")


def check_response(payload: Mapping[str, Any], extensions: Collection[str] = ()) -> None:
    """Refuse a request that OpenAI would refuse; `extensions` are extra fields to accept."""
    check(SCHEMA, "CreateResponse", payload, extensions)
    # null stands for "not given" in every optional field.
    given = {field: value for field, value in payload.items() if value is not None}
    is_continued = any(field in given for field in _CONTINUED)
    if "input" not in given and not is_continued:
        missing("input")
    if isinstance(given.get("input"), list):
        _check_items(given["input"], is_continued=is_continued)
    if "stream_options" in given and not given.get("stream"):
        refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options", None)
    _check_tools(given)
    form = (given.get("text") or {}).get("format") or {}
    if form.get("type") == "json_object" and not says_json(given.get("input")):
        refuse(
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'.",
            "input",
            None,
        )


def check_count(payload: Mapping[str, Any]) -> None:
    """Refuse a request to count input tokens that OpenAI would refuse."""
    for name in payload:
        if name not in COUNTED:
            refuse(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    check_response(payload)


def _check_items(items: list[Any], *, is_continued: bool) -> None:
    """Results answer calls, all calls have results, and thoughts lead to something."""
    called: dict[str, None] = {}
    answered: set[str] = set()
    for place, item in enumerate(items):
        kind = item.get("type")
        if kind == "function_call":
            called[item["call_id"]] = None
        elif kind == "function_call_output":
            if item["call_id"] not in called and not is_continued:
                refuse(f"No tool call found for function call output with call_id {item['call_id']}.", "input", None)
            answered.add(item["call_id"])
        elif kind == "reasoning":
            _check_thought(item, items[place + 1 :])
    for call_id in called:
        if call_id not in answered:
            refuse(f"No tool output found for function call {call_id}.", "input", None)


def _check_thought(item: Mapping[str, Any], following: list[Any]) -> None:
    led_to: Mapping[str, Any] = next((later for later in following if later.get("type") != "reasoning"), {})
    if led_to.get("type") != "function_call" and led_to.get("role") != "assistant" and "result" not in led_to:
        refuse(f"Item '{item['id']}' of type 'reasoning' was provided without its required following item.", "input")


def _check_tools(given: Mapping[str, Any]) -> None:
    tools = given.get("tools", [])
    functions = {tool["name"]: (place, tool) for place, tool in enumerate(tools) if tool["type"] == "function"}
    for name, (place, tool) in functions.items():
        parameters = tool.get("parameters")
        # What is not given is strict here, unlike on the chat wire.
        if parameters is not None and tool.get("strict", True) and parameters.get("additionalProperties") is not False:
            refuse(
                f"Invalid schema for function '{name}': In context=(), 'additionalProperties' is required to be "
                "supplied and to be false.",
                f"tools[{place}].parameters",
                "invalid_function_parameters",
            )
    chosen = given.get("tool_choice")
    if chosen == "required" and not tools:
        refuse("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice", None)
    if isinstance(chosen, dict) and chosen.get("type") == "function" and chosen.get("name") not in functions:
        refuse(f"Tool choice '{chosen.get('name')}' not found in 'tools' parameter.", "tool_choice", None)
