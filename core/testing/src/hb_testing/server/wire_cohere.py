"""Cohere's HTTP API, version 2: chats whole and streamed, embeddings, rerank."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from hb_testing.server import cohere_answers as answers
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.cohere_requests import check_chat, check_embed, check_rerank
from hb_testing.server.ranking import ranked
from hb_testing.server.synthesis import count_tokens, vector
from hb_testing.server.wire import Exchange, Rejected, Wire, paged, route

_MESSAGES = {
    401: "invalid api token",
    404: "model 'loopback' not found, make sure the correct model ID was used and that you have access to the model.",
}
_MONTHLY = "You are using a Trial key, which is limited to 1000 API calls / month."
MODELS = ("command-a-03-2025", "rerank-v3.5")
_DIMENSIONS = 8


class CohereWire(Wire):
    """Cohere's wire."""

    name = "cohere"
    base = "/v2"
    request_id_header: ClassVar[str] = "x-debug-trace-id"
    keepalive: ClassVar[bytes] = b""
    finish_reasons: ClassVar[Mapping[str, str]] = {
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "TOOL_CALL": "tool_calls",
        "ERROR_TOXIC": "content_filter",
        "ERROR_LIMIT": "context_overflow",
        "USER_CANCEL": "other",
    }
    usage_buckets: ClassVar[Collection[str]] = ("input", "cache_read", "output")
    end_marker: ClassVar[bool] = False

    # -- routes

    @route("POST", "/chat")
    def chat(self, exchange: Exchange) -> Answer:
        """Answer a chat, whole or streamed."""
        payload = exchange.json()
        if exchange.server.strict:
            check_chat(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        turn = answers.plan(payload, reply)
        if payload.get("stream") is True:
            return answers.stream(exchange.request.body, turn, reply)
        return Reply(body=answers.message(exchange.request.body, turn), headers=reply.headers, delay=reply.delay)

    @route("POST", "/embed")
    def embed(self, exchange: Exchange) -> Answer:
        """Answer one vector per text, of each type that is asked for."""
        payload = exchange.json()
        if exchange.server.strict:
            check_embed(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        texts = payload["texts"]
        size = payload.get("output_dimension") or _DIMENSIONS
        vectors = reply.embeddings or [vector(text, size).tolist() for text in texts]
        tokens = sum(map(count_tokens, texts))
        usage = {"billed_units": {"input_tokens": tokens}} if reply.usage is None else reply.usage
        kinds = payload.get("embedding_types") or ["float"]
        body = {
            "id": answers.identity(exchange.request.body),
            "texts": texts,
            "embeddings": {kind: [_written(values, kind) for values in vectors] for kind in kinds},
            "meta": {"api_version": {"version": "2"}, **usage},
        }
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/rerank")
    def rerank(self, exchange: Exchange) -> Answer:
        """Answer the documents by how many words they share with the query."""
        payload = exchange.json()
        if exchange.server.strict:
            check_rerank(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        body = {
            "id": answers.identity(exchange.request.body),
            "results": ranked(payload),
            "meta": {"api_version": {"version": "2"}, "billed_units": {"search_units": 1}},
        }
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("GET", "/v1/models")
    def list_models(self, exchange: Exchange) -> Answer:
        """The wire's models, in pages."""
        rows = [{"name": name, "endpoints": ["chat"], "context_length": 256_000} for name in MODELS]
        page, following = paged(exchange, rows, "page_size", "page_token")
        return exchange.reply(Reply(body={"models": page, **({"next_page_token": following} if following else {})}))

    # -- what the faults need

    def message(self, status: int) -> str:
        """What Cohere says with an error status."""
        return _MESSAGES.get(status) or super().message(status)

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in Cohere's shape; `details`: kind (insufficient_quota: a limit of the month)."""
        said = _MONTHLY if details.get("kind") == "insufficient_quota" else message
        return Reply(status=status, body={"id": "8bd5b608-887c-49f7-a6b3-d3bd5830c3de", "message": said})

    def error_event(self, status: int, message: str) -> bytes:
        """The end of a generation that failed; the wire has no status in it."""
        return answers.event({"type": "message-end", "delta": {"finish_reason": "ERROR", "error": message}})

    def streams(self, exchange: Exchange) -> bool:
        """Whether the body says `"stream": true`."""
        return _lenient(exchange).get("stream") is True

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        """The events of `reply`, whatever the request is like."""
        return answers.stream(exchange.request.body, answers.plan(_lenient(exchange), reply), reply)


def _written(values: Any, kind: str) -> Any:
    from array import array

    if kind == "base64":
        return b64encode(array("f", values).tobytes()).decode()
    return list(values) if kind == "float" else [round(value * 100) for value in values]


def _lenient(exchange: Exchange) -> Mapping[str, Any]:
    try:
        return exchange.json()
    except Rejected:
        return {}
