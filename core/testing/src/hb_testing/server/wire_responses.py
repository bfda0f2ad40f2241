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
    cacheable = False  # a job is another thing each time that it is looked up
    finish_reasons: ClassVar[Mapping[str, str]] = {
        "completed": "stop",
        "max_output_tokens": "length",
        "content_filter": "content_filter",
    }

    def __init__(self, *, name: str | None = None, base: str | None = None, extensions: Collection[str] = ()) -> None:
        super().__init__(name=name, base=base, extensions=extensions)
        self.jobs: dict[str, list[dict[str, Any]]] = {}
        """The states that each job in the background has yet to show, the last of which it keeps."""

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
        whole = answers.response(payload, body, turn)
        if payload.get("background") is True:
            whole = self._made(whole)
        return Reply(body=whole, headers=reply.headers, delay=reply.delay)

    def _made(self, whole: dict[str, Any]) -> dict[str, Any]:
        known = f"{whole['id']}{len(self.jobs)}"
        done = {**whole, "id": known, "background": True}
        begun = {**done, "output": [], "usage": None, "error": None, "incomplete_details": None}
        self.jobs[known] = [{**begun, "status": "in_progress"}, done]
        return {**begun, "status": "queued"}

    @route("GET", "/responses/{known}")
    def look_up(self, exchange: Exchange) -> Answer:
        """Answer a job as it is: in progress the first time, done from then on."""
        if exchange.given is not None:
            return exchange.given
        left = self._known(exchange)
        return Reply(body=left.pop(0) if len(left) > 1 else left[0])

    @route("POST", "/responses/{known}/cancel")
    def cancel(self, exchange: Exchange) -> Answer:
        """Stop a job, unless it is done; answer it as it is then."""
        left = self._known(exchange)
        if len(left) > 1 or left[0]["status"] not in ("completed", "incomplete", "failed"):
            left[:] = [{**left[0], "output": [], "status": "cancelled"}]
        return Reply(body=left[0])

    def _known(self, exchange: Exchange) -> list[dict[str, Any]]:
        known = exchange.params["known"]
        if known not in self.jobs:
            raise Rejected(f"Response with id '{known}' not found.", status=404)
        return self.jobs[known]

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
