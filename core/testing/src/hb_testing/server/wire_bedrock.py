"""Bedrock's runtime API: Converse whole and as an event stream, InvokeModel for embeddings and images.

Streams are binary frames (`event_frames`), so that clients in any language can be tested; nothing of Amazon's SDK is
needed. Signatures are not checked; a bearer token is what `require_key` compares.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from hb_testing.server import bedrock_answers as answers
from hb_testing.server import event_frames as frames
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.bedrock_requests import check_converse
from hb_testing.server.http import dumps
from hb_testing.server.ranking import ranked
from hb_testing.server.recorder import RecordedRequest
from hb_testing.server.synthesis import count_tokens
from hb_testing.server.wire import Exchange, Framing, Rejected, Wire, route

EXCEPTIONS: Mapping[int, str] = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
IN_STREAM: Mapping[int, str] = {
    400: "validationException",
    424: "modelStreamErrorException",
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
}
COUNTED = frozenset({"messages", "system", "toolConfig", "additionalModelRequestFields"})
"""What a conversation to be counted may hold."""
_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/")


class BedrockWire(Wire):
    """Bedrock's wire, also for what speaks it elsewhere: give that a name and a base."""

    name = "bedrock"
    base = ""
    request_id_header: ClassVar[str] = "x-amzn-requestid"
    framing: ClassVar[Framing] = "frames"
    stream_type: ClassVar[str] = answers.STREAM_TYPE
    keepalive: ClassVar[bytes] = b""
    finish_reasons: ClassVar[Mapping[str, str]] = {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "tool_use": "tool_calls",
        "guardrail_intervened": "content_filter",
        "content_filtered": "content_filter",
        "model_context_window_exceeded": "context_overflow",
    }
    usage_buckets: ClassVar[Collection[str]] = ("input", "cache_read", "output")
    end_marker: ClassVar[bool] = False

    def __init__(self, *, name: str | None = None, base: str | None = None, extensions: Collection[str] = ()) -> None:
        self.name = name or self.name
        self.base = self.base if base is None else base
        self.extensions = frozenset(extensions)

    # -- routes

    @route("POST", "/model/{model}/converse")
    def converse(self, exchange: Exchange) -> Answer:
        """Answer a conversation whole."""
        payload = self._checked(exchange)
        reply = exchange.reply()
        if reply.raw:
            return reply
        body = answers.converse(answers.plan(payload, reply))
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/model/{model}/converse-stream")
    def converse_stream(self, exchange: Exchange) -> Answer:
        """Answer a conversation in events."""
        payload = self._checked(exchange)
        reply = exchange.reply()
        return reply if reply.raw else answers.stream(answers.plan(payload, reply), reply)

    @route("GET", "/foundation-models")
    def list_models(self, exchange: Exchange) -> Answer:
        """The models of the region, as the control plane lists them."""
        rows = [{"modelId": f"acme.{n}", "modelName": n.title(), "providerName": "Acme"} for n in ("one", "two")]
        return exchange.reply(Reply(body={"modelSummaries": rows}))

    @route("POST", "/model/{model}/count-tokens")
    def count(self, exchange: Exchange) -> Answer:
        """Answer how many words a conversation has."""
        given = exchange.json().get("input")
        asked = given.get("converse") if isinstance(given, dict) else None
        if not isinstance(asked, dict) or asked.keys() - COUNTED:
            raise Rejected("Malformed input request, please reformat your input and try again.")
        reply = exchange.reply()
        if reply.raw:
            return reply
        return Reply(body={"inputTokens": count_tokens(" ".join(answers.prompt_text(asked)))}, headers=reply.headers)

    @route("POST", "/model/{model}/invoke")
    def invoke(self, exchange: Exchange) -> Answer:
        """Answer with vectors or images, by what the body of the request is one for."""
        payload = exchange.json()
        reply = exchange.reply()
        if reply.raw:
            return reply
        if "query" in payload:
            return Reply(body={"results": ranked(payload)}, headers=reply.headers)
        if payload.keys() & {"texts", "inputText", "singleEmbeddingParams"}:
            body, counted = answers.embeddings(payload, reply)
            headers = {"x-amzn-bedrock-input-token-count": str(counted), **reply.headers}
            return Reply(body=body, headers=headers, delay=reply.delay)
        if payload.keys() & {"taskType", "prompt", "text_prompts"}:
            return Reply(body=answers.images(payload, reply), headers=reply.headers, delay=reply.delay)
        raise Rejected("Malformed input request, please reformat your input and try again.")

    # -- what the faults need

    def key(self, request: RecordedRequest) -> str | None:
        """The bearer token, else the id of the access key that signed."""
        signed = _CREDENTIAL.search(request.headers.get("authorization", ""))
        return request.bearer or (signed[1] if signed is not None else None)

    def message(self, status: int) -> str:
        """What Bedrock says with an error status."""
        if status == 429:
            return "Too many requests, please wait before trying again."
        return super().message(status)

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in Bedrock's shape; `details`: kind (the exception's name)."""
        kind = details.get("kind") or EXCEPTIONS.get(status)
        if kind == "insufficient_quota":
            kind = "ServiceQuotaExceededException"
        headers = {"x-amzn-errortype": f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/"} if kind else {}
        return Reply(status=status, body={"message": message}, headers=headers)

    def error_event(self, status: int, message: str) -> bytes:
        """An exception as one event of a stream."""
        return frames.exception(IN_STREAM.get(status, "internalServerException"), dumps({"message": message}))

    def event(self, payload: bytes) -> bytes:
        """One piece of content with this payload, good or bad."""
        return frames.event("contentBlockDelta", payload)

    def streams(self, exchange: Exchange) -> bool:
        """Whether the request asks for a stream."""
        return exchange.path.endswith("/converse-stream")

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        """The events of `reply`."""
        return answers.stream(answers.plan(self._payload(exchange), reply), reply)

    def _checked(self, exchange: Exchange) -> dict[str, Any]:
        payload = exchange.json()
        if exchange.server.strict:
            check_converse(payload, self.extensions)
        return payload

    @staticmethod
    def _payload(exchange: Exchange) -> dict[str, Any]:
        try:
            return exchange.json()
        except Rejected:
            return {}
