"""An error answer as an error of hb: status, headers and body in the shapes that providers use. No I/O."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from heavenbase.errors import (
    BODY_EXCERPT,
    MESSAGE_LIMIT,
    HBError,
    QuotaExhausted,
    RateLimitError,
    RedirectRefused,
    RequestRejected,
    ServerError,
    StatusError,
)
from heavenbase.http.kinds import classify, codes_of, status_of
from heavenbase.http.payload import json_or_none
from heavenbase.http.transport.exchange import request_id
from heavenbase.http.waits import LONGEST_WAIT as LONGEST_WAIT
from heavenbase.http.waits import asked_wait, retry_after
from heavenbase.secrets import is_secret_header as is_secret_header
from heavenbase.secrets import scrubber
from heavenbase.spec import call_secrets as call_secrets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from heavenbase.call import Call
    from heavenbase.http.transport.exchange import Headers

_WAITING = (RateLimitError, QuotaExhausted, ServerError)
"""Kinds of errors that may say how long to wait."""
# What stands in place of a status inside a body, where providers write a word.
_WORDS = {
    word: status
    for status, words in {
        400: "invalid_request_error",
        403: "permission_error permission_denied",
        404: "not_found_error",
        413: "request_too_large",
        429: "resource_exhausted",
        503: "service_unavailable server_overloaded",
        504: "timeout_error",
    }.items()
    for word in words.split()
}


def status_error(
    call: Call,
    status: int,
    headers: Headers,
    body: bytes,
    *,
    wall: Callable[[], float],
    decoded: Any = None,
) -> HBError:
    """The error for an answer with this status (a redirect, 4xx or 5xx), its headers and its body.

    `wall` gives epoch seconds, for a Retry-After that is a date. `decoded` is the body as JSON where it is known.
    """
    scrub = scrubber(call.secrets())
    named = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
    text = scrub(body[: 64 * 1024].decode("utf-8", "replace"))
    fields: dict[str, Any] = {
        "provider": call.spec.provider,
        "model": call.spec.model_id,
        "status": status,
        "request_id": scrub(request_id({name.lower(): value for name, value in headers}) or "") or None,
        "retry_after": retry_after(named, wall),
        "body": text[:BODY_EXCERPT],
    }
    if 300 <= status < 400:
        target = re.match(r"https?://[^/?#]*", named.get("location", ""))
        where = scrub(target.group().rpartition("@")[2]) if target else "another place"
        return RedirectRefused(
            f"{call.target} answered with a redirect ({status}) to {where}; hb does not follow it with a credential: "
            "set base_url to the final address",
            **fields,
        )
    if decoded is None:
        decoded = _decoded(body)
    message, code = describe(decoded)
    # A secret in JSON text may be escaped, so what was decoded is scrubbed again.
    message = scrub(message) or _plain_text(text)
    is_page = decoded is None and text.lstrip().startswith("<")
    own = {code.lower(): kind for code, kind in (call.spec.provider_record.get("errors") or {}).items()}
    kind = classify(status, codes_of(decoded), "" if is_page else message, own, call.spec.model_id or "")
    if fields["retry_after"] is None and (issubclass(kind, _WAITING) or kind is StatusError):
        fields["retry_after"] = asked_wait(decoded, message)
    should_retry = named.get("x-should-retry", "").lower()
    if should_retry in ("true", "false"):
        fields["retryable"] = should_retry == "true"
    elif kind is StatusError or kind is RequestRejected:
        fields["retryable"] = status in (408, 409, 425)
    elif kind is ServerError:
        fields["retryable"] = status not in (501, 505, 511)
    elif kind is RateLimitError and message.startswith("Request too large"):
        fields["retryable"] = False  # it is above the limit of a whole minute
    shown = f"{call.target} answered {status}" + (f" ({scrub(code)[:80]})" if code else "")
    said = f"{shown}: {message[:MESSAGE_LIMIT]}" if message else shown
    if status == 404 and kind is RequestRejected and not isinstance(call.subject, str):  # no id that was asked for
        said += "; if it is the address that is not known there, correct base_url"
    return kind(said, code=scrub(code)[:80] if code else None, **fields)


def _decoded(body: bytes) -> Any:
    """The body as JSON, where it is any; of one that breaks off what is whole."""
    decoded = json_or_none(body)
    if decoded is not None:
        return decoded
    from pydantic_core import from_json

    with suppress(ValueError):
        found = from_json(body, allow_partial=True)
        if isinstance(found, dict | list):
            return found
    return None


def embedded_error(call: Call, error: Any, headers: Headers, *, wall: Callable[[], float]) -> HBError:
    """The error for `{"error": ...}` inside an answer that began as a success, say in a stream."""
    status = embedded_status(error)
    shape = error if isinstance(error, dict) and "error" in error else {"error": error}
    body = json.dumps(shape, default=str)[: 64 * 1024].encode()
    return status_error(call, status, headers, body, wall=wall, decoded=shape)


def embedded_status(error: Any) -> int:
    """The status that an error object stands for; 500 when it does not say."""
    if isinstance(error, dict):
        for name in ("code", "status", "status_code", "http_status", "type"):
            value = error.get(name)
            if isinstance(value, str):
                word = value.lower()
                value = int(value) if value.isdigit() and len(value) == 3 else _WORDS.get(word) or status_of(word)
            if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600:
                return value
    return 500


def describe(decoded: Any) -> tuple[str, str | None]:
    """Message and code of an error body in the shapes of OpenAI, OpenRouter, Google, FastAPI, Mistral, Cloudflare."""
    if isinstance(decoded, list) and decoded:
        decoded = decoded[0]
    if isinstance(decoded, str):
        return decoded, None
    if not isinstance(decoded, dict):
        return "", None
    error = decoded.get("error", decoded)
    if isinstance(error, list) and error:
        error = error[0]
    if isinstance(error, str):
        detail = decoded.get("message") or decoded.get("error_description")
        return (f"{error}: {detail}" if isinstance(detail, str) else error), _code(decoded)
    if not isinstance(error, dict):
        return "", None
    if isinstance(error.get("errors"), list) and error["errors"] and "message" not in error:
        return describe(error["errors"][0])
    message = error.get("message", error.get("detail", error.get("msg")))
    if isinstance(message, list):
        message = "; ".join(_detail(item) for item in message[:5])
    elif isinstance(message, dict):
        message = json.dumps(message, ensure_ascii=True)
    text = message if isinstance(message, str) else ""
    metadata = error.get("metadata")
    if isinstance(metadata, dict) and isinstance(metadata.get("raw"), str):
        # A router's own message says nothing; the provider's is inside.
        text = f"{text} ({metadata['raw']})" if text else metadata["raw"]
    return text, _code(error)


def _code(error: Mapping[str, Any]) -> str | None:
    return next(
        (str(error[name]) for name in ("code", "type", "status") if isinstance(error.get(name), str | int)), None
    )


def _detail(item: Any) -> str:
    if isinstance(item, dict):
        place = ".".join(str(part) for part in item.get("loc", ()) if part != "body") if item.get("loc") else ""
        return f"{place}: {item.get('msg', '')}" if place else str(item.get("msg", item.get("message", "")))
    return str(item)


def _plain_text(text: str) -> str:
    """The words of a body that is no JSON: the title of a page, else the text without its tags."""
    title = re.search(r"<title[^<>]{0,200}>(.{0,200}?)</title>", text, re.IGNORECASE | re.DOTALL)
    if title is not None:
        return title.group(1).strip()
    return re.sub(r"\s+", " ", re.sub(r"<[^<>]{0,1000}>", " ", text)).strip()
