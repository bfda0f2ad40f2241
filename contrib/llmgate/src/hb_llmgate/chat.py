"""One chat or embedding of the facade: the plan made of what was passed, and how it is carried out in each colour."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, aclosing, closing, contextmanager
from typing import Any

from hb_llmgate.base import BaseMiddleware, checked
from hb_llmgate.bridge import NO_HINTS, Bridge, EmbedBridge, Job
from hb_llmgate.calls import (
    EMBED_PLAIN,
    PLAIN,
    call_options,
    chat_messages,
    check_keys,
    connection_of,
    embed_options,
    to_response,
    to_usage,
    to_vectors,
    unknown_hints,
    warn_of_hints,
)
from hb_llmgate.exceptions import (
    DEFAULT_FALLBACK_ON,
    AllProvidersFailedError,
    Carried,
    InvalidRequestError,
    ProviderAPIError,
    checked_fallback_on,
    hops,
    translated,
)
from hb_llmgate.kernels import kernel_of
from hb_llmgate.middleware import FallbackMiddleware
from hb_llmgate.models import Target, chat_target, embedding_target
from hb_llmgate.stream import last_chunks, to_chunks
from hb_llmgate.types import CompletionRequest, CompletionResponse, EmbeddingRequest, EmbeddingResponse, StreamChunk
from heavenbase.errors import FallbackExhausted, HBError
from heavenbase.llm import LLM
from heavenbase.options import EXTRAS
from heavenbase.types import Chunk, Completion, Embedding, Usage

MODES = ("restart", "prefill", "user_turn")
"""What becomes of a stream that breaks after it began, where another model is there."""


def check_mode(mode: object) -> None:
    """InvalidRequestError for what is no `stream_fallback_mode`."""
    if mode not in MODES:
        raise InvalidRequestError(f"stream_fallback_mode must be one of {', '.join(MODES)}, not {mode!r}")


def target_of(model: object, provider: object = None, *, kernel: Any = None, is_embedding: bool = False) -> Target:
    """The target that a model string means to a kernel."""
    installed = frozenset(kernel_of(kernel).registry.names("providers"))
    return (embedding_target if is_embedding else chat_target)(model, provider, installed)


class Chat:
    """A chat that was planned and not sent: its models are known, its parameters checked.

    Raises InvalidRequestError, ModelNotFoundError or ConfigError for what cannot be carried out.
    """

    def __init__(
        self,
        request: CompletionRequest,
        *,
        middleware: Any = None,
        fallback_on: Any = DEFAULT_FALLBACK_ON,
        stream_fallback_mode: str = "restart",
        stream_resume_prompt: str | None = None,
        kernel: Any = None,
    ) -> None:
        self.unsent: Callable[[], None] | None = None
        """Asked where the chat fails before anything was sent."""
        check_mode(stream_fallback_mode)
        if request.stream and request.response_format is not None:
            raise InvalidRequestError("stream=True and response_format cannot be used together")
        self.request = request
        self.fallback_on = checked_fallback_on(fallback_on)
        self.is_chain = not isinstance(request.model, str)
        names = [request.model] if isinstance(request.model, str) else list(request.model)
        if self.is_chain and request.provider is not None:
            raise InvalidRequestError("provider= names the provider of one model; write provider/model in a list")
        inner, more = self._without_fallbacks(checked(middleware))
        if not names:
            raise InvalidRequestError("the list of models is empty")
        kernel = kernel_of(kernel)
        installed = frozenset(kernel.registry.names("providers"))
        check_keys(request.extra_kwargs.get("api_key"), installed)
        self.targets = [chat_target(name, request.provider, installed) for name in names]
        known = {(target.provider, target.model) for target in self.targets}
        for name in more:
            target = chat_target(name, None, installed)
            if (target.provider, target.model) not in known:
                known.add((target.provider, target.model))
                self.targets.append(target)
        self.job = Job(request, self.targets, inner, installed, carried=self.fallback_on if self.is_chain else ())
        self.messages = chat_messages(request.messages)
        try:
            self.options = call_options(request)
            self.llm = self._llm(kernel, connection_of(request), stream_fallback_mode, stream_resume_prompt)
        except HBError as error:
            raise translated(error) from error

    def _without_fallbacks(self, middlewares: list[BaseMiddleware]) -> tuple[list[BaseMiddleware], list[str]]:
        """The other middlewares, and the models that a FallbackMiddleware adds."""
        more: list[str] = []
        for each in middlewares:
            if isinstance(each, FallbackMiddleware):
                more += each.models
                self.is_chain, self.fallback_on = True, each.fallback_on
        return [each for each in middlewares if not isinstance(each, FallbackMiddleware)], more

    def _llm(self, kernel: Any, connection: dict[str, Any], mode: str, prompt: str | None) -> LLM:
        first = self.targets[0]
        keys = connection.pop("api_key", None)
        by_provider = keys if isinstance(keys, Mapping) else {first.provider: keys}
        if len(self.targets) == 1:
            if by_provider.get(first.provider) is not None:
                connection["api_key"] = by_provider[first.provider]
            return LLM(model=first.model, provider=first.provider, kernel=kernel, **PLAIN, **connection)
        from hb_routing import fallback

        # As the headers do, extras belong to the first provider.
        extras = {name: self.options.pop(name) for name in EXTRAS.intersection(self.options)}
        if extras:
            self.options["by_provider"] = {first.provider: extras}
        tables: list[dict[str, Any]] = [{"model": target.model, "provider": target.provider} for target in self.targets]
        for table in tables:
            if by_provider.get(table["provider"]) is not None:
                table["keys"] = [by_provider[table["provider"]]]
        route = fallback(
            *tables,
            on=[self._hops],
            # Another model goes on with a stream that broke only where it would follow such a failure at all.
            stream_fallback=mode if hops(ProviderAPIError(), self.fallback_on) else "fail",
            stream_prompt=prompt,
        )
        named: dict[str, Any] = {"route": route, **PLAIN, **connection}
        return LLM(kernel=kernel, **named)

    def _hops(self, error: BaseException) -> bool:
        return hops(translated(error) if isinstance(error, HBError) else error, self.fallback_on)

    # Carrying it out

    def answer(self) -> CompletionResponse:
        """The whole answer."""
        with self._around() as options:
            return self._whole(self.llm.complete(self.messages, **options))

    async def aanswer(self) -> CompletionResponse:
        """Async form of `answer`."""
        with self._around() as options:
            return self._whole(await self.llm.acomplete(self.messages, **options))

    def chunks(self) -> Generator[StreamChunk, None, None]:
        """The chunks of the answer."""
        flow = _Flow(self)
        with self._around() as options:
            source: Any = self.llm.stream(self.messages, include=["chunk", "completion"], **options)
            with closing(source) as items:
                for item in items:
                    yield from flow.of(item)

    async def achunks(self) -> AsyncGenerator[StreamChunk, None]:
        """Async form of `chunks`."""
        flow = _Flow(self)
        with self._around() as options:
            source: Any = self.llm.astream(self.messages, include=["chunk", "completion"], **options)
            async with aclosing(source) as items:
                async for item in items:
                    for chunk in flow.of(item):
                        yield chunk

    @contextmanager
    def _around(self) -> Iterator[dict[str, Any]]:
        """The options of the call, with the middlewares around each of its targets."""
        self.job.restart()
        is_plain = not self.job.middleware and len(self.targets) == 1 and self.targets[0].provider not in NO_HINTS
        with _bridged(Bridge(self.job), self.options, is_plain=is_plain, failed=self.failed) as options:
            yield options

    def _whole(self, completion: Completion[Any]) -> CompletionResponse:
        response = to_response(completion, self.served.asked, self.served.provider)
        response.fallback_attempts = self.passed() or response.fallback_attempts
        if completion.tool_turns:  # middlewares saw each round by itself
            response.usage = to_usage(completion.usage)
        return response

    @property
    def served(self) -> Target:
        """The target that answers."""
        return self.targets[max(self.job.place, 0)]

    def passed(self) -> list[str]:
        """The models before the one that answers."""
        return [target.asked for target in self.targets[: max(self.job.place, 0)]]

    def failed(self, error: HBError) -> Exception:
        """What callers get for how the chat failed: an error of this package, or what a middleware raised."""
        _tell_unsent(self, error)
        pairs, told = [(self.served.asked, _told(error))], None
        if isinstance(error, FallbackExhausted):
            names = self._asked([label for label, _ in error.errors])
            pairs = [(name, _told(each)) for name, (_, each) in zip(names, error.errors, strict=True)]
            # Where a model was not even asked, hb's words say why.
            told = error.message if len(pairs) < len(self.targets) else None
        elif not (self.is_chain and len(self.targets) == 1 and hops(pairs[0][1], self.fallback_on)):
            return pairs[0][1]
        made = AllProvidersFailedError(pairs, told, retry_after=error.retry_after, attempts=error.attempts)
        made.__cause__ = error
        return made

    def _asked(self, labels: list[str]) -> list[str]:
        """The model strings for what hb calls the targets."""
        if len(labels) == len(self.targets):
            return [target.asked for target in self.targets]
        known = {f"{target.provider}/{target.model}": target.asked for target in self.targets}
        return [known.get(label, label) for label in labels]


class _Flow:
    """The chunks of one stream as callers see them, with the marks of those that begin a model's part."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._seen: Target | None = None
        self._id = ""
        self._has_text = False
        self._has_end = False
        self._ends: list[StreamChunk] = []
        """Ends that came through middlewares, of which only what follows says whether they end the whole answer."""

    def of(self, item: Mapping[str, Any]) -> Iterable[StreamChunk]:
        """The chunks for one item of hb's stream."""
        chunk: Chunk | None = item.get("chunk")
        if chunk is not None:
            target = self._chat.served
            self._id = chunk.id or self._id
            if not isinstance(chunk.raw, StreamChunk):  # of hb itself: tools have run, or could not any more
                yield from self._released(is_end=False)
            for made in to_chunks(chunk, target.asked, target.provider):
                if made.finish_reason is not None:
                    self._ends.append(made)
                    continue
                yield from self._released(is_end=True)
                yield self._marked(made)
        completion: Completion[Any] | None = item.get("completion")
        if completion is not None:
            yield from self._released(is_end=not completion.tool_turns)
            if not self._has_end:
                target = self._chat.served
                for made in last_chunks(completion, target.asked, target.provider):
                    yield self._marked(made)

    def _released(self, *, is_end: bool) -> Iterable[StreamChunk]:
        """The ends that were held back; where they are none, what else they bring."""
        ends, self._ends = self._ends, []
        for chunk in ends:
            if not is_end:
                chunk = chunk.model_copy(update={"finish_reason": None, "usage": None, "tool_calls": None})
            if is_end or chunk.delta or chunk.reasoning or chunk.tool_call_deltas:
                yield self._marked(chunk)

    def _marked(self, chunk: StreamChunk) -> StreamChunk:
        target = self._chat.served
        if target is not self._seen:
            passed = self._chat.passed()
            chunk.fallback_attempts = passed or chunk.fallback_attempts
            chunk.resumed_from_partial = self._has_text
            self._seen = target
        chunk.id = chunk.id or self._id
        self._has_text = self._has_text or bool(chunk.delta)
        self._has_end = self._has_end or (chunk.finish_reason is not None and not chunk.index)
        return chunk


class Vectors:
    """An embedding that was planned and not sent."""

    def __init__(self, request: EmbeddingRequest, *, middleware: Any = None, kernel: Any = None) -> None:
        self.request = request
        self.unsent: Callable[[], None] | None = None
        """Asked where the embedding fails before anything was sent."""
        kernel = kernel_of(kernel)
        installed = frozenset(kernel.registry.names("providers"))
        self.target = embedding_target(request.model, request.provider, installed)
        inner = [each for each in checked(middleware) if not isinstance(each, FallbackMiddleware)]
        self.job = Job(request, [self.target], inner, installed)
        self.texts = [request.input] if isinstance(request.input, str) else list(request.input)
        connection = connection_of(request)
        check_keys(connection.get("api_key"), installed)
        if isinstance(keys := connection.get("api_key"), Mapping):
            connection["api_key"] = keys.get(self.target.provider)
        try:
            warn_of_hints(unknown_hints(request, self.target.provider), self.target.provider)
            self.options = embed_options(request, self.target.provider)
            self.llm = LLM(
                model=self.target.model, provider=self.target.provider, kernel=kernel, **EMBED_PLAIN, **connection
            )
        except HBError as error:
            raise translated(error) from error

    def answer(self) -> EmbeddingResponse:
        """The vectors."""
        with self._around() as options:
            return self._whole(self.llm.embed(self.texts, include=_TOLD, reduce=False, **options))

    async def aanswer(self) -> EmbeddingResponse:
        """Async form of `answer`."""
        with self._around() as options:
            return self._whole(await self.llm.aembed(self.texts, include=_TOLD, reduce=False, **options))

    def _around(self) -> AbstractContextManager[dict[str, Any]]:
        bridge = EmbedBridge(self.job)
        return _bridged(bridge, self.options, is_plain=not self.job.middleware, failed=self.failed)

    def failed(self, error: HBError) -> Exception:
        """What callers get for how the embedding failed."""
        _tell_unsent(self, error)
        return translated(error)

    def _whole(self, told: Mapping[str, Any]) -> EmbeddingResponse:
        if isinstance(told["raw"], EmbeddingResponse):
            return told["raw"]
        made = Embedding(told["embeddings"], usage=Usage.from_dict(told["usage"]), raw=told["raw"])
        return to_vectors(made, self.target.asked, self.target.provider)


@contextmanager
def _bridged(
    bridge: Any, options: dict[str, Any], *, is_plain: bool, failed: Callable[[HBError], Exception]
) -> Iterator[dict[str, Any]]:
    """The options of a call that goes over a bridge, or past it where the call `is_plain`."""
    try:
        yield options if is_plain else {**options, "middleware": [bridge]}
    except HBError as error:
        raised = failed(error)
        raise raised from raised.__cause__
    finally:
        bridge.job = None


def _tell_unsent(planned: Any, error: HBError) -> None:
    if planned.unsent is not None and not error.attempts:
        planned.unsent()


def _told(error: HBError) -> Exception:
    """The error of this package, or what a middleware raised."""
    if isinstance(error, Carried) and isinstance(error.__cause__, Exception):
        return error.__cause__
    return translated(error)


_TOLD: Any = ["embeddings", "usage", "raw"]
