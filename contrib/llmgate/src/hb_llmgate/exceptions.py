"""The errors of llmgate, each of them an error of hb too, and the translation from the one tree to the other.

LLMGateError
├── ProviderError
│   ├── AuthError              401, 403, or no credential at all
│   ├── RateLimitError         429, or no quota left; `retry_after` has the provider's word
│   └── ProviderAPIError       everything else that a provider or the way to it did
│       └── StructuredOutputError   the answer does not fit; `text` is what came
├── ModelNotFoundError         no provider matches; `model` is what was asked for
├── InvalidRequestError        what the caller passed is wrong (a ValueError)
├── ConfigError                a setting, a package or a plugin is wrong or missing
├── StreamingNotSupported, EmbeddingsNotSupported, VisionNotSupported
├── BatchTimeoutError          one request of a batch took too long
└── AllProvidersFailedError    `errors` pairs each model that was tried with its error
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from heavenbase import errors as hb

__all__ = [
    "DEFAULT_FALLBACK_ON",
    "AllProvidersFailedError",
    "AuthError",
    "BatchTimeoutError",
    "ConfigError",
    "EmbeddingsNotSupported",
    "InvalidRequestError",
    "LLMGateError",
    "ModelNotFoundError",
    "ProviderAPIError",
    "ProviderError",
    "RateLimitError",
    "StreamingNotSupported",
    "StructuredOutputError",
    "VisionNotSupported",
]


class LLMGateError(hb.HBError):
    """Base of all errors of this package. `provider` is the provider's name, None where there is none yet."""

    def __init__(self, message: str = "", provider: str | None = None, **facts: Any) -> None:
        super().__init__(message, provider=provider, **facts)


class ProviderError(LLMGateError):
    """A provider refused or failed. `status_code` is the HTTP status, None where there was no answer."""

    def __init__(
        self, message: str = "", provider: str | None = None, status_code: int | None = None, **facts: Any
    ) -> None:
        facts.setdefault("status", status_code)
        super().__init__(message, provider, **facts)

    @property
    def status_code(self) -> int | None:
        """The HTTP status; None where there was none."""
        return self.status


class AuthError(ProviderError):
    """The credential was refused (401, 403), or there is none."""


class RateLimitError(ProviderError):
    """Too many requests (429) or no quota left; `retry_after` are the seconds that the provider asked for, or None."""

    retryable = True


class ProviderAPIError(ProviderError):
    """Any other failure of a provider, or of the way to it."""

    refused = False
    """Whether the provider refused the request itself, so that it would do so again (400, 413, 422 and the like)."""

    def __init__(
        self, message: str = "", provider: str | None = None, status_code: int | None = None, **facts: Any
    ) -> None:
        super().__init__(message, provider, status_code, **facts)
        status = self.status
        if facts.get("retryable") is None:
            self.retryable = status is None or status >= 500
        self.refused = status in (400, 413, 422)


class StructuredOutputError(ProviderAPIError):
    """The answer does not fit `response_format`; `text` is the answer as it came."""

    @property
    def text(self) -> str:
        """The answer's text."""
        return self.partial.text if self.partial is not None else ""


class ModelNotFoundError(LLMGateError):
    """No provider matches the model string `model`; nothing was sent."""

    def __init__(self, model: str = "", message: str | None = None, **facts: Any) -> None:
        super().__init__(message or f"no provider matches model {model!r}", model=model, **facts)


class InvalidRequestError(LLMGateError, ValueError):
    """What the caller passed is wrong; nothing was sent."""


class ConfigError(LLMGateError):
    """A setting, a package or a plugin is wrong or missing; nothing was sent."""


class StreamingNotSupported(LLMGateError):
    """The model does not stream."""


class EmbeddingsNotSupported(LLMGateError):
    """The provider has no embeddings."""


class VisionNotSupported(LLMGateError):
    """The provider takes no images."""


class BatchTimeoutError(LLMGateError):
    """The request of a batch at place `index` was not answered within `timeout` seconds of its start."""

    def __init__(self, index: int = 0, timeout: float = 0.0, **facts: Any) -> None:
        super().__init__(f"request {index} was not answered within {timeout:g} s of its start", **facts)
        self.index = index
        self.timeout = timeout


class AllProvidersFailedError(LLMGateError):
    """Every model failed; `errors` has a pair (model, error) for each, in the order in which they were tried."""

    def __init__(self, errors: Iterable[tuple[str, Exception]] = (), message: str | None = None, **facts: Any) -> None:
        self.errors = list(errors)
        told = "; ".join(f"{model}: {error}" for model, error in self.errors)
        super().__init__(message or f"all models failed: {told}", **facts)


class Carried(LLMGateError):
    """What a middleware raised that is no error of hb, on its way through a route; callers get its cause."""


DEFAULT_FALLBACK_ON: Final[tuple[type[Exception], ...]] = (RateLimitError, ProviderAPIError, AuthError)
"""What a chain goes on after. This very object means the default, where a request that the provider refused as such
(400, 413, 422, a content filter) is not sent to the next; the same classes in a tuple of your own say that it is."""


def hops(error: BaseException, fallback_on: tuple[type[Exception], ...] | None) -> bool:
    """Whether a chain goes on after this error: by the default, or by classes that the caller named.

    Classes match what was raised and what it was made of, so that errors of hb and TimeoutError can be named too.
    """
    if fallback_on is None or fallback_on is DEFAULT_FALLBACK_ON:
        is_refused = isinstance(error, ProviderAPIError) and error.refused
        return isinstance(error, DEFAULT_FALLBACK_ON) and not is_refused
    return isinstance(error, fallback_on) or isinstance(error.__cause__, fallback_on)


def checked_fallback_on(given: object) -> tuple[type[Exception], ...]:
    """What was passed as `fallback_on`, as a tuple; InvalidRequestError for what is no class of errors."""
    if given is None or given is DEFAULT_FALLBACK_ON:
        return DEFAULT_FALLBACK_ON
    found = (given,) if isinstance(given, type) else tuple(given) if isinstance(given, Iterable) else (given,)
    for each in found:
        if not (isinstance(each, type) and issubclass(each, Exception)):
            raise InvalidRequestError(f"fallback_on must be a tuple of exception classes, and has {each!r}")
    return found


# By class of hb, most special first. QuotaExhausted: the page counts it with the rate limits.
_CLASSES: tuple[tuple[type[hb.HBError], type[LLMGateError]], ...] = (
    (hb.MissingCredential, AuthError),
    (hb.AuthError, AuthError),
    (hb.RateLimitError, RateLimitError),
    (hb.QuotaExhausted, RateLimitError),
    (hb.StructuredOutputError, StructuredOutputError),
    (hb.ProviderError, ProviderAPIError),
    (hb.EmbeddingsNotSupported, EmbeddingsNotSupported),
    (hb.VisionNotSupported, VisionNotSupported),
    (hb.UnknownModelError, ModelNotFoundError),
    (hb.InputError, InvalidRequestError),
    (hb.ConfigError, ConfigError),
    (hb.PluginError, ConfigError),
    (hb.MissingPackage, ConfigError),
    (hb.UnsupportedError, InvalidRequestError),
)


def translated(error: hb.HBError) -> LLMGateError:
    """The error of this package for one of hb, with all that it knows; one of this package as it is."""
    if isinstance(error, LLMGateError):
        return error
    kind = next((ours for theirs, ours in _CLASSES if isinstance(error, theirs)), LLMGateError)
    if kind is InvalidRequestError and isinstance(error, hb.UnsupportedError) and "stream" in error.message:
        kind = StreamingNotSupported
    made: LLMGateError
    if kind is ModelNotFoundError:
        made = ModelNotFoundError(error.model or "", error.message, provider=error.provider)
    else:
        made = kind(
            error.message,
            provider=error.provider,
            model=error.model,
            status=error.status,
            code=error.code,
            request_id=error.request_id,
            retry_after=error.retry_after,
            # The caller asked once: whether to ask again for an answer of the right form is the caller's to say.
            retryable=error.retryable or kind is StructuredOutputError,
            maybe_billed=error.maybe_billed,
            partial=error.partial,
            body=error.body,
            attempts=error.attempts,
        )
    if isinstance(made, ProviderAPIError):
        made.refused = isinstance(error, hb.RequestRejected | hb.ContentFiltered)
    made.rate_limits = error.rate_limits
    made.__cause__ = error
    return made
