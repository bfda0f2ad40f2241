"""Lines of batch files: requests as OpenAI's batch format has them, and the rows that answer them.

A request is `{"custom_id": …, "method": "POST", "url": "/v1/chat/completions", "body": {…}}`. A row has `id`,
`custom_id`, `response` and `error` as there, and of hb's own `status` (see STATUSES), `line` (of the request in its
file, from 1), `usage`, `cost`, `attempts` (requests on the wire) and `elapsed` (seconds).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from hashlib import blake2b
from typing import Any, Final

from hb_batch.bodies import body_of
from heavenbase.errors import HBError, InputError
from heavenbase.ledger import Cost, cost_of
from heavenbase.options import OPTIONS, TARGET
from heavenbase.secrets import text_of

STATUSES: Final = ("success", "error", "invalid", "expired", "cancelled", "missing")
"""What became of a request.

An `invalid` one was not sent, because it cannot be; `expired` and `cancelled` ones had no answer in time; `missing`
stands in merged files alone, for requests without a row.
"""
DONE: Final = frozenset({"success", "error", "invalid", "expired"})
"""Statuses that a resumed run leaves as they are."""
VERBS: Final = {
    "/v1/chat/completions": "complete",
    "/v1/embeddings": "embed",
    "/v1/images/generations": "imagen",
}
CONTENT: Final = {"complete": "messages", "embed": "input", "imagen": "prompt"}
"""The field of a body that is what a verb is about."""
LINE_LIMIT: Final = 32 * 2**20
"""Bytes of a line; a longer one is invalid."""
ID_LIMIT: Final = 512
"""Characters of a custom_id."""


@dataclass(frozen=True, slots=True)
class Row:
    """One request of a file: the number of its line from 1, its custom_id, and what it asks.

    `body` is as it stands in the file; `model`, `content` and `options` are its parts as hb takes them.
    """

    line: int
    custom_id: str
    verb: str
    body: Mapping[str, Any]
    model: str | None
    content: Any
    options: dict[str, Any] = field(default_factory=dict)


class BadRow(InputError):
    """A line that is no request: `line`, and `custom_id` where there is one."""

    def __init__(self, message: str, *, line: int, custom_id: str | None = None, code: str = "invalid_line") -> None:
        super().__init__(message, code=code)
        self.line = line
        self.custom_id = custom_id


def decoded(data: bytes, line: int) -> dict[str, Any]:
    """The JSON object of a line; BadRow for what is none."""
    if len(data) > LINE_LIMIT:
        raise BadRow(f"line {line} is longer than {LINE_LIMIT} bytes", line=line, code="line_too_long")
    try:
        found = json.loads(data.decode("utf-8-sig" if line == 1 else "utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise BadRow(f"line {line} is not UTF-8 text: byte {error.start}", line=line, code="invalid_json") from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BadRow(f"line {line} is not JSON: {reason}", line=line, code="invalid_json") from None
    if not isinstance(found, dict):
        raise BadRow(f"line {line} is {_kind(found)}, not an object", line=line, code="invalid_json")
    return found


def custom_id_of(found: Mapping[str, Any], line: int) -> str:
    """The custom_id of a request; BadRow where it has none that can be used."""
    name = found.get("custom_id")
    if not isinstance(name, str) or not name.strip():
        told = f"has a custom_id that is {_kind(name)}, not a text"
        if name is None or isinstance(name, str):
            told = "has no custom_id" if name is None else "has a custom_id that is empty"
        raise BadRow(f"line {line} {told}", line=line, code="missing_custom_id")
    if len(name) > ID_LIMIT:
        raise BadRow(f"line {line} has a custom_id of more than {ID_LIMIT} characters", line=line, code="custom_id")
    return name


def read_row(data: bytes, line: int) -> Row:
    """The request of a line; BadRow, with the number of the line, for what is none."""
    found = decoded(data, line)
    name = custom_id_of(found, line)

    def refuse(message: str, code: str) -> BadRow:
        return BadRow(f"line {line}: {message}", line=line, custom_id=name, code=code)

    method = found.get("method", "POST")
    if method != "POST":
        raise refuse(f"method must be POST, not {method!r:.40}", "invalid_method")
    verb = _verb(found.get("url"), refuse)
    body = found.get("body")
    if not isinstance(body, dict):
        raise refuse(f"body must be an object, not {_kind(body)}", "invalid_body")
    model = body.get("model")
    if model is not None and (not isinstance(model, str) or not model.strip()):
        raise refuse(f"body.model must be a name, not {_kind(model)}", "invalid_body")
    about = CONTENT[verb]
    if body.get(about) is None:
        raise refuse(f"body has no {about}", "invalid_body")
    if body.get("stream"):
        raise refuse("body.stream is for single calls; a batch has whole answers", "invalid_body")
    options = {name: value for name, value in body.items() if name not in ("model", "stream", about)}
    for option in options:
        _check_option(option, refuse)
    return Row(line, name, verb, body, model, body[about], options)


def _verb(url: Any, refuse: Any) -> str:
    if not isinstance(url, str):
        raise refuse(f"url must be one of {', '.join(VERBS)}", "invalid_url")
    path = url if url.startswith("/v1/") else f"/v1/{url.lstrip('/')}"
    if path not in VERBS:
        near = get_close_matches(path, VERBS, 1, 0.6)
        told = f"did you mean {near[0]}?" if near else f"choices: {', '.join(VERBS)}"
        shown = url.partition("?")[0].rpartition("@")[2]  # the rest may hold a credential
        raise refuse(f"unknown url {shown!r:.80}; {told}", "invalid_url")
    return VERBS[path]


def _check_option(name: str, refuse: Any) -> None:
    """A file may come from anywhere: it says what is asked, and nothing of where that goes and under whose name."""
    known = OPTIONS.get(name)
    if name in TARGET or (known is not None and known.kind != "argument" and name != "extra_body"):
        raise refuse(f"body.{name} is no parameter of a request; give it to the batch as a whole", "invalid_body")


def key_of(custom_id: str | None, line: int) -> bytes:
    """What a row is found by: its custom_id, or its line where it has none. 16 bytes."""
    told = f"line {line}" if custom_id is None else f"id {custom_id}"
    return blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def success_row(row: Row, answer: Any, *, elapsed: float | None = None) -> dict[str, Any]:
    """The row of an answer: a Completion, an Embedding or an ImageResult."""
    body = body_of(answer, row.body)
    request_id = next((it.request_id for it in reversed(answer.attempts) if it.request_id), None)
    response = {"status_code": 200, "request_id": request_id or body.get("id"), "body": body}
    return output_row(
        *(row.line, row.custom_id, "success"),
        response=response,
        usage=answer.usage.to_dict() if answer.usage is not None else None,
        cost=answer.cost,
        attempts=len(answer.attempts),
        elapsed=answer.elapsed if elapsed is None else elapsed,
    )


def error_row(
    line: int,
    custom_id: str | None,
    error: BaseException,
    *,
    status: str | None = None,
    elapsed: float | None = None,
) -> dict[str, Any]:
    """The row of a request that failed; without a `status` the error says whether anything was sent."""
    attempts = getattr(error, "attempts", ())
    if status is None:
        status = "invalid" if isinstance(error, InputError) and not attempts else "error"
    told = error_of(error)
    response = None
    if isinstance(error, HBError) and error.status is not None:
        body = {"error": {name: told[name] for name in ("message", "type", "code")}}
        response = {"status_code": error.status, "request_id": error.request_id, "body": body}
    return output_row(
        *(line, custom_id, status),
        response=response,
        error=told,
        cost=cost_of(attempts),
        attempts=len(attempts),
        elapsed=elapsed,
    )


def error_of(error: BaseException) -> dict[str, Any]:
    """An error as plain data: code, type, message, and what hb knows of it."""
    message = text_of(error) or type(error).__name__
    told: dict[str, Any] = {"code": getattr(error, "kind", "error"), "type": type(error).__name__, "message": message}
    if isinstance(error, HBError):
        told["code"] = error.code or error.kind
        told["kind"] = error.kind
        told["retryable"] = error.retryable
        if error.maybe_billed:
            told["maybe_billed"] = True
        if error.retry_after is not None:
            told["retry_after"] = error.retry_after
    return told


def output_row(
    line: int,
    custom_id: str | None,
    status: str,
    *,
    response: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
    cost: Cost | None = None,
    attempts: int = 0,
    elapsed: float | None = None,
) -> dict[str, Any]:
    """A row of an output file."""
    return {
        "id": f"batch_req_{key_of(custom_id, line).hex()}",
        "custom_id": custom_id,
        "status": status,
        "line": line,
        "response": response,
        "error": error,
        "usage": usage,
        "cost": cost.to_dict() if cost is not None else None,
        "attempts": attempts,
        "elapsed": round(elapsed, 6) if elapsed is not None else None,
    }


def encoded(row: Mapping[str, Any]) -> bytes:
    """A row as a line, with its newline."""
    try:
        return json.dumps(row, ensure_ascii=False, separators=(",", ":"), default=_plain).encode() + b"\n"
    except UnicodeEncodeError:  # half of a pair, which a model may write
        return json.dumps(row, separators=(",", ":"), default=_plain).encode() + b"\n"


def read_output(data: bytes) -> dict[str, Any] | None:
    """The row of a line of an output file; None for what is none, such as the half of one."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and ("custom_id" in found or "line" in found) else None


def line_of(row: Mapping[str, Any], lines: int) -> int | None:
    """The number of the request that a row is of, in a file of so many lines; None where it names none of them."""
    line = row.get("line")
    return line if isinstance(line, int) and not isinstance(line, bool) and 0 < line <= lines else None


def status_of(row: Mapping[str, Any]) -> str:
    """The status of a row; of one that OpenAI wrote, by its response."""
    status = row.get("status")
    if status in STATUSES:
        return str(status)
    response = row.get("response")
    is_good = isinstance(response, Mapping) and response.get("status_code") == 200 and not row.get("error")
    return "success" if is_good else "error"


def _plain(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else str(value)


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")
