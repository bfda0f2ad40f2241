"""Chat completions in OpenAI's shape: what the answer is, and how it looks whole and in pieces."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hb_testing.server.answers import Reply, Stream
from hb_testing.server.http import dumps
from hb_testing.server.synthesis import count_tokens, instance, png

# A constant, so that equal requests get equal answers.
CREATED = 1_700_000_000
DONE = b"data: [DONE]\n\n"
_ARGUMENT_PIECES = 8


@dataclass(slots=True)
class Turn:
    """What the model says in one answer. `fragments` is the text as it is streamed; mappings are whole deltas."""

    text: str | None
    reasoning: str | None
    calls: list[dict[str, Any]]
    images: list[dict[str, Any]]
    finish: str
    usage: Mapping[str, Any]
    fragments: Sequence[str | Mapping[str, Any]]


def event(value: Any) -> bytes:
    """One server-sent event with JSON data."""
    return b"data: " + dumps(value) + b"\n\n"


def identity(body: bytes) -> str:
    """The completion's id: equal requests get equal ids."""
    return "chatcmpl-" + hashlib.blake2s(body, digest_size=14).hexdigest()


def prompt_text(payload: Mapping[str, Any]) -> list[str]:
    """The text of every message, image parts as `[image]`."""
    return [_content_text(message.get("content")) for message in _messages(payload)]


def plan(payload: Mapping[str, Any], reply: Reply) -> Turn:
    """Decide the answer: the reply's fields, and the deterministic default for those it leaves empty."""
    prompts = prompt_text(payload)
    text, calls, finish = reply.text, [_call(call, index) for index, call in enumerate(reply.tool_calls)], "stop"
    if text is None and reply.chunks:
        text = "".join(piece for piece in reply.chunks if isinstance(piece, str))
    elif text is None and not calls:
        calls = _forced_calls(payload)
        if not calls:
            text, finish = _default_text(payload, prompts[-1] if prompts else "")
    if calls:
        finish = "tool_calls"
    images = list(reply.images)
    if not images and "image" in (payload.get("modalities") or ()):
        images = [png(prompts[-1] if prompts else "")]
    return Turn(
        text=text,
        reasoning=reply.reasoning,
        calls=calls,
        images=[_image(data, index) for index, data in enumerate(images)],
        finish=reply.finish_reason or finish,
        usage=_usage(prompts, text, reply.reasoning, calls) if reply.usage is None else reply.usage,
        fragments=reply.chunks or re.findall(r"\s*\S+|\s+$", text or ""),
    )


def completion(payload: Mapping[str, Any], body: bytes, turn: Turn, reasoning_field: str) -> dict[str, Any]:
    """The whole answer, as a chat.completion object."""
    message: dict[str, Any] = {"role": "assistant", "content": turn.text, "refusal": None, "annotations": []}
    if turn.reasoning is not None:
        message[reasoning_field] = turn.reasoning
    if turn.calls:
        message["tool_calls"] = turn.calls
    if turn.images:
        message["images"] = turn.images
    choices = [
        {"index": index, "message": message, "logprobs": None, "finish_reason": turn.finish}
        for index in range(_answers(payload))
    ]
    whole = _envelope(payload, body, "chat.completion") | {"choices": choices}
    if turn.usage:
        whole["usage"] = turn.usage
    return whole


def stream(payload: Mapping[str, Any], body: bytes, turn: Turn, reply: Reply, reasoning_field: str) -> Stream:
    """The answer in pieces, as chat.completion.chunk events and `[DONE]`."""
    options = payload.get("stream_options")
    counted = isinstance(options, Mapping) and bool(options.get("include_usage"))
    envelope = _envelope(payload, body, "chat.completion.chunk")
    prefix = b"data: " + dumps(envelope)[:-1] + b',"choices":['
    suffix = b'],"usage":null}\n\n' if counted else b"]}\n\n"

    def chunk(index: int, delta: Mapping[str, Any], finish: bytes = b"null") -> bytes:
        choice = b'{"index":%d,"delta":%b,"logprobs":null,"finish_reason":%b}' % (index, dumps(delta), finish)
        return prefix + choice + suffix

    answers = range(_answers(payload))
    deltas = list(_deltas(turn, reasoning_field))
    closing = [chunk(index, {}, dumps(turn.finish)) for index in answers]
    if counted and turn.usage:
        closing.append(event(envelope | {"choices": [], "usage": turn.usage}))
    return Stream(
        opening=[chunk(index, {"role": "assistant", "content": "", "refusal": None}) for index in answers],
        content=[chunk(index, delta) for delta in deltas for index in answers],
        closing=[*closing, DONE],
        headers=reply.headers,
        delay=reply.delay,
        pause=reply.pause,
    )


def _deltas(turn: Turn, reasoning_field: str) -> Iterator[Mapping[str, Any]]:
    for piece in re.findall(r"\s*\S+|\s+$", turn.reasoning or ""):
        yield {reasoning_field: piece}
    for fragment in turn.fragments:
        yield {"content": fragment} if isinstance(fragment, str) else fragment
    for index, call in enumerate(turn.calls):
        function = call["function"]
        opened = {"name": function["name"], "arguments": ""}
        yield {"tool_calls": [{"index": index, "id": call["id"], "type": "function", "function": opened}]}
        for piece in pieces(function["arguments"], _ARGUMENT_PIECES):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
    if turn.images:
        yield {"images": turn.images}


def pieces(text: str, count: int) -> list[str]:
    """Cut a text into at most `count` pieces of equal length."""
    size = max(1, math.ceil(len(text) / count))
    return [text[start : start + size] for start in range(0, len(text), size)]


def _envelope(payload: Mapping[str, Any], body: bytes, kind: str) -> dict[str, Any]:
    return {
        "id": identity(body),
        "object": kind,
        "created": CREATED,
        "model": payload.get("model", "unknown"),
        "service_tier": "default",
        "system_fingerprint": "fp_loopback",
    }


def _answers(payload: Mapping[str, Any]) -> int:
    return int(payload.get("n") or 1)


def _messages(payload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    # Lenient: with strict validation off, or under a fault, anything may stand here.
    found = payload.get("messages")
    return [message for message in found if isinstance(message, Mapping)] if isinstance(found, list) else []


def _content_text(content: Any) -> str:
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        return " ".join(str(part["text"]) if "text" in part else f"[{_noun(part)}]" for part in parts)
    return content if isinstance(content, str) else ""


def _noun(part: Mapping[str, Any]) -> str:
    return str(part.get("type", "part")).removesuffix("_url").removeprefix("input_")


def _default_text(payload: Mapping[str, Any], prompt: str) -> tuple[str, str]:
    wanted = payload.get("response_format")
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind == "json_schema" and isinstance(wanted, Mapping):
        return json.dumps(instance((wanted.get("json_schema") or {}).get("schema") or {"type": "object"})), "stop"
    if kind == "json_object":
        return json.dumps({"echo": prompt}, ensure_ascii=False), "stop"
    text = f"echo: {prompt}"
    limit = payload.get("max_completion_tokens") or payload.get("max_tokens")
    words = re.findall(r"\s*\S+", text)
    if isinstance(limit, int) and limit < len(words):
        return "".join(words[:limit]), "length"
    return text, "stop"


def _forced_calls(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The call that `tool_choice` demands, with arguments made from the tool's schema."""
    selected, tools = payload.get("tool_choice"), payload.get("tools")
    functions = [tool["function"] for tool in tools or () if isinstance(tool, Mapping) and "function" in tool]
    if isinstance(selected, Mapping):
        wanted = (selected.get("function") or {}).get("name")
        functions = [function for function in functions if function.get("name") == wanted]
    elif selected != "required":
        return []
    return [
        _call({"name": function["name"], "arguments": instance(function.get("parameters") or {"type": "object"})}, 0)
        for function in functions[:1]
    ]


def _call(given: Mapping[str, Any], index: int) -> dict[str, Any]:
    function = given.get("function", given)
    arguments = function.get("arguments", {})
    return {
        "id": given.get("id", f"call_{index + 1}"),
        "type": "function",
        "function": {
            "name": function["name"],
            "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False),
        },
    }


def _image(data: bytes, index: int) -> dict[str, Any]:
    url = "data:image/png;base64," + base64.b64encode(data).decode()
    return {"type": "image_url", "image_url": {"url": url}, "index": index}


def _usage(prompts: Sequence[str], text: str | None, reasoning: str | None, calls: Sequence[Any]) -> dict[str, Any]:
    thought = count_tokens(reasoning) if reasoning else 0
    said = count_tokens(text) if text else 0
    called = sum(count_tokens(call["function"]["arguments"]) + 1 for call in calls)
    prompted, completed = count_tokens(" ".join(prompts)), thought + said + called
    return {
        "prompt_tokens": prompted,
        "completion_tokens": completed,
        "total_tokens": prompted + completed,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": thought,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
