"""HBError, the base of the error tree in `heavenbase.errors`, and the warnings."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from heavenbase.details import RateLimits
    from heavenbase.types import Attempt, Completion

BODY_EXCERPT = 200
MESSAGE_LIMIT = 500
_NEXT_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_FACTS = ("provider", "model", "status", "code", "request_id", "retry_after", "body", "maybe_billed")
_SPELLED = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}


class HBError(Exception):
    """Base of every error that leaves hb.

    `kind` is a stable snake_case word for programs (the class name without "Error" unless set); `retryable` says
    whether the same request may succeed later; `maybe_billed` that the provider may have charged for it. `attempts` is
    the ledger of requests on the wire, `partial` what had been received, `status` the HTTP status, `retry_after`
    seconds, `rate_limits` what the headers of the refusal tell, `body` an excerpt of the answer.
    """

    kind: ClassVar[str] = "error"
    retryable: bool = False
    rate_limits: RateLimits | None = None

    def __init_subclass__(cls, *, kind: str | None = None, retryable: bool | None = None) -> None:
        if retryable is not None:
            cls.retryable = retryable
        if kind is None and "kind" not in cls.__dict__:
            kind = _NEXT_WORD.sub("_", cls.__name__.removesuffix("Error")).lower()
        cls.kind = kind or cls.kind

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
        # A server may have written a part of it, and a traceback is printed to a terminal, which obeys escapes.
        message = message.replace("\r\n", "\n").translate(_SPELLED)
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

    @classmethod
    def of(cls, error: HBError, message: str | None = None, **changes: Any) -> Self:
        """An error of this class with what another one knows, but for the `changes`; by default with its message."""
        facts = {name: getattr(error, name) for name in _FACTS}
        return cls(error.message if message is None else message, **{**facts, **changes})

    def scrubbed(self, scrub: Callable[[str], str]) -> Self:
        """This error, with all texts that a server may have written as `scrub` leaves them."""
        for name, value in vars(self).items():
            if isinstance(value, str):
                setattr(self, name, scrub(value))
        self.args = tuple(scrub(value) if isinstance(value, str) else value for value in self.args)
        return self

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception pickles by positional arguments; ours are keywords, so the state travels beside them.
        return (_rebuild, (type(self), self.message, self.__dict__.copy()))


KINDS = {
    "quota": "quota_exhausted",
    "not_found": "model_not_found",
    "content_filter": "content_filtered",
    "rejected": "request_rejected",
    "credential": "missing_credential",
}
"""Shorter words for kinds of errors, where settings list them."""


def is_among(error: BaseException, words: Iterable[Any]) -> bool:
    """Whether an error is of one of these kinds.

    Args:
        error: What was raised.
        words: Kinds of errors (`HBError.kind`, or the words of `KINDS`), classes, or functions that are given the error
            and answer with a truth value. A kind stands for those below it too, as long as those may be asked again:
            "transport" is no word for a certificate that was refused, but "tls_verify" is.
    """
    for word in words:
        if isinstance(word, type):
            if isinstance(error, word):
                return True
        elif not isinstance(word, str):
            if word(error):
                return True
        elif isinstance(error, HBError):
            kind = KINDS.get(word, word)
            if error.kind == kind or (
                type(error).retryable and any(kind == getattr(base, "kind", None) for base in type(error).__mro__)
            ):
                return True
    return False


def known_kinds() -> set[str]:
    """The words that `is_among` knows: the kinds of all errors, and the shorter words."""
    found, classes = {*KINDS}, [HBError]
    for each in classes:
        found.add(each.kind)
        classes += each.__subclasses__()
    return found


def check_kinds(what: str, words: Any) -> tuple[Any, ...]:
    """The words of a list that `is_among` will be asked with; UnknownNameError, InputTypeError for what is none."""
    from heavenbase.errors import InputTypeError, UnknownNameError

    if isinstance(words, str | type) or not hasattr(words, "__iter__"):
        raise InputTypeError(f"{what} is a list of kinds of errors, not {type(words).__name__}")
    found: tuple[Any, ...] = tuple(words)
    for word in found:
        if isinstance(word, type) and not issubclass(word, BaseException):
            raise InputTypeError(f"a class in {what} is no class of errors: {word.__name__}")
        if isinstance(word, str) and word not in known_kinds():
            raise UnknownNameError(f"kind of error in {what}", word, known_kinds())
        if not isinstance(word, str) and not callable(word):
            raise InputTypeError(f"{what} holds kinds of errors, classes or functions, not {type(word).__name__}")
    return found


class HBWarning(UserWarning):
    """Base of every warning of hb."""


class PluginFallbackWarning(HBWarning):
    """A gateway could not be loaded and the openai gateway takes its place."""


class LossyRequestWarning(HBWarning):
    """A parameter was dropped, clamped or emulated."""


class TruncatedAnswerWarning(HBWarning):
    """An answer was cut off at its limit of tokens, or its tools were not run, and the caller sees its text alone."""


class UnknownModelWarning(HBWarning):
    """A model is not listed by its provider: a slip of a listed name, or one that `model_mismatch` warns of."""


class FallbackWarning(HBWarning):
    """A target of a route answers in the place of another one; told once for each."""


class CacheWarning(HBWarning):
    """The response cache failed; calls go on without it."""


class SecurityWarning(HBWarning):
    """A setting weakens a protection."""


def warn_caller(text: str, category: type[Warning]) -> None:
    """Warn at the line that called hb, however deep it is below that, in either colour."""
    level, frame = 2, sys._getframe(1)
    while (above := frame.f_back) is not None and _is_inside(frame.f_globals.get("__name__", "")):
        level, frame = level + 1, above
    warnings.warn(text, category, stacklevel=level)


def _is_inside(module: str) -> bool:
    room = module.partition(".")[0]
    return room in ("heavenbase", "asyncio", "contextlib") or room.startswith("hb_")


def _rebuild(cls: type[HBError], message: str, state: dict[str, Any]) -> HBError:
    # A class that is a ValueError and an OSError finds ValueError's __new__ first, which refuses the OSError layout.
    error = OSError.__new__(cls) if issubclass(cls, OSError) else cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error
