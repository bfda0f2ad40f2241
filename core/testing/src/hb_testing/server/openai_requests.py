"""Are these requests ones that OpenAI would accept? The schema, and which fields go together."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from hb_testing.server.checks import check, refuse, says_json
from hb_testing.server.openai_messages import check_turns, without_extensions
from hb_testing.server.schema import RequestSchema

SCHEMA = RequestSchema("openai")
GENERATION, EDIT = "CreateImageRequest", "CreateImageEditRequest"
_NEEDS_TOOLS = ("tool_choice", "parallel_tool_calls")


def check_chat(payload: Mapping[str, Any], extensions: Collection[str], message_extensions: Collection[str]) -> None:
    """Refuse a chat completion request that OpenAI would refuse; the extension sets name extra fields to accept."""
    plain = without_extensions(payload, message_extensions, SCHEMA) if message_extensions else payload
    check(SCHEMA, "CreateChatCompletionRequest", plain, extensions)
    check_turns(payload["messages"])
    # null stands for "not given" in every optional field.
    given = {field: value for field, value in payload.items() if value is not None}
    if "max_tokens" in given and "max_completion_tokens" in given:
        refuse("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.", "max_tokens")
    if given.get("top_logprobs") and not given.get("logprobs"):
        refuse("The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.", "top_logprobs")
    if "stream_options" in given and not given.get("stream"):
        refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", "stream_options", None)
    if given.get("response_format", {}).get("type") == "json_object" and not says_json(given["messages"]):
        refuse(
            "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'.",
            "messages",
            None,
        )
    _check_tools(given)


def _check_tools(given: Mapping[str, Any]) -> None:
    for field in _NEEDS_TOOLS if "tools" not in given else ():
        if field in given:
            refuse(f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified.", field, None)
    tools = [tool[tool["type"]] for tool in given.get("tools", ())]
    for index, tool in enumerate(tools):
        parameters = tool.get("parameters")
        if parameters and parameters.get("type") != "object":
            refuse(
                f"Invalid schema for function '{tool['name']}': schema must be a JSON Schema of "
                f"'type: \"object\"', got 'type: {json.dumps(parameters.get('type'))}'.",
                f"tools[{index}].function.parameters",
                "invalid_function_parameters",
            )
    chosen = given.get("tool_choice")
    named = chosen.get(chosen["type"]) if isinstance(chosen, dict) and chosen["type"] != "allowed_tools" else None
    if named is not None and named.get("name") not in [tool["name"] for tool in tools]:
        refuse(f"Tool choice '{named.get('name')}' not found in 'tools' parameter.", "tool_choice", None)


def check_embeddings(payload: Mapping[str, Any], extensions: Collection[str]) -> None:
    """Refuse an embeddings request that OpenAI would refuse."""
    check(SCHEMA, "CreateEmbeddingRequest", payload, extensions)


def check_image(payload: Mapping[str, Any], operation: str, extensions: Collection[str]) -> None:
    """Refuse an image request (`GENERATION` or `EDIT`) that OpenAI would refuse."""
    check(SCHEMA, operation, payload, extensions)
    if payload.get("response_format") is not None and str(payload.get("model", "")).startswith("gpt-image"):
        refuse("Unknown parameter: 'response_format'.", "response_format", "unknown_parameter")
