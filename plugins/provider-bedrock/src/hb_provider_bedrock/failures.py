"""What only this wire says when it refuses: the exception's name in a header, in an event, or raised by boto3. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import (
    AuthError,
    ConfigError,
    ConnectError,
    ContextOverflow,
    HBError,
    InputError,
    MissingCredential,
    ModelNotFound,
    Overloaded,
    ProviderError,
    QuotaExhausted,
    RequestRejected,
    ServerError,
    StatusError,
)
from heavenbase.http import json_or_none, status_error
from heavenbase.secrets import redact
from heavenbase.wires import object_or_empty

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from heavenbase.call import Call

    Headers = Sequence[tuple[bytes, bytes]]

# Statuses of exceptions that come inside a stream, by their names.
_STATUSES: Mapping[str, int] = {
    "accessdenied": 403,
    "internalserver": 500,
    "internalfailure": 500,
    "modelerror": 424,
    "modelnotready": 429,
    "modelstreamerror": 424,
    "modeltimeout": 408,
    "resourcenotfound": 404,
    "servicequotaexceeded": 400,
    "serviceunavailable": 503,
    "throttling": 429,
    "validation": 400,
}
_KINDS: Mapping[str, type[StatusError]] = {
    "modelerror": ServerError,
    "modelstreamerror": ServerError,
    "modeltimeout": ServerError,
    "modelnotready": Overloaded,
    "resourcenotfound": ModelNotFound,
    "servicequotaexceeded": QuotaExhausted,
}
# What the provider says of a request that it calls invalid, and what that is.
_INVALID: tuple[tuple[str, type[StatusError]], ...] = (
    ("model identifier is invalid", ModelNotFound),
    ("input is too long", ContextOverflow),
    ("too many input tokens", ContextOverflow),
    ("exceeds the maximum context", ContextOverflow),
)
# What to do about it.
_HINTS: tuple[tuple[str, str], ...] = (
    (
        "on-demand throughput",
        'name the inference profile of your region as the model, such as "us." or "eu." before the model id',
    ),
    ("model identifier is invalid", "see which ids your region has: aws bedrock list-inference-profiles"),
    ("access to the model", "ask for access to the model in the Bedrock console of this region"),
    ("security token", "check the AWS credentials: aws sts get-caller-identity"),
)


def answer_error(
    call: Call, status: int, headers: Headers, body: bytes, *, wall: Callable[[], float], decoded: Any = None
) -> HBError:
    """The error for an answer with this status, named by its header `x-amzn-errortype`."""
    named = {name.lower(): value for name, value in headers}
    raw = named.get(b"x-amzn-errortype", b"").decode("latin-1")
    return _typed(call, raw.partition(":")[0].rpartition("#")[2].strip(), status, headers, body, wall, decoded)


def event_error(
    call: Call, event: Mapping[str, Any], payload: bytes, headers: Headers, *, wall: Callable[[], float]
) -> HBError:
    """The error for an exception event of a stream, or for an error event, which has no payload."""
    name = str(event.get(":exception-type") or event.get(":error-code") or "")
    decoded = object_or_empty(json_or_none(payload))
    if event.get(":error-message") and not decoded:
        decoded = {"message": str(event[":error-message"])}
    status = _STATUSES.get(_plain(name), 500)
    original = decoded.get("originalStatusCode")
    if isinstance(original, int) and 400 <= original < 600 and "originalMessage" in decoded:
        decoded = {"message": f"{decoded.get('message') or ''} ({decoded['originalMessage']})".strip()}
    return _typed(call, name[:1].upper() + name[1:], status, headers, payload, wall, decoded)


def _typed(
    call: Call, name: str, status: int, headers: Headers, body: bytes, wall: Callable[[], float], decoded: Any
) -> HBError:
    if decoded is None:
        decoded = object_or_empty(json_or_none(body))
    message = decoded.get("message") or decoded.get("Message") if isinstance(decoded, dict) else None
    shape = {"error": {"message": message, "code": name or None}} if isinstance(message, str) else None
    found = status_error(call, status, headers, body, wall=wall, decoded=shape)
    found.code = found.code or name or None
    kind = _KINDS.get(_plain(name))
    low = str(message or "").lower()
    if kind is None and status == 400:
        kind = next((kind for words, kind in _INVALID if words in low), None)
    if kind is not None and isinstance(found, StatusError) and type(found) is not kind:
        found = _as(kind, found, retryable=kind.retryable)
    hint = next((hint for words, hint in _HINTS if words in low), None)
    if hint is not None:
        found.message = f"{found.message}; {hint}"
    return found


def _as(kind: type[StatusError], found: HBError, **changed: Any) -> HBError:
    names = ("provider", "model", "status", "code", "request_id", "retry_after", "body")
    fields = {name: getattr(found, name) for name in names}
    return kind(found.message, **{**fields, **changed})


def _plain(name: str) -> str:
    return name.lower().removesuffix("exception")


def sdk_error(call: Call, error: Exception, exceptions: Any) -> HBError:
    """The error for what boto3 raised before anything was sent; it holds nothing of boto3's."""
    fields: dict[str, Any] = {"provider": call.spec.provider, "model": call.spec.model_id}
    name, target = type(error).__name__, call.target
    # What these say is about files, profiles and addresses; an access key could be in none but the last.
    said = redact(str(error)[:300], [])
    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return MissingCredential(
            f"{target}: no AWS credentials ({said}); set AWS_BEARER_TOKEN_BEDROCK, or AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (aws configure sso), or pass api_key=",
            **fields,
        )
    if isinstance(error, exceptions.ProfileNotFound):
        return ConfigError(f"{target}: {said}; set AWS_PROFILE or aws_profile= to one in ~/.aws/config", **fields)
    if isinstance(error, exceptions.NoRegionError | exceptions.InvalidRegionError | exceptions.UnknownRegionError):
        return ConfigError(f"{target}: {said}; set AWS_REGION or pass aws_region=", **fields)
    if _is(error, exceptions, "SSOError", "TokenRetrievalError", "LoginError", "NoAuthTokenError"):
        return AuthError(f"{target}: {said}; sign in again: aws sso login", **fields)
    if isinstance(error, exceptions.ClientError):
        return AuthError(f"{target}: AWS refused to give credentials: {said}", code=_code(error), **fields)
    if _is(error, exceptions, "CredentialRetrievalError", "MetadataRetrievalError", "RefreshWithMFAUnsupportedError"):
        return AuthError(f"{target}: {said}", **fields)
    if isinstance(error, exceptions.HTTPClientError):
        return ConnectError(f"{target}: no way to the AWS service that gives credentials ({said})", **fields)
    if isinstance(error, exceptions.ParamValidationError):
        return RequestRejected(f"{target}: boto3 cannot send this request: {said}", **fields)
    if isinstance(error, exceptions.BotoCoreError):
        return ConfigError(f"{target}: boto3 cannot be used so: {said}", **fields)
    if isinstance(error, ValueError | TypeError):
        return InputError(f"{target}: boto3 cannot send this request: {said}", **fields)
    return ProviderError(f"{target}: boto3 failed ({name})", **fields)


def _is(error: Exception, exceptions: Any, *names: str) -> bool:
    # Not every release has each of them.
    kinds = tuple(getattr(exceptions, name) for name in names if hasattr(exceptions, name))
    return isinstance(error, kinds)


def _code(error: Any) -> str | None:
    found = (getattr(error, "response", None) or {}).get("Error", {}).get("Code")
    return str(found) if found else None
