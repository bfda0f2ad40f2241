"""The middlewares of llmgate: logging, retry, cache, rate limit, fallback. Each works for whole answers, streams and
embeddings, in both colours.
"""

from __future__ import annotations

import copy
import logging
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from threading import Lock
from typing import Any

from hb_llmgate.base import IO, BaseMiddleware, BuiltIn
from hb_llmgate.exceptions import (
    DEFAULT_FALLBACK_ON,
    AllProvidersFailedError,
    InvalidRequestError,
    ProviderAPIError,
    ProviderError,
    RateLimitError,
    checked_fallback_on,
    hops,
)
from hb_llmgate.keys import request_key
from hb_llmgate.stream import Gathered, chunks_of
from hb_llmgate.types import CompletionRequest, CompletionResponse, EmbeddingResponse, StreamChunk

__all__ = [
    "BaseMiddleware",
    "CacheMiddleware",
    "FallbackMiddleware",
    "LoggingMiddleware",
    "RateLimitMiddleware",
    "RetryMiddleware",
]

_LOGGER = logging.getLogger("llmgate")
_WHOLE = frozenset({"stop", "tool_calls"})
"""How an answer ends that is kept: one that was cut off or refused may be better the next time."""

_Proceed = Callable[[Any], Awaitable[Any]]
_Open = Callable[[Any], AsyncIterator[StreamChunk]]


class RetryMiddleware(BuiltIn):
    """Ask again, at most `max_retries` times, after a rate limit or a failure of the provider; never after a refusal.

    The wait before the next request is `backoff_factor * 2**n` seconds, n from 0, and up to `jitter_max` more; at least
    what the provider asked for, at most `max_delay`. A provider that asks for more than that is not asked again, nor is
    one without quota. `retry_on_provider_errors` False leaves the rate limits alone. A stream is retried until its
    first chunk.
    """

    def __init__(
        self,
        max_retries: int = 3,
        backoff_factor: float = 1.0,
        jitter_max: float = 0.5,
        retry_on_provider_errors: bool = True,
        *,
        max_delay: float = 60.0,
    ) -> None:
        given = {"backoff_factor": backoff_factor, "jitter_max": jitter_max, "max_delay": max_delay}
        if isinstance(max_retries, bool) or not isinstance(max_retries, int) or max_retries < 0:
            raise InvalidRequestError(f"max_retries must be a whole number from 0, not {max_retries!r}")
        for name, value in given.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
                raise InvalidRequestError(f"{name} must be a number of seconds from 0, not {value!r}")
        self.max_retries = max_retries
        self.backoff_factor = backoff_factor
        self.jitter_max = jitter_max
        self.retry_on_provider_errors = retry_on_provider_errors
        self.max_delay = max_delay

    async def around(self, request: Any, proceed: _Proceed, io: IO) -> Any:
        """Answer a chat or an embedding."""
        for retries in range(self.max_retries + 1):
            try:
                return await proceed(request)
            except ProviderError as error:
                delay = self._delay(error, retries, io)
            await io.sleep(delay)
        raise AssertionError  # the last failure is raised by _delay

    async def around_stream(self, request: Any, proceed: _Open, io: IO) -> AsyncGenerator[StreamChunk, None]:
        """Answer a stream."""
        for retries in range(self.max_retries + 1):
            is_begun = False
            try:
                async with _closing(proceed(request)) as chunks:
                    async for chunk in chunks:
                        is_begun = True
                        yield chunk
                return
            except ProviderError as error:
                if is_begun:
                    raise
                delay = self._delay(error, retries, io)
            await io.sleep(delay)

    def _delay(self, error: ProviderError, retries: int, io: IO) -> float:
        """Seconds until the next request; raises the error where there is to be none."""
        counts = isinstance(error, RateLimitError) or (
            isinstance(error, ProviderAPIError) and self.retry_on_provider_errors and not error.refused
        )
        asked = error.retry_after or 0.0
        if not counts or not error.retryable or retries >= self.max_retries or asked > self.max_delay:
            raise error
        backoff = self.backoff_factor * 2.0 ** min(retries, 64)
        return max(asked, min(backoff, self.max_delay)) + self.jitter_max * io.random()


class LoggingMiddleware(BuiltIn):
    """Log each call and how it ended to the logger `llmgate`, with what is known of it in the record's `llmgate`.

    `level` is a level's name or number; failures are logged as warnings at least. Unless `mask_content`, the record
    holds messages and answer too, at which the line itself never shows them. `log_usage` adds the tokens.
    """

    def __init__(self, level: str | int = "INFO", mask_content: bool = False, log_usage: bool = True) -> None:
        levels = logging.getLevelNamesMapping()
        found = levels.get(level.upper()) if isinstance(level, str) else level
        if found is None:
            raise InvalidRequestError(f"level must be one of {', '.join(levels)}, or a number; not {level!r}")
        self.level = found
        self.mask_content = mask_content
        self.log_usage = log_usage

    async def around(self, request: Any, proceed: _Proceed, io: IO) -> Any:
        """Answer a chat or an embedding."""
        started = self._begin(request, io)
        try:
            answer = await proceed(request)
        except Exception as error:
            self._failed(request, error, io.clock() - started)
            raise
        self._ended(request, answer, io.clock() - started)
        return answer

    async def around_stream(self, request: Any, proceed: _Open, io: IO) -> AsyncGenerator[StreamChunk, None]:
        """Answer a stream."""
        started = self._begin(request, io)
        gathered = Gathered()
        try:
            async with _closing(proceed(request)) as chunks:
                async for chunk in chunks:
                    gathered.add(chunk)
                    yield chunk
        except Exception as error:
            self._failed(request, error, io.clock() - started)
            raise
        self._ended(request, gathered.response(str(request.model)), io.clock() - started)

    def _begin(self, request: Any, io: IO) -> float:
        facts: dict[str, Any] = {"event": "request", "model": request.model}
        if not self.mask_content:
            facts["content"] = request.messages if isinstance(request, CompletionRequest) else request.input
        _LOGGER.log(self.level, "request model=%s", request.model, extra={"llmgate": facts})
        return io.clock()

    def _ended(self, request: Any, answer: Any, seconds: float) -> None:
        facts: dict[str, Any] = {
            "event": "response",
            "model": request.model,
            "provider": answer.provider,
            "latency": seconds,
        }
        line = "response model=%s provider=%s latency=%.3fs"
        values = [request.model, answer.provider, seconds]
        if self.log_usage:
            facts["usage"] = answer.usage.model_dump(exclude_none=True)
            line += " tokens=%d"
            values.append(answer.usage.total_tokens)
        if not self.mask_content and isinstance(answer, CompletionResponse):
            facts["content"] = answer.text
        _LOGGER.log(self.level, line, *values, extra={"llmgate": facts})

    def _failed(self, request: Any, error: Exception, seconds: float) -> None:
        facts = {"event": "error", "model": request.model, "error": type(error).__name__, "latency": seconds}
        level = max(self.level, logging.WARNING)
        line = "error model=%s error=%s latency=%.3fs"
        _LOGGER.log(level, line, request.model, type(error).__name__, seconds, extra={"llmgate": facts})


class CacheMiddleware(BuiltIn):
    """Keep the last `maxsize` answers for `ttl` seconds in this process.

    Equal are calls with the same model, provider, content, parameters, tools and form of the answer, by the same
    credential at the same address. Kept are whole answers; a caller gets a copy, which is the caller's own.
    """

    def __init__(self, ttl: float = 300.0, maxsize: int = 128) -> None:
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or ttl < 0:
            raise InvalidRequestError(f"ttl must be a number of seconds from 0, not {ttl!r}")
        if isinstance(maxsize, bool) or not isinstance(maxsize, int) or maxsize < 1:
            raise InvalidRequestError(f"maxsize must be a whole number from 1, not {maxsize!r}")
        self.ttl = ttl
        self.maxsize = maxsize
        self._entries: OrderedDict[str, tuple[float, Any]] = OrderedDict()
        self._lock = Lock()

    @property
    def size(self) -> int:
        """The number of answers that are kept."""
        return len(self._entries)

    def clear(self) -> None:
        """Forget all answers."""
        with self._lock:
            self._entries.clear()

    async def around(self, request: Any, proceed: _Proceed, io: IO) -> Any:
        """Answer a chat or an embedding."""
        key = request_key(request)
        found = self._found(key, io.clock())
        if found is None:
            found = await proceed(request)
            self._keep(key, found, io.clock())
        return found

    async def around_stream(self, request: Any, proceed: _Open, io: IO) -> AsyncGenerator[StreamChunk, None]:
        """Answer a stream."""
        key = request_key(request)
        found = self._found(key, io.clock())
        if found is not None:
            for chunk in chunks_of(found):
                yield chunk
            return
        gathered = Gathered()
        async with _closing(proceed(request)) as chunks:
            async for chunk in chunks:
                gathered.add(chunk)
                yield chunk
        self._keep(key, gathered.response(str(request.model)), io.clock())

    def _found(self, key: str, now: float) -> Any:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            if now >= entry[0]:
                del self._entries[key]
                return None
            self._entries.move_to_end(key)
        return copy.deepcopy(entry[1])

    def _keep(self, key: str, answer: Any, now: float) -> None:
        is_whole = isinstance(answer, EmbeddingResponse) or (
            isinstance(answer, CompletionResponse)
            and bool(answer.choices)
            and all(choice.finish_reason in _WHOLE for choice in answer.choices)
        )
        if not is_whole:
            return
        kept = copy.deepcopy(answer)
        with self._lock:
            self._entries[key] = (now + self.ttl, kept)
            self._entries.move_to_end(key)
            while len(self._entries) > self.maxsize:
                self._entries.popitem(last=False)


class RateLimitMiddleware(BuiltIn):
    """Let at most `requests_per_minute` calls through, `burst` of them at once (by default a minute's worth).

    What is too much raises RateLimitError with `retry_after`, or waits where `raise_on_limit` is False. `rpm` is a
    short name for `requests_per_minute`.
    """

    def __init__(
        self,
        requests_per_minute: float | None = None,
        burst: int | None = None,
        raise_on_limit: bool = True,
        *,
        rpm: float | None = None,
    ) -> None:
        if requests_per_minute is not None and rpm is not None:
            raise InvalidRequestError("requests_per_minute and rpm are one setting; pass one of them")
        limit = next((it for it in (requests_per_minute, rpm) if it is not None), 60)
        for name, value in (("requests_per_minute", limit), ("burst", 1 if burst is None else burst)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise InvalidRequestError(f"{name} must be a number above 0, not {value!r}")
        self.requests_per_minute = limit
        self.burst = max(1.0, float(limit if burst is None else burst))
        self.raise_on_limit = raise_on_limit
        self._left = self.burst
        self._seen: float | None = None
        self._lock = Lock()

    async def around(self, request: Any, proceed: _Proceed, io: IO) -> Any:
        """Answer a chat or an embedding."""
        await self._take(io)
        return await proceed(request)

    async def around_stream(self, request: Any, proceed: _Open, io: IO) -> AsyncGenerator[StreamChunk, None]:
        """Answer a stream."""
        await self._take(io)
        async with _closing(proceed(request)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def _take(self, io: IO) -> None:
        rate = self.requests_per_minute / 60.0
        with self._lock:
            now = io.clock()
            if self._seen is not None:
                self._left = min(self.burst, self._left + max(0.0, now - self._seen) * rate)
            self._seen = now
            wait = max(0.0, (1.0 - self._left) / rate)
            if wait > 0 and self.raise_on_limit:
                raise RateLimitError(
                    f"more than {self.requests_per_minute:g} requests a minute; the next may begin in {wait:.2f} s",
                    "llmgate",
                    retry_after=wait,
                )
            # Whoever waits has its place already, so that those who come later wait longer.
            self._left -= 1.0
        if wait > 0:
            try:
                await io.sleep(wait)
            except BaseException:  # cancelled, or the deadline would pass: nothing is sent, and the place is free again
                with self._lock:
                    self._left = min(self.burst, self._left + 1.0)
                raise


class FallbackMiddleware(BuiltIn):
    """After a failure of the model that was asked for, try these `models` in order.

    Among the middlewares of a call or gate it is the outermost, wherever it stands, and part of the call's route: all
    others run around each model, so that a model is retried before the next one is tried. `fallback_on` is as in
    `completion`.
    """

    def __init__(
        self, models: Sequence[str], fallback_on: tuple[type[Exception], ...] | None = DEFAULT_FALLBACK_ON
    ) -> None:
        if isinstance(models, str) or not (found := list(models)):
            raise InvalidRequestError("models must be a list of at least one model")
        self.models = found
        self.fallback_on = checked_fallback_on(fallback_on)

    async def around(self, request: Any, proceed: _Proceed, io: IO) -> Any:
        """Answer a chat by the first model that can; an embedding by its own."""
        if not isinstance(request, CompletionRequest):
            return await proceed(request)
        errors: list[tuple[str, Exception]] = []
        for candidate in self._candidates(request):
            try:
                answer = await proceed(candidate)
            except Exception as error:
                self._note(errors, str(candidate.model), error)
            else:
                answer.fallback_attempts = [model for model, _ in errors]
                return answer
        raise AllProvidersFailedError(errors)

    async def around_stream(self, request: Any, proceed: _Open, io: IO) -> AsyncGenerator[StreamChunk, None]:
        """Answer a stream by the first model whose stream begins."""
        errors: list[tuple[str, Exception]] = []
        for candidate in self._candidates(request):
            is_begun = False
            try:
                async with _closing(proceed(candidate)) as chunks:
                    async for chunk in chunks:
                        if not is_begun:
                            chunk.fallback_attempts = [model for model, _ in errors]
                        is_begun = True
                        yield chunk
                return
            except Exception as error:
                if is_begun:
                    raise
                self._note(errors, str(candidate.model), error)
        raise AllProvidersFailedError(errors)

    def _candidates(self, request: CompletionRequest) -> list[CompletionRequest]:
        others = [request.model_copy(update={"model": model, "provider": None}) for model in self.models]
        return [request, *others]

    def _note(self, errors: list[tuple[str, Exception]], model: str, error: Exception) -> None:
        if not hops(error, self.fallback_on):
            raise error
        errors.append((model, error))


def _closing(chunks: AsyncIterator[StreamChunk]) -> aclosing[Any]:
    return aclosing(chunks)
