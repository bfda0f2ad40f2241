"""Mistral's HTTP API: OpenAI's with thoughts as chunks of the content, and usage in the last event."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import parse_qs

from hb_testing.server import openai_chat as chat
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.mistral_requests import check_chat, check_embeddings
from hb_testing.server.synthesis import count_tokens, little_endian, vector
from hb_testing.server.wire import Exchange, route
from hb_testing.server.wire_openai import OpenAIWire

_DIMENSIONS = 1024


class MistralWire(OpenAIWire):
    """Mistral's wire."""

    name = "mistral"
    base = "/v1"
    request_id_header: ClassVar[str] = "mistral-correlation-id"
    finish_reasons: ClassVar[Mapping[str, str]] = {
        "stop": "stop",
        "length": "length",
        "model_length": "length",
        "tool_calls": "tool_calls",
    }
    usage_buckets: ClassVar[Collection[str]] = ("input", "cache_read", "output")

    def __init__(self) -> None:
        super().__init__(models=("mistral-small-latest", "mistral-embed"))

    # -- routes

    @route("GET", "/files")
    def list_files(self, exchange: Exchange) -> Answer:
        """The files that are kept, in pages with numbers."""
        asked = {name: int(values[-1]) for name, values in parse_qs(exchange.query).items()}
        size, number = asked.get("page_size", 100), asked.get("page", 0)
        rows = [said for said, _ in self.files.kept.values()]
        page = rows[number * size : (number + 1) * size]
        return exchange.reply(Reply(body={"object": "list", "data": page, "total": len(rows)}))

    @route("POST", "/chat/completions")
    def chat(self, exchange: Exchange) -> Answer:
        """Answer a chat completion, whole or streamed."""
        payload = exchange.json()
        if exchange.server.strict:
            check_chat(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        payload = _of_openai(payload)
        if payload.get("stream") is True:
            return self._stream(exchange, payload, reply)
        turn = chat.plan(payload, reply)
        body = chat.completion(payload, exchange.request.body, replace(turn, reasoning=None), "")
        del body["service_tier"]
        for choice in body["choices"]:
            message = choice["message"]
            choice["message"] = {"role": "assistant", "content": turn.text or "", "tool_calls": turn.calls or None}
            if turn.reasoning is not None:
                text = [{"type": "text", "text": turn.text}] if message["content"] else []
                choice["message"]["content"] = [{**_thought(turn.reasoning), "closed": True}, *text]
            del choice["logprobs"]
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/embeddings")
    def embeddings(self, exchange: Exchange) -> Answer:
        """Answer unit vectors that depend on the input alone, as floats or base64."""
        payload = exchange.json()
        if exchange.server.strict:
            check_embeddings(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        texts = payload["input"] if isinstance(payload["input"], list) else [payload["input"]]
        compact = payload.get("encoding_format") == "base64"
        data = []
        for index, text in enumerate(texts):
            values = vector(text, payload.get("output_dimension") or _DIMENSIONS)
            if reply.embeddings:
                values = type(values)("f", reply.embeddings[index])
            shown = base64.b64encode(little_endian(values)).decode() if compact else values.tolist()
            data.append({"object": "embedding", "index": index, "embedding": shown})
        tokens = sum(map(count_tokens, texts))
        counted = {"prompt_tokens": tokens, "total_tokens": tokens, "completion_tokens": 0}
        body = {"id": chat.identity(exchange.request.body), "object": "list", "data": data}
        usage = counted if reply.usage is None else reply.usage
        return Reply(body={**body, "model": payload.get("model"), "usage": usage}, headers=reply.headers)

    # -- what the faults need

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in Mistral's shape; `details`: kind (`type`), code."""
        body = {
            "object": "error",
            "message": message,
            "type": details.get("kind") or ("internal_error" if status >= 500 else "invalid_request_error"),
            "param": None,
            "code": str(details.get("code") or status),
        }
        return Reply(status=status, body=body)

    def _stream(self, exchange: Exchange, payload: Mapping[str, Any], reply: Reply) -> Stream:
        turn = chat.plan(payload, reply)
        thoughts = [{"content": [_thought(piece)]} for piece in re.findall(r"\s*\S+|\s+$", turn.reasoning or "")]
        told = replace(turn, reasoning=None, fragments=[*thoughts, *turn.fragments])
        stream = chat.stream({**payload, "stream_options": None}, exchange.request.body, told, reply, "")
        numbers = range(int(payload.get("n") or 1))
        closing = {
            "id": chat.identity(exchange.request.body),
            "object": "chat.completion.chunk",
            "created": chat.CREATED,
            "model": payload.get("model", "unknown"),
            "choices": [{"index": it, "delta": {"content": ""}, "finish_reason": turn.finish} for it in numbers],
        }
        stream.closing = [chat.event(closing | ({"usage": turn.usage} if turn.usage else {})), chat.DONE]
        return stream


def _thought(text: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


def _of_openai(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The request with the words of OpenAI's wire where the answer depends on them."""
    found = dict(payload)
    if found.get("tool_choice") == "any":
        found["tool_choice"] = "required"
    return found
