"""Anthropic's message batches: requests in one body, and their results as lines when the batch has ended."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hb_testing.server.answers import Answer, Reply
from hb_testing.server.kept_batches import DAY, KeptBatch, KeptBatches, body_of, lines
from hb_testing.server.wire import Exchange, Rejected

if TYPE_CHECKING:
    from hb_testing.server.wire_anthropic import AnthropicWire

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
MOST_REQUESTS = 100_000
MOST_BYTES = 256_000_000
PAGE = 1_000


def create(wire: AnthropicWire, exchange: Exchange) -> Answer:
    """Take a batch; what its messages are like is found out when they are made."""
    payload = exchange.json()
    for name in payload.keys() - {"requests"}:
        raise Rejected(f"{name}: Extra inputs are not permitted")
    requests = payload.get("requests")
    if not isinstance(requests, list) or not 1 <= len(requests) <= MOST_REQUESTS:
        raise Rejected(f"requests: List should have between 1 and {MOST_REQUESTS} items")
    if len(exchange.request.body) > MOST_BYTES:
        raise Rejected("the request is too large", status=413)
    seen: set[str] = set()
    for place, each in enumerate(requests):
        if not isinstance(each, dict) or each.keys() != {"custom_id", "params"} or not isinstance(each["params"], dict):
            raise Rejected(f"requests.{place}: custom_id and params are required, and nothing else")
        name = each["custom_id"]
        if not isinstance(name, str) or NAME.fullmatch(name) is None:
            raise Rejected(f"requests.{place}.custom_id: String should match pattern '^[a-zA-Z0-9_-]{{1,64}}$'")
        if name in seen:
            raise Rejected(f"requests.{place}.custom_id: {name} is a duplicate")
        if each["params"].get("stream"):
            raise Rejected(f"requests.{place}.params.stream: batches cannot be streamed")
        seen.add(name)
    made = wire.batches.make(exchange, [(each["custom_id"], "/v1/messages", each["params"]) for each in requests])
    return Reply(body=_said(wire, exchange, made))


def look_up(wire: AnthropicWire, exchange: Exchange) -> Answer:
    """What is said of a batch."""
    return Reply(body=_said(wire, exchange, wire.batches.looked_at(exchange)))


def cancel(wire: AnthropicWire, exchange: Exchange) -> Answer:
    """Cancel a batch; what is said of it then."""
    return Reply(body=_said(wire, exchange, wire.batches.cancel(exchange)))


def delete(wire: AnthropicWire, exchange: Exchange) -> Answer:
    """Forget a batch that has ended."""
    found = wire.batches.find(exchange)
    if found.ended is None:
        raise Rejected("the batch is still in progress; cancel it first")
    del wire.batches.kept[found.id]
    return Reply(body={"id": found.id, "type": "message_batch_deleted"})


def page(wire: AnthropicWire, exchange: Exchange) -> Answer:
    """A page of the list of batches."""
    found, has_more = wire.batches.page(exchange, "after_id", PAGE)
    rows = [_said(wire, exchange, each) for each in found]
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {"first_id": None, "last_id": None}
    return Reply(body={"data": rows, "has_more": has_more, **ends})


def results(wire: AnthropicWire, exchange: Exchange) -> Answer:
    """The results of a batch that has ended, as lines."""
    batch = wire.batches.find(exchange)
    if batch.ended is None:
        raise Rejected("results are there when the batch has ended", status=404)
    rows = []
    for name, answer, fate in wire.batches.ordered(batch):
        if fate in ("expired", "cancelled"):
            result: dict[str, Any] = {"type": "canceled" if fate == "cancelled" else fate}
        elif answer.status >= 400:
            result = {"type": "errored", "error": {**body_of(answer), "request_id": f"req_{name}"}}
        else:
            result = {"type": "succeeded", "message": body_of(answer)}
        rows.append({"custom_id": name, "result": result})
    data = lines(rows, wire.batches.foreign)
    return Reply(body=data, headers={"content-type": "application/x-jsonl"})


def _said(wire: AnthropicWire, exchange: Exchange, batch: KeptBatch) -> dict[str, Any]:
    batches: KeptBatches = wire.batches
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    where = None
    if batch.ended is None:
        counts["processing"] = len(batch.items)
    else:
        where = f"{exchange.server.origin}/{wire.name}{wire.base}/v1/messages/batches/{batch.id}/results"
        for (_, answer), fate in zip(batch.items, batches.fates_of(batch), strict=True):
            kind = "errored" if answer.status >= 400 else "succeeded"
            counts["canceled" if fate == "cancelled" else fate if fate == "expired" else kind] += 1
    state = "canceling" if batch.is_cancelled else "in_progress"
    return {
        "id": batch.id,
        "type": "message_batch",
        "processing_status": "ended" if batch.ended is not None else state,
        "request_counts": counts,
        "created_at": _date(batch.created),
        "expires_at": _date(batch.created + DAY),
        "ended_at": _date(batch.ended) if batch.ended is not None else None,
        "archived_at": None,
        "cancel_initiated_at": _date(batch.created) if batch.is_cancelled else None,
        "results_url": where,
    }


def _date(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
