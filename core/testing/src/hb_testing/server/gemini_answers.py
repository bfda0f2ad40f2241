"""Content in Gemini's shape: what the answer is, and how it looks whole and in events."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hb_testing.server.answers import Reply, Stream
from hb_testing.server.http import dumps
from hb_testing.server.synthesis import count_tokens, instance, png, signature

_WORDS = re.compile(r"\s*\S+|\s+$")
_JPEG = b"\xff\xd8\xff"


@dataclass(slots=True)
class Turn:
    """What the model says in one answer: its parts whole, and how the text is cut when it is streamed."""

    parts: list[dict[str, Any]]
    finish: str
    usage: Mapping[str, Any]
    fragments: Sequence[str | Mapping[str, Any]]


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event, its lines ended as Google ends them."""
    return b"data: " + dumps(value) + b"\r\n\r\n"


def prompt_text(payload: Mapping[str, Any]) -> list[str]:
    """The text of the system instruction and of every content; other parts as their kind in brackets."""
    contents = payload.get("contents")
    found = [payload["systemInstruction"]] if payload.get("systemInstruction") else []
    return [_content_text(content) for content in [*found, *(contents if isinstance(contents, list) else ())]]


def plan(payload: Mapping[str, Any], reply: Reply) -> Turn:
    """Decide the answer: the reply's fields, and the deterministic default for those it leaves empty."""
    prompts = prompt_text(payload)
    calls = [_call(call, place) for place, call in enumerate(reply.tool_calls)]
    images = [_image(data) for data in _pictures(payload, reply, prompts)]
    text, finish = reply.text, "STOP"
    if text is None and reply.chunks:
        text = "".join(piece for piece in reply.chunks if isinstance(piece, str))
    elif text is None and not calls and not images:
        calls = _forced_calls(payload)
        if not calls:
            text, finish = _default_text(payload, prompts[-1] if prompts else "")
    parts: list[dict[str, Any]] = []
    if reply.reasoning is not None:
        parts.append({"text": reply.reasoning, "thought": True})
    if text:
        parts.append({"text": text})
    parts += [*images, *calls]
    if reply.reasoning is not None and len(parts) > 1:
        parts[1]["thoughtSignature"] = signature(reply.reasoning)
    usage = _usage(prompts, text, reply.reasoning, calls) if reply.usage is None else _own_names(reply.usage)
    return Turn(parts, reply.finish_reason or finish, usage, reply.chunks or _WORDS.findall(text or ""))


def content(body: bytes, model: str, turn: Turn) -> dict[str, Any]:
    """The whole answer."""
    candidate = {"content": {"parts": turn.parts or [{"text": ""}], "role": "model"}, "finishReason": turn.finish}
    return {"candidates": [{**candidate, "index": 0}], **_usage_field(turn.usage), **_envelope(body, model)}


def stream(body: bytes, model: str, turn: Turn, reply: Reply, stream_type: str) -> Stream:
    """The answer in events: thoughts, each piece of text, each call, and last the finish reason with the usage."""
    envelope = _envelope(body, model)

    def one(part: Mapping[str, Any]) -> bytes:
        return event({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}], **envelope})

    opening = []
    pieces = []
    for part in turn.parts:
        if part.get("thought"):
            opening += [one({"text": piece, "thought": True}) for piece in _WORDS.findall(part["text"])]
        elif "text" not in part:
            pieces.append(one(part))
        else:
            fragments = [{"text": f} if isinstance(f, str) else f for f in turn.fragments]
            pieces += [one(fragment) for fragment in fragments]
            if "thoughtSignature" in part:
                pieces.append(one({"text": "", "thoughtSignature": part["thoughtSignature"]}))
    last = {"content": {"parts": [{"text": ""}], "role": "model"}, "finishReason": turn.finish, "index": 0}
    return Stream(
        opening=opening,
        content=pieces,
        closing=[event({"candidates": [last], **_usage_field(turn.usage), **envelope})],
        content_type=stream_type,
        headers=reply.headers,
        delay=reply.delay,
        pause=reply.pause,
    )


def predictions(payload: Mapping[str, Any], reply: Reply) -> dict[str, Any]:
    """Imagen's answer: the queued images, else as many as were asked for."""
    instances = payload.get("instances") or [{}]
    prompt = str(instances[0].get("prompt", ""))
    count = (payload.get("parameters") or {}).get("sampleCount", 1)
    pictures = reply.images or [png(f"{prompt} {place}") for place in range(count)]
    return {
        "predictions": [{"mimeType": _media_type(p), "bytesBase64Encoded": b64encode(p).decode()} for p in pictures]
    }


def _envelope(body: bytes, model: str) -> dict[str, Any]:
    return {"modelVersion": model, "responseId": hashlib.blake2s(body, digest_size=12).hexdigest()}


def _usage_field(usage: Mapping[str, Any]) -> dict[str, Any]:
    return {"usageMetadata": usage} if usage else {}


def _content_text(given: Any) -> str:
    parts = given.get("parts") if isinstance(given, Mapping) else None
    found = [part for part in parts if isinstance(part, Mapping)] if isinstance(parts, list) else []
    return " ".join(str(part["text"]) if "text" in part else f"[{next(iter(part), '')}]" for part in found)


def _pictures(payload: Mapping[str, Any], reply: Reply, prompts: Sequence[str]) -> Sequence[bytes]:
    config = payload.get("generationConfig")
    wanted = config.get("responseModalities") if isinstance(config, Mapping) else None
    if reply.images or not isinstance(wanted, list) or "IMAGE" not in wanted:
        return reply.images
    return [] if reply.text is not None or reply.chunks else [png(" ".join(prompts))]


def _image(data: bytes) -> dict[str, Any]:
    return {"inlineData": {"mimeType": _media_type(data), "data": b64encode(data).decode()}}


def _media_type(data: bytes) -> str:
    return "image/jpeg" if data.startswith(_JPEG) else "image/png"


def _default_text(payload: Mapping[str, Any], prompt: str) -> tuple[str, str]:
    config = payload.get("generationConfig")
    config = config if isinstance(config, Mapping) else {}
    schema = config.get("responseJsonSchema", config.get("responseSchema"))
    if isinstance(schema, Mapping):
        return json.dumps(instance(_lowered(schema))), "STOP"
    if config.get("responseMimeType") == "application/json":
        return "{}", "STOP"
    text = f"echo: {prompt}"
    for stop in config.get("stopSequences") or ():
        if isinstance(stop, str) and stop and stop in text:
            return text.partition(stop)[0], "STOP"
    words = _WORDS.findall(text)
    limit = config.get("maxOutputTokens")
    if isinstance(limit, int) and limit < len(words):
        return "".join(words[:limit]), "MAX_TOKENS"
    return text, "STOP"


def _lowered(schema: Any) -> Any:
    """A schema of OpenAPI's types as one of JSON schema's."""
    if isinstance(schema, Mapping):
        kind = schema.get("type")
        lowered = {name: _lowered(value) for name, value in schema.items()}
        return {**lowered, "type": kind.lower()} if isinstance(kind, str) else lowered
    return [_lowered(item) for item in schema] if isinstance(schema, list) else schema


def _forced_calls(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The call that mode ANY demands, with arguments made from the function's schema."""
    choice = payload.get("toolConfig")
    config = choice.get("functionCallingConfig") if isinstance(choice, Mapping) else None
    if not isinstance(config, Mapping) or config.get("mode") != "ANY":
        return []
    tools = [tool for tool in payload.get("tools") or () if isinstance(tool, Mapping)]
    declared = [function for tool in tools for function in tool.get("functionDeclarations", ())]
    allowed = config.get("allowedFunctionNames") or [function["name"] for function in declared]
    chosen = [function for function in declared if function["name"] in allowed][:1]
    return [_call({"name": f["name"], "arguments": instance(f.get("parametersJsonSchema") or {})}, 0) for f in chosen]


def _call(given: Mapping[str, Any], place: int) -> dict[str, Any]:
    function = given.get("function", given)
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = json.loads(arguments) if arguments.strip() else {}
    return {"functionCall": {"name": function["name"], "args": arguments or {}}}


def _usage(
    prompts: Sequence[str], text: str | None, reasoning: str | None, calls: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    prompt = count_tokens(" ".join(prompts))
    called = sum(count_tokens(json.dumps(call["functionCall"]["args"])) + 1 for call in calls)
    answer = (count_tokens(text) if text else 0) + called
    thought = count_tokens(reasoning) if reasoning else 0
    usage: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": answer,
        "totalTokenCount": prompt + answer + thought,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": prompt}],
    }
    return {**usage, "thoughtsTokenCount": thought} if thought else usage


def _own_names(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    """Counts that a script gave in OpenAI's words, in Google's."""
    if "prompt_tokens" not in usage and "completion_tokens" not in usage:
        return usage
    prompt, output = int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0)
    thought = int((usage.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0)
    found: dict[str, Any] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output - thought,
        "thoughtsTokenCount": thought,
        "totalTokenCount": prompt + output,
    }
    read = (usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    return found if read is None else {**found, "cachedContentTokenCount": read}
