"""What travels between caller, kernel and plugins: completion, chunk, choice, attempt, parameter report.

Messages are plain dictionaries in the shape of the OpenAI wire, with two additions that each gateway translates:
a content part `{"type": "image", "image": LLMImage}`, and on assistant messages `reasoning_parts`, dictionaries
that keep a provider's opaque bytes with their provenance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeAlias

from heavenbase.details import FREE_TEXT as FREE_TEXT
from heavenbase.details import Audio as Audio
from heavenbase.details import Citation as Citation
from heavenbase.details import Detailed, Details, RateLimits
from heavenbase.details import FilterResult as FilterResult
from heavenbase.details import Record as Record
from heavenbase.details import TokenLogprob as TokenLogprob
from heavenbase.details import ToolCallDelta as ToolCallDelta
from heavenbase.details import Usage as Usage
from heavenbase.ledger.attempts import Attempt as Attempt
from heavenbase.ledger.hops import Hop as Hop
from heavenbase.ledger.report import Outcome as Outcome
from heavenbase.ledger.report import ParameterEntry as ParameterEntry
from heavenbase.ledger.report import ParameterReport as ParameterReport

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from heavenbase.image.image import LLMImage
    from heavenbase.ledger.costs import Cost

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")  # one with a default is not in the oldest Python that hb runs on

Message: TypeAlias = "dict[str, Any]"
FinishReason: TypeAlias = Literal[
    "stop", "length", "tool_calls", "content_filter", "refusal", "pause", "context_overflow", "other"
]


class RepeatedName(ValueError):
    """A name stands twice in an object, so that nobody can say which value is meant."""


def unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs, as a hook of `json.loads`; RepeatedName where two have one name."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RepeatedName("a name stands twice in one object")
    return found


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


@dataclass(slots=True)
class ToolCall(Record):
    """One tool call of the model: `arguments` is the JSON text as the model wrote it (or as repaired).

    `original` keeps the text before a repair, `changes` says what the repair changed, one line each. `reason` is why a
    paused call waits, or may not be run. `type` is "custom" for a tool that takes free text: `arguments` is that text.
    """

    id: str
    name: str
    arguments: str = "{}"
    original: str | None = None
    changes: tuple[str, ...] = ()
    reason: str | None = None
    type: str = "function"

    @property
    def repaired(self) -> bool:
        """Whether the arguments differ from what the model wrote."""
        return self.original is not None

    def parse(self) -> dict[str, Any]:
        """The arguments as a dictionary, empty for a blank text or null; ToolArgsError if they are no JSON object.

        Its `code` is "ambiguous" for what can be read in two ways: a name that stands twice, two objects in one text.
        """
        import json

        from heavenbase.errors import ToolArgsError

        text = "{}" if (self.arguments or "").strip() in ("", "null") else self.arguments
        try:
            parsed = json.loads(text, parse_constant=_refuse, object_pairs_hook=unique_object)
        except (ValueError, RecursionError) as error:  # the latter for what is nested too deeply
            is_second = isinstance(error, json.JSONDecodeError) and error.msg == "Extra data" and text[error.pos] == "{"
            code = "ambiguous" if is_second or isinstance(error, RepeatedName) else None
            raise ToolArgsError(f"arguments of tool call {self.name!r} are not JSON: {error}", code=code) from error
        if not isinstance(parsed, dict):
            raise ToolArgsError(f"arguments of tool call {self.name!r} are {type(parsed).__name__}, not an object")
        return parsed

    def to_dict(self) -> dict[str, Any]:
        """The call in the shape of the OpenAI wire; the text for a custom tool stands where arguments do."""
        return {"id": self.id, "type": self.type, "function": {"name": self.name, "arguments": self.arguments}}


@dataclass(slots=True)
class Chunk(Detailed, Record):
    """One normalised piece of a streamed answer.

    `kind` is "delta" (text, reasoning, tool_calls, images, usage, finish_reason as they come), or an announcement:
    "restart" (what came before is void; the answer begins again), "continue" (another target goes on), "round" (the
    tools that the answer asked for have run, another answer begins; `messages` are that answer and their results), or
    "end": the last chunk of a stream inside the kernel, whose `completion` is the whole answer. Middleware sees it;
    callers of `LLM.stream` do not. `details` hold what this piece brings of citations, logprobs, filters and audio.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCallDelta] | None = None
    finish_reason: FinishReason | None = None
    raw_finish_reason: str | None = None
    usage: Usage | None = None
    id: str | None = None
    model: str | None = None
    images: list[LLMImage] | None = None
    reasoning_parts: list[dict[str, Any]] | None = None
    kind: Literal["delta", "restart", "continue", "round", "end"] = "delta"
    raw: Any = None
    messages: list[Message] | None = None
    completion: Completion | None = None
    details: Details | None = None

    @property
    def choices(self) -> list[ChoiceDelta]:
        """What this event brings of the other choices of an answer with n > 1; its own content is that of the first."""
        return self.details.others if self.details is not None else []

    @property
    def has_content(self) -> bool:
        """Whether the caller sees something of the answer in this chunk."""
        if self.text or self.reasoning or self.tool_calls or self.images:
            return True
        return self.details is not None and bool(self.details.audio or self.details.others)

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, without those that are None; details under their own names."""
        found = Record.to_dict(self)  # by name: a slotted dataclass is a new class, which super() does not know
        details = found.pop("details", {})
        return found | {"choices" if name == "others" else name: value for name, value in details.items()}


@dataclass(slots=True)
class ChoiceDelta(Chunk):
    """A piece of another choice than the first, by its number, inside the chunk of the event that brought it."""

    index: int = 0


@dataclass(slots=True)
class Choice(Detailed, Record):
    """One of the answers to one request, by its number; the first has the content of the answer itself."""

    index: int = 0
    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: FinishReason = "other"
    raw_finish_reason: str | None = None
    images: list[LLMImage] = field(default_factory=list)
    reasoning_parts: list[dict[str, Any]] = field(default_factory=list)
    details: Details | None = None

    @staticmethod
    def of(index: int, answer: Any) -> Choice:
        """The part of a completion that a choice has."""
        choice = Choice(index, **{name: getattr(answer, name) for name in CHOICE_FIELDS})
        if choice.details is not None:
            choice.details = replace(choice.details, others=[], rate_limits=None)
        return choice

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, without those that are None; details under their own names."""
        found = Record.to_dict(self)
        found.update(found.pop("details", {}))
        return found


CHOICE_FIELDS = [it.name for it in fields(Choice)][1:]
"""The fields that a completion has too."""


class Billed(Record):
    """What has a ledger of requests, and so a cost."""

    __slots__ = ()
    attempts: list[Attempt]

    @property
    def cost(self) -> Cost | None:
        """What its requests cost; None where that is not known, nothing for an answer of the cache."""
        from heavenbase.ledger.costs import cost_of

        return cost_of(self.attempts, is_kept=getattr(self, "cached", True))


@dataclass(slots=True)
class Completion(Detailed, Billed, Generic[T]):
    """The normalised answer of one chat call; `Completion[Answer]` is one whose `structured` is an Answer.

    `finish_reason` is one vocabulary (see `FinishReason`), `raw_finish_reason` the provider's own word. `elapsed` is
    seconds, `created_at` epoch seconds. `attempts` is the ledger of requests, `report` what became of each parameter,
    `raw` the decoded answer (a list of chunks for a gathered stream). `messages` is the whole conversation with this
    answer, `delta` what this call added. After a tool loop text, reasoning and finish reason are those of the last
    answer, `tool_calls`, `usage` and `attempts` those of all of them; `truncated` is True when it ended on its budget.
    `served_by` is the target that answered, as `provider/model`, and `hops` what became of the targets before it, where
    the call had a route; the usage of tiers whose answer was rejected is in `usage`.
    `pending` are the calls that wait for a result: see `LLM.resume`. `details` hold what there is of citations,
    logprobs, other choices, rate limits, filters and audio; the completion has attributes of these names.
    """

    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    finish_reason: FinishReason = "other"
    raw_finish_reason: str | None = None
    usage: Usage | None = None
    id: str | None = None
    model: str | None = None
    provider: str | None = None
    gateway: str | None = None
    images: list[LLMImage] = field(default_factory=list)
    reasoning_parts: list[dict[str, Any]] = field(default_factory=list)
    created_at: float | None = None
    elapsed: float | None = None
    request_id: str | None = None
    report: ParameterReport | None = None
    raw: Any = None
    structured: T | None = None
    cached: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    delta: list[Message] = field(default_factory=list)
    tool_turns: int = 0
    max_tool_turns: int | None = None
    truncated: bool = False
    pending: list[ToolCall] = field(default_factory=list)
    served_by: str | None = None
    hops: list[Hop] = field(default_factory=list)
    _call: Any = field(default=None, repr=False, compare=False)
    details: Details | None = None
    _heard: Any = field(default=(), repr=False, compare=False)

    @property
    def choices(self) -> list[Choice]:
        """All choices, in order; one where n was 1. The first is the answer itself: text, tool calls and the rest."""
        return [Choice.of(0, self), *(self.details.others if self.details is not None else ())]

    @property
    def rate_limits(self) -> RateLimits | None:
        """The provider's limits as the headers of the (last) answer told them; None where they told of none."""
        if self._heard:
            from heavenbase.ledger.limits import rate_limits

            headers, self._heard = self._heard, ()
            found = rate_limits(headers, (self.created_at or 0.0) + (self.elapsed or 0.0))
            self.details = Details.limited(self.details, found)
        return self.details.rate_limits if self.details is not None else None

    @property
    def content(self) -> str:
        """Reasoning in <think> tags, then the text."""
        return f"<think>\n{self.reasoning}\n</think>\n{self.text}" if self.reasoning else self.text

    @property
    def message(self) -> Message:
        """The (last) assistant message in wire shape, with `reasoning_content` where there was thinking."""
        if len(self.delta) > 1:
            return next((message for message in reversed(self.delta) if message["role"] == "assistant"), self.delta[-1])
        message: Message = {"role": "assistant", "content": self.text}
        if self.reasoning:
            message["reasoning_content"] = self.reasoning
        if self.reasoning_parts:
            message["reasoning_parts"] = self.reasoning_parts
        if self.tool_calls:
            message["tool_calls"] = [call.to_dict() for call in self.tool_calls]
        if self.images:
            message["images"] = [image.to_dict() for image in self.images]
        if self.details is not None:
            message.update(self._told())
            message.pop("rate_limits", None)  # of a moment, not of a conversation
        return message

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data, without those that are None and without `raw`; details under their own names."""
        self._resolve()
        found = Record.to_dict(self)  # by name, as in Chunk
        found.pop("raw", None)
        if found.pop("details", None):
            found.update(self._told())
        return found

    def _told(self) -> dict[str, Any]:
        told = self.details.to_dict() if self.details is not None else {}
        if told.pop("others", None):
            told["choices"] = [choice.to_dict() for choice in self.choices]
        return told

    def __getstate__(self) -> Any:
        self._resolve()  # headers stay behind
        return object.__getstate__(self)

    def _resolve(self) -> None:
        if self._heard:
            _ = self.rate_limits

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Embedding(Billed):
    """The answer of one embedding call: one vector of floats per input, in order.

    `raw` holds {cached, misses, embedding_batch_size, embedding_max_workers, batches}.
    """

    vectors: Sequence[Sequence[float]]
    usage: Usage | None = None
    model: str | None = None
    provider: str | None = None
    gateway: str | None = None
    created_at: float | None = None
    elapsed: float | None = None
    report: ParameterReport | None = None
    raw: Any = None
    attempts: list[Attempt] = field(default_factory=list)
    served_by: str | None = None
    hops: list[Hop] = field(default_factory=list)

    @property
    def dim(self) -> int | None:
        """The length of the vectors; None when there are none."""
        return len(self.vectors[0]) if self.vectors else None


@dataclass(slots=True)
class ImageResult(Billed):
    """The answer of one image generation: `images` in the provider's order, `raw` its payload."""

    images: list[LLMImage]
    usage: Usage | None = None
    model: str | None = None
    provider: str | None = None
    gateway: str | None = None
    created_at: float | None = None
    elapsed: float | None = None
    report: ParameterReport | None = None
    raw: Any = None
    cached: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    served_by: str | None = None
    hops: list[Hop] = field(default_factory=list)
