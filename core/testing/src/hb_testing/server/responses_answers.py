"""Answers of OpenAI's Responses API: what the answer is, and how it looks whole and in events."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from hb_testing.server import openai_chat as chat
from hb_testing.server.answers import Reply, Stream
from hb_testing.server.http import dumps
from hb_testing.server.synthesis import signature

ENCRYPTED = "reasoning.encrypted_content"
COMPLETED = "completed"
_LENGTH = "max_output_tokens"
_ENDS = {"stop": COMPLETED, "tool_calls": COMPLETED, "length": _LENGTH}
_ARGUMENT_PIECES = 8
_WORDS = re.compile(r"\s*\S+|\s+$")
_ECHOED: Mapping[str, Any] = {
    "instructions": None,
    "max_output_tokens": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event, named by the type of its data."""
    return b"event: " + str(value.get("type", "message")).encode() + b"\ndata: " + dumps(value) + b"\n\n"


def plan(payload: Mapping[str, Any], reply: Reply) -> chat.Turn:
    """Decide the answer; its `finish` is `completed`, `failed`, or why the answer is incomplete."""
    turn = chat.plan(as_chat(payload), reply)
    turn.finish = _ENDS.get(turn.finish, turn.finish)
    turn.usage = _own_names(turn.usage)
    return turn


def response(payload: Mapping[str, Any], body: bytes, turn: chat.Turn) -> dict[str, Any]:
    """The whole answer, as a response object."""
    is_whole = turn.finish in (COMPLETED, "failed")
    whole = _envelope(payload, body, turn.finish if is_whole else "incomplete")
    whole["output"] = [] if turn.finish == "failed" else _items(payload, turn)
    if turn.finish == "failed":
        whole["error"] = {"code": "server_error", "message": "The model failed to generate a response."}
    elif not is_whole:
        whole["incomplete_details"] = {"reason": turn.finish}
    if turn.usage:
        whole["usage"] = turn.usage
    return whole


def stream(payload: Mapping[str, Any], body: bytes, turn: chat.Turn, reply: Reply) -> Stream:
    """The answer in typed events.

    An item's beginning travels with its first piece and its end with its last, so that an element of `content` is a
    piece of content.
    """
    whole = response(payload, body, turn)
    begun = {**_envelope(payload, body, "in_progress"), "output": []}
    opening = [{"type": f"response.{name}", "response": begun} for name in ("created", "in_progress")]
    content = [piece for place, item in enumerate(whole["output"]) for piece in _pieces(place, item, turn)]
    numbers = itertools.count()

    def written(events: list[Mapping[str, Any]]) -> bytes:
        return b"".join(event({**value, "sequence_number": next(numbers)}) for value in events)

    return Stream(
        opening=[written([value]) for value in opening],
        content=[written(piece) for piece in content],
        closing=[written([{"type": f"response.{whole['status']}", "response": whole}])],
        headers=reply.headers,
        delay=reply.delay,
        pause=reply.pause,
    )


def _pieces(place: int, item: Mapping[str, Any], turn: chat.Turn) -> Iterator[list[Mapping[str, Any]]]:
    """The events of one item, grouped by piece."""
    common = {"item_id": item["id"], "output_index": place}
    begun: dict[str, Any] = {"status": "in_progress"} if "status" in item else {}
    opened: list[Mapping[str, Any]] = []
    closed: list[Mapping[str, Any]] = []
    groups: list[list[Mapping[str, Any]]] = []
    if item["type"] == "message":
        begun["content"] = []
        part = {**common, "content_index": 0}
        opened.append({"type": "response.content_part.added", **part, "part": _text("")})
        for fragment in turn.fragments:
            delta = {"type": "response.output_text.delta", **part, "delta": fragment, "logprobs": []}
            # A mapping from a script is an event of its own.
            groups.append([delta if isinstance(fragment, str) else fragment])
        closed.append({"type": "response.output_text.done", **part, "text": turn.text or "", "logprobs": []})
        closed.append({"type": "response.content_part.done", **part, "part": item["content"][0]})
    elif item["type"] == "reasoning":
        begun["summary"] = []
        part = {**common, "summary_index": 0}
        shown = item["summary"][0]
        opened.append({"type": "response.reasoning_summary_part.added", **part, "part": {**shown, "text": ""}})
        for piece in _WORDS.findall(shown["text"]):
            groups.append([{"type": "response.reasoning_summary_text.delta", **part, "delta": piece}])
        closed.append({"type": "response.reasoning_summary_text.done", **part, "text": shown["text"]})
        closed.append({"type": "response.reasoning_summary_part.done", **part, "part": shown})
    elif item["type"] == "function_call":
        begun["arguments"] = ""
        for piece in chat.pieces(item["arguments"], _ARGUMENT_PIECES):
            groups.append([{"type": "response.function_call_arguments.delta", **common, "delta": piece}])
        done = {"type": "response.function_call_arguments.done", **common, "name": item["name"]}
        closed.append({**done, "arguments": item["arguments"]})
    else:
        begun["result"] = None
    added = {"type": "response.output_item.added", "output_index": place, "item": {**item, **begun}}
    ended = {"type": "response.output_item.done", "output_index": place, "item": item}
    groups = groups or [[]]
    groups[0] = [added, *opened, *groups[0]]
    groups[-1] = [*groups[-1], *closed, ended]
    yield from groups


def _items(payload: Mapping[str, Any], turn: chat.Turn) -> list[dict[str, Any]]:
    status = {"status": COMPLETED if turn.finish == COMPLETED else "incomplete"}
    items: list[dict[str, Any]] = []
    if turn.reasoning is not None:
        thought: dict[str, Any] = {"id": _id("rs", turn.reasoning), "type": "reasoning"}
        thought["summary"] = [{"type": "summary_text", "text": turn.reasoning}]
        if ENCRYPTED in (payload.get("include") or ()):
            thought["encrypted_content"] = signature(turn.reasoning)
        items.append(thought)
    if turn.text is not None:
        message = {"id": _id("msg", turn.text), "type": "message", **status, "role": "assistant"}
        items.append({**message, "content": [_text(turn.text)]})
    for call in turn.calls:
        function, named = call["function"], str(call["id"])
        items.append({"id": _id("fc", named), "type": "function_call", **status, "call_id": named, **function})
    for image in turn.images:
        data = image["image_url"]["url"].partition(",")[2]
        items.append({"id": _id("ig", data), "type": "image_generation_call", **status, "result": data})
    return items


def _text(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _id(kind: str, seed: str) -> str:
    return f"{kind}_" + hashlib.blake2s(seed.encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _envelope(payload: Mapping[str, Any], body: bytes, status: str) -> dict[str, Any]:
    # null stands for "not given".
    given = {name: payload[name] for name in _ECHOED if payload.get(name) is not None}
    return {
        "id": "resp_" + hashlib.blake2s(body, digest_size=14).hexdigest(),
        "object": "response",
        "created_at": chat.CREATED,
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": payload.get("model", "unknown"),
        "reasoning": {"effort": None, "summary": None, **(payload.get("reasoning") or {})},
        "service_tier": "default",
        "usage": None,
        **_ECHOED,
        **given,
    }


def _own_names(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Counts in the words of the chat wire, in this one's."""
    if "prompt_tokens" not in usage and "completion_tokens" not in usage:
        return usage
    prompted, completed = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    return {
        "input_tokens": prompted,
        "input_tokens_details": {"cached_tokens": read},
        "output_tokens": completed,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": prompted + completed,
    }


def as_chat(payload: Mapping[str, Any]) -> dict[str, Any]:
    """What the deterministic answer depends on, as in a request of the chat wire."""
    given = payload.get("input")
    items = [{"content": given}] if isinstance(given, str) else given if isinstance(given, list) else []
    messages = [
        {"content": item.get("content", item.get("output"))}
        for item in items
        if isinstance(item, Mapping) and (item.get("content") or item.get("type") == "function_call_output")
    ]
    if payload.get("instructions"):
        messages.insert(0, {"content": payload["instructions"]})
    shaped: dict[str, Any] = {"messages": messages, "max_tokens": payload.get("max_output_tokens")}
    shaped["tools"] = [
        {"type": "function", "function": tool}
        for tool in payload.get("tools") or ()
        if isinstance(tool, Mapping) and tool.get("type") == "function"
    ]
    choice = payload.get("tool_choice")
    is_named = isinstance(choice, Mapping) and choice.get("type") == "function"
    shaped["tool_choice"] = {"type": "function", "function": choice} if is_named else choice
    form = (payload.get("text") or {}).get("format")
    if isinstance(form, Mapping):
        shaped["response_format"] = {"type": form.get("type"), "json_schema": form}
    return shaped
