"""What callers asked to see of an answer: the `include=` names, checked before anything is sent, and `reduce=`."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputTypeError, TruncatedAnswerWarning, UnknownNameError

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Chunk, Completion, Embedding, ImageResult

_ANY_VERB: dict[str, Callable[[Any], Any]] = {
    "usage": lambda answer: answer.usage.to_dict() if answer.usage is not None else {},
    "cost": lambda answer: answer.cost,
    "raw": lambda answer: answer.raw,
    "elapsed": lambda answer: answer.elapsed,
    "created_at": lambda answer: answer.created_at,
}

_DETAILS: dict[str, Callable[[Any], Any]] = {
    "citations": lambda c: c.citations,
    "logprobs": lambda c: c.logprobs,
    "filters": lambda c: c.filters,
    "audio": lambda c: c.audio,
}

CHAT: dict[str, Callable[[Completion], Any]] = {
    "text": lambda c: c.text,
    "think": lambda c: c.reasoning,
    "content": lambda c: c.content,
    "message": lambda c: c.message,
    "delta": lambda c: c.delta,
    "messages": lambda c: c.messages,
    "tool_calls": lambda c: [call.to_dict() for call in c.tool_calls],
    **_ANY_VERB,
    "structured": lambda c: c.structured if c.structured is not None else parse_json(c.text),
    "tool_turns": lambda c: c.tool_turns,
    "max_tool_turns": lambda c: c.max_tool_turns,
    "truncated": lambda c: c.truncated,
    "pending": lambda c: [call.to_dict() for call in c.pending],
    "finish_reason": lambda c: c.finish_reason,
    "choices": lambda c: c.choices,
    **_DETAILS,
    "rate_limits": lambda c: c.rate_limits,
    "completion": lambda c: c,
}

STREAM: dict[str, Callable[[Chunk], Any]] = {
    "text": lambda c: c.text,
    "think": lambda c: c.reasoning,
    "tool_calls": lambda c: [delta.to_dict() for delta in c.tool_calls or ()],
    "usage": lambda c: c.usage.to_dict() if c.usage is not None else {},
    "raw": lambda c: c.raw,
    "finish_reason": lambda c: c.finish_reason,
    **_DETAILS,
    "chunk": lambda c: c,
}
"""Names with a value in each chunk."""

AGGREGATE = (
    *("delta", "messages", "message", "structured", "completion"),
    *("truncated", "tool_turns", "max_tool_turns", "pending", "choices", "rate_limits", "cost"),
)
"""Names that a stream answers once, in one closing item."""

CLOCK = ("content", "elapsed", "created_at", "partial")
"""Names of a stream that need more than the chunk."""

EMBED: dict[str, Callable[[Embedding], Any]] = {
    "embeddings": lambda e: e.vectors,
    **_ANY_VERB,
    "dim": lambda e: e.dim,
}

IMAGEN: dict[str, Callable[[ImageResult], Any]] = {"images": lambda i: i.images, **_ANY_VERB}


HOW_TO_SEE = 'include="chunk" shows where, by a chunk of kind "restart"'
SHOWN = frozenset({"text", "content", "think", "tool_calls"})
"""Names whose values in the chunks of a stream are void where the answer begins again."""
TEXTS = frozenset({"text", "content"})
"""Names that show nothing of an answer but what it says."""


def is_on(name: str, value: Any) -> bool:
    """A switch as it was given, None for off; InputTypeError for what is no truth value, as "no" is true to Python."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise InputTypeError(f"{name} must be True or False, not {type(value).__name__}")


def names_of(include: Any, known: Iterable[str], default: str, reduce: Any = True) -> list[str]:
    """The asked names in order, without doubles; UnknownNameError for one that does not exist."""
    is_on("reduce", reduce)
    if include is None:
        return [default]
    if isinstance(include, str):
        include = [include]
    elif not isinstance(include, Iterable):
        raise InputTypeError(f"include must be a name or an iterable of names, not {type(include).__name__}")
    names = list(include)
    choices = list(known)
    for name in names:
        if not isinstance(name, str) or name not in choices:
            raise UnknownNameError("include name", name, choices)
    return list(dict.fromkeys(names))


def project(answer: Any, names: list[str], table: dict[str, Callable[[Any], Any]], *, reduce: bool) -> Any:
    """The named values of an answer: one bare value when reduced, else a dictionary."""
    if reduce and len(names) == 1:
        return table[names[0]](answer)
    return {name: table[name](answer) for name in names}


def warn_cut(answer: Completion | None, names: list[str], stacklevel: int) -> None:
    """Warn of an answer that was cut off, or whose tools were not run, where `names` show nothing of it.

    `stacklevel` is as in `warnings.warn`.
    """
    if answer is None or answer.finish_reason == "stop" or not TEXTS.issuperset(names):
        return
    if answer.finish_reason in ("length", "context_overflow"):
        from heavenbase.gather import UNFINISHED

        why = UNFINISHED[answer.finish_reason]
    elif answer.finish_reason == "other" and answer.pending:
        ended = repr(answer.raw_finish_reason)
        why = f"nobody knows whether the answer is whole (it ended with {ended}): no tool was run, see `pending`"
    else:
        return
    warnings.warn(f"{answer.provider}/{answer.model}: {why}", TruncatedAnswerWarning, stacklevel=stacklevel + 1)


def parse_json(text: str) -> Any:
    """The text as JSON, also inside one Markdown fence; None when it is none."""
    body = text.strip()
    if body.startswith("```") and body.endswith("```"):
        body = body[3:-3].partition("\n")[2].strip()
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


class StreamProjection:
    """The named values of each chunk of one stream, and the closing item with what only the whole answer has."""

    def __init__(self, call: Call, names: list[str], *, reduce: bool) -> None:
        self._context = call.context
        self._call = call
        self.names = names
        self._hides_restarts = "chunk" not in names and not SHOWN.isdisjoint(names)
        self._reduce = reduce and len(names) == 1
        self._only_text = self._reduce and names == ["text"]
        self._thinking = False
        self._aggregates = [name for name in names if name in AGGREGATE]
        self._partial: Callable[[Chunk], Any] | None = None
        if "partial" in names:
            from heavenbase.structured.format import PartialReader

            self._partial = PartialReader(call.format).feed

    def items(self, chunk: Chunk) -> Iterable[Any]:
        """What this chunk yields: nothing when a lone name has nothing to say."""
        if chunk.kind == "end":
            return self._closing(chunk.completion)
        if chunk.kind == "restart":
            self._thinking = False
            if self._hides_restarts:  # a warning shows once per line by default; this stands for every stream
                log = self._call.services.logger.warning
                log("a stream of %s began again: what it gave before is void; %s", self._call.target, HOW_TO_SEE)
        if self._only_text:
            return (chunk.text,) if chunk.text else ()
        if self._reduce:
            value = self._value(self.names[0], chunk)
            return (value,) if value not in ("", None, [], {}) else ()
        return ({name: self._value(name, chunk) for name in self.names},)

    def _closing(self, answer: Completion | None) -> Iterable[Any]:
        """The item after the last chunk, for names that only the whole answer has."""
        if not self._aggregates or answer is None:
            return ()
        if self._reduce:
            return (CHAT[self.names[0]](answer),)
        empty = {"text": "", "think": "", "content": "", "usage": {}, "tool_calls": []}
        return ({n: CHAT[n](answer) if n in self._aggregates else empty.get(n) for n in self.names},)

    def _value(self, name: str, chunk: Chunk) -> Any:
        read = STREAM.get(name)
        if read is not None:
            return read(chunk)
        if name == "content":
            return self._content(chunk)
        if name == "elapsed":
            return self._context.clock() - self._context.started
        if name == "partial" and self._partial is not None:
            return self._partial(chunk)
        return self._context.created_at if name == "created_at" else None

    def _content(self, chunk: Chunk) -> str:
        text = ""
        if self._thinking and chunk.kind == "round":
            self._thinking = False
            return "\n</think>\n"
        if chunk.reasoning:
            text = chunk.reasoning if self._thinking else f"<think>\n{chunk.reasoning}"
            self._thinking = True
        if chunk.text:
            text += f"\n</think>\n{chunk.text}" if self._thinking else chunk.text
            self._thinking = False
        return text
