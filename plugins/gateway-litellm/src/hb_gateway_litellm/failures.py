"""What LiteLLM raises as errors of hb. Its statuses are made up where no answer came, so the causes are looked at."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from heavenbase.errors import (
    CallTimeout,
    ConnectError,
    ConnectTimeout,
    HBError,
    InputError,
    ProviderError,
    ResponseDecodeError,
    ResponseShapeError,
    ResponseTimeout,
    StreamError,
    StreamInterrupted,
    TLSVerifyError,
    TransportClosed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heavenbase.call import Call

_CAUSES: dict[str, type[ProviderError]] = {
    "SSLCertVerificationError": TLSVerifyError,
    "ConnectTimeout": ConnectTimeout,
    "ConnectError": ConnectError,
    "ConnectionRefusedError": ConnectError,
    "ReadTimeout": ResponseTimeout,
    "WriteTimeout": ResponseTimeout,
    "TimeoutException": ResponseTimeout,
    "APITimeoutError": ResponseTimeout,
    "RemoteProtocolError": TransportClosed,
    "ReadError": TransportClosed,
    "WriteError": TransportClosed,
}
_CODES = {
    "ContextWindowExceededError": "context_length_exceeded",
    "ContentPolicyViolationError": "content_filter",
}
_UNREADABLE = frozenset({"JSONDecodeError", "UnicodeDecodeError", "RecursionError"})
_UNREADABLE_WORDS = ("validation error", "Invalid response object", "recursion depth")
DEPTH = 12


def failure(call: Call, error: Exception, wall: Callable[[], float]) -> HBError:
    """The error of hb; nothing of LiteLLM's hangs on it, for that holds the request and its credential."""
    if isinstance(error, HBError):
        return error
    # Loaded here, as nobody who only resolves a name needs it.
    from heavenbase.http import embedded_error, encode_json, status_error
    from heavenbase.secrets import scrubber

    chain = list(_chain(error))
    text = scrubber(call.secrets())(_message(error))[:500]
    facts: dict[str, Any] = {"provider": call.spec.provider, "model": call.spec.model_id}
    answered = next((e for e in chain if type(e).__name__ in ("HTTPStatusError", "MaskedHTTPStatusError")), None)
    if answered is None:
        for cause in reversed(chain):
            kind = _CAUSES.get(type(cause).__name__)
            if kind is not None:
                billed = not issubclass(kind, ConnectError | ConnectTimeout | TLSVerifyError)
                return kind(
                    f"{call.target}: {text}", maybe_billed=billed, retryable=kind is not TLSVerifyError, **facts
                )
        if type(error).__name__ == "Timeout":
            return CallTimeout(f"{call.target}: {text}", maybe_billed=True, retryable=True, **facts)
        if type(error).__name__ == "UnsupportedParamsError" or isinstance(error, TypeError):
            return InputError(f"{call.target}: LiteLLM refuses this request: {text}", **facts)
        unreadable = any(type(e).__name__ in _UNREADABLE for e in chain)
        if unreadable or any(words in text for words in _UNREADABLE_WORDS):
            return ResponseDecodeError(f"{call.target}: {text}", maybe_billed=True, **facts)
        told = next((body for e in chain if isinstance(body := getattr(e, "body", None), dict) and body), None)
        if told is not None:
            # An error event in a stream, or an error object in an answer of status 200.
            return embedded_error(call, told, [], wall=wall)
        if getattr(error, "status_code", None) == 500:
            # Its word for everything that it cannot read.
            return ResponseShapeError(f"{call.target}: {text}", maybe_billed=True, **facts)
    status = getattr(error, "status_code", None)
    if not isinstance(status, int) or status < 400:
        return ProviderError(f"{call.target}: LiteLLM failed: {text}", maybe_billed=True, **facts)
    response: Any = getattr(answered, "response", None)
    headers = [(str(n).encode(), str(v).encode()) for n, v in getattr(response, "headers", {}).items()]
    said = _said(error, chain)
    if type(error).__name__ in _CODES:
        said["code"] = _CODES[type(error).__name__]
    return status_error(call, status, headers, encode_json({"error": said}), wall=wall)


def _said(error: Exception, chain: list[BaseException]) -> dict[str, Any]:
    """The error object of the provider in LiteLLM's words, which keep it apart, in their own text, or nowhere."""
    words = _message(error)
    found = [body for item in chain if isinstance(body := getattr(item, "body", None), dict) and body]
    with suppress(ValueError, RecursionError):
        inside = json.loads(words[words.index("{") :])
        found.append(inside["error"] if isinstance(inside.get("error"), dict) else inside)
    kept = {name: body[name] for body in reversed(found) for name in ("code", "type") if body.get(name)}
    codes = (getattr(item, "code", None) or _CODES.get(type(item).__name__) for item in chain)
    code = next((code for code in codes if isinstance(code, str) and not code.isdigit()), None)
    return {"message": words, **({"code": code} if code else {}), **kept}


def interrupted(error: HBError) -> HBError:
    """What a failure is after content has come."""
    if isinstance(error, StreamError | CallTimeout | InputError):
        return error
    broken = StreamInterrupted.of(error, f"the stream broke after content had come: {error}", maybe_billed=True)
    broken.__cause__ = error
    return broken


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(DEPTH):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _message(error: Exception) -> str:
    found = getattr(error, "message", None)
    text = found if isinstance(found, str) and found else str(error) or type(error).__name__
    return text.removeprefix("litellm.")
