"""Are these requests ones that OpenAI's Responses API would accept? Fields, items, tools and the form of the answer."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from hb_testing.server.checks import choice, items, kind, missing, name, number, only, refuse, text, top_level

FIELDS = frozenset(
    [
        "background",
        "context_management",
        "conversation",
        "include",
        "input",
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "moderation",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "text",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    ]
)
_INCLUDED = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)
_NUMBERS: Mapping[str, tuple[float, float | None, bool]] = {
    "temperature": (0, 2, False),
    "top_p": (0, 1, False),
    "max_output_tokens": (16, None, True),
    "max_tool_calls": (1, None, True),
    "top_logprobs": (0, 20, True),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "service_tier": ("auto", "default", "flex", "scale", "priority", "fast"),
    "truncation": ("auto", "disabled"),
}
_KINDS: Mapping[str, tuple[str, ...]] = {
    "background": ("boolean",),
    "stream": ("boolean",),
    "store": ("boolean",),
    "parallel_tool_calls": ("boolean",),
    "instructions": ("string", "array"),
    "previous_response_id": ("string",),
    "user": ("string",),
    "metadata": ("object",),
    "include": ("array",),
}
_STEPS = ("none", "minimal", "low", "medium", "high", "xhigh")
_MESSAGE = frozenset({"type", "role", "content", "id", "status", "phase"})
_ITEMS: Mapping[str, frozenset[str]] = {
    "function_call": frozenset({"type", "id", "call_id", "name", "arguments", "status", "namespace"}),
    "function_call_output": frozenset({"type", "id", "call_id", "output", "status"}),
    "reasoning": frozenset({"type", "id", "summary", "content", "encrypted_content", "status"}),
    "image_generation_call": frozenset({"type", "id", "result", "status"}),
    "item_reference": frozenset({"type", "id"}),
}
_PARTS: Mapping[str, Mapping[str, frozenset[str]]] = {
    "input": {
        "input_text": frozenset({"text"}),
        "input_image": frozenset({"image_url", "file_id", "detail"}),
        "input_file": frozenset({"file_id", "file_url", "file_data", "filename", "detail"}),
    },
    "assistant": {
        "output_text": frozenset({"text", "annotations", "logprobs"}),
        "refusal": frozenset({"refusal"}),
    },
}
_CONTINUED = ("previous_response_id", "conversation", "prompt")


def check_response(payload: Mapping[str, Any], extensions: Collection[str] = ()) -> None:
    """Refuse a request that OpenAI would refuse; `extensions` are extra fields to accept."""
    top_level(payload, FIELDS, extensions)
    # null stands for "not given" in every optional field.
    given = {field: value for field, value in payload.items() if value is not None}
    is_continued = any(field in given for field in _CONTINUED)
    if "input" in given:
        _check_input(given["input"], is_continued=is_continued)
    elif not is_continued:
        missing("input")
    for field, (low, high, integer) in _NUMBERS.items():
        if field in given:
            number(given[field], field, low, high, integer=integer)
    for field, allowed in _CHOICES.items():
        if field in given:
            choice(given[field], field, allowed)
    for field, expected in _KINDS.items():
        if field in given:
            kind(given[field], field, *expected)
    for place, included in enumerate(given.get("include", ())):
        choice(included, f"include[{place}]", _INCLUDED)
    if "stream_options" in given:
        if not given.get("stream"):
            refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options", None)
        kind(given["stream_options"], "stream_options", "object")
        only(given["stream_options"], ("include_obfuscation",), "stream_options")
    if "reasoning" in given:
        _check_reasoning(given["reasoning"])
    _check_tools(given)
    if "text" in given:
        _check_text(given["text"], given.get("input"))


def _check_input(value: Any, *, is_continued: bool) -> None:
    kind(value, "input", "string", "array")
    if isinstance(value, str):
        return
    items(value, "input")
    called: dict[str, None] = {}
    answered: set[str] = set()
    for place, item in enumerate(value):
        where = f"input[{place}]"
        kind(item, where, "object")
        named = item.get("type", "message")
        if named == "message":
            _check_message(item, where)
            continue
        choice(named, f"{where}.type", ("message", *_ITEMS))
        only(item, _ITEMS[named], where)
        if named == "function_call":
            for field in ("call_id", "name", "arguments"):
                _present(item, field, where)
                kind(item[field], f"{where}.{field}", "string")
            text(item["call_id"], f"{where}.call_id")
            name(item["name"], f"{where}.name")
            called[item["call_id"]] = None
        elif named == "function_call_output":
            _check_output(item, where)
            if item["call_id"] not in called and not is_continued:
                refuse(f"No tool call found for function call output with call_id {item['call_id']}.", "input", None)
            answered.add(item["call_id"])
        elif named == "reasoning":
            _check_thought(item, where, value[place + 1 :])
    for call_id in called:
        if call_id not in answered:
            refuse(f"No tool output found for function call {call_id}.", "input", None)


def _check_output(item: Mapping[str, Any], where: str) -> None:
    for field in ("call_id", "output"):
        _present(item, field, where)
    text(item["call_id"], f"{where}.call_id")
    kind(item["output"], f"{where}.output", "string", "array")
    if isinstance(item["output"], list):
        _check_parts(item["output"], f"{where}.output", "input")


def _check_thought(item: Mapping[str, Any], where: str, following: list[Any]) -> None:
    for field in ("id", "summary"):
        _present(item, field, where)
    kind(item["summary"], f"{where}.summary", "array")
    for place, part in enumerate(item["summary"]):
        kind(part, f"{where}.summary[{place}]", "object")
        choice(part.get("type"), f"{where}.summary[{place}].type", ("summary_text",))
        kind(part.get("text"), f"{where}.summary[{place}].text", "string")
    led_to = next((later for later in following if isinstance(later, dict) and later.get("type") != "reasoning"), {})
    if led_to.get("type") != "function_call" and led_to.get("role") != "assistant" and "result" not in led_to:
        refuse(f"Item '{item['id']}' of type 'reasoning' was provided without its required following item.", "input")


def _check_message(item: Mapping[str, Any], where: str) -> None:
    only(item, _MESSAGE, where)
    for field in ("role", "content"):
        _present(item, field, where)
    choice(item["role"], f"{where}.role", ("user", "assistant", "system", "developer"))
    kind(item["content"], f"{where}.content", "string", "array")
    if isinstance(item["content"], list):
        _check_parts(item["content"], f"{where}.content", "assistant" if item["role"] == "assistant" else "input")


def _check_parts(parts: list[Any], where: str, side: str) -> None:
    for place, part in enumerate(parts):
        here = f"{where}[{place}]"
        kind(part, here, "object")
        named = part.get("type")
        choice(named, f"{here}.type", _PARTS[side])
        only(part, _PARTS[side][named] | {"type"}, here)
        if named in ("input_text", "output_text", "refusal"):
            field = "refusal" if named == "refusal" else "text"
            _present(part, field, here)
            kind(part[field], f"{here}.{field}", "string")
        elif named == "input_image":
            _check_image(part, here)
        elif not any(part.get(field) for field in ("file_id", "file_url", "file_data")):
            missing(f"{here}.file_id")


def _check_image(part: Mapping[str, Any], where: str) -> None:
    if part.get("detail") is not None:
        choice(part["detail"], f"{where}.detail", ("low", "high", "auto", "original"))
    if part.get("file_id"):
        return
    # The chat wire has an object here, which is the usual mistake.
    text(part.get("image_url"), f"{where}.image_url")
    if not part["image_url"].startswith(("http://", "https://", "data:image/")):
        refuse(
            "Invalid 'image_url': expected an http(s) URL, or a base64-encoded data URL with an image MIME type.",
            f"{where}.image_url",
        )


def _check_reasoning(value: Any) -> None:
    kind(value, "reasoning", "object")
    only(value, ("effort", "summary", "generate_summary", "context", "mode"), "reasoning")
    if value.get("effort") is not None:
        choice(value["effort"], "reasoning.effort", _STEPS)
    if value.get("summary") is not None:
        choice(value["summary"], "reasoning.summary", ("auto", "concise", "detailed"))


def _check_tools(given: Mapping[str, Any]) -> None:
    tools = given.get("tools", [])
    kind(tools, "tools", "array")
    names = set()
    for place, tool in enumerate(tools):
        where = f"tools[{place}]"
        kind(tool, where, "object")
        _present(tool, "type", where)
        if tool["type"] == "function":
            names.add(_check_function(tool, where))
    selected = given.get("tool_choice", "auto")
    kind(selected, "tool_choice", "string", "object")
    if isinstance(selected, str):
        choice(selected, "tool_choice", ("none", "auto", "required"))
        if selected == "required" and not tools:
            refuse("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice", None)
    elif selected.get("type") == "function":
        only(selected, ("type", "name"), "tool_choice")
        if selected.get("name") not in names:
            refuse(f"Tool choice '{selected.get('name')}' not found in 'tools' parameter.", "tool_choice", None)


def _check_function(tool: Mapping[str, Any], where: str) -> str:
    only(tool, ("type", "name", "description", "parameters", "strict", "defer_loading"), where)
    _present(tool, "name", where)
    name(tool["name"], f"{where}.name")
    parameters = tool.get("parameters")
    if parameters is not None:
        kind(parameters, f"{where}.parameters", "object")
        # What is not given is strict here, unlike on the chat wire.
        if tool.get("strict", True) and parameters.get("additionalProperties") is not False:
            refuse(
                f"Invalid schema for function '{tool['name']}': In context=(), 'additionalProperties' is "
                "required to be supplied and to be false.",
                f"{where}.parameters",
                "invalid_function_parameters",
            )
    return str(tool["name"])


def _check_text(value: Any, given: Any) -> None:
    kind(value, "text", "object")
    only(value, ("format", "verbosity"), "text")
    if value.get("verbosity") is not None:
        choice(value["verbosity"], "text.verbosity", ("low", "medium", "high"))
    form = value.get("format")
    if form is None:
        return
    kind(form, "text.format", "object")
    choice(form.get("type"), "text.format.type", ("text", "json_object", "json_schema"))
    if form["type"] == "json_object" and "json" not in json.dumps(given).lower():
        refuse(
            "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
            "'json_object'.",
            "input",
            None,
        )
    if form["type"] == "json_schema":
        only(form, ("type", "name", "description", "schema", "strict"), "text.format")
        for field in ("name", "schema"):
            _present(form, field, "text.format")
        name(form["name"], "text.format.name")
        kind(form["schema"], "text.format.schema", "object")


def _present(value: Mapping[str, Any], field: str, where: str) -> None:
    if field not in value:
        missing(f"{where}.{field}")
