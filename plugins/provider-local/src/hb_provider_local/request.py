"""Check a chat body before the engine sees it: llama.cpp takes nearly anything, and talks for minutes to nobody."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hb_provider_local.schema import fit_response_format, fit_schema
from heavenbase.errors import InputError, InputTypeError, VisionNotSupported

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_TEXT_PARTS = ("text", "refusal")


def chat_payload(body: Mapping[str, Any]) -> bytes:
    """The engine's request for an OpenAI-shaped body, always streamed and with usage; InputError for a wrong body."""
    _check_messages(body.get("messages"))
    for name in ("max_tokens", "max_completion_tokens"):
        limit = body.get(name)
        if limit is not None and (isinstance(limit, bool) or not isinstance(limit, int) or limit < 1):
            raise InputError(f"{name} must be a positive whole number, not {limit!r}")
    request = {name: value for name, value in body.items() if name != "model" and value is not None}
    if "response_format" in request:
        request["response_format"], _ = fit_response_format(request["response_format"])
    if "tools" in request:
        request["tools"], _ = fit_schema(request["tools"])
    request["stream"] = True
    request["stream_options"] = {"include_usage": True}
    # Progress events come between the batches of a long prompt, and give a moment to stop in.
    request["return_progress"] = True
    if body.get("seed") is not None and body.get("temperature") != 0:
        # What remains of the last prompt changes the rounding, and so the answer that a seed promises.
        request.setdefault("cache_prompt", False)
    return encode(request)


def encode(request: Mapping[str, Any]) -> bytes:
    """JSON in UTF-8; InputError for what JSON cannot carry."""
    try:
        return json.dumps(request, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise InputError("the text holds half a surrogate pair, which is no character; decode it properly") from error
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"the request is no JSON: {error}") from error


def check_inputs(inputs: Sequence[str]) -> None:
    """InputError unless every input of an embedding is a text with something in it."""
    for place, text in enumerate(inputs):
        if not isinstance(text, str):
            raise InputTypeError(f"input {place} must be a str, not {type(text).__name__}")
        if not text:
            raise InputError(f"input {place} is empty; there is nothing to embed")


def _check_messages(messages: object) -> None:
    if not isinstance(messages, list):
        raise InputTypeError(f"messages must be a list, not {type(messages).__name__}")
    if not messages:
        raise InputError("messages is empty; give at least one message")
    for place, message in enumerate(messages):
        if not isinstance(message, dict):
            raise InputTypeError(f"message {place} must be a dict, not {type(message).__name__}")
        role = message.get("role")
        if role not in ROLES:
            raise InputError(f"message {place} has the role {role!r}; roles: {', '.join(ROLES)}")
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            kind = part.get("type") if isinstance(part, dict) else None
            if kind not in _TEXT_PARTS:
                raise VisionNotSupported(f"message {place} has a part of type {kind!r}; local models take text only")
