"""The functions of llmgate, and LLMGate, which keeps middlewares, a chain of models and defaults for many calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from threading import Lock
from typing import Any

from hb_llmgate.base import checked
from hb_llmgate.batches import abatch_of, batch_of
from hb_llmgate.calls import completion_request, embedding_request
from hb_llmgate.chat import Chat, Vectors, check_mode, target_of
from hb_llmgate.exceptions import DEFAULT_FALLBACK_ON, InvalidRequestError, checked_fallback_on
from hb_llmgate.types import (
    BatchResult,
    CompletionRequest,
    CompletionResponse,
    EmbeddingResponse,
    Message,
    StreamChunk,
)
from heavenbase.options import CONNECTION, conceal

FallbackOn = tuple[type[Exception], ...]
Model = str | Sequence[str]
Messages = Sequence[Mapping[str, Any] | Message] | str
Requests = Sequence[CompletionRequest | Mapping[str, Any]]

_Planner = Callable[[Mapping[str, Any]], Any]
_HOW = ("middleware", "fallback_on", "stream_fallback_mode", "stream_resume_prompt", "kernel")
"""What says how a call is carried out, and is no part of its request."""


def completion(model: Model, messages: Messages, **options: Any) -> Any:
    """Ask a model: a CompletionResponse, with `stream=True` an iterator of StreamChunk.

    `model` is a model string, or a list that is tried in order. Options: `provider`, `api_key` (a text goes to the
    provider of the first model alone; a mapping has one by provider), `stream`, `tools`, `tool_choice`,
    `response_format`, `max_tokens`, `temperature`, `top_p`, `middleware`; `fallback_on`, `stream_fallback_mode`
    (restart, prefill, user_turn) and `stream_resume_prompt` for a list; `base_url`, `timeout`, `headers` and all
    parameters of hb. Raises the errors of `hb_llmgate.exceptions`.
    """
    chat = _chat(model, messages, options)
    return chat.chunks() if chat.request.stream else chat.answer()


async def acompletion(model: Model, messages: Messages, **options: Any) -> Any:
    """Async form of `completion`; with `stream=True` the awaited value is an async iterator."""
    chat = _chat(model, messages, options)
    return chat.achunks() if chat.request.stream else await chat.aanswer()


def parse(model: Model, messages: Messages, *, response_format: Any, **options: Any) -> Any:
    """The answer in the type `response_format`; ValueError where the model calls tools instead."""
    return _parsed(completion(model, messages, response_format=response_format, **options))


async def aparse(model: Model, messages: Messages, *, response_format: Any, **options: Any) -> Any:
    """Async form of `parse`."""
    return _parsed(await acompletion(model, messages, response_format=response_format, **options))


def embed(model: str, input: str | Sequence[str], **options: Any) -> EmbeddingResponse:
    """One vector for a text, or one for each of a list of texts.

    Options: `dimensions`, `task_type`, `title`, `input_type`, `truncate`, `encoding_format`, `user`, where the provider
    has them; `provider`, `api_key`, `middleware`, `base_url`, `timeout`, `headers`.
    """
    return _vectors(model, input, options).answer()


async def aembed(model: str, input: str | Sequence[str], **options: Any) -> EmbeddingResponse:
    """Async form of `embed`."""
    return await _vectors(model, input, options).aanswer()


def batch(
    requests: Requests,
    *,
    max_concurrency: int = 5,
    fail_fast: bool = False,
    timeout: float | None = None,
    **options: Any,
) -> BatchResult:
    """Answer many requests, `max_concurrency` at a time, each a CompletionRequest or a dictionary of `completion`'s.

    `timeout` are seconds for each request from its start. With `fail_fast` the first failure is raised; else it stands
    in `errors` of the result. `options` are those of `completion`, for all requests that do not say otherwise.
    """
    return batch_of(
        requests,
        lambda given, more: _planned({**options, **more, **_said(given)}),
        max_concurrency=max_concurrency,
        fail_fast=fail_fast,
        timeout=timeout,
    )


async def abatch(
    requests: Requests,
    *,
    max_concurrency: int = 5,
    fail_fast: bool = False,
    timeout: float | None = None,
    **options: Any,
) -> BatchResult:
    """Async form of `batch`."""
    return await abatch_of(
        requests,
        lambda given, more: _planned({**options, **more, **_said(given)}),
        max_concurrency=max_concurrency,
        fail_fast=fail_fast,
        timeout=timeout,
    )


class LLMGate:
    """Middlewares, a chain of models and defaults for many calls.

    `middleware` runs around every call, first outermost. `fallback_chain` are the models for calls that name none,
    tried in order, all middlewares around each. Everything else is an option of `completion` for all calls. A gate's
    `api_key` that is a text, its `base_url` and `headers` belong to one provider: the gate's own, else that of the
    chain's first model, else that of the first call that is sent; calls of others use their own. `kernel` is the
    kernel of hb that answers.
    """

    def __init__(
        self,
        middleware: Any = None,
        fallback_chain: Sequence[str] | None = None,
        fallback_on: FallbackOn | None = DEFAULT_FALLBACK_ON,
        stream_fallback_mode: str = "restart",
        stream_resume_prompt: str | None = None,
        **provider_defaults: Any,
    ) -> None:
        self.middleware = checked(middleware)
        if isinstance(fallback_chain, str):
            raise InvalidRequestError("fallback_chain must be a list of models, not one of them")
        self.fallback_chain = list(fallback_chain) if fallback_chain is not None else None
        if self.fallback_chain == []:
            raise InvalidRequestError("fallback_chain is empty")
        self._how = {
            "fallback_on": checked_fallback_on(fallback_on),
            "stream_fallback_mode": stream_fallback_mode,
            "stream_resume_prompt": stream_resume_prompt,
        }
        if "model" in provider_defaults or "messages" in provider_defaults:
            raise InvalidRequestError("model and messages belong to a call; a gate has fallback_chain=[…]")
        conceal(provider_defaults)
        self._defaults = provider_defaults
        self._lock = Lock()
        own = {name for name, value in provider_defaults.items() if name == "headers" or not isinstance(value, Mapping)}
        self._own = CONNECTION & own
        check_mode(stream_fallback_mode)
        chain = [target_of(name, kernel=provider_defaults.get("kernel")) for name in self.fallback_chain or ()]
        named = provider_defaults.get("provider")
        self._owner: str | None = named.lower() if isinstance(named, str) and named else None
        if self._owner is None and chain:
            self._owner = chain[0].provider
        self._is_open = bool(self._own) and self._owner is None
        """Whether the calls say whose the gate's key is."""
        self._claims = 0
        """Calls that went out with the key of an open gate, or are about to."""

    def __repr__(self) -> str:
        names = [type(each).__name__ for each in self.middleware]
        return f"LLMGate(middleware=[{', '.join(names)}], fallback_chain={self.fallback_chain})"

    def completion(self, model: Model | None = None, messages: Messages | None = None, **options: Any) -> Any:
        """As the function `completion`; without `model`, by the gate's chain."""
        if options.get("stream", self._defaults.get("stream")):
            return self._chunks(model, messages, options)
        return self._chat(model, messages, options).answer()

    async def acompletion(self, model: Model | None = None, messages: Messages | None = None, **options: Any) -> Any:
        """Async form of `completion`; with `stream=True` the awaited value is an async iterator."""
        if options.get("stream", self._defaults.get("stream")):
            return self._achunks(model, messages, options)
        return await self._chat(model, messages, options).aanswer()

    def stream(
        self, model: Model | None = None, messages: Messages | None = None, **options: Any
    ) -> Iterator[StreamChunk]:
        """The chunks of an answer."""
        return self._chunks(model, messages, {**options, "stream": True})

    def astream(
        self, model: Model | None = None, messages: Messages | None = None, **options: Any
    ) -> AsyncIterator[StreamChunk]:
        """Async form of `stream`."""
        return self._achunks(model, messages, {**options, "stream": True})

    def parse(
        self, model: Model | None = None, messages: Messages | None = None, *, response_format: Any, **options: Any
    ) -> Any:
        """As the function `parse`."""
        return _parsed(self.completion(model, messages, response_format=response_format, **options))

    async def aparse(
        self, model: Model | None = None, messages: Messages | None = None, *, response_format: Any, **options: Any
    ) -> Any:
        """Async form of `parse`."""
        return _parsed(await self.acompletion(model, messages, response_format=response_format, **options))

    def embed(self, model: str, input: str | Sequence[str], **options: Any) -> EmbeddingResponse:
        """As the function `embed`."""
        return self._vectors(model, input, options).answer()

    async def aembed(self, model: str, input: str | Sequence[str], **options: Any) -> EmbeddingResponse:
        """Async form of `embed`."""
        return await self._vectors(model, input, options).aanswer()

    def batch(
        self, requests: Requests, *, max_concurrency: int = 5, fail_fast: bool = False, timeout: float | None = None
    ) -> BatchResult:
        """As the function `batch`, with the gate's middlewares, chain and defaults."""
        return batch_of(requests, self._planned, max_concurrency=max_concurrency, fail_fast=fail_fast, timeout=timeout)

    async def abatch(
        self, requests: Requests, *, max_concurrency: int = 5, fail_fast: bool = False, timeout: float | None = None
    ) -> BatchResult:
        """Async form of `batch`."""
        return await abatch_of(
            requests, self._planned, max_concurrency=max_concurrency, fail_fast=fail_fast, timeout=timeout
        )

    def _chunks(self, *call: Any) -> Iterator[StreamChunk]:
        chat = self._chat(*call, is_sent=False)
        if not self._is_open:
            return chat.chunks()

        def read() -> Iterator[StreamChunk]:
            yield from self._chat(*call).chunks()  # the key may have found its provider meanwhile

        return read()

    def _achunks(self, *call: Any) -> AsyncIterator[StreamChunk]:
        chat = self._chat(*call, is_sent=False)
        if not self._is_open:
            return chat.achunks()

        async def read() -> AsyncIterator[StreamChunk]:
            async with aclosing(self._chat(*call).achunks()) as chunks:
                async for chunk in chunks:
                    yield chunk

        return read()

    def _chat(
        self, model: Model | None, messages: Messages | None, options: Mapping[str, Any], *, is_sent: bool = True
    ) -> Chat:
        if model is None and self.fallback_chain is None:
            raise InvalidRequestError("pass a model, or give the gate a fallback_chain")
        if messages is None:
            raise InvalidRequestError("pass messages")
        chosen = self.fallback_chain if model is None else model
        merged = {**self._how, **self._defaults, "middleware": self.middleware, **options}
        if not isinstance(chosen, str) and "provider" not in options:
            merged.pop("provider", None)
        merged |= {"model": chosen, "messages": messages}
        chat: Chat = self._bound(chosen, merged, options, _asked, is_sent=is_sent)
        return chat

    def _vectors(self, model: str, input: Any, options: Mapping[str, Any]) -> Vectors:
        usable = {name: value for name, value in self._defaults.items() if name in _SHARED}
        merged = {**usable, "middleware": self.middleware, **options}
        vectors: Vectors = self._bound(model, {**merged, "model": model, "input": input}, options, _embedding)
        return vectors

    def _planned(self, given: Any, more: Mapping[str, Any]) -> Chat:
        said = _said(given)
        if not said.get("model"):
            said["model"] = self.fallback_chain or ""
        how = {**self._how, **self._defaults, "middleware": self.middleware, **more}
        if not isinstance(said["model"], str):
            how.pop("provider", None)
        chat: Chat = self._bound(said["model"], {**how, **said}, said, _planned)
        return chat

    def _bound(
        self, model: Any, merged: dict[str, Any], said: Mapping[str, Any], plan: _Planner, *, is_sent: bool = True
    ) -> Any:
        """The plan of a call, without the gate's own key and address where it is for another provider than theirs."""
        bound = self._own - said.keys()
        if not bound or not model:
            return plan(merged)
        first = model if isinstance(model, str) else model[0]
        provider = merged.get("provider") if isinstance(model, str) else None
        is_embedding = plan is _embedding
        here = target_of(first, provider, kernel=merged.get("kernel"), is_embedding=is_embedding).provider
        if not self._is_open:
            return plan(merged if here == self._owner else _without(merged, bound))
        with self._lock:
            if self._owner in (None, here):
                made = plan(merged)  # what is refused here binds nothing, nor does a stream that nobody reads
                if is_sent:
                    self._owner, made.unsent = here, self._unclaim
                    self._claims += 1
                return made
        return plan(_without(merged, bound))

    def _unclaim(self) -> None:
        """Note that a call with the gate's own key was refused before anything was sent."""
        with self._lock:
            self._claims -= 1
            if not self._claims:
                self._owner = None


def _without(options: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name not in names}


_SHARED = ("provider", "api_key", "base_url", "headers", "timeout", "kernel", "max_retries")
"""Defaults of a gate that embeddings have too."""


def _chat(model: Any, messages: Any, options: Mapping[str, Any]) -> Chat:
    given = {name: value for name, value in options.items() if name not in _HOW}
    how = {name: options[name] for name in _HOW if name in options}
    return Chat(completion_request({**given, "model": _models(model), "messages": messages}), **how)


def _asked(options: Mapping[str, Any]) -> Chat:
    merged = dict(options)
    return _chat(merged.pop("model"), merged.pop("messages"), merged)


def _embedding(options: Mapping[str, Any]) -> Vectors:
    merged = dict(options)
    return _vectors(merged.pop("model"), merged.pop("input"), merged)


def _models(model: Any) -> Any:
    return list(model) if isinstance(model, tuple) else model


def _said(given: Any) -> dict[str, Any]:
    """What one request of a batch says itself, all names side by side."""
    if isinstance(given, Mapping):
        said = dict(given)
        extra = said.pop("extra_kwargs", None) or {}
        if not isinstance(extra, Mapping):
            raise InvalidRequestError(f"extra_kwargs must be a dictionary, not {type(extra).__name__}")
    elif isinstance(given, CompletionRequest):
        said = {name: getattr(given, name) for name in given.model_fields_set if name != "extra_kwargs"}
        extra = given.extra_kwargs
    else:
        raise InvalidRequestError(f"a request is a dictionary or a CompletionRequest, not {type(given).__name__}")
    return {**extra, **said}


def _planned(options: Mapping[str, Any]) -> Chat:
    """The chat of one request of a batch."""
    merged = dict(options)
    missing = [name for name in ("model", "messages") if name not in merged]
    if missing:
        raise InvalidRequestError(f"the request has no {' and no '.join(missing)}")
    if merged.pop("stream", False):
        raise InvalidRequestError("a batch has no streams; leave stream out")
    return _chat(merged.pop("model"), merged.pop("messages"), merged)


def _vectors(model: Any, input: Any, options: Mapping[str, Any]) -> Vectors:
    given = {name: value for name, value in options.items() if name not in ("middleware", "kernel")}
    how = {name: options[name] for name in ("middleware", "kernel") if name in options}
    is_many = isinstance(input, Iterable) and not isinstance(input, str | bytes | Mapping)
    return Vectors(embedding_request(**given, model=model, input=list(input) if is_many else input), **how)


def _parsed(response: CompletionResponse) -> Any:
    if response.parsed is None:
        raise InvalidRequestError("the model gave no answer of this form; see completion() for what it said")
    return response.parsed
