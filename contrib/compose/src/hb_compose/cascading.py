"""CascadingProvider: the cheapest model first, a dearer one where a gate rejects the answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable
from dataclasses import replace
from inspect import isawaitable
from typing import TYPE_CHECKING, Any

from hb_compose.boxed import boxed
from hb_compose.escalating import On, check_on, leads_on
from hb_compose.gates import Gate, HeuristicGate, said, verdict
from hb_compose.providers import Event, LlmProvider, Provider
from hb_compose.requests import CompletionRequest, CompletionResponse, TokenUsage
from hb_compose.retrying import note_ledger
from heavenbase.errors import ConfigError, HBError, InputError, InputTypeError
from heavenbase.middleware import Judge
from heavenbase.secrets import text_of, told

if TYPE_CHECKING:
    from heavenbase.types import Attempt

_log = logging.getLogger("heavenbase.compose")


class CascadingProvider(Provider):
    """Asks its tiers in order, cheapest first, until a gate accepts an answer; that of the last tier is not judged.

    A tier that fails leads to the next one, unless it is the key or the request that is wrong. All but the last tier
    are asked for whole answers, also in a stream, where an accepted one is a single piece; the last tier streams.

    Args:
        tiers: Providers, cheapest first.
        gate: What accepts an answer: a `ConfidenceGate`, or a function (request, response) -> bool; by default a
            `HeuristicGate`. Where all tiers are of hb, also a judge of hb: an object, its name, or a table of name and
            settings.
        escalate_on: Errors that lead to the next tier: kinds of errors as routes of hb name them, classes, functions
            of the error. By default rate_limit, overloaded, server, timeout, connect, transport, response, quota,
            context_overflow and stream_truncated; auth, not_found, content_filter and rejected only when named.

    Raises:
        ConfigError: Where there is no tier.
        InputError: For what is no provider, gate or kind of error.
    """

    def __init__(
        self,
        tiers: Iterable[LlmProvider | Provider],
        gate: Gate | Judge | str | dict[str, Any] | None = None,
        *,
        escalate_on: On | None = None,
    ) -> None:
        if not isinstance(tiers, Iterable) or isinstance(tiers, str | Provider):
            raise InputTypeError(f"tiers must be a list of providers, not {type(tiers).__name__}")
        self.tiers = tuple(boxed(tier) for tier in tiers)
        if not self.tiers:
            raise ConfigError("a cascade needs at least one tier")
        self.gate: Any = HeuristicGate() if gate is None else gate
        is_judge = isinstance(self.gate, str | dict | Judge)
        is_gate = callable(self.gate) or callable(getattr(self.gate, "accept", None))
        if isinstance(self.gate, type) or not (is_judge or is_gate):
            told = "gate must have accept(request, response), or be such a function"
            raise InputTypeError(f"{told}, not {type(gate).__name__}")
        self.escalate_on = check_on(escalate_on)
        from hb_compose.routed import routed  # with hb's router, which nobody else needs

        self._flow = routed(self.tiers, self.gate, self.escalate_on)
        if self._flow is None and is_judge:
            raise InputError(f"the judge {gate!r} is of hb, and looks only at answers of single targets of one kernel")

    @property
    def model_name(self) -> str:
        """The model of the last tier."""
        return self.tiers[-1].model_name

    def __repr__(self) -> str:
        return f"CascadingProvider({list(self.tiers)!r}, gate={self.gate!r})"

    async def _answer(self, request: CompletionRequest, *, is_async: bool) -> CompletionResponse:
        if self._flow is not None:
            return await self._flow.answer(request, is_async=is_async)
        climb = _Climb()
        for tier in self.tiers[:-1]:
            if (response := await self._tried(tier, request, climb, is_async)) is not None:
                return response
        try:
            response = await self.tiers[-1]._answer(request, is_async=is_async)
        except Exception as error:
            note_ledger(climb.ledger, error)
            raise
        return climb.top(self.tiers[-1], response)

    def _events(self, request: CompletionRequest, *, is_async: bool) -> AsyncGenerator[Event, None]:
        if self._flow is not None:
            return self._flow.events(request, is_async=is_async)
        return self._climbed(request, is_async)

    async def _climbed(self, request: CompletionRequest, is_async: bool) -> AsyncGenerator[Event, None]:
        climb = _Climb()
        for tier in self.tiers[:-1]:
            if (response := await self._tried(tier, request, climb, is_async)) is not None:
                if response.text:
                    yield response.text
                yield response
                return
        source = self.tiers[-1]._events(request, is_async=is_async)
        try:
            async for event in source:
                yield event if isinstance(event, str) else climb.top(self.tiers[-1], event)
        except Exception as error:
            note_ledger(climb.ledger, error)
            raise
        finally:
            await source.aclose()

    async def _tried(
        self, tier: Provider, request: CompletionRequest, climb: _Climb, is_async: bool
    ) -> CompletionResponse | None:
        """The answer of a tier that is not the last; None where the next one is asked."""
        try:
            response = await tier._answer(request, is_async=is_async)
        except Exception as error:
            note_ledger(climb.ledger, error)
            if not leads_on(self.escalate_on, error):
                raise
            climb.failed(tier, error)
            return None
        try:
            found = verdict(self.gate, request, response)
            if isawaitable(found):
                if not is_async:
                    getattr(found, "close", bool)()  # a coroutine that nobody will await
                    raise InputTypeError("the gate is async, and this call is not; use acomplete or astream_complete")
                found = await found
        except Exception as error:
            note_ledger(climb.ledger, error)
            raise
        reason = said(self.gate, found)
        if reason is None:
            return climb.top(tier, response)
        climb.rejected(tier, response, reason)
        return None


class _Climb:
    """What the tiers below cost, and why they did not answer."""

    def __init__(self) -> None:
        self.ledger: list[Attempt] = []
        self.usage: TokenUsage | None = None
        self.tiers: list[tuple[str, str]] = []

    def failed(self, tier: Provider, error: Exception) -> None:
        """Note a tier that failed; its requests are in the ledger already."""
        _log.info("tier %s failed, the next one is asked: %s", tier.model_name, text_of(error))
        reason = error.kind if isinstance(error, HBError) else told(error)
        self.tiers.append((tier.model_name, reason))

    def rejected(self, tier: Provider, response: CompletionResponse, reason: str) -> None:
        """Note an answer that the gate rejected, which is paid for."""
        _log.info("tier %s was rejected, the next one is asked: %s", tier.model_name, reason)
        self.ledger += response.attempts
        self.usage = response.usage if self.usage is None else self.usage + response.usage
        self.tiers.append((tier.model_name, reason))

    def top(self, tier: Provider, response: CompletionResponse) -> CompletionResponse:
        """The response of the cascade: with the tier's name, and all that was spent on the way."""
        inner = response.tiers or ((tier.model_name, ""),)
        return replace(
            response,
            model=response.model if response.tiers else tier.model_name,
            usage=response.usage if self.usage is None else self.usage + response.usage,
            attempts=(*self.ledger, *response.attempts),
            tiers=(*self.tiers, *inner),
        )
