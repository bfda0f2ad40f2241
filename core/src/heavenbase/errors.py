"""The one error tree of hb.

    HBError
    ├── InputError (ValueError)              what the caller passed is wrong; nothing was sent
    │   ├── InputTypeError (TypeError)       the wrong type
    │   ├── UnknownNameError                 no such preset, model, provider, gateway, include name, plugin
    │   │   └── UnknownModelError
    │   ├── LossyRequestError                a guarantee the wire cannot carry (on_lossy="error")
    │   ├── ExportError                      this gateway has no such SDK client
    │   ├── ToolArgsError                    tool-call arguments that cannot be parsed
    │   └── ImageError                       not an image, or not one that may be read
    │       ├── ImageFileNotFound (FileNotFoundError)   no such file
    │       ├── FetchBlocked                 a URL that must not be fetched
    │       ├── FetchTooLarge                more bytes or pixels than allowed
    │       └── FetchTimeout (TimeoutError)  a URL that was not fetched in time
    ├── UnsupportedError (NotImplementedError)   the target cannot do this; nothing was sent
    │   ├── MissingPackage (ImportError)     an optional package is not installed; the message has the pip line
    │   ├── EmbeddingsNotSupported
    │   ├── ImageGenerationNotSupported
    │   └── VisionNotSupported
    ├── ConfigError (ValueError)
    │   ├── ConfigTrustError                 a less trusted layer would redirect a more trusted credential
    │   ├── MissingCredential
    │   └── CredentialFormatError
    ├── PluginError
    │   ├── PluginLoadError (ImportError)
    │   │   └── PluginTimeout
    │   ├── PluginBlocked                    refused by the allow-list, the lock or `hb plugins disable`
    │   ├── PluginConflict                   two distributions claim one name
    │   ├── PluginVersionError               built for another contract version
    │   └── PluginContractError              does not keep the contract (hook signature, answer shape, colour)
    ├── KernelClosed
    └── ProviderError                        the endpoint, or the way to it, failed
        ├── TransportError
        │   ├── ConnectError
        │   ├── TransportClosed
        │   ├── TLSVerifyError
        │   └── RedirectRefused
        ├── CallTimeout (TimeoutError)
        │   ├── ConnectTimeout, PoolTimeout, ResponseTimeout, FirstTokenTimeout
        │   ├── IdleTimeout                  no bytes
        │   ├── StallTimeout                 bytes, but no content
        │   └── DeadlineExceeded             the total limit
        ├── StatusError
        │   ├── RequestRejected
        │   │   └── ContextOverflow
        │   ├── ModelNotFound
        │   ├── AuthError
        │   ├── RateLimitError
        │   ├── QuotaExhausted
        │   ├── ContentFiltered
        │   └── ServerError
        │       └── Overloaded
        ├── ResponseError
        │   ├── ResponseDecodeError, ResponseShapeError, ResponseTooLarge, EventTooLarge
        ├── StreamError
        │   ├── StreamTruncated              the end came without the provider's terminal marker
        │   └── StreamInterrupted            it broke, or reported an error, after content was delivered
        └── FallbackExhausted                every target failed

Exceptions of an SDK never leave hb: they are mapped to this tree, and kept as `__cause__` only where they hold no
request.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.types import Attempt, Completion

BODY_EXCERPT = 200
MESSAGE_LIMIT = 500


class HBError(Exception):
    """Base of every error that leaves hb.

    `kind` is a stable snake_case word for programs; `retryable` says whether the same request may succeed later;
    `maybe_billed` that the provider may have charged for it. `attempts` is the ledger of requests on the wire,
    `partial` what had been received, `status` the HTTP status, `retry_after` seconds, `body` an excerpt of the answer.
    """

    kind: ClassVar[str] = "error"
    retryable: bool = False

    def __init__(
        self,
        message: str = "",
        *,
        provider: str | None = None,
        model: str | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
        maybe_billed: bool = False,
        partial: Completion | None = None,
        body: str | None = None,
        attempts: Iterable[Attempt] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.model = model
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable
        self.maybe_billed = maybe_billed
        self.partial = partial
        self.body = body
        self.attempts: tuple[Attempt, ...] = tuple(attempts)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception pickles by positional arguments; ours are keywords, so the state travels beside them.
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


def _rebuild(cls: type[HBError], message: str, state: dict[str, Any]) -> HBError:
    # A class that is a ValueError and an OSError finds ValueError's __new__ first, which refuses the OSError layout.
    error = OSError.__new__(cls) if issubclass(cls, OSError) else cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class InputError(HBError, ValueError):
    """What the caller passed is wrong; nothing was sent."""

    kind = "input"


class InputTypeError(InputError, TypeError):
    """What the caller passed has the wrong type; nothing was sent."""

    kind = "input_type"


class UnknownNameError(InputError):
    """A name that does not exist. `what` says of what, `choices` lists the valid ones, `nearest` the likeliest."""

    kind = "unknown_name"

    def __init__(self, what: str, name: object, choices: Iterable[str] = (), *, hint: str = "", **fields: Any) -> None:
        self.what = what
        self.name = str(name)
        self.choices = tuple(choices)
        close = get_close_matches(self.name.lower(), [c.lower() for c in self.choices], n=1, cutoff=0.5)
        self.nearest = next((c for c in self.choices if close and c.lower() == close[0]), None)
        parts = [f"unknown {what} {self.name!r}"]
        if self.nearest is not None:
            parts.append(f"did you mean {self.nearest!r}?")
        if self.choices:
            shown = sorted(self.choices)
            listed = ", ".join(shown[:40]) + (f", … ({len(shown)} in all)" if len(shown) > 40 else "")
            parts.append(f"choices: {listed}")
        if hint:
            parts.append(hint)
        super().__init__("; ".join(parts), **fields)


class UnknownModelError(UnknownNameError):
    """No provider or catalogue entry matches the model name (`.model`)."""

    kind = "unknown_model"

    def __init__(self, what: str, name: object, choices: Iterable[str] = (), *, hint: str = "", **fields: Any) -> None:
        super().__init__(what, name, choices, hint=hint, **{"model": str(name), **fields})


class LossyRequestError(InputError):
    """The wire cannot carry a parameter that the caller relies on; see `on_lossy`."""

    kind = "lossy_request"


class ExportError(InputError):
    """The gateway has no SDK client of the asked kind."""

    kind = "export"


class ToolArgsError(InputError):
    """Tool-call arguments that cannot be parsed."""

    kind = "tool_args"


class ImageError(InputError):
    """Bytes that are no image, or one that may not be read."""

    kind = "image"


class ImageFileNotFound(ImageError, FileNotFoundError):
    """No file at the path given as an image."""

    kind = "image_file_not_found"


class FetchBlocked(ImageError):
    """A URL whose scheme, host or address must not be fetched."""

    kind = "fetch_blocked"


class FetchTooLarge(ImageError):
    """More bytes, hops or pixels than allowed."""

    kind = "fetch_too_large"


class FetchTimeout(ImageError, TimeoutError):
    """A URL was not fetched within its time limit."""

    kind = "fetch_timeout"
    retryable = True


class UnsupportedError(HBError, NotImplementedError):
    """The target cannot do this; nothing was sent."""

    kind = "unsupported"


class MissingPackage(UnsupportedError, ImportError):
    """An optional package is not installed; the message has the pip line."""

    kind = "missing_package"


class EmbeddingsNotSupported(UnsupportedError):
    """The target has no embeddings."""

    kind = "embeddings_not_supported"


class ImageGenerationNotSupported(UnsupportedError):
    """The target generates no images."""

    kind = "image_generation_not_supported"


class VisionNotSupported(UnsupportedError):
    """The target accepts no images."""

    kind = "vision_not_supported"


class ConfigError(HBError, ValueError):
    """A configuration value or file is wrong."""

    kind = "config"


class ConfigTrustError(ConfigError):
    """A less trusted configuration layer would redirect a more trusted credential."""

    kind = "config_trust"


class MissingCredential(ConfigError):
    """A credential that the call needs is not set."""

    kind = "missing_credential"


class CredentialFormatError(ConfigError):
    """A credential holds characters that cannot be sent; its value is never shown."""

    kind = "credential_format"


class PluginError(HBError):
    """A plugin cannot be used."""

    kind = "plugin"


class PluginLoadError(PluginError, ImportError):
    """A plugin is missing, or failed to import or to register."""

    kind = "plugin_load"


class PluginTimeout(PluginLoadError):
    """A plugin took too long to import."""

    kind = "plugin_timeout"


class PluginBlocked(PluginError):
    """A plugin is disabled, not on the allow-list, or differs from the lock."""

    kind = "plugin_blocked"


class PluginConflict(PluginError):
    """Two distributions claim one plugin name."""

    kind = "plugin_conflict"


class PluginVersionError(PluginError):
    """A plugin was built for a contract version that this core does not speak."""

    kind = "plugin_version"


class PluginContractError(PluginError):
    """A plugin does not keep the contract."""

    kind = "plugin_contract"


class KernelClosed(HBError, RuntimeError):
    """The kernel was closed and takes no more calls."""

    kind = "kernel_closed"


class ProviderError(HBError):
    """The endpoint, or the way to it, failed."""

    kind = "provider"


class TransportError(ProviderError):
    """The network failed before or during the answer."""

    kind = "transport"
    retryable = True


class ConnectError(TransportError):
    """No connection could be made; nothing was sent."""

    kind = "connect"


class TransportClosed(TransportError):
    """The peer closed the connection before the answer was complete."""

    kind = "transport_closed"


class TLSVerifyError(TransportError):
    """The server's certificate was not accepted."""

    kind = "tls_verify"
    retryable = False


class RedirectRefused(TransportError):
    """The endpoint answered with a redirect; hb never follows one with a credential."""

    kind = "redirect_refused"
    retryable = False


class CallTimeout(ProviderError, TimeoutError):
    """A time limit of the call passed."""

    kind = "timeout"
    retryable = True


class ConnectTimeout(CallTimeout):
    """The connection was not made within the connect limit; nothing was sent."""

    kind = "connect_timeout"


class PoolTimeout(CallTimeout):
    """No connection of the pool became free within the pool limit; nothing was sent."""

    kind = "pool_timeout"
    retryable = False


class ResponseTimeout(CallTimeout):
    """The request was sent and no answer began."""

    kind = "response_timeout"


class FirstTokenTimeout(CallTimeout):
    """The answer began and no content came."""

    kind = "first_token_timeout"


class IdleTimeout(CallTimeout):
    """No bytes came for the idle limit, after the first content."""

    kind = "idle_timeout"
    retryable = False


class StallTimeout(CallTimeout):
    """Bytes came, but no content for the stall limit."""

    kind = "stall_timeout"


class DeadlineExceeded(CallTimeout):
    """The total limit over all attempts passed, or the next attempt could not start within it."""

    kind = "deadline_exceeded"
    retryable = False


class StatusError(ProviderError):
    """The provider answered with an error."""

    kind = "status"


class RequestRejected(StatusError):
    """The provider refused the request as malformed or not allowed (400, 413, 422 …)."""

    kind = "request_rejected"


class ContextOverflow(RequestRejected):
    """The request is longer than the model's context."""

    kind = "context_overflow"


class ModelNotFound(StatusError):
    """The provider does not know the model or path (404)."""

    kind = "model_not_found"


class AuthError(StatusError):
    """The credential was refused (401, 403)."""

    kind = "auth"


class RateLimitError(StatusError):
    """Too many requests (429); `retry_after` holds the provider's word."""

    kind = "rate_limit"
    retryable = True


class QuotaExhausted(StatusError):
    """No credit or quota is left (402, 429 insufficient_quota)."""

    kind = "quota_exhausted"


class ContentFiltered(StatusError):
    """The provider's filter refused the request."""

    kind = "content_filtered"


class ServerError(StatusError):
    """The provider failed (5xx)."""

    kind = "server"
    retryable = True


class Overloaded(ServerError):
    """The provider is overloaded (503, 529)."""

    kind = "overloaded"


class ResponseError(ProviderError):
    """The answer is not what the wire promises."""

    kind = "response"
    retryable = True


class ResponseDecodeError(ResponseError):
    """The answer cannot be decoded."""

    kind = "response_decode"


class ResponseShapeError(ResponseError):
    """The answer decodes, but has the wrong shape."""

    kind = "response_shape"


class ResponseTooLarge(ResponseError):
    """The answer is larger than the limit."""

    kind = "response_too_large"
    retryable = False


class EventTooLarge(ResponseTooLarge):
    """One event of a stream is larger than the limit."""

    kind = "event_too_large"


class StreamError(ProviderError):
    """A streamed answer failed; `partial` holds what came."""

    kind = "stream"


class StreamTruncated(StreamError):
    """The stream ended without the provider's terminal marker."""

    kind = "stream_truncated"


class StreamInterrupted(StreamError):
    """The stream broke, or reported an error, after content had been delivered."""

    kind = "stream_interrupted"


class FallbackExhausted(ProviderError):
    """Every target failed; `errors` pairs each target with its error."""

    kind = "fallback_exhausted"

    def __init__(self, message: str = "", errors: Iterable[tuple[str, HBError]] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.errors = tuple(errors)


class HBWarning(UserWarning):
    """Base of every warning of hb."""


class PluginFallbackWarning(HBWarning):
    """A gateway could not be loaded and the openai gateway takes its place."""


class LossyRequestWarning(HBWarning):
    """A parameter was dropped, clamped or emulated."""


class CacheWarning(HBWarning):
    """The response cache failed; calls go on without it."""


class SecurityWarning(HBWarning):
    """A setting weakens a protection."""
