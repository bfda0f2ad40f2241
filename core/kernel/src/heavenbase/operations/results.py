"""What operations answer: small typed values, each with what the kernel knows of its call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from heavenbase.details import Record, Usage

if TYPE_CHECKING:
    from heavenbase.call import Call, Kept
    from heavenbase.errors import HBError
    from heavenbase.types import Attempt, Completion, ParameterReport

T = TypeVar("T")


@dataclass(kw_only=True)
class OperationResult(Record):
    """Base of what operations answer. The kernel fills these fields, but for `usage` and `raw`.

    `created_at` is epoch seconds, `elapsed` seconds, `raw` the provider's own answer.
    """

    usage: Usage | None = None
    model: str | None = None
    provider: str | None = None
    gateway: str | None = None
    created_at: float | None = None
    elapsed: float | None = None
    report: ParameterReport | None = field(default=None, repr=False)
    attempts: list[Attempt] = field(default_factory=list, repr=False)
    raw: Any = field(default=None, repr=False)


@dataclass
class TokenCount(OperationResult):
    """How many input tokens a chat would have; `int(count)` is the number.

    `method` is "endpoint" where the provider counted, and "estimate" where hb did without one; then `reason` says why,
    and `most` how many there are at most, where the table of models has a vocabulary.
    """

    tokens: int
    method: Literal["endpoint", "estimate"] = "endpoint"
    reason: str | None = None
    most: int | None = None

    def __int__(self) -> int:
        return self.tokens

    __index__ = __int__


JOB_STATES = ("queued", "in_progress", "completed", "incomplete", "failed", "cancelled")


@dataclass
class Job(OperationResult):
    """An answer that the provider makes in the background. Its `id` is enough to ask for it, from any process.

    `status` is queued, in_progress, completed, incomplete (cut off, as its answer says), failed or cancelled.
    `completion` is the answer of one that is completed or incomplete, `error` why there is none.
    """

    id: str
    status: str
    completion: Completion | None = None
    error: HBError | None = None
    _call: Kept | None = field(default=None, repr=False, compare=False)

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status not in JOB_STATES[:2]

    def to_dict(self) -> dict[str, Any]:
        """The fields as plain data; of the error its class and its words."""
        found = super().to_dict()
        if self.error is not None:
            found["error"] = {"type": type(self.error).__name__, "message": self.error.message}
        return found


LOCAL = ("batches.entry", "batches.answer")
"""Operations on a request or an answer of a batch, which send nothing: there is nothing to limit in them."""
BATCH_STATES = ("queued", "in_progress", "cancelling", "completed", "failed", "expired", "cancelled")


@dataclass
class BatchPart(OperationResult):
    """Requests of one endpoint, each a line as its wire writes it; `headers` and `metadata` go with all of them.

    `file` is the id of those that were uploaded already.
    """

    lines: Sequence[bytes] = field(repr=False)
    endpoint: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    file: str | None = None


@dataclass
class BatchJob(OperationResult):
    """Requests that a provider answers in its own time. Its `id` is enough to ask for them, from any process.

    `status` is one of `BATCH_STATES`; also one that expired or was cancelled may have answers. `counts` are requests by
    what became of them, as far as is told: total, processing, succeeded, failed, expired, cancelled. Times are epoch
    seconds; `outputs` names the results, `problems` tell why it failed.
    """

    id: str
    status: str
    counts: dict[str, int] = field(default_factory=dict)
    created: float | None = None
    expires: float | None = None
    ended: float | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    outputs: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_done(self) -> bool:
        """Whether nothing more will come of it."""
        return self.status not in BATCH_STATES[:3]


def verb_of(call: Call) -> Literal["complete", "embed", "imagen"]:
    """The verb of which a call is, whose own verb is an operation on a request of a batch."""
    return "embed" if call.inputs else "imagen" if call.prompt else "complete"


def counted(call: Call, decoded: Any, name: str) -> TokenCount:
    """The count in the field `name` of a decoded answer; ResponseShapeError where there is none."""
    from heavenbase.http.payload import as_object, shape_error

    found = as_object(call, decoded, "the answer").get(name)
    if isinstance(found, bool) or not isinstance(found, int) or found < 0:
        raise shape_error(call, f"the answer has no `{name}`")
    return TokenCount(found, raw=decoded)


def countable(call: Call, body: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The fields of a chat's body that a count takes; the report tells of the others that they are not sent."""
    left = {name: body[name] for name in names if name in body}
    report, extra = call.context.report, call.args.get("extra_body") or {}
    for entry in list(report.entries.values()):
        places = {entry.name, (entry.wire or "").partition(".")[0], *(extra if entry.name == "extra_body" else ())}
        if entry.outcome in ("sent", "renamed", "clamped") and places.isdisjoint(left):
            report.dropped(entry.name, "it is no part of what is counted")
    return left


@dataclass
class ModelInfo(Record):
    """One model of an endpoint. What the provider does not tell is None.

    `created` is epoch seconds, `context_window` and `max_output` are tokens.
    """

    id: str
    owner: str | None = None
    created: float | None = None
    name: str | None = None
    context_window: int | None = None
    max_output: int | None = None
    raw: Any = field(default=None, repr=False)


@dataclass
class FileInfo(OperationResult):
    """A file that a provider keeps. What it does not tell is None.

    `size` is bytes, `created` and `expires` are epoch seconds; `uri` is the name in messages where `id` is not.
    """

    id: str
    filename: str | None = None
    size: int | None = None
    media_type: str | None = None
    purpose: str | None = None
    created: float | None = None
    expires: float | None = None
    status: str | None = None
    uri: str | None = None


@dataclass
class Listing(OperationResult, Generic[T]):
    """Items in order; a sequence of them. `has_more` where the provider has more than were asked for."""

    items: list[T]
    has_more: bool = False

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __getitem__(self, place: int) -> T:
        return self.items[place]


@dataclass(frozen=True)
class Ranked(Record):
    """One document of a ranking: its place among those that were given, how relevant it is, and its text."""

    index: int
    score: float
    document: str


@dataclass
class Ranking(Listing[Ranked]):
    """Documents, best first. `search_units` are what some providers bill by; others tell tokens in `usage`."""

    search_units: int | None = None
