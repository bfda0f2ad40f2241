"""Message batches: many messages made in the provider's own time, looked up by the id of the batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from hb_gateway_anthropic.files import page_of
from heavenbase.errors import GenerationFailed, InputError, ProviderError, UnsupportedError
from heavenbase.http import as_object, decode_json, encode_json, number_or_none, shape_error
from heavenbase.operations import BatchJob, BatchPart, OperationResult, id_of, listed, seconds_of, verb_of
from heavenbase.wires import first_text, object_or_empty

if TYPE_CHECKING:
    from hb_gateway_anthropic.gateway import AnthropicGateway
    from heavenbase.call import Call, WireRequest
    from heavenbase.operations import Listing
    from heavenbase.types import Completion

PATH = "v1/messages/batches"
PAGE = 1_000
BETA = "anthropic-beta"
_COUNTS = {
    "processing": "processing",
    "succeeded": "succeeded",
    "errored": "failed",
    "canceled": "cancelled",
    "expired": "expired",
}
_ENDS = {"canceled": "batch_cancelled", "expired": "batch_expired"}


class MessageBatches:
    """The operations on batches of a gateway."""

    verbs = ("complete",)
    most_requests = 100_000
    most_bytes = 256_000_000
    has_metadata = False
    """Whether a job keeps what it was made with, so that it is found again by that."""
    has_mixed_models = True
    """Whether the requests of one job may ask for several models."""

    def __init__(self, gateway: AnthropicGateway) -> None:
        self._gateway = gateway

    async def entry(self, call: Call) -> BatchPart:
        """The request of a message as one of a batch; `call.subject` names it. Sends nothing."""
        for name in ("extra_headers", "extra_query"):
            if call.args.get(name):
                raise InputError(f"a request of a batch takes no {name}: it travels with others, in one body")
        if verb_of(call) != "complete":
            raise UnsupportedError(f"{call.target}: these batches answer chats alone", provider=call.spec.provider)
        # Prepared as a chat is, so that what would be lost of it is refused.
        request = self._gateway._prepared(call.replace(verb="complete", subject=None))
        line = encode_json({"custom_id": call.subject, "params": request.body})
        return BatchPart([line], headers={n: v for n, v in request.headers.items() if n.lower() == BETA})

    async def submit(self, call: Call) -> BatchJob:
        """Have the requests of `call.subject` answered."""
        asked: BatchPart = call.subject
        request = self._gateway.request(call, PATH, {})
        body = b'{"requests":[%b]}' % b",".join(asked.lines)
        return await self._job(call, replace(request, content=body, headers={**request.headers, **asked.headers}))

    async def get(self, call: Call) -> BatchJob:
        """The batch of an id as it is now."""
        return await self._job(call, self._at(call, method="GET"))

    async def list(self, call: Call) -> Listing[BatchJob]:
        """The batches of the workspace, the newest first."""

        def page(cursor: str | None) -> WireRequest:
            asked = {"limit": min(call.subject, PAGE), **({"after_id": cursor} if cursor else {})}
            return self._gateway.request(call, PATH, {}, "GET", asked)

        return await listed(self._gateway, call, page, lambda call, found: page_of(call, found, batch_job))

    async def cancel(self, call: Call) -> BatchJob:
        """Stop the batch of an id; requests that were answered stay so."""
        return await self._job(call, self._at(call, "/cancel"))

    async def delete(self, call: Call) -> OperationResult:
        """Delete a batch that has ended, with its results; `call.subject` is its id, and None."""
        request = self._at(call.replace(subject=call.subject[0]), method="DELETE")
        try:
            return await self._gateway.exchange(call, request, lambda _, found: OperationResult(raw=found))
        except ProviderError as error:
            if error.status != 404:
                raise
            return OperationResult()  # it is gone

    async def results(self, call: Call) -> OperationResult:
        """The lines of results as they come, piece by piece: `call.subject` is the job, and what takes each piece."""
        job, sink = call.subject
        # Not at `results_url`: the credential goes to no address but its own.
        at = self._at(call.replace(subject=job.id), "/results", "GET")
        await self._gateway.exchange(call, at, lambda *_: None, sink=sink)
        return OperationResult()

    async def answer(self, call: Call) -> Completion:
        """The message in one line of results, `call.subject`, as that of a live call; its error, raised."""
        attempt = self._gateway.attempt(call)
        line = attempt.read(lambda: as_object(call, decode_json(call.subject), "the result"))
        result = attempt.read(lambda: as_object(call, line.get("result"), "`result`"))
        kind = result.get("type")
        if kind == "succeeded":
            failure = attempt.held(result.get("message"))
            if failure is not None:
                raise failure
            return attempt.read(lambda: attempt.completion(result.get("message")))
        if kind == "errored":
            said = object_or_empty(result.get("error"))
            failure = attempt.held({"error": said.get("error") or said or "unknown"})
            assert failure is not None
            failure.request_id = first_text(said, "request_id")
            raise failure
        if kind in _ENDS:
            raise GenerationFailed(f"{call.target}: the request was {kind}", code=_ENDS[kind], retryable=False)
        raise shape_error(call, f"a result is of the type {kind!r}")

    async def _job(self, call: Call, request: WireRequest) -> BatchJob:
        return await self._gateway.exchange(call, request, lambda _, found: batch_job(call, found))

    def _at(self, call: Call, rest: str = "", method: str = "POST") -> WireRequest:
        return self._gateway.request(call, f"{PATH}/{quote(call.subject, safe='')}{rest}", {}, method)


def batch_job(call: Call, row: Any) -> BatchJob:
    """What is said of one batch; ResponseShapeError when it is none."""
    row = as_object(call, row, "the batch")
    named, status, said = id_of(call, row), row.get("processing_status"), object_or_empty(row.get("request_counts"))
    values = {ours: number_or_none(said.get(name)) for name, ours in _COUNTS.items()}
    counts = {name: int(value) for name, value in values.items() if value is not None}
    if status == "in_progress":
        state = "in_progress"
    elif status == "canceling":
        state = "cancelling"
    elif status == "ended":
        late = "expired" if counts.get("expired") else "completed"
        state = "cancelled" if counts.get("cancelled") else late
    else:
        raise shape_error(call, f"batch {named!r} has the status {status!r}")
    return BatchJob(
        named,
        state,
        {"total": sum(counts.values()), **counts},
        created=seconds_of(row, "created_at"),
        expires=seconds_of(row, "expires_at"),
        ended=seconds_of(row, "ended_at"),
        outputs=[found] if (found := first_text(row, "results_url")) else [],
        raw=row,
    )
