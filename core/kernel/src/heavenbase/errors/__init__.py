"""The one error tree of hb, below HBError; docs/reference/errors.md draws it.

Exceptions of an SDK never leave hb: they are mapped to this tree, and kept as `__cause__` only where they hold no
request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

from heavenbase.errors.base import BODY_EXCERPT as BODY_EXCERPT, MESSAGE_LIMIT as MESSAGE_LIMIT
from heavenbase.errors.base import CacheWarning as CacheWarning, HBError as HBError, HBWarning as HBWarning
from heavenbase.errors.base import FallbackWarning as FallbackWarning
from heavenbase.errors.base import check_kinds as check_kinds, is_among as is_among
from heavenbase.errors.base import known_kinds as known_kinds
from heavenbase.errors.base import LossyRequestWarning as LossyRequestWarning
from heavenbase.errors.base import UnknownModelWarning as UnknownModelWarning
from heavenbase.errors.base import PluginFallbackWarning as PluginFallbackWarning, SecurityWarning as SecurityWarning
from heavenbase.errors.base import TruncatedAnswerWarning as TruncatedAnswerWarning
from heavenbase.errors.base import warn_caller as warn_caller


class InputError(HBError, ValueError):
    """What the caller passed is wrong; nothing was sent."""


class InputTypeError(InputError, TypeError):
    """What the caller passed has the wrong type; nothing was sent."""


class UnknownNameError(InputError):
    """A name that does not exist. `what` says of what, `choices` lists the valid ones, `nearest` the likeliest.

    `package` might bring it; that is told only where the name is no slip, lest anybody install what a slip names.
    """

    def __init__(
        self, what: str, name: object, choices: Iterable[str] = (), *, hint: str = "", package: str = "", **fields: Any
    ) -> None:
        from difflib import get_close_matches

        self.what = what
        self.name = name if isinstance(name, str) else _word(name)
        self.choices = tuple(choices)
        close = get_close_matches(self.name.lower(), [c.lower() for c in self.choices], n=1, cutoff=0.5)
        self.nearest = next((c for c in self.choices if close and c.lower() == close[0]), None)
        parts = [f"unknown {what} {self.name!r}"]
        if self.nearest is not None:
            parts.append(f"did you mean {self.nearest!r}?")
        if self.choices and self.choices != (self.nearest,):
            shown = sorted(self.choices)
            listed = ", ".join(shown[:40]) + (f", … ({len(shown)} in all)" if len(shown) > 40 else "")
            parts.append(f"choices: {listed}")
        if package and self.nearest is None:
            hint = f"if it exists: pip install {package}"
        if hint:
            parts.append(hint)
        super().__init__("; ".join(parts).replace("?; ", "? "), **fields)


def _word(name: object) -> str:
    try:
        return str(name)
    except Exception:  # a number of thousands of digits, or what has no text
        return f"({type(name).__name__})"


class UnknownModelError(UnknownNameError):
    """No provider or catalogue entry matches the model name (`.model`)."""

    def __init__(self, what: str, name: object, choices: Iterable[str] = (), *, hint: str = "", **fields: Any) -> None:
        super().__init__(what, name, choices, hint=hint, **{"model": str(name), **fields})


class LossyRequestError(InputError):
    """The wire cannot carry a parameter that the caller relies on; see `on_lossy`."""


class ExportError(InputError):
    """The gateway has no SDK client of the asked kind."""


class ToolArgsError(InputError):
    """Tool-call arguments that cannot be parsed."""


class ImageError(InputError):
    """Bytes that are no image, or one that may not be read."""


class ImageFileNotFound(ImageError, FileNotFoundError):
    """No file at the path given as an image."""


class FetchBlocked(ImageError):
    """A URL whose scheme, host or address must not be fetched."""


class FetchTooLarge(ImageError):
    """More bytes, hops or pixels than allowed."""


class FetchTimeout(ImageError, TimeoutError, retryable=True):
    """A URL was not fetched within its time limit."""


class UnsupportedError(HBError, NotImplementedError):
    """The target cannot do this; nothing was sent."""


class MissingPackage(UnsupportedError, ImportError):
    """An optional package is not installed; the message has the pip line."""


class EmbeddingsNotSupported(UnsupportedError):
    """The target has no embeddings."""


class ImageGenerationNotSupported(UnsupportedError):
    """The target generates no images."""


class VisionNotSupported(UnsupportedError):
    """The target accepts no images."""


class BudgetExceeded(HBError, kind="budget"):
    """A budget leaves no room for the request; nothing was sent. A route goes on with a target that may fit."""


class ConfigError(HBError, ValueError):
    """A configuration value or file is wrong."""


class ConfigTrustError(ConfigError):
    """A less trusted configuration layer would redirect a more trusted credential."""


class MissingCredential(ConfigError):
    """A credential that the call needs is not set."""


class CredentialFormatError(ConfigError):
    """A credential holds characters that cannot be sent; its value is never shown."""


class PluginError(HBError):
    """A plugin cannot be used."""


class PluginLoadError(PluginError, ImportError):
    """A plugin is missing, or failed to import or to register."""


class PluginTimeout(PluginLoadError):
    """A plugin took too long to import."""


class PluginBlocked(PluginError):
    """A plugin is disabled, not on the allow-list, or differs from the lock."""


class PluginConflict(PluginError):
    """Two distributions claim one plugin name."""


class PluginVersionError(PluginError):
    """A plugin was built for a contract version that this core does not speak."""


class PluginContractError(PluginError):
    """A plugin does not keep the contract: the signature of a hook, the shape of an answer, its colour."""


class CacheError(HBError, kind="cache"):
    """The response cache cannot be listed, cleared or purged; calls never raise it."""


class KernelClosed(HBError, RuntimeError):
    """The kernel was closed and takes no more calls."""


class ProviderError(HBError):
    """The endpoint, or the way to it, failed."""


class TransportError(ProviderError, retryable=True):
    """The network failed before or during the answer."""


class ConnectError(TransportError):
    """No connection could be made; nothing was sent."""


class TransportClosed(TransportError):
    """The peer closed the connection before the answer was complete."""


class TLSVerifyError(TransportError, retryable=False):
    """The server's certificate was not accepted."""


class RedirectRefused(TransportError, retryable=False):
    """The endpoint answered with a redirect; hb never follows one with a credential."""


class CallTimeout(ProviderError, TimeoutError, kind="timeout", retryable=True):
    """A time limit of the call passed."""


class ConnectTimeout(CallTimeout):
    """The connection was not made within the connect limit; nothing was sent."""


class PoolTimeout(CallTimeout, retryable=False):
    """No connection of the pool became free within the pool limit; nothing was sent."""


class ResponseTimeout(CallTimeout):
    """The request was sent and no answer began."""


class FirstTokenTimeout(CallTimeout):
    """The answer began and no content came."""


class IdleTimeout(CallTimeout, retryable=False):
    """No bytes came for the idle limit, after the first content."""


class StallTimeout(CallTimeout):
    """Bytes came, but no content for the stall limit."""


class DeadlineExceeded(CallTimeout, retryable=False):
    """The total limit over all attempts passed, or the next attempt could not start within it."""


class StatusError(ProviderError):
    """The provider answered with an error."""


class RequestRejected(StatusError):
    """The provider refused the request as malformed or not allowed (400, 413, 422 …)."""


class ContextOverflow(RequestRejected):
    """The request is longer than the model's context."""


class ModelNotFound(StatusError):
    """The provider does not know the model or path (404)."""


class AuthError(StatusError):
    """The credential was refused (401, 403)."""


class RateLimitError(StatusError, retryable=True):
    """Too many requests (429); `retry_after` holds the provider's word, or that of a limit of one's own."""

    @property
    def is_local(self) -> bool:
        """Whether a limit of one's own refused it: nothing was sent, and the provider asked for no pause."""
        return self.status is None and self.code in ("local_limit", "queue_full", "limits_unknown")


class QuotaExhausted(StatusError):
    """No credit or quota is left (402, 429 insufficient_quota)."""


class ContentFiltered(StatusError):
    """The provider's filter refused the request."""


class ServerError(StatusError, retryable=True):
    """The provider failed (5xx)."""


class Overloaded(ServerError):
    """The provider is overloaded (503, 529)."""


class ResponseError(ProviderError, retryable=True):
    """The answer is not what the wire promises."""


class ResponseDecodeError(ResponseError):
    """The answer cannot be decoded."""


class ProtocolError(ResponseDecodeError, retryable=False):
    """The answer breaks the rules of HTTP, or of the frames that its events travel in."""


class ResponseShapeError(ResponseError):
    """The answer decodes, but has the wrong shape."""


class GenerationFailed(ResponseError):
    """The provider says that it could not make the answer, or made none; `partial` is what there is of it."""


class ResponseTooLarge(ResponseError, retryable=False):
    """The answer is larger than the limit."""


class EventTooLarge(ResponseTooLarge):
    """One event of a stream is larger than the limit."""


class StructuredOutputError(ResponseError, retryable=False):
    """The answer does not fit `response_format`, and asking again did not help; `partial` is the last answer."""


class StreamError(ProviderError):
    """A streamed answer failed; `partial` holds what came."""


class StreamTruncated(StreamError):
    """The stream ended without the provider's terminal marker."""


class StreamInterrupted(StreamError):
    """The stream broke, or reported an error, after content had been delivered."""


class FallbackExhausted(ProviderError):
    """Every target failed; `errors` pairs each target with its error."""

    def __init__(self, message: str = "", errors: Iterable[tuple[str, HBError]] = (), **fields: Any) -> None:
        super().__init__(message, **fields)
        self.errors = tuple(errors)

    def scrubbed(self, scrub: Callable[[str], str]) -> Self:
        """Those of the targets are scrubbed too: one may say what only a later one knows to be a credential."""
        for _, error in self.errors:
            error.scrubbed(scrub)
        return super().scrubbed(scrub)
