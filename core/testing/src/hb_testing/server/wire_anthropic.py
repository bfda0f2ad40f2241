"""Anthropic's HTTP API: messages whole and streamed, counts of tokens, models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs

from hb_testing.server import anthropic_answers as answers
from hb_testing.server import batches_anthropic as batches
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.anthropic_requests import UNTYPED_VERSION, check_count, check_create
from hb_testing.server.kept_batches import KeptBatches
from hb_testing.server.kept_files import KeptFiles
from hb_testing.server.recorder import RecordedRequest
from hb_testing.server.synthesis import count_tokens
from hb_testing.server.wire import Exchange, Rejected, Wire, route

ERRORS: Mapping[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_MESSAGES = {401: "invalid x-api-key", 404: "model: loopback", 529: "Overloaded"}
BETA = "files-api-2025-04-14"
_VERSIONS = (UNTYPED_VERSION, "2026-10-21")


class AnthropicWire(Wire):
    """Anthropic's wire, also for providers that speak it: give those a name and a base.

    `cumulative` chooses the shape of the usage that closes a stream: with or without the counts of the input.
    """

    name = "anthropic"
    base = ""
    # What is accepted depends on a header too.
    cacheable = False
    keepalive = answers.PING
    request_id_header: ClassVar[str] = "request-id"
    finish_reasons: ClassVar[Mapping[str, str]] = {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "tool_use": "tool_calls",
        "pause_turn": "pause",
        "refusal": "refusal",
        "model_context_window_exceeded": "context_overflow",
    }

    def __init__(
        self,
        *,
        name: str | None = None,
        base: str | None = None,
        cumulative: bool = True,
        extensions: Collection[str] = (),
        models: Collection[str] = ("claude-sonnet-4-5", "claude-opus-4-8"),
    ) -> None:
        self.name = name or self.name
        self.base = self.base if base is None else base
        self.cumulative = cumulative
        self.extensions = frozenset(extensions)
        self.models = tuple(models)
        self.files = KeptFiles(is_anthropic=True)
        self.batches = KeptBatches("msgbatch_")

    # -- routes

    @route("POST", "/v1/messages")
    def create(self, exchange: Exchange) -> Answer:
        """Answer a message, whole or streamed."""
        payload = exchange.json()
        if exchange.server.strict:
            check_create(payload, self._version(exchange.request), self.extensions)
        reply = exchange.reply()
        if reply.raw:
            return reply
        if payload.get("stream") is True:
            return self._stream(exchange, payload, reply)
        body = answers.message(payload, exchange.request.body, answers.plan(payload, reply))
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/v1/messages/count_tokens")
    def count(self, exchange: Exchange) -> Answer:
        """Answer how many words the request has."""
        payload = exchange.json()
        if exchange.server.strict:
            self._version(exchange.request)
            check_count(payload, self.extensions)
        reply = exchange.reply()
        if reply.raw:
            return reply
        counted = count_tokens(" ".join(answers.prompt_text(payload)))
        return Reply(body={"input_tokens": counted}, headers=reply.headers, delay=reply.delay)

    @route("GET", "/v1/models")
    def list_models(self, exchange: Exchange) -> Answer:
        """The wire's model ids."""
        created = "2025-09-29T00:00:00Z"
        data = [{"type": "model", "id": id_, "display_name": id_, "created_at": created} for id_ in self.models]
        asked = {name: values[-1] for name, values in parse_qs(exchange.query).items()}
        start = self.models.index(asked["after_id"]) + 1 if "after_id" in asked else 0
        page = data[start : start + int(asked.get("limit", "20"))]
        more = bool(page) and page[-1] is not data[-1]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {}
        return exchange.reply(Reply(body={"data": page, "has_more": more, **ends}))

    @route("POST", "/v1/files")
    def upload_file(self, exchange: Exchange) -> Answer:
        """Keep a file."""
        if BETA not in exchange.request.headers.get("anthropic-beta", ""):
            raise Rejected("the files API needs its beta header", status=404)
        return self.files.upload(exchange)

    @route("GET", "/v1/files")
    def list_files(self, exchange: Exchange) -> Answer:
        """The files that are kept, in pages."""
        if BETA not in exchange.request.headers.get("anthropic-beta", ""):
            raise Rejected("the files API needs its beta header", status=404)
        return self.files.page(exchange)

    @route("GET", "/v1/files/{file}")
    def get_file(self, exchange: Exchange) -> Answer:
        """What is said of a file."""
        if BETA not in exchange.request.headers.get("anthropic-beta", ""):
            raise Rejected("the files API needs its beta header", status=404)
        return self.files.said(exchange)

    @route("DELETE", "/v1/files/{file}")
    def delete_file(self, exchange: Exchange) -> Answer:
        """Forget a file."""
        if BETA not in exchange.request.headers.get("anthropic-beta", ""):
            raise Rejected("the files API needs its beta header", status=404)
        return self.files.delete(exchange)

    @route("GET", "/v1/files/{file}/content")
    def file_content(self, exchange: Exchange) -> Answer:
        """The bytes of a file."""
        if BETA not in exchange.request.headers.get("anthropic-beta", ""):
            raise Rejected("the files API needs its beta header", status=404)
        return self.files.content(exchange)

    @route("POST", "/v1/messages/batches")
    def create_batch(self, exchange: Exchange) -> Answer:
        """Take a batch."""
        self._version(exchange.request)
        return exchange.given or batches.create(self, exchange)

    @route("GET", "/v1/messages/batches")
    def list_batches(self, exchange: Exchange) -> Answer:
        """The batches of the workspace, in pages."""
        return exchange.given or batches.page(self, exchange)

    @route("GET", "/v1/messages/batches/{batch}")
    def look_up_batch(self, exchange: Exchange) -> Answer:
        """What is said of a batch."""
        return exchange.given or batches.look_up(self, exchange)

    @route("DELETE", "/v1/messages/batches/{batch}")
    def delete_batch(self, exchange: Exchange) -> Answer:
        """Forget a batch."""
        return exchange.given or batches.delete(self, exchange)

    @route("POST", "/v1/messages/batches/{batch}/cancel")
    def cancel_batch(self, exchange: Exchange) -> Answer:
        """Cancel a batch."""
        return exchange.given or batches.cancel(self, exchange)

    @route("GET", "/v1/messages/batches/{batch}/results")
    def batch_results(self, exchange: Exchange) -> Answer:
        """The results of a batch."""
        return exchange.given or batches.results(self, exchange)

    # -- what the faults need

    def key(self, request: RecordedRequest) -> str | None:
        """The key of `x-api-key`, else of `Authorization: Bearer`."""
        return request.headers.get("x-api-key") or request.bearer

    def message(self, status: int) -> str:
        """What Anthropic says with an error status."""
        return _MESSAGES.get(status) or super().message(status)

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in Anthropic's shape; `details`: kind (`error.type`)."""
        return Reply(status=status, body={"type": "error", "error": _error(status, message, details.get("kind"))})

    def error_event(self, status: int, message: str) -> bytes:
        """An error as an event of a stream."""
        return answers.event({"type": "error", "error": _error(status, message)})

    def streams(self, exchange: Exchange) -> bool:
        """Whether the body says `"stream": true`."""
        return _lenient(exchange).get("stream") is True

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        """The events of `reply`, whatever the request is like."""
        return self._stream(exchange, _lenient(exchange), reply)

    def _stream(self, exchange: Exchange, payload: Mapping[str, Any], reply: Reply) -> Stream:
        turn = answers.plan(payload, reply)
        return answers.stream(payload, exchange.request.body, turn, reply, cumulative=self.cumulative)

    @staticmethod
    def _version(request: RecordedRequest) -> str:
        version = request.headers.get("anthropic-version")
        if version not in _VERSIONS:
            raise Rejected(
                "anthropic-version: header is required"
                if version is None
                else f"anthropic-version: {version!r} is not a valid version"
            )
        return version


def _error(status: int, message: str, kind: str | None = None) -> dict[str, Any]:
    return {"type": kind or ERRORS.get(status, "api_error"), "message": message}


def _lenient(exchange: Exchange) -> Mapping[str, Any]:
    try:
        return exchange.json()
    except Rejected:
        return {}
