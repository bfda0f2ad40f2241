"""Gemini's HTTP API: content whole and streamed, embeddings, Imagen's predictions, counts of tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from hb_testing.server import gemini_answers as answers
from hb_testing.server.answers import Answer, Reply, Stream
from hb_testing.server.gemini_requests import check_content, check_embeddings
from hb_testing.server.kept_files import KeptFiles
from hb_testing.server.recorder import RecordedRequest
from hb_testing.server.synthesis import count_tokens, vector
from hb_testing.server.wire import Exchange, Rejected, Wire, paged, route

STATUSES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MESSAGES = {
    404: "models/loopback is not found for API version v1beta, or is not supported for generateContent.",
    503: "The model is overloaded. Please try again later.",
}
MODELS = ("gemini-2.5-flash", "gemini-embedding-001")
_DIMENSIONS = 8
_MODEL = "loopback"


class GeminiWire(Wire):
    """Gemini's wire."""

    name = "gemini"
    base = "/v1beta"
    request_id_header: ClassVar[str] = "x-request-id"
    keepalive: ClassVar[bytes] = b""
    finish_reasons: ClassVar[Mapping[str, str]] = {
        "STOP": "stop",
        "MAX_TOKENS": "length",
        "SAFETY": "content_filter",
        "RECITATION": "content_filter",
        "PROHIBITED_CONTENT": "content_filter",
    }
    call_ids: ClassVar[bool] = False
    end_marker: ClassVar[bool] = False

    def __init__(self) -> None:
        self.files = KeptFiles()
        self.begun: dict[str, dict[str, Any]] = {}

    # -- routes

    @route("POST", "/models/{model}:generateContent")
    def generate(self, exchange: Exchange) -> Answer:
        """Answer with whole content."""
        payload = self._checked(exchange)
        reply = exchange.reply()
        if reply.raw:
            return reply
        body = answers.content(exchange.request.body, exchange.params["model"], answers.plan(payload, reply))
        return Reply(body=body, headers=reply.headers, delay=reply.delay)

    @route("POST", "/models/{model}:streamGenerateContent")
    def generate_stream(self, exchange: Exchange) -> Answer:
        """Answer in events; without `alt=sse` in the query, in one array of them."""
        payload = self._checked(exchange)
        reply = exchange.reply()
        if reply.raw:
            return reply
        if "alt=sse" not in exchange.query:
            whole = answers.content(exchange.request.body, exchange.params["model"], answers.plan(payload, reply))
            return Reply(body=[whole], headers=reply.headers, delay=reply.delay)
        return self._stream(exchange, payload, reply)

    @route("POST", "/models/{model}:batchEmbedContents")
    def embed(self, exchange: Exchange) -> Answer:
        """Answer one vector per request."""
        payload = exchange.json()
        if exchange.server.strict:
            check_embeddings(payload)
        reply = exchange.reply()
        if reply.raw:
            return reply
        requests = payload["requests"]
        texts = [answers.prompt_text({"contents": [request.get("content")]})[0] for request in requests]
        size = requests[0].get("outputDimensionality") or _DIMENSIONS
        vectors = reply.embeddings or [vector(text, size).tolist() for text in texts]
        tokens = sum(map(count_tokens, texts))
        usage = {"promptTokenCount": tokens, "totalTokenCount": tokens} if reply.usage is None else reply.usage
        body = {"embeddings": [{"values": list(values)} for values in vectors]}
        return Reply(body={**body, **({"usageMetadata": usage} if usage else {})}, headers=reply.headers)

    @route("POST", "/models/{model}:predict")
    def predict(self, exchange: Exchange) -> Answer:
        """Answer with images, as Imagen does."""
        payload = exchange.json()
        reply = exchange.reply()
        return reply if reply.raw else Reply(body=answers.predictions(payload, reply), headers=reply.headers)

    @route("POST", "/models/{model}:countTokens")
    def count(self, exchange: Exchange) -> Answer:
        """Answer how many words the request has."""
        payload = exchange.json()
        inner = payload.get("generateContentRequest", payload)
        if exchange.server.strict:
            check_content(inner)
        reply = exchange.reply()
        if reply.raw:
            return reply
        return Reply(body={"totalTokens": count_tokens(" ".join(answers.prompt_text(inner)))})

    @route("GET", "/models")
    def list_models(self, exchange: Exchange) -> Answer:
        """The wire's models, in pages."""
        rows = [
            {"name": f"models/{name}", "displayName": name, "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536}
            for name in MODELS
        ]
        page, following = paged(exchange, rows, "pageSize", "pageToken")
        return exchange.reply(Reply(body={"models": page, **({"nextPageToken": following} if following else {})}))

    @route("POST", "/upload/v1beta/files")
    def upload_file(self, exchange: Exchange) -> Answer:
        """Begin an upload, and take its pieces in their order."""
        headers, request = exchange.request.headers, exchange.request
        command = headers.get("x-goog-upload-command")
        if command == "start":
            if headers.get("x-goog-upload-protocol") != "resumable":
                raise Rejected("unknown upload protocol")
            reply = exchange.reply()
            if reply.raw:
                return reply
            asked = exchange.json().get("file") or {}
            said = {
                "displayName": asked.get("displayName"),
                "size": int(headers["x-goog-upload-header-content-length"]),
            }
            place = str(len(self.begun) + 1)
            self.begun[place] = {**said, "mimeType": headers["x-goog-upload-header-content-type"], "data": b""}
            address = f"{exchange.server.origin}/{self.name}/upload/v1beta/files?upload_id={place}"
            return Reply(body=b"", headers={"x-goog-upload-url": address, "x-goog-upload-status": "active"})
        begun = self.begun.get(exchange.query.partition("upload_id=")[2])
        if begun is None or headers.get("x-goog-upload-offset") != str(len(begun["data"])):
            raise Rejected("the offset is not where the upload stands")
        begun["data"] += request.body
        if command != "upload, finalize":
            return Reply(body=b"")
        if len(begun["data"]) != begun["size"]:
            raise Rejected("the upload is not whole")
        size = {"sizeBytes": str(begun["size"]), "createTime": "2025-09-29T00:00:00Z", "state": "ACTIVE"}
        said = {"displayName": begun["displayName"], "mimeType": begun["mimeType"], **size}
        made = self.files.put(said, begun["data"], "name", "files/f")
        made["uri"] = f"https://generativelanguage.googleapis.com/v1beta/{made['name']}"
        return Reply(body={"file": made})

    @route("GET", "/files")
    def list_files(self, exchange: Exchange) -> Answer:
        """The files that are kept, in pages."""
        page, following = paged(exchange, [said for said, _ in self.files.kept.values()], "pageSize", "pageToken")
        body: dict[str, Any] = {"files": page} if page else {}
        return exchange.reply(Reply(body={**body, **({"nextPageToken": following} if following else {})}))

    @route("GET", "/files/{file}:download")
    def file_content(self, exchange: Exchange) -> Answer:
        """The bytes of a file."""
        return exchange.reply(Reply(body=self._file(exchange)[1]))

    @route("GET", "/files/{file}")
    def get_file(self, exchange: Exchange) -> Answer:
        """What is said of a file."""
        return exchange.reply(Reply(body=self._file(exchange)[0]))

    @route("DELETE", "/files/{file}")
    def delete_file(self, exchange: Exchange) -> Answer:
        """Forget a file."""
        del self.files.kept[self._file(exchange)[0]["name"]]
        return exchange.reply(Reply(body={}))

    def _file(self, exchange: Exchange) -> tuple[dict[str, Any], bytes]:
        name = f"files/{exchange.params['file']}"
        if name not in self.files.kept:
            raise Rejected("You do not have permission to access the File, or it may not exist.", status=403)
        return self.files.kept[name]

    # -- what the faults need

    def key(self, request: RecordedRequest) -> str | None:
        """The key of `x-goog-api-key`, else of `Authorization: Bearer`."""
        return request.headers.get("x-goog-api-key") or request.bearer

    def message(self, status: int) -> str:
        """What Google says with an error status."""
        return _MESSAGES.get(status) or super().message(status)

    def error(self, status: int, message: str, **details: Any) -> Reply:
        """An error in Google's shape; `details`: kind (insufficient_quota: a limit of the day)."""
        error: dict[str, Any] = {"code": status, "message": message, "status": STATUSES.get(status, "UNKNOWN")}
        if details.get("kind") == "insufficient_quota":
            violation = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}
            error["details"] = [{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}]
        return Reply(status=status, body={"error": error})

    def error_event(self, status: int, message: str) -> bytes:
        """An error as an event of a stream."""
        return answers.event(self.error(status, message).body)

    def event(self, payload: bytes) -> bytes:
        """One event, its lines ended as Google ends them."""
        return b"data: " + payload + b"\r\n\r\n"

    def streams(self, exchange: Exchange) -> bool:
        """Whether the path says so."""
        return exchange.path.endswith(":streamGenerateContent")

    def stream(self, exchange: Exchange, reply: Reply) -> Stream:
        """The events of `reply`, whatever the request is like."""
        try:
            payload: Mapping[str, Any] = exchange.json()
        except Rejected:
            payload = {}
        return self._stream(exchange, payload, reply)

    def _stream(self, exchange: Exchange, payload: Mapping[str, Any], reply: Reply) -> Stream:
        model = exchange.params.get("model", _MODEL)
        return answers.stream(exchange.request.body, model, answers.plan(payload, reply), reply, self.stream_type)

    @staticmethod
    def _checked(exchange: Exchange) -> Mapping[str, Any]:
        payload = exchange.json()
        if exchange.server.strict:
            check_content(payload)
        return payload
