"""Thoughts left out of what a caller sees who wants none: those in tags before the text, and those in `raw`. Pure."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heavenbase.details import Details
    from heavenbase.types import Choice, Chunk, Citation, Completion

TAGS = ("<think>", "<thinking>")
"""Between these and their ends, models whose server does not tell thoughts apart write them before the answer."""
_FIELDS = frozenset(
    {"reasoning", "reasoning_content", "reasoning_details", "reasoningContent", "thinking", "thoughts", "tool_plan"}
)
_KEPT = frozenset({"type", "id", "index", "item_id", "output_index", "summary_index", "content_index", "status"})


class TagFilter:
    """Takes the thoughts in tags off the beginning of a text that comes in pieces.

    `is_open`: the text of the answer has begun, and nothing more is taken off. `is_done`: nothing was, nor will be.
    """

    __slots__ = ("_close", "_held", "_is_behind", "_others", "_taken", "is_open")

    def __init__(self) -> None:
        self.is_open = False
        self._held = self._close = ""
        self._taken = 0
        self._others: dict[int, TagFilter] = {}
        """Those of the other choices."""
        self._is_behind = False
        """Whether thoughts were taken off, and so the blanks behind them."""

    def feed(self, piece: str) -> str:
        """What of the text so far belongs to the answer, and was not given back yet."""
        if self.is_open:
            return piece
        text = self._held + piece
        while True:
            if self._close:
                _, found, behind = text.partition(self._close)
                if not found:
                    self._held = text[1 - len(self._close) :]
                    return ""
                self._close, self._is_behind, text = "", True, behind
            body = text.lstrip()
            tag = next((tag for tag in TAGS if body.startswith(tag)), None)
            if tag is None:
                break
            self._close, text = f"</{tag[1:]}", body[len(tag) :]
        if self._is_behind:
            text = body
        if any(tag.startswith(body) for tag in TAGS):
            self._held = text
            return ""
        self.is_open, self._held = True, ""
        return text

    def flush(self) -> str:
        """At the end: what was held back for the beginning of a tag, and is none."""
        left, self._held = "" if self._close else self._held, ""
        return left

    @property
    def is_done(self) -> bool:
        """Whether chunks pass as they are from here on, as far as those of one choice."""
        return self.is_open and not self._taken and not self._others

    def strip(self, chunk: Chunk) -> Chunk:
        """The chunk without thoughts in tags; one that had some has no `raw`."""
        if chunk.kind == "restart":
            self.__init__()  # type: ignore[misc]
        text = self.feed(chunk.text) if chunk.text else ""
        if chunk.finish_reason is not None:
            text += self.flush()
        taken = len(chunk.text) - len(text)
        self._taken += taken
        details, others = chunk.details, chunk.choices
        if details is not None:
            stripped = [self._others.setdefault(it.index, TagFilter()).strip(it) for it in others]
            details = replace(_without(details, self._taken, taken), others=stripped)
        if not taken and details == chunk.details:
            return chunk
        return replace(chunk, text=text, raw=None, details=details)


def untagged(text: str) -> str:
    """A whole text without the thoughts in tags before it."""
    tags = TagFilter()
    return tags.feed(text) + tags.flush()


def strip_tags(answer: Completion) -> None:
    """Take thoughts in tags out of an answer, its other choices and its `raw`."""
    had_some = [_strip(one) for one in (answer, *(answer.details.others if answer.details is not None else ()))]
    if any(had_some):
        answer.raw = without_thoughts(answer.raw)


def _strip(answer: Completion | Choice) -> bool:
    text = untagged(answer.text)
    taken = len(answer.text) - len(text)
    answer.text = text
    if taken and answer.details is not None:
        answer.details = _without(answer.details, taken, taken)
    return taken > 0


def _without(details: Details, before: int, taken: int) -> Details:
    """Details of a text that lost so many characters: `taken` at the beginning of this piece, `before` in all."""
    if before:
        details = replace(details, citations=[_moved(it, before) for it in details.citations])
    if taken > 0 and details.logprobs:
        lengths = accumulate(len(it.token) for it in details.logprobs)
        left = [token for token, end in zip(details.logprobs, lengths, strict=True) if end > taken]
        details = replace(details, logprobs=left)
    return details


def _moved(citation: Citation, by: int) -> Citation:
    if citation.start is None or citation.end is None:
        return citation
    return replace(citation, start=max(citation.start - by, 0), end=max(citation.end - by, 0))


def without_thoughts(raw: Any, name: str = "") -> Any:
    """A copy of a provider's own answer or event without the thoughts in it, as any wire writes them.

    Objects that are thoughts stay, with nothing but their type and place.
    """
    if isinstance(raw, dict):
        kind = raw.get("type")
        if raw.get("thought") is True or (isinstance(kind, str) and ("reasoning" in kind or "thinking" in kind)):
            return {key: value for key, value in raw.items() if key in _KEPT or key == "thought"}
        return {
            key: without_thoughts(value, key)
            for key, value in raw.items()
            # An object under this name is what was asked for, not what was thought.
            if key not in _FIELDS or (key == "reasoning" and isinstance(value, dict))
        }
    if isinstance(raw, list):
        return [without_thoughts(item, name) for item in raw]
    return untagged(raw) if isinstance(raw, str) and name in ("content", "text") else raw
