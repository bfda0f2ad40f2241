"""The engine's errors as those of hb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import (
    ContextOverflow,
    InputError,
    Overloaded,
    ServerError,
    UnsupportedError,
    VisionNotSupported,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.errors import HBError

_NOISE = "Unable to generate parser for this template. Automatic parser generation failed: "


def from_payload(error: Mapping[str, Any]) -> HBError:
    """The error for an answer `{"error": {code, message, type, …}}` of the engine."""
    message, kind = str(error.get("message", "")), error.get("type")
    if kind == "exceed_context_size_error" or "too large to process" in message:
        return ContextOverflow(
            f"the input is longer than the model's context: {message}; shorten it, or raise option context (chat) or "
            "embedding_context of the local gateway",
            status=400,
            code=str(kind),
        )
    if kind == "not_supported_error":
        return UnsupportedError(f"the local engine cannot do this: {message}")
    if kind == "invalid_request_error":
        return InputError(f"the local engine refused the request: {message}")
    if kind == "unavailable_error":
        return Overloaded(f"the local engine is not ready: {message}", status=503)
    return ServerError(f"the local engine failed: {message or error}", status=500)


def from_exception(error: BaseException) -> HBError:
    """The error for an exception that the engine raised before it began to answer."""
    message = str(error).removeprefix(_NOISE)
    if "input is not supported" in message:
        return VisionNotSupported("this local model takes text only")
    if isinstance(error, ValueError):
        return InputError(f"the local engine refused the request: {message}")
    return ServerError(f"the local engine failed: {message or type(error).__name__}", retryable=False)
