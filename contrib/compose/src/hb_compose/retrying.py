"""RetryingProvider: exponential backoff around whatever it wraps."""

from __future__ import annotations

import random as randomly
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

from hb_compose.backoff import Backoff, OnRetry
from hb_compose.boxed import boxed
from hb_compose.providers import Event, LlmProvider, Provider
from hb_compose.requests import CompletionRequest, CompletionResponse
from heavenbase.errors import HBError, InputTypeError
from heavenbase.middleware import sleep_async

if TYPE_CHECKING:
    from hb_compose.direct import DirectProvider
    from heavenbase.types import Attempt


class RetryingProvider(Provider):
    """Asks again after a transient failure: 429, 500, 502, 503, 529 and network errors.

    Before retry number n, from 0, it waits a random time of at most `base_delay_ms` x 2^n, and never more than
    `max_delay_ms`. What a provider asks for in Retry-After is waited for instead, up to `max_delay_ms`. A stream is
    begun again only while none of its text has come.

    Args:
        inner: The provider that is asked.
        max_retries: How often a failed request is tried again; 0 for never.
        base_delay_ms: Longest wait before the first retry.
        max_delay_ms: Longest wait of all.
        on_retry: Told (attempt, max, delay, kind) before each wait; `delay` is seconds, `kind` rate_limited,
            server_error_500, server_error_502, server_error_503, overloaded or network_error. What it raises is logged.
        sleep, asleep, random: How to wait, and floats in [0, 1), around providers that are not of hb. Around those
            of hb, the kernel's count.

    Raises:
        InputError: For numbers that make no sense.
    """

    def __init__(
        self,
        inner: LlmProvider | Provider,
        max_retries: int = 3,
        base_delay_ms: float = 500,
        max_delay_ms: float = 30_000,
        on_retry: OnRetry | None = None,
        *,
        sleep: Callable[[float], Any] = time.sleep,
        asleep: Callable[[float], Any] = sleep_async,
        random: Callable[[], float] = randomly.random,
    ) -> None:
        self.inner = boxed(inner)
        self.backoff = Backoff(max_retries, base_delay_ms, max_delay_ms, on_retry)
        self._flow = self.inner._retrying(self.backoff)
        for name, pace in {"sleep": sleep, "asleep": asleep, "random": random}.items():
            if not callable(pace):
                raise InputTypeError(f"{name} must be callable, not {type(pace).__name__}")
        self._sleep, self._asleep, self._random = sleep, asleep, random

    @classmethod
    def with_defaults(cls, inner: LlmProvider | Provider) -> Self:
        """3 retries, the first after at most half a second, none after more than 30 seconds."""
        return cls(inner)

    @property
    def model_name(self) -> str:
        """The model of what is inside."""
        return self.inner.model_name

    def __repr__(self) -> str:
        rule = self.backoff
        numbers = f"max_retries={rule.max_retries}, base_delay_ms={rule.base_delay_ms:g}"
        return f"RetryingProvider({self.inner!r}, {numbers}, max_delay_ms={rule.max_delay_ms:g})"

    async def _answer(self, request: CompletionRequest, *, is_async: bool) -> CompletionResponse:
        if self._flow is not None:
            return await self._flow._answer(request, is_async=is_async)
        ledger: list[Attempt] = []
        number = 0
        while True:
            number += 1
            try:
                return with_ledger(ledger, await self.inner._answer(request, is_async=is_async))
            except Exception as error:
                delay = self._delay(error, number, ledger)
            await self._wait(delay, is_async)

    def _events(self, request: CompletionRequest, *, is_async: bool) -> AsyncGenerator[Event, None]:
        flow = self._flow
        return self._begun(request, is_async) if flow is None else flow._events(request, is_async=is_async)

    async def _begun(self, request: CompletionRequest, is_async: bool) -> AsyncGenerator[Event, None]:
        ledger: list[Attempt] = []
        number, said = 0, False
        while True:
            number += 1
            source = self.inner._events(request, is_async=is_async)
            try:
                async for event in source:
                    said = said or bool(event)
                    yield event if isinstance(event, str) else with_ledger(ledger, event)
                return
            except Exception as error:
                if said:  # a text that began again would be read twice
                    note_ledger(ledger, error)
                    raise
                delay = self._delay(error, number, ledger)
            finally:
                await source.aclose()
            await self._wait(delay, is_async)

    def _delay(self, error: Exception, number: int, ledger: list[Attempt]) -> float:
        """Seconds until the next attempt; raises the error where there is to be none."""
        note_ledger(ledger, error)
        delay = self.backoff.delay(error, number, self._random)
        if delay is None:
            raise error
        return delay

    def _target(self) -> DirectProvider | None:
        return self._flow._target() if self._flow is not None else None

    async def _wait(self, seconds: float, is_async: bool) -> None:
        if is_async:
            await self._asleep(seconds)
        else:
            self._sleep(seconds)


def note_ledger(ledger: list[Attempt], error: Exception) -> None:
    """Put the requests that led to an error into the ledger, and the whole ledger on the error."""
    if isinstance(error, HBError):
        ledger += error.attempts
        error.attempts = tuple(ledger)


def with_ledger(ledger: list[Attempt], response: CompletionResponse) -> CompletionResponse:
    """The response with the requests before it in its ledger."""
    return replace(response, attempts=(*ledger, *response.attempts)) if ledger else response
