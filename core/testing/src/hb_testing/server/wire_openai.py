"""OpenAI's HTTP API: chat completions, embeddings, images, models."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from hb_testing.server import batches_openai as batches
from hb_testing.server import openai_chat as chat
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.kept_batches import KeptBatches
from hb_testing.server.kept_files import KeptFiles
from hb_testing.server.multipart import parse_form
from hb_testing.server.openai_requests import (
    EDIT,
    GENERATION,
    check_chat,
    check_embeddings,
    check_image,
)
from hb_testing.server.ranking import ranked
from hb_testing.server.synthesis import count_tokens, little_endian, png, vector
from hb_testing.server.wire import Exchange, Rejected, Wire, route

ERRORS: Mapping[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("billing_error", "insufficient_balance"),
    403: ("request_forbidden", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    422: ("invalid_request_error", None),
    429: ("requests", "rate_limit_exceeded"),
    529: ("overloaded_error", None),
}
RERANK = frozenset({"model", "query", "documents", "top_n", "top_k", "return_documents", "truncation"})
_DIMENSIONS = {"text-embedding-3-large": 3072}


class OpenAIWire(Wire):
    """OpenAI's wire, also for providers that speak it: give those a name, and the extra fields that they accept.

    Strict validation lets pass `extensions` at the top level, and `message_extensions` in messages and parts:

        deepseek = OpenAIWire(name="deepseek", extensions={"thinking"}, message_extensions={"reasoning_content"})
        with LoopbackServer(wires=[deepseek]) as server:
            server.url("deepseek")
    """

    name = "openai"
    base = "/v1"
    cacheable = True
    finish_reasons: ClassVar[Mapping[str, str]] = {
        "stop": "stop",
        "length": "length",
        "tool_calls": "tool_calls",
        "content_filter": "content_filter",
    }
    reasoning_field: ClassVar[str] = "reasoning_content"

    def __init__(
        self,
        *,
        name: str | None = None,
        base: str | None = None,
        extensions: Collection[str] = (),
        message_extensions: Collection[str] = (),
        models: Collection[str] = ("gpt-4o-mini", "text-embedding-3-small", "gpt-image-1"),
    ) -> None:
        self.name = name or self.name
        self.base = self.base if base is None else base
        self.extensions = frozenset(extensions)
        self.message_extensions = frozenset(message_extensions)
        self.models = tuple(models)
        self.files = KeptFiles()
        self.batches = KeptBatches("batch_")

    # -- routes

    @route("POST", "/chat/completions")
    def chat(self, exchange: Exchange) -> Answer:
        """Answer a chat completion, whole or streamed."""
        payload = exchange.json()
        if exchange.server.strict:
            check_chat(payload, self.extensions, self.message_extensions)
        reply = exchange.reply()
        if reply.raw:
            return reply
        if payload.get("stream") is True:
            return self._stream(exchange, payload, reply)
        turn = chat.plan(payload, reply)
        body = chat.completion(payload, exchange.request.body, turn, self.reasoning_field)
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/embeddings")
    def embeddings(self, exchange: Exchange) -> Answer:
        """Answer unit vectors that depend on the input alone, as floats or base64."""
        payload = exchange.json()
        if exchange.server.strict:
            check_embeddings(payload, self.extensions)
        reply = exchange.reply()
        if reply.raw:
            return reply
        given = payload.get("input", "")
        inputs = given if isinstance(given, list) and not all(isinstance(item, int) for item in given) else [given]
        texts = [item if isinstance(item, str) else json.dumps(item) for item in inputs]
        dimensions = payload.get("dimensions") or _DIMENSIONS.get(str(payload.get("model")), 1536)
        compact = payload.get("encoding_format") == "base64"
        data = []
        for index, text in enumerate(texts):
            values = vector(text, dimensions)
            if reply.embeddings:
                values = type(values)("f", reply.embeddings[index])
            shown = base64.b64encode(little_endian(values)).decode() if compact else values.tolist()
            data.append({"object": "embedding", "index": index, "embedding": shown})
        tokens = sum(map(count_tokens, texts))
        usage = {"prompt_tokens": tokens, "total_tokens": tokens} if reply.usage is None else reply.usage
        body = {"object": "list", "data": data, "model": payload.get("model"), "usage": usage}
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/images/generations")
    def generate_images(self, exchange: Exchange) -> Answer:
        """Answer small PNGs whose colour depends on the prompt."""
        payload = exchange.json()
        if exchange.server.strict:
            check_image(payload, GENERATION, self.extensions)
        return self._images(exchange, payload, 0)

    @route("POST", "/images/edits")
    def edit_images(self, exchange: Exchange) -> Answer:
        """As `generate_images`, from a form with at least one image."""
        try:
            parts = parse_form(exchange.request.headers.get("content-type", ""), exchange.request.body)
        except ValueError as error:
            raise Rejected(f"Could not parse multipart form: {error}") from None
        files = [part for part in parts if part.filename is not None]
        fields: dict[str, Any] = {part.name: part.data.decode() for part in parts if part.filename is None}
        if fields.get("n", "").isdigit():
            fields["n"] = int(fields["n"])
        if exchange.server.strict:
            check_image(fields, EDIT, self.extensions)
            if not any(file.name in ("image", "image[]") for file in files):
                raise Rejected("Missing required parameter: 'image'.", param="image", code="missing_required_parameter")
        return self._images(exchange, fields, len(files))

    @route("GET", "/images/content")
    def image_content(self, exchange: Exchange) -> Answer:
        """The image that a `response_format: url` answer points to."""
        return Reply(body=png(exchange.query), headers={"content-type": "image/png"})

    @route("POST", "/responses/input_tokens")
    def count_input(self, exchange: Exchange) -> Answer:
        """Answer how many words a request of the Responses wire has."""
        from hb_testing.server import responses_answers
        from hb_testing.server.responses_requests import check_count

        payload = exchange.json()
        if exchange.server.strict:
            check_count(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        counted = count_tokens(" ".join(chat.prompt_text(responses_answers.as_chat(payload))))
        return Reply(body={"object": "response.input_tokens", "input_tokens": counted}, headers=reply.headers)

    @route("POST", "/tokenizers/estimate-token-count")
    def estimate_tokens(self, exchange: Exchange) -> Answer:
        """Answer how many words a chat has, as Moonshot does."""
        payload = exchange.json()
        if exchange.server.strict:
            check_chat(payload, self.extensions, self.message_extensions)
        reply = exchange.reply()
        if reply.raw:
            return reply
        return Reply(body={"data": {"total_tokens": count_tokens(" ".join(chat.prompt_text(payload)))}})

    @route("POST", "/tokenize")
    def tokenize(self, exchange: Exchange) -> Answer:
        """Answer the tokens of a chat, as vLLM does."""
        payload = exchange.json()
        reply = exchange.reply()
        if reply.raw:
            return reply
        counted = count_tokens(" ".join(chat.prompt_text(payload)))
        return Reply(body={"count": counted, "max_model_len": 4096, "tokens": list(range(counted))})

    @route("POST", "/rerank")
    def rerank(self, exchange: Exchange) -> Answer:
        """Answer the documents in order, as vLLM does; those of a request with `top_k` as Voyage does."""
        payload = exchange.json()
        for name in payload:
            if exchange.server.strict and name not in RERANK | self.extensions:
                raise Rejected(f"Unknown parameter: '{name}'.", param=name)
        if not payload.get("documents") or not payload.get("query") or not payload.get("model"):
            raise Rejected("model, query and documents are required")
        reply = exchange.reply()
        if reply.raw:
            return reply
        usage = {"total_tokens": count_tokens(" ".join([payload["query"], *payload["documents"]]))}
        found = ranked(payload, "top_k" if "top_k" in payload else "top_n")
        body = {"object": "list", "data": found} if "top_k" in payload else {"id": "rerank-1", "results": found}
        return Reply(body={**body, "model": payload["model"], "usage": usage}, headers=reply.headers)

    @route("GET", "/models")
    def list_models(self, exchange: Exchange) -> Answer:
        """The wire's model ids."""
        data = [{"id": id_, "object": "model", "created": chat.CREATED, "owned_by": "hb"} for id_ in self.models]
        return exchange.reply(Reply(body={"object": "list", "data": data}))

    @route("POST", "/files")
    def upload_file(self, exchange: Exchange) -> Answer:
        """Keep a file."""
        return self.files.upload(exchange)

    @route("GET", "/files")
    def list_files(self, exchange: Exchange) -> Answer:
        """The files that are kept, in pages."""
        return self.files.page(exchange)

    @route("GET", "/files/{file}")
    def get_file(self, exchange: Exchange) -> Answer:
        """What is said of a file."""
        return self.files.said(exchange)

    @route("DELETE", "/files/{file}")
    def delete_file(self, exchange: Exchange) -> Answer:
        """Forget a file."""
        return self.files.delete(exchange)

    @route("GET", "/files/{file}/content")
    def file_content(self, exchange: Exchange) -> Answer:
        """The bytes of a file."""
        return self.files.content(exchange)

    @route("POST", "/batches")
    def create_batch(self, exchange: Exchange) -> Answer:
        """Take a batch."""
        return exchange.given or batches.create(self, exchange)

    @route("GET", "/batches")
    def list_batches(self, exchange: Exchange) -> Answer:
        """The batches of the account, in pages."""
        return exchange.given or batches.page(self, exchange)

    @route("GET", "/batches/{batch}")
    def look_up_batch(self, exchange: Exchange) -> Answer:
        """What is said of a batch."""
        return exchange.given or batches.look_up(self, exchange)

    @route("POST", "/batches/{batch}/cancel")
    def cancel_batch(self, exchange: Exchange) -> Answer:
        """Cancel a batch."""
        return exchange.given or batches.cancel(self, exchange)

    # -- what the faults need

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in OpenAI's shape; `details`: kind (`error.type`), code, param."""
        kind, code = ERRORS.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
        shown = {
            "message": message,
            "type": details.get("kind", kind),
            "param": details.get("param"),
            "code": details.get("code", code),
        }
        return Reply(status=status, body={"error": shown})

    def error_event(self, status: int, message: str) -> bytes:
        """An error event as OpenAI sends it: the error object is the data."""
        return chat.event(self.error(status, message).body)

    def streams(self, exchange: Exchange) -> bool:
        """Whether the body says `"stream": true`."""
        return _lenient(exchange).get("stream") is True

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        """The events of `reply`, whatever the request is like."""
        return self._stream(exchange, _lenient(exchange), reply)

    def _stream(self, exchange: Exchange, payload: Mapping[str, Any], reply: Reply) -> Stream:
        turn = chat.plan(payload, reply)
        return chat.stream(payload, exchange.request.body, turn, reply, self.reasoning_field)

    def _images(self, exchange: Exchange, payload: Mapping[str, Any], inputs: int) -> Answer:
        reply = exchange.reply()
        if reply.raw:
            return reply
        prompt = str(payload.get("prompt", ""))
        seeds = [f"{prompt}-{index}" for index in range(int(payload.get("n") or 1))]
        if payload.get("response_format") == "url":
            base = f"{exchange.server.origin}/{self.name}{self.base}/images/content"
            data = [{"url": f"{base}?{index}", "revised_prompt": prompt} for index, _ in enumerate(seeds)]
        else:
            images = reply.images or [png(seed) for seed in seeds]
            data = [{"b64_json": base64.b64encode(image).decode()} for image in images]
        tokens = count_tokens(prompt)
        pictured = 64 * inputs
        usage = {
            "input_tokens": tokens + pictured,
            "input_tokens_details": {"text_tokens": tokens, "image_tokens": pictured},
            "output_tokens": 64 * len(data),
            "total_tokens": tokens + pictured + 64 * len(data),
        }
        body = {"created": chat.CREATED, "data": data, "usage": usage if reply.usage is None else reply.usage}
        return Reply(body=body, headers=reply.headers, delay=reply.delay)


def _lenient(exchange: Exchange) -> Mapping[str, Any]:
    try:
        return exchange.json()
    except Rejected:
        return {}
