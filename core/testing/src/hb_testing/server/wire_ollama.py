"""Ollama's HTTP API: chats whole and in lines, embeddings, images, the list of models and pulls."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.http import dumps
from hb_testing.server.ollama_requests import check_chat, check_embed
from hb_testing.server.synthesis import count_tokens, instance, png, vector
from hb_testing.server.wire import Exchange, Framing, Rejected, Wire, route

CREATED = "2026-01-01T00:00:00.000000Z"
_WORDS = re.compile(r"\s*\S+|\s+$")
_DIMENSIONS = 8
_MESSAGES = {
    404: "model 'loopback' not found",
    503: "server busy, please try again.  maximum pending requests exceeded",
}


class OllamaWire(Wire):
    """Ollama's wire. `models` are those that the server has; a pull adds one."""

    name = "ollama"
    base = ""
    framing: ClassVar[Framing] = "lines"
    stream_type: ClassVar[str] = "application/x-ndjson"
    keepalive: ClassVar[bytes] = b""
    finish_reasons: ClassVar[Mapping[str, str]] = {"stop": "stop", "length": "length", "load": "other"}
    usage_buckets: ClassVar[Sequence[str]] = ("input", "output")
    call_ids: ClassVar[bool] = False
    end_marker: ClassVar[bool] = False
    many_images: ClassVar[bool] = False

    def __init__(self, *, models: Sequence[str] = ("llama3.2:latest",)) -> None:
        self.models = list(models)

    # -- routes

    @route("POST", "/api/chat")
    def chat(self, exchange: Exchange) -> Answer:
        """Answer a chat; in lines unless the request says `"stream": false`."""
        payload = exchange.json()
        if exchange.server.strict:
            check_chat(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        if payload.get("stream", True):
            return self._stream(payload, reply)
        message, done = _turn(payload, reply)
        body = {**_envelope(payload), "message": message, **done}
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/api/embed")
    def embed(self, exchange: Exchange) -> Answer:
        """Answer one vector per input."""
        payload = exchange.json()
        if exchange.server.strict:
            check_embed(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        given = payload["input"]
        texts = [given] if isinstance(given, str) else list(given)
        size = payload.get("dimensions") or _DIMENSIONS
        vectors = reply.embeddings or [vector(text, size).tolist() for text in texts]
        counted = {} if reply.usage == {} else {"prompt_eval_count": sum(map(count_tokens, texts))}
        body = {"model": payload["model"], "embeddings": [list(values) for values in vectors], **counted}
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/api/generate")
    def generate(self, exchange: Exchange) -> Answer:
        """Answer with an image, as image models do."""
        payload = exchange.json()
        reply = exchange.reply()
        if reply.raw:
            return reply
        data = reply.images[0] if reply.images else png(str(payload.get("prompt", "")))
        body = {**_envelope(payload), "response": "", "image": b64encode(data).decode(), "done": True}
        return Reply(body={**body, "done_reason": "stop"}, headers=reply.headers)

    @route("GET", "/api/tags")
    def tags(self, exchange: Exchange) -> Answer:
        """The models that the server has."""
        reply = exchange.reply()
        details = {"family": "llama", "parameter_size": "3.2B", "quantization_level": "Q4_K_M"}
        listed = [
            {"name": name, "model": name, "modified_at": CREATED, "size": 2_019_393_189, "details": details}
            for name in self.models
        ]
        return reply if reply.raw else Reply(body={"models": listed})

    @route("POST", "/api/pull")
    def pull(self, exchange: Exchange) -> Answer:
        """Fetch a model, with its progress in lines."""
        payload = exchange.json()
        reply = exchange.reply()
        if reply.raw:
            return reply
        name = str(payload.get("model") or payload.get("name"))
        steps: list[dict[str, Any]] = [{"status": "pulling manifest"}]
        layer = {"status": "pulling 4f659a1e86d7", "digest": "sha256:4f659a1e86d7", "total": 4000}
        steps += [{**layer, "completed": done} for done in (1000, 2500, 4000)]
        if name.startswith("missing"):
            steps = [steps[0], {"error": "pull model manifest: file does not exist"}]
        else:
            self.models.append(name)
            steps += [{"status": "verifying sha256 digest"}, {"status": "success"}]
        return Stream(opening=[], content=list(map(_line, steps)), closing=[], content_type=self.stream_type)

    # -- what the faults need

    def message(self, status: int) -> str:
        """What Ollama says with an error status."""
        return _MESSAGES.get(status) or super().message(status)

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in Ollama's shape: a text."""
        return Reply(status=status, body={"error": message})

    def error_event(self, status: int, message: str) -> bytes:
        """An error as a line of a stream."""
        return _line({"error": message})

    def streams(self, exchange: Exchange) -> bool:
        """Whether the body does not say `"stream": false`; chats alone are streamed."""
        return exchange.path == "/api/chat" and _lenient(exchange).get("stream", True) is not False

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        """The lines of `reply`, whatever the request is like."""
        return self._stream(_lenient(exchange), reply)

    def _stream(self, payload: Mapping[str, Any], reply: Reply) -> Stream:
        message, done = _turn(payload, reply)
        envelope = _envelope(payload)

        def line(**fields: Any) -> bytes:
            whole = {"role": "assistant", "content": "", **fields}
            return _line({**envelope, "message": whole, "done": False})

        fragments = reply.chunks or _WORDS.findall(message["content"])
        pieces = [line(**(f if isinstance(f, dict) else {"content": f})) for f in fragments]
        pieces += [line(tool_calls=[call]) for call in message.get("tool_calls", ())]
        last = {**envelope, "message": {"role": "assistant", "content": ""}, **done}
        return Stream(
            opening=[line(thinking=piece) for piece in _WORDS.findall(message.get("thinking", ""))],
            content=pieces,
            closing=[_line(last)],
            content_type=self.stream_type,
            headers=reply.headers,
            delay=reply.delay,
            pause=reply.pause,
        )


def _line(value: Mapping[str, Any]) -> bytes:
    return dumps(value) + b"\n"


def _envelope(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {"model": payload.get("model", "unknown"), "created_at": CREATED}


def _turn(payload: Mapping[str, Any], reply: Reply) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the message, what the last line says): the reply's fields, and the default for those it leaves empty."""
    found = payload.get("messages")
    messages = [message for message in found if isinstance(message, Mapping)] if isinstance(found, list) else []
    prompts = [str(message.get("content") or "") for message in messages]
    calls = [_call(call) for call in reply.tool_calls]
    text, reason = reply.text, "stop"
    if text is None and reply.chunks:
        text = "".join(piece for piece in reply.chunks if isinstance(piece, str))
    elif text is None and not calls:
        text, reason = _default_text(payload, prompts[-1] if prompts else "")
    message: dict[str, Any] = {"role": "assistant", "content": text or ""}
    if reply.reasoning is not None:
        message["thinking"] = reply.reasoning
    if calls:
        message["tool_calls"] = calls
    counted = _counts(prompts, message) if reply.usage is None else _own_names(reply.usage)
    return message, {"done": True, "done_reason": reply.finish_reason or reason, "total_duration": 1000, **counted}


def _default_text(payload: Mapping[str, Any], prompt: str) -> tuple[str, str]:
    wanted = payload.get("format")
    if isinstance(wanted, Mapping):
        return json.dumps(instance(wanted)), "stop"
    if wanted == "json":
        return "{}", "stop"
    options = payload.get("options")
    options = options if isinstance(options, Mapping) else {}
    text = f"echo: {prompt}"
    for stop in options.get("stop") or ():
        if isinstance(stop, str) and stop and stop in text:
            return text.partition(stop)[0], "stop"
    words = _WORDS.findall(text)
    limit = options.get("num_predict")
    if isinstance(limit, int) and 0 <= limit < len(words):
        return "".join(words[:limit]), "length"
    return text, "stop"


def _call(given: Mapping[str, Any]) -> dict[str, Any]:
    function = given.get("function", given)
    arguments = function.get("arguments", {})
    if isinstance(arguments, str):
        arguments = json.loads(arguments) if arguments.strip() else {}
    return {"function": {"name": function["name"], "arguments": arguments or {}}}


def _counts(prompts: Sequence[str], message: Mapping[str, Any]) -> dict[str, int]:
    said = f"{message.get('thinking', '')} {message['content']} {json.dumps(message.get('tool_calls', ''))}"
    return {"prompt_eval_count": count_tokens(" ".join(prompts)), "eval_count": count_tokens(said)}


def _own_names(usage: Mapping[str, Any]) -> dict[str, Any]:
    """Counts that a script gave in OpenAI's words, in Ollama's."""
    if "prompt_tokens" not in usage and "completion_tokens" not in usage:
        return dict(usage)
    return {"prompt_eval_count": usage.get("prompt_tokens"), "eval_count": usage.get("completion_tokens")}


def _lenient(exchange: Exchange) -> Mapping[str, Any]:
    try:
        return exchange.json()
    except Rejected:
        return {}
