"""Batches at an endpoint of this wire: a file of requests, a job that answers them, files with the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

from hb_wire_openai.lists import file_info, id_page
from heavenbase.errors import GenerationFailed, InputError, ProviderError, UnsupportedError
from heavenbase.http import (
    as_object,
    decode_json,
    encode_json,
    merge_extra,
    number_or_none,
    shape_error,
    status_error,
    text_or_none,
    whole_or_none,
)
from heavenbase.operations import BatchJob, BatchPart, FileUpload, OperationResult, listed, seconds_of, verb_of
from heavenbase.wires import first_text, object_or_empty, objects

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from hb_wire_openai.gateway import WireGateway
    from heavenbase.call import Call, WireRequest
    from heavenbase.operations import FileInfo, Listing
    from heavenbase.types import Completion, Embedding, ImageResult

T = TypeVar("T")
STATES = {
    "validating": "queued",
    "in_progress": "in_progress",
    "finalizing": "in_progress",
    "completed": "completed",
    "failed": "failed",
    "expired": "expired",
    "cancelling": "cancelling",
    "cancelled": "cancelled",
}
"""The wire's words for what becomes of a job, and hb's."""
WINDOW = "24h"
PAGE = 100


class WireBatches:
    """The operations on batches of a gateway."""

    verbs = ("complete", "embed", "imagen")
    most_requests = 50_000
    most_inputs = 50_000
    """Texts to embed, in all requests of a job."""
    most_bytes = 200_000_000
    has_metadata = True
    """Whether a job keeps what it was made with, so that it is found again by that."""
    has_mixed_models = False
    """Whether the requests of one job may ask for several models."""

    def __init__(self, gateway: WireGateway) -> None:
        self._gateway = gateway

    async def entry(self, call: Call) -> BatchPart:
        """The request of a call as one line of a batch; `call.subject` names it. Sends nothing."""
        for name in ("extra_headers", "extra_query"):
            if call.args.get(name):
                raise InputError(f"a request of a batch takes no {name}: it travels with others, as a line of a file")
        if call.images or call.args.get("mask") is not None:
            raise UnsupportedError("a request of a batch makes images and edits none: images travel as a form")
        # Prepared as a live call is, so that what would be lost of it is refused.
        request = self._gateway._prepared(call.replace(verb=verb_of(call), subject=None))
        endpoint = f"/v1/{request.url.removeprefix(self._gateway.url(call.spec, ''))}"
        if "?" in endpoint or "://" in endpoint:
            raise UnsupportedError(f"{call.target}: its address is not one that lines of a batch can name")
        line = {"custom_id": call.subject, "method": "POST", "url": endpoint, "body": request.body}
        return BatchPart([encode_json(line)], endpoint)

    async def upload(self, call: Call) -> FileInfo:
        """Upload the requests of `call.subject`, as the file that a job is made of."""
        asked: BatchPart = call.subject
        name = f"{asked.metadata.get('hb_run', 'batch')}-{asked.metadata.get('hb_part', '1')}.jsonl"
        file = FileUpload(name, b"".join(line + b"\n" for line in asked.lines), "application/jsonl", "batch")
        upload = self._gateway.request(call, "files", {"purpose": "batch"}, file=file)
        return await self._gateway.exchange(call, upload, lambda _, found: file_info(call, found))

    async def submit(self, call: Call) -> BatchJob:
        """Have the requests of `call.subject` answered, uploaded where they are not; metadata stays with the job."""
        asked: BatchPart = call.subject
        named = asked.file or (await self.upload(call)).id
        body: dict[str, Any] = {"input_file_id": named, "endpoint": asked.endpoint, "completion_window": WINDOW}
        if asked.metadata:
            body["metadata"] = dict(asked.metadata)
        merge_extra(body, call.args, call.context.report)
        return await self._job(call, self._gateway.request(call, "batches", body))

    async def get(self, call: Call) -> BatchJob:
        """The job of an id as it is now."""
        return await self._job(call, self._at(call, method="GET"))

    async def list(self, call: Call) -> Listing[BatchJob]:
        """The jobs of the account, the newest first."""

        def page(cursor: str | None) -> WireRequest:
            asked = {"limit": min(call.subject, PAGE), **({"after": cursor} if cursor else {})}
            return self._gateway.request(call, "batches", {}, "GET", asked)

        return await listed(self._gateway, call, page, lambda call, found: id_page(call, found, batch_job))

    async def cancel(self, call: Call) -> BatchJob:
        """Stop the job of an id; requests that were answered stay so."""
        return await self._job(call, self._at(call, "/cancel"))

    async def delete(self, call: Call) -> OperationResult:
        """Delete the files of a job that has ended; `call.subject` is its id and that of its requests, or None."""
        job, named = call.subject
        names = {named: None} if named else {}
        if job:
            found = await _if_there(self.get(call.replace(subject=job)))
            if found is not None:
                kept = first_text(found.raw, "input_file_id")
                names |= dict.fromkeys([*([kept] if kept else ()), *found.outputs])
        for name in names:
            await _if_there(self._gateway.files.delete(call.replace(subject=name)))
        return OperationResult()

    async def results(self, call: Call) -> OperationResult:
        """The lines of results as they come, piece by piece: `call.subject` is the job, and what takes each piece."""
        job, sink = call.subject
        for named in job.outputs:
            request = self._gateway.request(call, f"files/{quote(named, safe='')}/content", {}, "GET")
            await self._gateway.exchange(call, request, lambda *_: None, sink=sink)
        return OperationResult()

    async def answer(self, call: Call) -> Completion | Embedding | ImageResult:
        """The answer in one line of results, `call.subject`, as that of a live call; its error, raised."""
        attempt = self._gateway.attempt(call)
        line = attempt.read(lambda: as_object(call, decode_json(call.subject), "the result"))
        response, error = line.get("response"), line.get("error")
        if isinstance(response, dict):
            status, named = whole_or_none(response.get("status_code")), text_or_none(response.get("request_id"))
            body = response.get("body")
            if status is None or not 200 <= status < 300:
                headers = [(b"x-request-id", named.encode("latin-1", "replace"))] if named else []
                wall = self._gateway.services.wall
                raise status_error(call, status or 500, headers, encode_json(body), wall=wall, decoded=body)
            failure = attempt.held(body)
            if failure is not None:
                raise failure
            verb = verb_of(call)
            if verb != "complete":
                read = self._gateway.embedding if verb == "embed" else self._gateway.images
                return attempt.read(lambda: read(attempt, as_object(call, body, "the body")))
            answer = attempt.read(lambda: attempt.completion(body))
            answer.request_id = named
            return answer
        if isinstance(error, dict):
            code, said = text_or_none(error.get("code")), text_or_none(error.get("message"))
            if code in ("batch_expired", "batch_cancelled"):
                raise GenerationFailed(f"{call.target}: {said or code}", code=code, retryable=False)
            raise attempt.embedded(error)
        raise shape_error(call, "a result has neither `response` nor `error`")

    async def _job(self, call: Call, request: WireRequest) -> BatchJob:
        return await self._gateway.exchange(call, request, lambda _, found: batch_job(call, found))

    def _at(self, call: Call, rest: str = "", method: str = "POST") -> WireRequest:
        return self._gateway.request(call, f"batches/{quote(call.subject, safe='')}{rest}", {}, method)


def batch_job(call: Call, row: Any) -> BatchJob:
    """What is said of one job; ResponseShapeError when it is none."""
    row = as_object(call, row, "the batch")
    named, status = _id_of(call, row, "batch"), STATES.get(str(row.get("status")))
    if status is None:
        raise shape_error(call, f"batch {named!r} has the status {row.get('status')!r}")
    said = object_or_empty(row.get("request_counts"))
    known = {"total": "total", "completed": "succeeded", "failed": "failed"}
    counts = {ours: int(value) for name, ours in known.items() if (value := number_or_none(said.get(name))) is not None}
    wrong = objects(object_or_empty(row.get("errors")).get("data"))
    return BatchJob(
        named,
        status,
        counts,
        created=seconds_of(row, "created_at"),
        expires=seconds_of(row, "expires_at"),
        ended=seconds_of(row, "completed_at", "failed_at", "expired_at", "cancelled_at"),
        metadata={str(k): str(v) for k, v in object_or_empty(row.get("metadata")).items()},
        outputs=[found for name in ("output_file_id", "error_file_id") if (found := first_text(row, name))],
        problems=[_problem(each) for each in wrong],
        raw=row,
    )


async def _if_there(asked: Awaitable[T]) -> T | None:
    """What comes of a request about something that may be gone; None where it is."""
    try:
        return await asked
    except ProviderError as error:
        if error.status == 404:
            return None
        raise


def _id_of(call: Call, found: Any, what: str) -> str:
    named = first_text(as_object(call, found, f"the {what}"), "id")
    if named is None:
        raise shape_error(call, f"the {what} has no `id`")
    return named


def _problem(error: dict[str, Any]) -> str:
    line = whole_or_none(error.get("line"))
    said = first_text(error, "message", "code") or "unknown"
    return f"line {line}: {said}" if line is not None else said
