"""Answers in the shape of Cohere's API, version 2: what the answer is, and how it looks whole and in events."""

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
from hb_testing.server.synthesis import count_tokens, instance

_ARGUMENT_PIECES = 4
_WORDS = re.compile(r"\s*\S+|\s+$")
DONE = b"data: [DONE]\n\n"


@dataclass(slots=True)
class Turn:
    """What the model says in one answer, and how the text is cut when it is streamed."""

    text: str
    thought: str
    calls: list[dict[str, Any]]
    finish: str
    usage: Mapping[str, Any]
    fragments: Sequence[str | Mapping[str, Any]]


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event, named by the type of its data."""
    return b"event: " + str(value.get("type", "message")).encode() + b"\ndata: " + dumps(value) + b"\n\n"


def prompt_text(payload: Mapping[str, Any]) -> list[str]:
    """The text of every message; other parts as their type in brackets."""
    found = payload.get("messages")
    messages = [message for message in found if isinstance(message, Mapping)] if isinstance(found, list) else []
    return [_content_text(message.get("content")) for message in messages]


def plan(payload: Mapping[str, Any], reply: Reply) -> Turn:
    """Decide the answer: the reply's fields, and the deterministic default for those it leaves empty."""
    prompts = prompt_text(payload)
    calls = [_call(call, place) for place, call in enumerate(reply.tool_calls)]
    text, finish = reply.text, "COMPLETE"
    if text is None and reply.chunks:
        text = "".join(piece for piece in reply.chunks if isinstance(piece, str))
    elif text is None and not calls:
        calls = _forced_calls(payload)
        if not calls:
            text, finish = _default_text(payload, prompts[-1] if prompts else "")
    if calls:
        finish = "TOOL_CALL"
    text, thought = text or "", reply.reasoning or ""
    return Turn(
        text=text,
        thought=thought,
        calls=calls,
        finish=reply.finish_reason or finish,
        usage=_usage(prompts, text + thought, calls) if reply.usage is None else _own_names(reply.usage),
        fragments=reply.chunks or _WORDS.findall(text),
    )


def message(body: bytes, turn: Turn) -> dict[str, Any]:
    """The whole answer."""
    content: list[dict[str, Any]] = []
    if turn.thought:
        content.append({"type": "thinking", "thinking": turn.thought})
    if turn.text or not (content or turn.calls):
        content.append({"type": "text", "text": turn.text})
    said: dict[str, Any] = {"role": "assistant"}
    if content:
        said["content"] = content
    if turn.calls:
        said["tool_calls"] = turn.calls
    whole = {"id": identity(body), "message": said, "finish_reason": turn.finish}
    return whole | {"usage": turn.usage} if turn.usage else whole


def stream(body: bytes, turn: Turn, reply: Reply) -> Stream:
    """The answer in events. A block's start travels with its first piece and its end with its last."""
    begun = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    ended: dict[str, Any] = {"finish_reason": turn.finish}
    if turn.usage:
        ended["usage"] = turn.usage
    content: list[bytes] = []
    place = 0
    if turn.thought:
        content += _block(place, "thinking", _WORDS.findall(turn.thought))
        place += 1
    if turn.fragments and (turn.text or reply.chunks):
        content += _block(place, "text", turn.fragments)
    for number, call in enumerate(turn.calls):
        content += called(number, call, pieces(call["function"]["arguments"], _ARGUMENT_PIECES))
    return Stream(
        opening=[event({"id": identity(body), "type": "message-start", "delta": {"message": begun}})],
        content=content,
        closing=[event({"type": "message-end", "delta": ended}), DONE],
        headers=reply.headers,
        delay=reply.delay,
        pause=reply.pause,
    )


def called(number: int, call: Mapping[str, Any], parts: Sequence[str]) -> list[bytes]:
    """The events of one tool call, its arguments cut into these parts."""
    begun = {**call, "function": {**call["function"], "arguments": ""}}
    found = [_event("tool-call-start", number, {"tool_calls": begun})]
    for part in parts:
        found.append(_event("tool-call-delta", number, {"tool_calls": {"function": {"arguments": part}}}))
    found[-1] += event({"type": "tool-call-end", "index": number})
    return found


def identity(body: bytes) -> str:
    """The id of the answer to this request."""
    return hashlib.blake2s(body, digest_size=16).hexdigest()


def _block(place: int, kind: str, fragments: Sequence[str | Mapping[str, Any]]) -> Iterator[bytes]:
    start = _event("content-start", place, {"content": {"type": kind, kind: ""}})
    # A mapping from a script is a whole event of its own.
    events = [
        _event("content-delta", place, {"content": {kind: piece}}) if isinstance(piece, str) else event(piece)
        for piece in fragments
    ]
    events[0] = start + events[0]
    events[-1] += event({"type": "content-end", "index": place})
    yield from events


def _event(kind: str, place: int, said: Mapping[str, Any]) -> bytes:
    return event({"type": kind, "index": place, "delta": {"message": said}})


def _content_text(content: Any) -> str:
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        return " ".join(str(part["text"]) if "text" in part else f"[{part.get('type')}]" for part in parts)
    return content if isinstance(content, str) else ""


def _default_text(payload: Mapping[str, Any], prompt: str) -> tuple[str, str]:
    wanted = payload.get("response_format")
    if isinstance(wanted, Mapping) and wanted.get("type") == "json_object":
        return json.dumps(instance(wanted.get("schema") or {"type": "object"})), "COMPLETE"
    text = f"echo: {prompt}"
    for stop in payload.get("stop_sequences") or ():
        if isinstance(stop, str) and stop and stop in text:
            return text.partition(stop)[0], "STOP_SEQUENCE"
    words = _WORDS.findall(text)
    limit = payload.get("max_tokens")
    if isinstance(limit, int) and limit < len(words):
        return "".join(words[:limit]), "MAX_TOKENS"
    return text, "COMPLETE"


def _forced_calls(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The call that REQUIRED demands, with arguments made from the first tool's schema."""
    if payload.get("tool_choice") != "REQUIRED":
        return []
    functions = [tool["function"] for tool in payload.get("tools") or () if isinstance(tool, Mapping)]
    return [_call({"name": f["name"], "arguments": instance(f.get("parameters") or {})}, 0) for f in functions[:1]]


def _call(given: Mapping[str, Any], place: int) -> dict[str, Any]:
    function = given.get("function", given)
    arguments = function.get("arguments", "")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    name = function["name"]
    return {
        "id": given.get("id", f"{name}_{place + 1}"),
        "type": "function",
        "function": {"name": name, "arguments": written},
    }


def _usage(prompts: Sequence[str], written: str, calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    called = sum(count_tokens(call["function"]["arguments"]) + 1 for call in calls)
    counted = {
        "input_tokens": count_tokens(" ".join(prompts)),
        "output_tokens": (count_tokens(written) if written else 0) + called,
    }
    return {"billed_units": counted, "tokens": counted}


def _own_names(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Counts that a script gave in OpenAI's words, in Cohere's."""
    if "prompt_tokens" not in usage and "completion_tokens" not in usage:
        return usage
    counted = {
        "input_tokens": int(usage.get("prompt_tokens") or 0),
        "output_tokens": int(usage.get("completion_tokens") or 0),
    }
    read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    found: dict[str, Any] = {"billed_units": counted, "tokens": counted}
    return found if read is None else {**found, "cached_tokens": read}
