"""OpenAI's batches: from a file of requests to files of answers, in the states that a job has there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hb_testing.server.answers import Answer, Reply
from hb_testing.server.kept_batches import DAY, KeptBatch, KeptBatches, body_of, lines
from hb_testing.server.wire import Exchange, Rejected

if TYPE_CHECKING:
    from hb_testing.server.wire_openai import OpenAIWire

ENDPOINTS = (
    *("/v1/responses", "/v1/chat/completions", "/v1/embeddings", "/v1/completions", "/v1/moderations"),
    *("/v1/images/generations", "/v1/images/edits", "/v1/videos"),
)
FIELDS = frozenset({"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"})
MOST_REQUESTS = 50_000
MOST_INPUTS = 50_000
"""Texts to embed, in all requests of a job."""
MOST_BYTES = 200_000_000
PAGE = 100


def create(wire: OpenAIWire, exchange: Exchange) -> Answer:
    """Take a job whose requests are in a file that was uploaded."""
    payload = exchange.json()
    for name in payload.keys() - FIELDS:
        raise Rejected(f"Unknown parameter: '{name}'.", param=name)
    for name in ("input_file_id", "endpoint", "completion_window"):
        if not isinstance(payload.get(name), str):
            raise Rejected(f"Missing required parameter: '{name}'.", param=name, code="missing_required_parameter")
    if payload["endpoint"] not in ENDPOINTS or payload["completion_window"] != "24h":
        raise Rejected("Invalid value: 'endpoint' or 'completion_window'.", param="endpoint", code="invalid_value")
    _check_metadata(payload.get("metadata"))
    kept = wire.files.kept.get(payload["input_file_id"])
    if kept is None or kept[0].get("purpose") != "batch":
        raise Rejected("The input file was not found, or its purpose is not 'batch'.", param="input_file_id")
    asked, problems = _requests(kept[1], payload["endpoint"])
    made = wire.batches.make(exchange, [] if problems else asked, **payload)
    made.problems = problems
    return Reply(body=_said(wire, made, "validating"), is_unique=True)


def look_up(wire: OpenAIWire, exchange: Exchange) -> Answer:
    """What is said of a job."""
    return Reply(body=_said(wire, wire.batches.looked_at(exchange)))


def cancel(wire: OpenAIWire, exchange: Exchange) -> Answer:
    """Cancel a job; what is said of it then."""
    return Reply(body=_said(wire, wire.batches.cancel(exchange)), is_unique=True)


def page(wire: OpenAIWire, exchange: Exchange) -> Answer:
    """A page of the list of jobs."""
    found, has_more = wire.batches.page(exchange, "after", PAGE)
    rows = [_said(wire, each) for each in found]
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {}
    return Reply(body={"object": "list", "data": rows, "has_more": has_more, **ends})


def _check_metadata(found: Any) -> None:
    if found is None:
        return
    texts = isinstance(found, dict) and all(isinstance(v, str) and len(v) <= 512 for v in found.values())
    if not texts or len(found) > 16 or any(len(name) > 64 for name in found):
        raise Rejected("Invalid 'metadata': up to 16 pairs of text.", param="metadata")


def _requests(data: bytes, endpoint: str) -> tuple[list[tuple[str, str, Mapping[str, Any]]], list[dict[str, Any]]]:
    """The requests in a file, and what is wrong with it."""
    asked: list[tuple[str, str, Mapping[str, Any]]] = []
    problems, seen, models = [], set[str](), set[str]()
    rows = data.split(b"\n")
    for number, row in enumerate(rows[:-1] if rows[-1] == b"" else rows, 1):
        code = _problem(row, endpoint, seen, models)
        if code is not None:
            problems.append(
                {"code": code, "message": f"This line is not valid ({code}).", "line": number, "param": None}
            )
            continue
        found = json.loads(row)
        seen.add(found["custom_id"])
        models.add(str(found["body"].get("model")))
        asked.append((found["custom_id"], endpoint.removeprefix("/v1"), found["body"]))
    if not asked and not problems:
        problems.append({"code": "empty_file", "message": "The file has no requests.", "line": None, "param": None})
    inputs = sum(len(it) if isinstance(it := body.get("input"), list) else 1 for _, _, body in asked)
    if len(asked) > MOST_REQUESTS or len(data) > MOST_BYTES or (endpoint == "/v1/embeddings" and inputs > MOST_INPUTS):
        problems.append({"code": "too_large", "message": "The file is too large.", "line": None, "param": None})
    return asked, problems


def _problem(row: bytes, endpoint: str, seen: set[str], models: set[str]) -> str | None:
    try:
        found = json.loads(row)
    except ValueError:
        return "invalid_json_line"
    if not isinstance(found, dict) or found.keys() != {"custom_id", "method", "url", "body"}:
        return "invalid_request"
    if not isinstance(found["custom_id"], str) or found["custom_id"] in seen:
        return "duplicate_custom_id"
    if found["method"] != "POST" or found["url"] != endpoint:
        return "url_mismatch"
    if not isinstance(found["body"], dict) or found["body"].get("stream"):
        return "invalid_body"
    if models and str(found["body"].get("model")) not in models:
        return "mismatched_model"
    return None


def _said(wire: OpenAIWire, batch: KeptBatch, state: str | None = None) -> dict[str, Any]:
    batches: KeptBatches = wire.batches
    fates = batches.fates_of(batch)
    if state is None:
        state = "cancelling" if batch.is_cancelled else "in_progress"
    good = [a.status < 400 and fate in ("answered", "twice") for (_, a), fate in zip(batch.items, fates, strict=True)]
    bad = sum(not ok and fate != "cancelled" for ok, fate in zip(good, fates, strict=True))
    counts = {"total": len(batch.items), "completed": 0, "failed": 0}
    files: dict[str, str | None] = {"output_file_id": None, "error_file_id": None}
    if batch.ended is not None:
        ends = "expired" if "expired" in fates else "completed"
        state = "failed" if batch.problems else "cancelled" if batch.is_cancelled else ends
        counts |= {"completed": sum(good), "failed": bad}
        if not batch.problems:
            files = _files(wire, batch)
    elif batch.looks:
        counts["completed"] = sum(good) // 2
    begun = int(batch.created)
    ended = {f"{state}_at": int(batch.ended)} if batch.ended is not None else {}
    errors = {"object": "list", "data": batch.problems} if batch.problems else None
    return {
        "id": batch.id,
        "object": "batch",
        "metadata": None,
        **batch.said,
        "errors": errors,
        "status": state,
        "created_at": begun,
        "expires_at": begun + DAY,
        "request_counts": counts,
        **files,
        **ended,
    }


def _files(wire: OpenAIWire, batch: KeptBatch) -> dict[str, str | None]:
    """The ids of the files of answers and of errors, made when they are first asked for."""
    if batch.files is not None:
        return batch.files
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for name, answer, fate in wire.batches.ordered(batch):
        row: dict[str, Any] = {"id": f"batch_req_{name}", "custom_id": name, "response": None, "error": None}
        if fate == "cancelled":
            continue
        if fate == "expired":
            said = "This request could not be executed before the completion window expired."
            bad.append({**row, "error": {"code": "batch_expired", "message": said}})
            continue
        row["response"] = {"status_code": answer.status, "request_id": f"req_{name}", "body": body_of(answer)}
        (good if answer.status < 400 else bad).append(row)
    foreign = wire.batches.foreign
    known: dict[str, str | None] = {"output_file_id": None, "error_file_id": None}
    for field, rows, more in (("output_file_id", good, foreign), ("error_file_id", bad, [])):
        if rows or more:
            said_of = {"object": "file", "purpose": "batch_output", "filename": f"{batch.id}.jsonl"}
            known[field] = wire.files.put(said_of, lines(rows, list(more)))["id"]
    batch.files = known
    return known
