"""OpenAI's Responses API: responses whole and streamed; embeddings and images as on OpenAI's other wire."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from hb_testing.server import responses_answers as answers
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.responses_requests import check_response
from hb_testing.server.wire import Exchange, Rejected, route
from hb_testing.server.wire_openai import ERRORS, OpenAIWire


class ResponsesWire(OpenAIWire):
    """The wire of `POST /responses`, also for providers that speak it: give those a name, a base, extra fields."""

    name = "openai_responses"
    family = "openai_responses"
    end_marker = False
    finish_reasons: ClassVar[Mapping[str, str]] = {
        "completed": "stop",
        "max_output_tokens": "length",
        "content_filter": "content_filter",
    }

    def __init__(self, *, name: str | None = None, base: str | None = None, extensions: Collection[str] = ()) -> None:
        super().__init__(name=name, base=base, extensions=extensions)

    @route("POST", "/responses")
    def respond(self, exchange: Exchange) -> Answer:
        """Answer a response, whole or streamed."""
        payload = exchange.json()
        if exchange.server.strict:
            check_response(payload, self.extensions)
        reply = exchange.reply()
        if reply.raw:
            return reply
        body, turn = exchange.request.body, answers.plan(payload, reply)
        if payload.get("stream") is True:
            return answers.stream(payload, body, turn, reply)
        return Reply(body=answers.response(payload, body, turn), headers=reply.headers, delay=reply.delay)

    def error_event(self, status: int, message: str) -> bytes:
        """An error as an event of a stream: its fields stand beside its type."""
        kind, code = ERRORS.get(status, ("server_error", None))
        shown = {"code": code or kind, "message": message, "param": None, "sequence_number": 0}
        return answers.event({"type": "error", **shown})

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        """The events of `reply`, whatever the request is like."""
        try:
            payload: Mapping[str, Any] = exchange.json()
        except Rejected:
            payload = {}
        return answers.stream(payload, exchange.request.body, answers.plan(payload, reply), reply)
