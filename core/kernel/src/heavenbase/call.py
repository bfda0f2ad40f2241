"""Call: one frozen request on its way through the kernel, and the context it shares with its attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from heavenbase.errors import DeadlineExceeded, HBError, PluginContractError, PoolTimeout
from heavenbase.options import CONTROLS as CONTROLS
from heavenbase.options import REASONING as REASONING
from heavenbase.options import split_options as split_options
from heavenbase.services import Services as Services
from heavenbase.spec import EMPTY, LLMSpec, Timeouts, empty
from heavenbase.spec import WireRequest as WireRequest
from heavenbase.types import Attempt, Hop, Message, ParameterReport, ToolCall

if TYPE_CHECKING:
    from heavenbase.details import RateLimits
    from heavenbase.image.image import LLMImage
    from heavenbase.structured.format import OutputFormat
    from heavenbase.tools.base import Tool

Verb: TypeAlias = str
"""complete, embed, imagen; or the name of an operation, such as count_tokens."""


@dataclass(slots=True)
class CallContext:
    """What the attempts of one call share: limits, ledger and report."""

    clock: Callable[[], float]
    """Monotonic seconds."""
    timeouts: Timeouts
    """The limits of the call."""
    started: float
    created_at: float
    """When the call began: on `clock`, and in epoch seconds."""
    deadline: float | None
    """When it ends at the latest, on `clock`; None without a total limit."""
    began: float = 0.0
    """When the last attempt began, on `clock`."""
    attempts: list[Attempt] = field(default_factory=list)
    report: ParameterReport = field(default_factory=ParameterReport)
    """Every request so far, and what became of each parameter."""
    cached: bool = False
    """Whether the answer came from the cache."""
    headers: Sequence[tuple[bytes, bytes]] = field(default=(), repr=False)
    """Those of the last answer, for whoever asks for the limits in them."""
    services: Services | None = field(default=None, repr=False)
    """What the kernel lends; `Call.services` is never None."""
    patience: float | None = None
    """The longest wait for another attempt, in seconds; a longer one is an error, for a route to go elsewhere."""
    is_spare: bool = False
    """Whether another credential takes over, without any wait, where this one is refused or used up."""
    reason: str = ""
    waited: float = 0.0
    """Why the next attempt is made, and how many seconds hb waited for it, for the ledger."""
    hops: list[Hop] = field(default_factory=list)
    """What became of each target of a route."""
    served: LLMSpec | None = field(default=None, repr=False)
    """The target that answers, where a route chose it."""
    siblings: Callable[[], list[str]] | None = field(default=None, repr=False)
    """What must not be told of the targets of its route."""

    def fork(self) -> CallContext:
        """A context for one target or batch: limits, report and the next reason are its own, the ledger is shared."""
        fresh = CallContext(self.clock, self.timeouts, self.started, self.created_at, self.deadline, self.began)
        fresh.attempts, fresh.hops, fresh.services = self.attempts, self.hops, self.services
        fresh.report = ParameterReport(self.report.entries.copy(), self.report.strange)
        fresh.patience, fresh.siblings = self.patience, self.siblings
        return fresh

    def remaining(self) -> float | None:
        """Seconds until the deadline, None without one; DeadlineExceeded when it has passed."""
        if self.deadline is None:
            return None
        left = self.deadline - self.clock()
        if left <= 0:
            raise DeadlineExceeded(f"the total limit of {self.timeouts.total} s passed", attempts=self.attempts)
        return left

    def limits(self) -> RateLimits | None:
        """What the headers of the answer tell of the provider's limits."""
        from heavenbase.ledger.limits import rate_limits

        return rate_limits(self.headers, self.created_at + self.clock() - self.started)

    def failed(self, error: HBError, attempt: Attempt | None = None) -> None:
        """Note how an attempt ended; by default the stream of the last one, if its end is not known yet."""
        if attempt is None:
            if not self.attempts or self.attempts[-1].error is not None:
                return
            if isinstance(error, PoolTimeout):
                self.attempts.pop()  # nothing was sent
                return
            attempt = self.attempts[-1]
            attempt.elapsed = self.clock() - self.began
        attempt.error, attempt.status = error.kind, error.status
        attempt.request_id, attempt.maybe_billed = error.request_id, error.maybe_billed

    def within(self, limit: float | None) -> float | None:
        """`limit` cut to what the deadline leaves; None when neither is set."""
        left = self.remaining()
        if left is None or limit is None:
            return limit if left is None else left
        return min(limit, left)


@dataclass(frozen=True, slots=True)
class Resumption:
    """Where a chat goes on that waits for tools: its open calls, the answers to them by id, the rounds that it had."""

    calls: Sequence[ToolCall]
    decided: Mapping[str, Any]
    turns: int = 0


class Kept:
    """The call that a completion came from, for `LLM.resume`; it stays behind when the completion is pickled."""

    __slots__ = ("call",)

    def __init__(self, call: Any = None) -> None:
        self.call = call

    def __reduce__(self) -> tuple[type[Kept], tuple[()]]:
        return Kept, ()


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way; frozen, so that `replace` makes another."""

    verb: Verb
    """What is asked: complete, embed, imagen, or the name of an operation."""
    spec: LLMSpec
    """The target: provider, model, gateway, address and credential."""
    context: CallContext
    """What its attempts share: clock, deadline, ledger, report."""
    is_async: bool = False
    """Whether the caller awaits; what waits does so in that colour."""
    stream: bool = False
    """Whether the answer comes in pieces: what `next` gives is an async iterator of Chunk then."""
    messages: list[Message] = field(default_factory=list)
    """Of complete: the conversation, as dictionaries in the shape of OpenAI's chats."""
    inputs: list[str] = field(default_factory=list)
    """Of embed: the texts; around a target those of one batch."""
    prompt: str = ""
    images: list[LLMImage] = field(default_factory=list)
    """Of imagen: what to draw, and references for the style or an edit."""
    args: Mapping[str, Any] = field(default_factory=empty)
    """Parameters that may reach the wire, by hb's names: the defaults of the target, what the caller gave over them."""
    controls: Mapping[str, Any] = field(default_factory=empty)
    """Options that hb itself follows, such as `cache` and `timeout`; they never reach the wire."""
    explicit: frozenset[str] = frozenset()
    """The names of what the caller gave; all others in `args` and `controls` are defaults."""
    tools: Mapping[str, Tool] = field(default_factory=empty)
    """The tools that hb runs itself, by name."""
    given: Mapping[str, Any] = field(default_factory=empty)
    """The caller's options, where it may be resumed."""
    format: OutputFormat | None = None
    """What `response_format` asks for."""
    resumed: Resumption | None = None
    """Where it goes on, when it is resumed."""
    subject: Any = None
    """What an operation is about, such as the documents of a rerank."""
    missed: bytes | None = None
    """The key under which the cache has nothing, where it was looked up before."""

    def replace(self, **changes: Any) -> Call:
        """A copy with other fields; the context stays shared."""
        call: Any = _Draft()
        call.verb, call.spec, call.context, call.is_async = self.verb, self.spec, self.context, self.is_async
        call.stream, call.messages, call.inputs, call.prompt = self.stream, self.messages, self.inputs, self.prompt
        call.images, call.args, call.controls, call.explicit = self.images, self.args, self.controls, self.explicit
        call.tools, call.given, call.format, call.resumed = self.tools, self.given, self.format, self.resumed
        call.subject, call.missed = self.subject, self.missed
        for name, value in changes.items():
            setattr(call, name, value)
        call.__class__ = Call
        return call  # type: ignore[no-any-return]

    @property
    def services(self) -> Services:
        """What the kernel of this call lends."""
        if self.context.services is None:
            raise PluginContractError("this call was made by no kernel, and has no services")
        return self.context.services

    @property
    def target(self) -> str:
        """`provider/model_id`, as the ledger and the errors name it."""
        return f"{self.spec.provider}/{self.spec.model_id}"

    def secrets(self) -> list[str]:
        """What must not appear in anything that is told of this call: also what its route knows of other targets."""
        siblings = self.context.siblings
        return self.own_secrets() if siblings is None else [*self.own_secrets(), *siblings()]

    def own_secrets(self) -> list[str]:
        """Those of its target and its options alone, for what is looked through at each answer."""
        return self.spec.secrets(*(() if self.explicit <= self.spec.explicit else (self.args, self.controls)))


class _Draft:
    __slots__ = Call.__slots__


def new_call(
    verb: Verb,
    spec: LLMSpec,
    context: CallContext,
    is_async: bool,
    stream: bool,
    args: Mapping[str, Any],
    controls: Mapping[str, Any],
    explicit: frozenset[str],
    *,
    messages: list[Message] | None = None,
    inputs: list[str] | None = None,
    prompt: str = "",
    images: list[LLMImage] | None = None,
    tools: Mapping[str, Tool] = EMPTY,
    given: Mapping[str, Any] = EMPTY,
    format: OutputFormat | None = None,
    resumed: Resumption | None = None,
    subject: Any = None,
    missed: bytes | None = None,
) -> Call:
    """`Call(...)` at a third of its cost, a quarter of the kernel's own time: written as a draft, frozen at the end."""
    call: Any = _Draft()
    call.verb, call.spec, call.context, call.is_async, call.stream = verb, spec, context, is_async, stream
    call.args, call.controls, call.explicit = args, controls, explicit
    call.messages = [] if messages is None else messages
    call.inputs = [] if inputs is None else inputs
    call.prompt = prompt
    call.images = [] if images is None else images
    call.tools, call.given = tools, given
    call.format, call.resumed, call.subject, call.missed = format, resumed, subject, missed
    call.__class__ = Call
    return call  # type: ignore[no-any-return]
