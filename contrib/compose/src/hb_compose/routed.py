"""A cascade whose tiers are all of hb, as one call of hb with a route: one deadline, one ledger, hb's own router."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from hb_compose.direct import DirectProvider
from hb_compose.gates import said, verdict
from hb_compose.providers import Event, Provider
from hb_compose.requests import CompletionRequest, CompletionResponse
from hb_compose.translating import to_response
from hb_routing import cascade
from heavenbase.errors import InputTypeError, UnknownNameError
from heavenbase.llm import LLM
from heavenbase.middleware import Judge
from heavenbase.routes import Breaker, Target

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.kernel import Kernel
    from heavenbase.types import Completion, Hop

CONNECTION = ("api_key", "base_url")
# A tier is asked in each call, whatever became of it in the calls before.
_PATIENT = Breaker(failures=10**9, cooldown=0.0, max_cooldown=0.0, quota_cooldown=0.0)
_asked: ContextVar[CompletionRequest] = ContextVar("hb_compose_asked")


def judge_of(gate: Any, kernel: Kernel) -> Any:
    """A gate as a judge of hb; names are looked up. An HBError for a name or a setting that is none."""
    if isinstance(gate, Judge):
        return gate
    if isinstance(gate, str | dict):
        table = {"name": gate} if isinstance(gate, str) else dict(gate)
        # "type" is what files call the name.
        name = str(table.pop("name", None) or table.pop("type", "heuristic"))
        if not kernel.registry.has("judges", name):
            raise UnknownNameError("judge", name, kernel.registry.names("judges"))
        return kernel.services.load("judges", name, table)

    def judge(call: Call, answer: Completion) -> Any:
        found = verdict(gate, _asked.get(), to_response(answer))
        if not hasattr(found, "__await__"):
            return said(gate, found)
        if not call.is_async:
            getattr(found, "close", bool)()  # a coroutine that nobody will await
            raise InputTypeError("the gate is async, and this call is not; use acomplete or astream_complete")
        return _later(gate, found)

    return judge


async def _later(gate: Any, found: Any) -> str | None:
    return said(gate, await found)


class Routed:
    """The tiers of a cascade behind one LLM of hb."""

    def __init__(self, tiers: Sequence[DirectProvider], judge: Any, on: tuple[Any, ...]) -> None:
        route = cascade(*map(_target, tiers), judge=judge, on=on, hop_after=None, breaker=_PATIENT)
        given: dict[str, Any] = {"route": route, "base_url": tiers[0].options.get("base_url")}
        made: Any = LLM  # the table of its options is of those that a call has too
        llm = made(kernel=tiers[0].llm.kernel, **{name: it for name, it in given.items() if it is not None})
        self._direct = tiers[0].beside(llm)
        specs = [(tier.model_name, tier.llm.spec) for tier in tiers]
        self._names = {f"{spec.provider}/{spec.model_id}": name for name, spec in specs}

    async def answer(self, request: CompletionRequest, *, is_async: bool) -> CompletionResponse:
        """The answer of the tier that is accepted."""
        token = _asked.set(request)
        try:
            return self._named(await self._direct._answer(request, is_async=is_async))
        finally:
            _asked.reset(token)

    async def events(self, request: CompletionRequest, *, is_async: bool) -> AsyncGenerator[Event, None]:
        """Its stream."""
        source = self._direct._events(request, is_async=is_async)
        try:
            while True:
                # For one step alone: between two of them the caller's own code runs. All judging is in the first.
                token = _asked.set(request)
                try:
                    event = await anext(source, None)
                finally:
                    _asked.reset(token)
                if event is None:
                    return
                yield event if isinstance(event, str) else self._named(event)
        finally:
            await source.aclose()

    def _named(self, response: CompletionResponse) -> CompletionResponse:
        hops: Sequence[Hop] = response.completion.hops if response.completion is not None else ()
        tiers = tuple(
            (self._names.get(hop.target, hop.target), "" if hop.outcome == "served" else hop.reason or hop.outcome)
            for hop in hops
        )
        return replace(response, model=tiers[-1][0] if tiers else response.model, tiers=tiers)


def routed(tiers: Sequence[Provider], gate: Any, on: tuple[Any, ...]) -> Routed | None:
    """The tiers behind one LLM; None where one is not a single target of hb, or they do not belong together."""
    direct = [found for tier in tiers if (found := tier._target()) is not None]
    if len(direct) < len(tiers):
        return None
    kernels = {id(found.llm.kernel) for found in direct}
    places = {(found.provider, found.options.get("base_url")) for found in direct}
    if len(kernels) > 1 or (len(places) > 1 and any(url is not None for _, url in places)):
        return None
    return Routed(direct, judge_of(gate, direct[0].llm.kernel), on)


def _target(tier: DirectProvider) -> Target:
    args = {name: value for name, value in tier.options.items() if name not in CONNECTION}
    key = tier.options.get("api_key")
    return Target(tier.model_name, tier.provider, args=args, keys=() if key is None else (key,))
