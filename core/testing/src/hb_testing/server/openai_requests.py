"""Are these requests ones that OpenAI would accept? Unknown fields, types, ranges and combinations."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from hb_testing.server.checks import choice, items, kind, missing, name, number, only, refuse, text, top_level
from hb_testing.server.openai_messages import check_messages

CHAT_FIELDS = frozenset(
    [
        "messages",
        "model",
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "modalities",
        "moderation",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "response_format",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
        "web_search_options",
    ]
)
EMBEDDING_FIELDS = frozenset(["input", "model", "dimensions", "encoding_format", "user"])
_IMAGE_FIELDS = frozenset(
    [
        "prompt",
        "background",
        "complexity",
        "frame_count",
        "frame_duration_ms",
        "model",
        "n",
        "output_compression",
        "output_format",
        "partial_images",
        "quality",
        "response_format",
        "safety_identifier",
        "size",
        "stream",
        "svg",
        "user",
    ]
)
GENERATION_FIELDS = _IMAGE_FIELDS | {"moderation", "style"}
EDIT_FIELDS = _IMAGE_FIELDS | {"image", "image[]", "mask", "markup", "input_fidelity"}

_NUMBERS: Mapping[str, tuple[float, float | None, bool]] = {
    "temperature": (0, 2, False),
    "top_p": (0, 1, False),
    "presence_penalty": (-2, 2, False),
    "frequency_penalty": (-2, 2, False),
    "n": (1, 128, True),
    "max_tokens": (1, None, True),
    "max_completion_tokens": (1, None, True),
    "top_logprobs": (0, 20, True),
    "seed": (-(2**63), 2**63 - 1, True),
}
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "reasoning_effort": ("none", "minimal", "low", "medium", "high", "xhigh"),
    "service_tier": ("auto", "default", "flex", "scale", "priority", "fast"),
    "verbosity": ("low", "medium", "high"),
}
_KINDS: Mapping[str, str] = {
    "stream": "boolean",
    "store": "boolean",
    "logprobs": "boolean",
    "parallel_tool_calls": "boolean",
    "user": "string",
    "metadata": "object",
    "modalities": "array",
    "logit_bias": "object",
}
_NEEDS_TOOLS = ("tool_choice", "parallel_tool_calls")


def check_chat(payload: Mapping[str, Any], extensions: Collection[str], message_extensions: Collection[str]) -> None:
    """Refuse a chat completion request that OpenAI would refuse; the extension sets name extra fields to accept."""
    top_level(payload, CHAT_FIELDS, extensions)
    if "messages" not in payload:
        missing("messages")
    check_messages(payload["messages"], message_extensions)
    # null stands for "not given" in every optional field.
    given = {field: value for field, value in payload.items() if value is not None}
    for field, (low, high, integer) in _NUMBERS.items():
        if field in given:
            number(given[field], field, low, high, integer=integer)
    for field, allowed in _CHOICES.items():
        if field in given:
            choice(given[field], field, allowed)
    for field, expected in _KINDS.items():
        if field in given:
            kind(given[field], field, expected)
    _check_combinations(given)
    _check_tools(given)
    _check_format(given)


def _check_combinations(given: Mapping[str, Any]) -> None:
    if "max_tokens" in given and "max_completion_tokens" in given:
        refuse("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens")
    if given.get("top_logprobs") and not given.get("logprobs"):
        refuse("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs")
    if "stop" in given:
        kind(given["stop"], "stop", "string", "array")
        if isinstance(given["stop"], list):
            items(given["stop"], "stop", most=4)
            for index, stop in enumerate(given["stop"]):
                kind(stop, f"stop[{index}]", "string")
    if "stream_options" in given:
        if not given.get("stream"):
            refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options", None)
        kind(given["stream_options"], "stream_options", "object")
        only(given["stream_options"], ("include_usage", "include_obfuscation"), "stream_options")
    for index, modality in enumerate(given.get("modalities", ())):
        choice(modality, f"modalities[{index}]", ("text", "audio", "image"))
    for token, bias in given.get("logit_bias", {}).items():
        number(bias, f"logit_bias.{token}", -100, 100)


def _check_tools(given: Mapping[str, Any]) -> None:
    tools = given.get("tools")
    if tools is None:
        for field in _NEEDS_TOOLS:
            if field in given:
                refuse(
                    f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified.", field, None
                )
        return
    items(tools, "tools", most=128)
    names = set()
    for index, tool in enumerate(tools):
        where = f"tools[{index}]"
        kind(tool, where, "object")
        choice(tool.get("type"), f"{where}.type", ("function", "custom"))
        names.add(_check_tool(tool, where))
    selected = given.get("tool_choice", "auto")
    kind(selected, "tool_choice", "string", "object")
    if isinstance(selected, str):
        choice(selected, "tool_choice", ("none", "auto", "required"))
    elif selected.get("type") in ("function", "custom"):
        named = selected.get(selected["type"])
        kind(named, f"tool_choice.{selected['type']}", "object")
        wanted = named.get("name")
        if wanted not in names:
            refuse(f"Tool choice '{wanted}' not found in 'tools' parameter.", "tool_choice", None)
    else:
        choice(selected.get("type"), "tool_choice.type", ("function", "custom", "allowed_tools"))


def _check_tool(tool: Mapping[str, Any], where: str) -> str:
    here = f"{where}.{tool['type']}"
    only(tool, ("type", tool["type"]), where)
    definition: Any = tool.get(tool["type"])
    kind(definition, here, "object")
    if "name" not in definition:
        missing(f"{here}.name")
    name(definition["name"], f"{here}.name")
    if tool["type"] == "function":
        only(definition, ("name", "description", "parameters", "strict"), here)
        if "description" in definition:
            kind(definition["description"], f"{here}.description", "string")
        parameters = definition.get("parameters", {"type": "object"})
        kind(parameters, f"{here}.parameters", "object")
        if parameters and parameters.get("type") != "object":
            refuse(
                f"Invalid schema for function '{definition['name']}': schema must be a JSON Schema of "
                f"'type: \"object\"', got 'type: {json.dumps(parameters.get('type'))}'.",
                f"{here}.parameters",
                "invalid_function_parameters",
            )
    return str(definition["name"])


def _check_format(given: Mapping[str, Any]) -> None:
    response_format = given.get("response_format")
    if response_format is None:
        return
    kind(response_format, "response_format", "object")
    choice(response_format.get("type"), "response_format.type", ("text", "json_object", "json_schema"))
    if response_format["type"] == "json_object" and "json" not in json.dumps(given["messages"]).lower():
        refuse(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
            None,
        )
    if response_format["type"] == "json_schema":
        if "json_schema" not in response_format:
            missing("response_format.json_schema")
        definition = response_format["json_schema"]
        kind(definition, "response_format.json_schema", "object")
        only(definition, ("name", "description", "schema", "strict"), "response_format.json_schema")
        if "name" not in definition:
            missing("response_format.json_schema.name")
        name(definition["name"], "response_format.json_schema.name")
        if definition.get("schema") is not None:
            kind(definition["schema"], "response_format.json_schema.schema", "object")


def check_embeddings(payload: Mapping[str, Any], extensions: Collection[str]) -> None:
    """Refuse an embeddings request that OpenAI would refuse."""
    top_level(payload, EMBEDDING_FIELDS, extensions)
    if "input" not in payload:
        missing("input")
    value = payload["input"]
    kind(value, "input", "string", "array")
    if isinstance(value, str):
        text(value, "input")
    else:
        items(value, "input", most=2048)
        for index, element in enumerate(value):
            kind(element, f"input[{index}]", "string", "integer", "array")
            if isinstance(element, str):
                text(element, f"input[{index}]")
    if payload.get("dimensions") is not None:
        number(payload["dimensions"], "dimensions", 1, integer=True)
    if payload.get("encoding_format") is not None:
        choice(payload["encoding_format"], "encoding_format", ("float", "base64"))


def check_image(payload: Mapping[str, Any], known: Collection[str], extensions: Collection[str]) -> None:
    """Refuse an image request (generation or edit) that OpenAI would refuse."""
    top_level({"model": "gpt-image-1", **payload}, known, extensions)
    if "prompt" not in payload:
        missing("prompt")
    text(payload["prompt"], "prompt")
    given = {field: value for field, value in payload.items() if value is not None}
    if "n" in given:
        number(given["n"], "n", 1, 10, integer=True)
    if "size" in given and not re.fullmatch(r"auto|\d+x\d+", str(given["size"])):
        refuse(f"Invalid value: {given['size']!r}. Supported values are: 'auto' and WIDTHxHEIGHT.", "size")
    if "response_format" in given:
        if str(payload.get("model", "")).startswith("gpt-image"):
            refuse("Unknown parameter: 'response_format'.", "response_format", "unknown_parameter")
        choice(given["response_format"], "response_format", ("url", "b64_json"))
