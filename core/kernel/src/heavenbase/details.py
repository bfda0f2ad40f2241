"""What an answer tells beside its words: tokens, sources, likelihoods, verdicts of filters, audio. Pure values.

An answer and each piece of one have `details`, which is None for most; a gateway fills what its wire has. The names in
it are attributes of the answer too: `completion.citations`, `chunk.logprobs`.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, MISSING, dataclass, field, fields, replace
from typing import Any, ClassVar, Literal, Self, TypeAlias

SourceKind: TypeAlias = Literal["url", "file", "document", "search_result", "tool", "text"]
Unit: TypeAlias = Literal["characters", "pages", "blocks", "seconds"]


class Record:
    """Base of the small value classes: `to_dict` over the fields."""

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, without those that are None."""
        found = {name: _plain(getattr(self, name)) for name in self.__dataclass_fields__ if name[0] != "_"}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The record that `to_dict` wrote; names that this release does not know are passed over."""
        return cls(**{name: value for name, value in data.items() if name in cls.__dataclass_fields__})

    def __setstate__(self, state: Any) -> None:  # a pickle of an earlier release lacks the fields that came later
        late = {it.name: it.default if it.default_factory is MISSING else it.default_factory() for it in fields(self)}
        for part in (late, *(state if isinstance(state, tuple) else (state,))):
            for name, value in (part or {}).items():
                object.__setattr__(self, name, value)  # a subclass may be frozen


def _plain(value: Any) -> Any:
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


@dataclass(slots=True)
class Usage(Record):
    """Tokens in disjoint buckets; None means that the provider did not say.

    `input` are fresh input tokens, `cache_read` and `cache_write` those read from and written to the provider's prompt
    cache, `output` the visible answer, `reasoning` the thinking; sounds and pictures are `audio` and `image` in a
    prompt, `output_audio` and `output_image` in an answer. The wire's sums are derived: `prompt_tokens` and so on.
    `cost` is the provider's own figure in `currency`, a decimal string. What else prices go by: `cache_write_1h` is the
    part of `cache_write` kept for an hour, `tier` the service that was billed in the provider's word ("flex", "batch"),
    `web_searches` how many there were, `tools` how many runs of other tools of its own.
    """

    input: int | None = None
    output: int | None = None
    _: KW_ONLY
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    audio: int | None = None
    image: int | None = None
    cost: str | None = None
    currency: str | None = None
    output_audio: int | None = None
    output_image: int | None = None
    cache_write_1h: int | None = None
    tier: str | None = None
    web_searches: int | None = None
    tools: int | None = None

    @property
    def prompt_tokens(self) -> int | None:
        """All input tokens, cached ones included."""
        return _sum(self.input, self.cache_read, self.cache_write, self.audio, self.image)

    @property
    def completion_tokens(self) -> int | None:
        """All output tokens, reasoning included."""
        return _sum(self.output, self.reasoning, self.output_audio, self.output_image)

    @property
    def total_tokens(self) -> int | None:
        """Input and output tokens together; the known side where the wire has only one."""
        return _sum(self.prompt_tokens, self.completion_tokens)

    def to_dict(self) -> dict[str, Any]:
        """The known buckets under their names, and the wire's three sums."""
        sums = {name: getattr(self, name) for name in ("prompt_tokens", "completion_tokens", "total_tokens")}
        # Record.to_dict by name: a slotted dataclass is a new class, which the zero-argument super() does not know.
        return {**{name: value for name, value in sums.items() if value is not None}, **Record.to_dict(self)}

    @staticmethod
    def total(*parts: Usage | None) -> Usage | None:
        """The sum of those that are known; None where none is."""
        known = [part for part in parts if part is not None]
        return sum(known[1:], known[0]) if known else None

    def __add__(self, other: Usage) -> Usage:
        """The counts of both; a cost where both told one in the same currency, as half of it would look like all."""
        total = Usage(cost=_both(self, other))
        total.currency = None if total.cost is None else self.currency or other.currency
        for name in self.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if name in ("cost", "currency") or (name == "tier" and None not in (mine, theirs) and mine != theirs):
                continue
            if mine is None or theirs is None or name == "tier":
                setattr(total, name, theirs if mine is None else mine)
            else:
                setattr(total, name, mine + theirs)
        return total


def _both(mine: Usage, theirs: Usage) -> str | None:
    """The costs of two usages together; None where one is not known, is no amount, or is in another currency."""
    if mine.cost is None or theirs.cost is None or (mine.currency or "USD") != (theirs.currency or "USD"):
        return None
    from decimal import Context, Decimal

    try:  # a few characters can say a number of a million digits
        parts = [Decimal(str(each.cost)) for each in (mine, theirs)]
        is_known = all(each.is_finite() and abs(each.adjusted()) < 1000 for each in parts)
        return format(Context(prec=3000).add(*parts), "f") if is_known else None
    except ArithmeticError:
        return None


def _sum(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if known else None


FREE_TEXT = "custom"
"""The type of tools that take free text, and of their calls."""


@dataclass(slots=True)
class ToolCallDelta(Record):
    """One streamed fragment of a tool call; whatever the wire left out is None."""

    index: int | None = None
    id: str | None = None
    name: str | None = None
    arguments: str = ""
    type: str | None = None


@dataclass(slots=True)
class Citation(Record):
    """A source that the provider names for a stretch of the answer's text, or for the answer as a whole.

    `start` and `end` count characters of the answer's text, `end` not included; None where the source stands for all of
    it. `kind` says what the source is. `id` is the provider's name for it (a file, a document, a tool's result),
    `document` its place among the documents of the request, from 0; `quote` is the quoted text of the source, and
    `source_start` to `source_end` where that stands in it, counted in `unit` as the provider counts.
    """

    start: int | None = None
    end: int | None = None
    _: KW_ONLY
    kind: SourceKind = "url"
    id: str | None = None
    document: int | None = None
    title: str | None = None
    url: str | None = None
    quote: str | None = None
    source_start: float | None = None
    source_end: float | None = None
    unit: Unit | None = None


@dataclass(slots=True)
class TokenLogprob(Record):
    """One token of the answer with the natural logarithm of its probability, and the likeliest tokens in its place."""

    token: str
    logprob: float | None = None
    top: list[TokenLogprob] = field(default_factory=list)
    bytes: list[int] | None = None
    id: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, without those that are None or empty."""
        return {name: value for name, value in Record.to_dict(self).items() if value != []}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TokenLogprob:
        """The token that `to_dict` wrote."""
        return cls(**{**data, "top": [TokenLogprob(**item) for item in data.get("top", ())]})


@dataclass(slots=True)
class FilterResult(Record):
    """What a content filter of the provider found.

    `category` is the provider's word (hate, violence, jailbreak, a topic or word of a guardrail), `on` where it looked,
    `filtered` whether it blocked or masked something, `detected` whether it found something; `severity` is a word,
    `score` a number on the provider's own scale.
    """

    category: str
    on: Literal["prompt", "answer"] = "answer"
    filtered: bool | None = None
    detected: bool | None = None
    severity: str | None = None
    score: float | None = None


@dataclass(slots=True)
class Audio(Record):
    """Sound in an answer, or a piece of it in a stream.

    `data` are bytes in `format` (wav, mp3, pcm16, or a media type), `transcript` what is said. `id` names the sound to
    the provider in later turns until `expires_at`, in epoch seconds.
    """

    data: bytes = b""
    format: str | None = None
    transcript: str = ""
    id: str | None = None
    expires_at: float | None = None

    def __repr__(self) -> str:
        return f"Audio({len(self.data)} bytes, format={self.format!r}, transcript={self.transcript!r}, id={self.id!r})"

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, the bytes as base64."""
        return {**Record.to_dict(self), "data": b64encode(self.data).decode("ascii")}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Audio:
        """The sound that `to_dict` wrote."""
        return cls(**{**data, "data": b64decode(data.get("data") or "")})

    @staticmethod
    def joined(pieces: Iterable[Audio]) -> list[Audio]:
        """Whole sounds from the pieces of a stream: one for each id; a piece without an id goes on with the last."""
        groups: list[list[Audio]] = []
        for piece in pieces:
            last = next((it.id for it in groups[-1] if it.id), None) if groups else None
            if not groups or (piece.id and last and piece.id != last):
                groups.append([])
            groups[-1].append(piece)
        return [_one_sound(group) for group in groups]


def _one_sound(pieces: list[Audio]) -> Audio:
    def known(name: str) -> Any:
        return next((value for piece in reversed(pieces) if (value := getattr(piece, name)) is not None), None)

    said = "".join(piece.transcript for piece in pieces)
    return Audio(b"".join(piece.data for piece in pieces), known("format"), said, known("id"), known("expires_at"))


@dataclass(slots=True)
class RateLimit(Record):
    """One limit: how much may be used in all, what is left, and when it is whole again.

    `reset` are seconds from when the answer came, `reset_at` epoch seconds.
    """

    limit: int | None = None
    remaining: int | None = None
    reset: float | None = None
    reset_at: float | None = None


@dataclass(slots=True)
class RateLimits(Record):
    """The limits that an answer told of: by requests and by tokens; `others` under the provider's own names."""

    requests: RateLimit | None = None
    tokens: RateLimit | None = None
    input_tokens: RateLimit | None = None
    output_tokens: RateLimit | None = None
    others: dict[str, RateLimit] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The known limits as plain data."""
        return {name: value for name, value in Record.to_dict(self).items() if value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> RateLimits:
        """The limits that `to_dict` wrote."""
        others = {name: RateLimit(**value) for name, value in data.get("others", {}).items()}
        return cls(**{name: RateLimit(**value) for name, value in data.items() if name != "others"}, others=others)


_KINDS: dict[str, Any] = {
    "citations": Citation,
    "logprobs": TokenLogprob,
    "filters": FilterResult,
    "audio": Audio,
}


@dataclass(slots=True)
class Details(Record):
    """What an answer, or a piece of one, tells beside text, thoughts and tool calls.

    `others` are the choices of an answer with n > 1 but for the first, whose content is the answer's own.
    """

    citations: list[Citation] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    filters: list[FilterResult] = field(default_factory=list)
    audio: list[Audio] = field(default_factory=list)
    others: list[Any] = field(default_factory=list)
    rate_limits: RateLimits | None = None

    def to_dict(self) -> dict[str, Any]:
        """The fields that have something in them, as plain data."""
        return {name: _plain(value) for name in self.__dataclass_fields__ if (value := getattr(self, name))}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Details:
        """The details that `to_dict` wrote, but for other choices."""
        lists: Any = {name: [kind.from_dict(item) for item in data.get(name, ())] for name, kind in _KINDS.items()}
        limits = RateLimits.from_dict(data["rate_limits"]) if "rate_limits" in data else None
        return cls(**lists, rate_limits=limits)

    @staticmethod
    def known(**found: Any) -> Details | None:
        """The details for the fields that have something in them; None where there are none."""
        filled = {name: value for name, value in found.items() if value}
        return Details(**filled) if filled else None

    @staticmethod
    def limited(details: Details | None, limits: RateLimits | None) -> Details | None:
        """These details with limits; as they are where there are none."""
        return details if limits is None else replace(details or Details(), rate_limits=limits)

    @staticmethod
    def merged(parts: Iterable[Details], others: Iterable[Any] = ()) -> Details:
        """The details of all pieces of one choice, in order; other choices are for the caller to put together."""
        whole, audio, verdicts = Details(others=list(others)), [], []
        for part in parts:
            whole.citations += part.citations
            whole.logprobs += part.logprobs
            verdicts += part.filters
            audio += part.audio
            whole.rate_limits = part.rate_limits or whole.rate_limits
        whole.filters = latest_filters(verdicts)
        whole.audio = Audio.joined(audio)
        return whole


def latest_filters(verdicts: Iterable[FilterResult]) -> list[FilterResult]:
    """The verdicts of a stream, which says each category anew as it goes on: what was filtered once stays filtered."""
    found: dict[tuple[str, str], FilterResult] = {}
    for verdict in verdicts:
        key = (verdict.category, verdict.on)
        if key not in found or not found[key].filtered or verdict.filtered:
            found[key] = verdict
    return list(found.values())


class Detailed:
    """The names of `Details` on what has them."""

    __slots__ = ()
    details: Details | None

    @property
    def citations(self) -> list[Citation]:
        """The sources that the provider names; empty where it names none."""
        return self.details.citations if self.details is not None else []

    @property
    def logprobs(self) -> list[TokenLogprob]:
        """The tokens with their likelihoods, where they were asked for."""
        return self.details.logprobs if self.details is not None else []

    @property
    def filters(self) -> list[FilterResult]:
        """What the provider's content filters found."""
        return self.details.filters if self.details is not None else []

    @property
    def audio(self) -> list[Audio]:
        """The sounds of the answer."""
        return self.details.audio if self.details is not None else []

    @property
    def rate_limits(self) -> RateLimits | None:
        """The provider's limits, from the headers of the answer; the first chunk of a stream has them."""
        return self.details.rate_limits if self.details is not None else None
