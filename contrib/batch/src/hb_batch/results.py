"""What comes of a batch in memory, and how far it is while it runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from traceback import clear_frames
from typing import Any, Final, TypeAlias

from heavenbase.errors import HBError
from heavenbase.ledger import Cost
from heavenbase.types import Completion, Embedding, ImageResult, ParameterReport, Usage

Answer: TypeAlias = Completion | Embedding | ImageResult


@dataclass(frozen=True, slots=True)
class BatchError:
    """A request that failed: its place from 0, the name of its error's class, the error, and the request.

    Credentials among the request's options are left out. `message` is the error's text.
    """

    index: int
    error_type: str
    message: str
    error: Exception = field(compare=False)
    request: Any = field(default=None, repr=False, compare=False)

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return isinstance(self.error, HBError) and self.error.retryable


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is. `total` is None where the requests have no length, `eta` are the seconds that are left.

    `rate` are requests that end in a second, `tokens` and `cost` those of the answers so far; `cost` is None where one
    of them is not known.
    """

    done: int
    failed: int
    total: int | None
    elapsed: float
    tokens: int = 0
    cost: Cost | None = None

    @property
    def rate(self) -> float:
        """Requests that ended in a second, over the whole run."""
        return self.done / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def eta(self) -> float | None:
        """Seconds until the end at that rate; None where that cannot be told."""
        rate = self.rate
        return (self.total - self.done) / rate if self.total is not None and rate > 0 else None


@dataclass(slots=True)
class BatchResult:
    """The answers of a batch in the order of its requests, with None for those that have none; and what failed.

    An answer is a Completion, an Embedding or an ImageResult; without `keep_raw` it has no `raw`, and answers with
    equal reports of their parameters share one, as all share their empty lists. `cancelled` counts the requests that
    have neither answer nor error, because `fail_fast` ended the batch. `cost` is a Cost, None where it is not known of
    every request that was sent; `usage` adds up what is known.
    """

    results: list[Answer | None]
    errors: list[BatchError] = field(default_factory=list)
    cancelled: int = 0
    usage: Usage | None = None
    cost: Cost | None = None
    elapsed: float = 0.0

    def __repr__(self) -> str:  # asyncio writes out the result of its main task, whose answers may be thousands
        return (
            f"BatchResult({self.succeeded} of {len(self.results)} succeeded, {self.failed} failed, "
            f"{self.cancelled} cancelled, {self.total_tokens} tokens, {self.elapsed:.1f} s)"
        )

    @property
    def succeeded(self) -> int:
        """How many requests have an answer."""
        return sum(answer is not None for answer in self.results)

    @property
    def failed(self) -> int:
        """How many requests failed."""
        return len(self.errors)

    @property
    def total_tokens(self) -> int:
        """Tokens of all answers, as far as they are known."""
        return (self.usage.total_tokens or 0) if self.usage is not None else 0

    @property
    def success_rate(self) -> float:
        """The share of requests that have an answer; 0 where there was none."""
        return self.succeeded / len(self.results) if self.results else 0.0


class Nothing(list[Any]):
    """The empty list of all answers of a batch that have none of their own; TypeError for whoever adds to it."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise TypeError("this empty list is shared by the answers of a batch; give the answer a list of its own")

    append = extend = insert = __iadd__ = __imul__ = __setitem__ = _refuse

    def __reduce_ex__(self, protocol: Any) -> Any:  # a copy, or what comes out of a pickle, is a list like any other
        return list, ()


NOTHING: Final = Nothing()
_LISTS: Final = ("tool_calls", "images", "reasoning_parts", "pending", "hops")


class Lean:
    """Takes from answers what many of them need not keep each for itself: a batch has thousands in memory."""

    def __init__(self, *, keep_raw: bool) -> None:
        self._keep_raw = keep_raw
        self._report: ParameterReport | None = None
        self._served_by: str | None = None

    def made(self, answer: Answer) -> Answer:
        """The same answer, leaner."""
        if isinstance(answer, Completion):
            _ = answer.rate_limits  # read now, as an answer keeps all its headers until then
            for name in _LISTS:
                if not getattr(answer, name):
                    setattr(answer, name, NOTHING)
        if not self._keep_raw and not isinstance(answer, Embedding):  # that of vectors only counts
            answer.raw = None
        if answer.report == self._report:
            answer.report = self._report
        else:
            self._report = answer.report
        if answer.served_by == self._served_by:
            answer.served_by = self._served_by
        else:
            self._served_by = answer.served_by
        return answer


_CHAIN: Final = 16
"""Errors behind an error that are looked at."""


def lighten(error: BaseException) -> None:
    """Let go of what an error holds by its frames: twenty of its own size, for errors of which there may be thousands.

    Errors of hb say what is wrong without a traceback; others keep theirs, without the values of its variables.
    """
    behind: BaseException | None = error
    for _ in range(_CHAIN):
        if behind is None:
            return
        if isinstance(behind, HBError):
            behind.__traceback__ = None
        else:
            clear_frames(behind.__traceback__)
        behind = behind.__cause__ or behind.__context__


class Costs:
    """Adds up what requests cost; unknown as soon as that of an answer is."""

    def __init__(self) -> None:
        self._sum: Cost | None = None
        self._is_known = True
        self._at_least = False

    def add(self, answer: Any) -> None:
        """An answer's."""
        self._add(answer.cost)

    def add_failed(self, error: BaseException) -> None:
        """What failed cost what its requests did, and nothing where none was counted."""
        for attempt in getattr(error, "attempts", ()):
            if attempt.usage is not None:
                self._add(attempt.cost)
            elif attempt.maybe_billed:
                self._at_least = True

    def _add(self, cost: Cost | None) -> None:
        if cost is None:
            self._is_known = False
        elif self._is_known:
            self._sum = cost if self._sum is None else Cost.total([self._sum, cost])
            self._is_known = self._sum is not None

    def total(self) -> Cost | None:
        """The sum; None where it is not known, and of nothing."""
        if not self._is_known or self._sum is None:
            return None
        return replace(self._sum, at_least=True) if self._at_least else self._sum
