"""Gates: whether the answer of a cheaper model is good enough. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from hb_compose.requests import CompletionRequest, CompletionResponse, check_number
from heavenbase.errors import InputError, InputTypeError

REFUSALS = (
    "I don't know",
    "I'm not sure",
    "I cannot",
    "I can't",
    "I'm unable",
    "beyond my capabilities",
    "I apologize, but",
)
"""How models say that they did not answer."""
WINDOW = 200
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2019\u2018\u02bc\u2032\uff07`\u00b4", "'"))


@runtime_checkable
class ConfidenceGate(Protocol):
    """What looks at the answer of a tier that is not the last: an object with `accept`, or a function like it.

    It may have `reason(request, response) -> str | None` besides: why an answer is not good enough.
    """

    def accept(self, request: CompletionRequest, response: CompletionResponse) -> bool:
        """Whether the answer is good enough."""


Gate: TypeAlias = ConfidenceGate | Callable[[CompletionRequest, CompletionResponse], Any]


class HeuristicGate:
    """Rejects refusals, answers that were cut off, and answers of too few tokens; in this order:

    a call of a tool is accepted where `accept_tool_calls`; an answer that ended at its limit is rejected where
    `escalate_on_max_tokens`, one that the model or a filter refused where `escalate_on_refusal`, one of fewer than
    `min_output_tokens`, and one with any of `refusal_patterns` in its first `refusal_window` characters. All else is
    accepted.

    Args:
        min_output_tokens: The least number of tokens.
        accept_tool_calls: Whether calls of tools are good enough.
        escalate_on_max_tokens: Whether an answer that was cut off is rejected.
        refusal_patterns: Texts that refuse, in any case and with any apostrophe.
        escalate_on_refusal: Whether an answer whose stop reason is refusal or content_filter is rejected.
        refusal_window: Where a refusal stands, in characters from the start; None for anywhere. A long answer that says
            "I cannot" at its end is no refusal.

    Raises:
        InputError: For knobs that make no sense.
    """

    def __init__(
        self,
        min_output_tokens: int = 5,
        accept_tool_calls: bool = True,
        escalate_on_max_tokens: bool = True,
        refusal_patterns: Iterable[str] = REFUSALS,
        *,
        escalate_on_refusal: bool = True,
        refusal_window: int | None = WINDOW,
    ) -> None:
        check_number("min_output_tokens", min_output_tokens, whole=True, may_be_none=False)
        check_number("refusal_window", refusal_window, whole=True, least=1)
        flags = {
            "accept_tool_calls": accept_tool_calls,
            "escalate_on_max_tokens": escalate_on_max_tokens,
            "escalate_on_refusal": escalate_on_refusal,
        }
        for name, value in flags.items():
            if not isinstance(value, bool):
                raise InputTypeError(f"{name} must be True or False, not {type(value).__name__}")
        if isinstance(refusal_patterns, str) or not isinstance(refusal_patterns, Iterable):
            raise InputTypeError(f"refusal_patterns must be a list of texts, not {type(refusal_patterns).__name__}")
        self.min_output_tokens = min_output_tokens
        self.accept_tool_calls = accept_tool_calls
        self.escalate_on_max_tokens = escalate_on_max_tokens
        self.refusal_patterns = tuple(refusal_patterns)
        self.escalate_on_refusal = escalate_on_refusal
        self.refusal_window = refusal_window
        for pattern in self.refusal_patterns:
            if not isinstance(pattern, str) or not pattern.strip():
                kind = "an empty one" if isinstance(pattern, str) else type(pattern).__name__
                raise InputError(f"a refusal pattern must be a text, not {kind}")
        self._refusals = [(it, re.compile(rf"(?<!\w){re.escape(_plain(it))}(?!\w)")) for it in self.refusal_patterns]

    @classmethod
    def new(cls, **knobs: Any) -> HeuristicGate:
        """The same as calling the class."""
        return cls(**knobs)

    def accept(self, request: CompletionRequest, response: CompletionResponse) -> bool:
        """Whether the answer is good enough."""
        return self.reason(request, response) is None

    def reason(self, request: CompletionRequest, response: CompletionResponse) -> str | None:
        """Why an answer is not good enough; None where it is."""
        if response.tool_uses and self.accept_tool_calls:
            return None
        stop, tokens = response.stop_reason, response.usage.output
        if stop == "max_tokens" and self.escalate_on_max_tokens:
            return "the answer was cut off at its limit of tokens"
        if stop in ("refusal", "content_filter") and self.escalate_on_refusal:
            return f"the answer ended by {stop}"
        if tokens is not None and tokens < self.min_output_tokens:
            return f"the answer has {tokens} tokens, fewer than {self.min_output_tokens}"
        if not response.content and self.min_output_tokens:
            return "the answer is empty"
        said = _plain(response.text)[: self.refusal_window]
        refusal = next((text for text, pattern in self._refusals if pattern.search(said)), None)
        return None if refusal is None else f"the answer says {refusal!r}"

    def __repr__(self) -> str:
        knobs = ("min_output_tokens", "accept_tool_calls", "escalate_on_max_tokens", "escalate_on_refusal")
        return f"HeuristicGate({', '.join(f'{name}={getattr(self, name)!r}' for name in knobs)})"


def _plain(text: str) -> str:
    """Text without what is no difference: case, kinds of apostrophes and of blanks."""
    return " ".join(text.translate(_APOSTROPHES).casefold().split())


def verdict(gate: Any, request: CompletionRequest, response: CompletionResponse) -> Any:
    """Why a gate rejects an answer, None where it accepts it; an awaitable of a gate that is async."""
    why = getattr(gate, "reason", None)
    if callable(why):
        return why(request, response)
    return getattr(gate, "accept", gate)(request, response)


def said(gate: Any, found: Any) -> str | None:
    """The reason in what a gate answered: a reason or None, or True and False."""
    if isinstance(found, str):
        return found or None
    if callable(getattr(gate, "reason", None)):
        return None
    return None if found else f"{getattr(gate, '__name__', type(gate).__name__)} rejected the answer"
