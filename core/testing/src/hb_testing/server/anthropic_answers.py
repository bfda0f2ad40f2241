"""Messages in Anthropic's shape: what the answer is, and how it looks whole and in events."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hb_testing.server.answers import Reply, Stream
from hb_testing.server.http import dumps
from hb_testing.server.openai_chat import pieces
from hb_testing.server.synthesis import count_tokens, instance, signature

_ARGUMENT_PIECES = 8
_WORDS = re.compile(r"\s*\S+|\s+$")
PING = b'event: ping\ndata: {"type": "ping"}\n\n'


@dataclass(slots=True)
class Turn:
    """What the model says in one answer: its blocks whole, and how the text is cut when it is streamed."""

    blocks: list[dict[str, Any]]
    stop: str
    stop_sequence: str | None
    usage: Mapping[str, Any]
    fragments: Sequence[str | Mapping[str, Any]]


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event, named by the type of its data."""
    return b"event: " + str(value.get("type", "message")).encode() + b"\ndata: " + dumps(value) + b"\n\n"


def prompt_text(payload: Mapping[str, Any]) -> list[str]:
    """The text of the system prompt and of every message; other blocks as their type in brackets."""
    found = payload.get("messages")
    messages = [message for message in found if isinstance(message, Mapping)] if isinstance(found, list) else []
    system = [_content_text(payload["system"])] if payload.get("system") else []
    return [*system, *(_content_text(message.get("content")) for message in messages)]


def plan(payload: Mapping[str, Any], reply: Reply) -> Turn:
    """Decide the answer: the reply's fields, and the deterministic default for those it leaves empty."""
    prompts = prompt_text(payload)
    calls = [_call(call, place) for place, call in enumerate(reply.tool_calls)]
    text, stop, matched = reply.text, "end_turn", None
    if text is None and reply.chunks:
        text = "".join(piece for piece in reply.chunks if isinstance(piece, str))
    elif text is None and not calls:
        calls = _forced_calls(payload)
        if not calls:
            text, stop, matched = _default_text(payload, prompts[-1] if prompts else "")
    if calls:
        stop = "tool_use"
    blocks: list[dict[str, Any]] = []
    if reply.reasoning is not None:
        blocks.append({"type": "thinking", "thinking": reply.reasoning, "signature": signature(reply.reasoning)})
    if text:
        blocks.append({"type": "text", "text": text})
    return Turn(
        blocks=[*blocks, *calls],
        stop=reply.finish_reason or stop,
        stop_sequence=matched,
        usage=_usage(prompts, text, reply.reasoning, calls) if reply.usage is None else _own_names(reply.usage),
        fragments=reply.chunks or _WORDS.findall(text or ""),
    )


def message(payload: Mapping[str, Any], body: bytes, turn: Turn) -> dict[str, Any]:
    """The whole answer, as a message."""
    whole = _envelope(payload, body) | {
        "content": turn.blocks,
        "stop_reason": turn.stop,
        "stop_sequence": turn.stop_sequence,
    }
    return whole | {"usage": turn.usage} if turn.usage else whole


def stream(payload: Mapping[str, Any], body: bytes, turn: Turn, reply: Reply, *, cumulative: bool) -> Stream:
    """The answer in events; `cumulative` repeats the counts of input tokens in the closing usage.

    A block's start travels with its first piece and its end with its last, so that an element of `content` is a piece
    of content.
    """
    usage = turn.usage
    begun = {n: v for n, v in usage.items() if n != "output_tokens_details"} | ({"output_tokens": 1} if usage else {})
    opened = _envelope(payload, body) | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": begun}
    ended = {"stop_reason": turn.stop, "stop_sequence": turn.stop_sequence}
    closed: dict[str, Any] = {"type": "message_delta", "delta": ended}
    if usage:
        counted = ("output_tokens", "output_tokens_details")
        closed["usage"] = dict(usage) if cumulative else {n: v for n, v in usage.items() if n in counted}
    return Stream(
        opening=[event({"type": "message_start", "message": opened}) + PING],
        content=[piece for place, block in enumerate(turn.blocks) for piece in _events(place, block, turn)],
        closing=[event(closed), event({"type": "message_stop"})],
        headers=reply.headers,
        delay=reply.delay,
        pause=reply.pause,
    )


def _events(place: int, block: Mapping[str, Any], turn: Turn) -> Iterator[bytes]:
    name = block["type"]
    if name == "text":
        start: Mapping[str, Any] = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": f} if isinstance(f, str) else f for f in turn.fragments]
    elif name == "thinking":
        start = {"type": "thinking", "thinking": "", "signature": ""}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in _WORDS.findall(block["thinking"])]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    elif name == "tool_use":
        start = {**block, "input": {}}
        written = json.dumps(block["input"], ensure_ascii=False) if block["input"] else ""
        parts = ["", *pieces(written, _ARGUMENT_PIECES)]
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in parts]
    else:
        start, deltas = block, []
    written_start = event({"type": "content_block_start", "index": place, "content_block": start})
    stop = event({"type": "content_block_stop", "index": place})
    events = [_delta(place, delta) for delta in deltas] or [b""]
    events[0] = written_start + events[0]
    events[-1] += stop
    yield from events


def _delta(place: int, delta: Mapping[str, Any]) -> bytes:
    # A mapping from a script may be a whole event of its own.
    if "index" in delta or delta.get("type") in ("message_delta", "content_block_start", "content_block_stop"):
        return event(delta)
    return event({"type": "content_block_delta", "index": place, "delta": delta})


def _envelope(payload: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    return {
        "id": "msg_" + hashlib.blake2s(body, digest_size=12).hexdigest(),
        "type": "message",
        "role": "assistant",
        "model": payload.get("model", "unknown"),
    }


def _content_text(content: Any) -> str:
    if isinstance(content, list):
        blocks = [block for block in content if isinstance(block, Mapping)]
        return " ".join(str(block["text"]) if "text" in block else f"[{block.get('type')}]" for block in blocks)
    return content if isinstance(content, str) else ""


def _default_text(payload: Mapping[str, Any], prompt: str) -> tuple[str, str, str | None]:
    wanted = (payload.get("output_config") or {}).get("format")
    if isinstance(wanted, Mapping):
        return json.dumps(instance(wanted.get("schema") or {"type": "object"})), "end_turn", None
    text = f"echo: {prompt}"
    for stop in payload.get("stop_sequences") or ():
        if isinstance(stop, str) and stop and stop in text:
            return text.partition(stop)[0], "stop_sequence", stop
    words = _WORDS.findall(text)
    limit = payload.get("max_tokens")
    if isinstance(limit, int) and limit < len(words):
        return "".join(words[:limit]), "max_tokens", None
    return text, "end_turn", None


def _forced_calls(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The call that `tool_choice` demands, with an input made from the tool's schema."""
    choice = payload.get("tool_choice")
    name = choice.get("type") if isinstance(choice, Mapping) else None
    if name not in ("any", "tool"):
        return []
    tools = [tool for tool in payload.get("tools") or () if isinstance(tool, Mapping) and "input_schema" in tool]
    if name == "tool" and isinstance(choice, Mapping):
        tools = [tool for tool in tools if tool.get("name") == choice.get("name")]
    return [_call({"name": tool["name"], "arguments": instance(tool["input_schema"])}, 0) for tool in tools[:1]]


def _call(given: Mapping[str, Any], place: int) -> dict[str, Any]:
    function = given.get("function", given)
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = json.loads(arguments) if arguments.strip() else {}
    return {
        "type": "tool_use",
        "id": given.get("id", f"toolu_{place + 1}"),
        "name": function["name"],
        "input": arguments,
    }


def _usage(
    prompts: Sequence[str], text: str | None, reasoning: str | None, calls: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    thought = count_tokens(reasoning) if reasoning else 0
    said = count_tokens(text) if text else 0
    called = sum(count_tokens(json.dumps(call["input"])) + 1 for call in calls)
    usage: dict[str, Any] = {
        "input_tokens": count_tokens(" ".join(prompts)),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": thought + said + called,
        "service_tier": "standard",
    }
    if reasoning is not None:
        usage["output_tokens_details"] = {"thinking_tokens": thought}
    return usage


def _own_names(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Counts that a script gave in OpenAI's words, in Anthropic's."""
    if "prompt_tokens" not in usage and "completion_tokens" not in usage:
        return usage
    read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    found: dict[str, Any] = {
        "input_tokens": max(int(usage.get("prompt_tokens") or 0) - read, 0),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": read,
        "output_tokens": usage.get("completion_tokens") or 0,
    }
    thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens")
    if thought is not None:
        found["output_tokens_details"] = {"thinking_tokens": thought}
    return found
