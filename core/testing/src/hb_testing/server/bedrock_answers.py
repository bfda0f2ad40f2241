"""Answers in Bedrock's shape: what Converse says, whole and in events, and what InvokeModel does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hb_testing.server import event_frames as frames
from hb_testing.server.answers import Reply, Stream
from hb_testing.server.http import dumps
from hb_testing.server.openai_chat import pieces
from hb_testing.server.synthesis import count_tokens, instance, png, signature, vector

STREAM_TYPE = "application/vnd.amazon.eventstream"
_ARGUMENT_PIECES = 8
_WORDS = re.compile(r"\s*\S+|\s+$")
_DIMENSIONS = 8


@dataclass(slots=True)
class Turn:
    """What the model says in one answer: its blocks whole, and how the text is cut when it is streamed."""

    blocks: list[dict[str, Any]]
    stop: str
    usage: Mapping[str, Any]
    fragments: Sequence[str | Mapping[str, Any]]


def event(kind: str, value: Mapping[str, Any]) -> bytes:
    """One event of a stream."""
    return frames.event(kind, dumps(value))


def prompt_text(payload: Mapping[str, Any]) -> list[str]:
    """The text of the system prompt and of every message; other blocks as their kind in brackets."""
    messages = [message for message in payload.get("messages") or () if isinstance(message, Mapping)]
    system = [_content_text(payload["system"])] if payload.get("system") else []
    return [*system, *(_content_text(message.get("content")) for message in messages)]


def plan(payload: Mapping[str, Any], reply: Reply) -> Turn:
    """Decide the answer: the reply's fields, and the deterministic default for those it leaves empty."""
    prompts = prompt_text(payload)
    calls = [_call(call, place) for place, call in enumerate(reply.tool_calls)]
    text, stop = reply.text, "end_turn"
    if text is None and reply.chunks:
        text = "".join(piece for piece in reply.chunks if isinstance(piece, str))
    elif text is None and not calls:
        calls = _forced_calls(payload)
        if not calls:
            text, stop = _default_text(payload, prompts[-1] if prompts else "")
    if calls:
        stop = "tool_use"
    blocks: list[dict[str, Any]] = []
    if reply.reasoning is not None:
        thought = {"text": reply.reasoning, "signature": signature(reply.reasoning)}
        blocks.append({"reasoningContent": {"reasoningText": thought}})
    if text:
        blocks.append({"text": text})
    return Turn(
        blocks=[*blocks, *calls],
        stop=reply.finish_reason or stop,
        usage=_usage(prompts, text, reply.reasoning, calls) if reply.usage is None else _own_names(reply.usage),
        fragments=reply.chunks or _WORDS.findall(text or ""),
    )


def converse(turn: Turn) -> dict[str, Any]:
    """The whole answer."""
    whole: dict[str, Any] = {
        "output": {"message": {"role": "assistant", "content": turn.blocks}},
        "stopReason": turn.stop,
        "metrics": {"latencyMs": 1},
    }
    return whole | {"usage": turn.usage} if turn.usage else whole


def stream(turn: Turn, reply: Reply) -> Stream:
    """The answer in events. A block's start and end travel with its first and last piece."""
    closed: dict[str, Any] = {"metrics": {"latencyMs": 1}, **({"usage": turn.usage} if turn.usage else {})}
    return Stream(
        opening=[event("messageStart", {"role": "assistant"})],
        content=[piece for place, block in enumerate(turn.blocks) for piece in _events(place, block, turn)],
        closing=[event("messageStop", {"stopReason": turn.stop}), event("metadata", closed)],
        content_type=STREAM_TYPE,
        headers=reply.headers,
        delay=reply.delay,
        pause=reply.pause,
    )


def _events(place: int, block: Mapping[str, Any], turn: Turn) -> Iterator[bytes]:
    began = b""
    if "toolUse" in block:
        use = block["toolUse"]
        start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
        began = event("contentBlockStart", {"contentBlockIndex": place, "start": start})
        written = json.dumps(use["input"], ensure_ascii=False) if use["input"] else ""
        deltas: list[Mapping[str, Any]] = [{"toolUse": {"input": part}} for part in pieces(written, _ARGUMENT_PIECES)]
    elif "reasoningContent" in block:
        thought = block["reasoningContent"]["reasoningText"]
        deltas = [{"reasoningContent": {"text": piece}} for piece in _WORDS.findall(thought["text"])]
        deltas.append({"reasoningContent": {"signature": thought["signature"]}})
    else:
        deltas = [{"text": piece} if isinstance(piece, str) else piece for piece in turn.fragments]
    events = [event("contentBlockDelta", {"contentBlockIndex": place, "delta": delta}) for delta in deltas] or [b""]
    events[0] = began + events[0]
    events[-1] += event("contentBlockStop", {"contentBlockIndex": place})
    yield from events


# InvokeModel


def embeddings(payload: Mapping[str, Any], reply: Reply) -> tuple[dict[str, Any], int]:
    """(the vectors in the shape of the family whose request this is, the tokens they took)."""
    many = payload.get("texts")
    single = payload.get("singleEmbeddingParams")
    if isinstance(many, list):
        texts = [str(text) for text in many]
    elif isinstance(single, Mapping):
        texts = [str((single.get("text") or {}).get("value", ""))]
    else:
        texts = [str(payload.get("inputText", ""))]
    size = next((found for found in (_dimensions(payload), _DIMENSIONS) if found), _DIMENSIONS)
    rows = [list(row) for row in reply.embeddings] or [list(vector(text, size)) for text in texts]
    counted = sum(count_tokens(text) for text in texts)
    if isinstance(many, list):
        return {
            "id": "1",
            "response_type": "embeddings_by_type",
            "texts": texts,
            "embeddings": {"float": rows},
        }, counted
    if isinstance(single, Mapping):
        return {"embeddings": [{"embeddingType": "TEXT", "embedding": row} for row in rows]}, counted
    return {"embedding": rows[0], "embeddingsByType": {"float": rows[0]}, "inputTextTokenCount": counted}, counted


def images(payload: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    """The images in the shape of the family whose request this is."""
    count = (payload.get("imageGenerationConfig") or {}).get("numberOfImages") or 1
    found = list(reply.images) or [png(f"{json.dumps(payload, sort_keys=True)}{place}") for place in range(count)]
    encoded = [base64.b64encode(image).decode() for image in found]
    if "taskType" in payload:
        return {"images": encoded}
    if "text_prompts" in payload:
        artifacts = [{"base64": image, "seed": 1, "finishReason": "SUCCESS"} for image in encoded]
        return {"result": "success", "artifacts": artifacts}
    return {"seeds": [1] * len(encoded), "finish_reasons": [None] * len(encoded), "images": encoded}


def _dimensions(payload: Mapping[str, Any]) -> int | None:
    places = (payload, payload.get("embeddingConfig") or {}, payload.get("singleEmbeddingParams") or {})
    names = ("dimensions", "output_dimension", "outputEmbeddingLength", "embeddingDimension")
    return next((place[name] for place in places for name in names if isinstance(place.get(name), int)), None)


def _content_text(content: Any) -> str:
    blocks = [block for block in content if isinstance(block, Mapping)] if isinstance(content, list) else []
    return " ".join(str(block["text"]) if "text" in block else f"[{next(iter(block), '')}]" for block in blocks)


def _default_text(payload: Mapping[str, Any], prompt: str) -> tuple[str, str]:
    wanted = (payload.get("outputConfig") or {}).get("textFormat")
    if isinstance(wanted, Mapping):
        schema = json.loads(wanted["structure"]["jsonSchema"]["schema"])
        return json.dumps(instance(schema)), "end_turn"
    config = payload.get("inferenceConfig") or {}
    text = f"echo: {prompt}"
    for stop in config.get("stopSequences") or ():
        if isinstance(stop, str) and stop and stop in text:
            return text.partition(stop)[0], "stop_sequence"
    words = _WORDS.findall(text)
    limit = config.get("maxTokens")
    if isinstance(limit, int) and limit < len(words):
        return "".join(words[:limit]), "max_tokens"
    return text, "end_turn"


def _forced_calls(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The call that `toolChoice` demands, with an input made from the tool's schema."""
    config = payload.get("toolConfig") or {}
    choice = config.get("toolChoice") or {}
    tools = [tool["toolSpec"] for tool in config.get("tools") or () if "toolSpec" in tool]
    if "tool" in choice:
        tools = [tool for tool in tools if tool.get("name") == choice["tool"].get("name")]
    elif "any" not in choice:
        return []
    return [_call({"name": t["name"], "arguments": instance(t["inputSchema"]["json"])}, 0) for t in tools[:1]]


def _call(given: Mapping[str, Any], place: int) -> dict[str, Any]:
    function = given.get("function", given)
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = json.loads(arguments) if arguments.strip() else {}
    use = {"toolUseId": given.get("id", f"tooluse_{place + 1}"), "name": function["name"], "input": arguments}
    return {"toolUse": use}


def _usage(
    prompts: Sequence[str], text: str | None, reasoning: str | None, calls: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    read = count_tokens(" ".join(prompts))
    written = (count_tokens(reasoning) if reasoning else 0) + (count_tokens(text) if text else 0)
    written += sum(count_tokens(json.dumps(call["toolUse"]["input"])) + 1 for call in calls)
    return {"inputTokens": read, "outputTokens": written, "totalTokens": read + written}


def _own_names(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Counts that a script gave in OpenAI's words, in Bedrock's."""
    if "prompt_tokens" not in usage and "completion_tokens" not in usage:
        return usage
    read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    prompt, written = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    return {
        "inputTokens": max(prompt - read, 0),
        "outputTokens": written,
        "totalTokens": prompt + written,
        "cacheReadInputTokens": read,
        "cacheWriteInputTokens": 0,
    }
