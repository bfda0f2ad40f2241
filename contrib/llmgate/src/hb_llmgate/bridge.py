"""Where middlewares of llmgate stand in a call of hb: around each target of a chat, around an embedding as a whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from hb_llmgate.base import IO, BaseMiddleware, chained, copied
from hb_llmgate.calls import (
    EMBED_PLAIN,
    PLAIN,
    call_options,
    chat_messages,
    connection_of,
    embed_options,
    to_completion,
    to_response,
    to_vectors,
    unknown_hints,
    warn_of_hints,
)
from hb_llmgate.exceptions import Carried, InvalidRequestError, LLMGateError, translated
from hb_llmgate.models import Target, chat_target, embedding_target
from hb_llmgate.stream import from_chunk, last_chunks, lifted, to_chunks
from hb_llmgate.types import (
    CompletionRequest,
    CompletionResponse,
    EmbeddingRequest,
    EmbeddingResponse,
    Message,
    StreamChunk,
)
from heavenbase.call import Call
from heavenbase.errors import HBError
from heavenbase.gather import Gathering
from heavenbase.image import LLMImage
from heavenbase.kernel import drive
from heavenbase.messages import to_messages
from heavenbase.middleware import Middleware
from heavenbase.options import EXTRAS
from heavenbase.types import Completion, Embedding


@dataclass(slots=True)
class Job:
    """One call of the facade: what was asked for, of whom, and what has become of it so far."""

    request: Any
    targets: Sequence[Target]
    middleware: Sequence[BaseMiddleware] = ()
    installed: Any = ()
    place: int = -1
    """The place among the targets of the one that was asked last; -1 before the first."""
    rounds: int = 0
    """How many answers of tools that one got."""
    carried: tuple[type[Exception], ...] = ()
    """What of that which middlewares raise a route is told of, so that it may go on."""

    def restart(self) -> None:
        """Begin again: nobody was asked."""
        self.place, self.rounds = -1, 0

    def reach(self, call: Call) -> Target:
        """The target that a call of hb is for, which is asked now."""
        spec = call.spec
        here = [n for n, it in enumerate(self.targets) if it.provider == spec.provider] or [*range(len(self.targets))]
        here = [n for n in here if self.targets[n].model in (spec.model_id, spec.model)] or here[:1]
        rounds = sum(message.get("role") == "tool" for message in call.messages)
        # A model may be listed twice: without a new round of tools, the one asked before has failed.
        is_next_round, self.rounds = rounds != self.rounds, rounds
        if self.place not in here or not is_next_round:
            self.place = next((n for n in here if n > self.place), self.place if self.place in here else here[0])
        return self.targets[self.place]


class Bridge(Middleware):
    """Runs the middlewares of one chat around each of its targets; made for one call, and emptied behind it."""

    around: ClassVar[Any] = "target"
    name = "llmgate"

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job: Job | None = job

    async def __call__(self, call: Call, next: Any) -> Any:
        """The answer, as the middlewares have it."""
        job = self.job
        if job is None or call.verb != "complete":
            return await next(call)
        target = job.reach(call)

        async def onward(call: Call) -> Any:
            return await next(without_hints(call))

        if not job.middleware and (call.stream or len(job.targets) == 1):
            return await onward(call)  # of several, a whole answer that cannot be read is for the next to answer
        request = _request(job, call, target)
        round = _Round(job, call, onward, request, target.asked)
        if call.stream:
            return round.stream()
        with outward(job):
            response = await round.answer()
        return to_completion(response, round.completion)


class EmbedBridge(Middleware):
    """Runs the middlewares of one embedding around it."""

    around: ClassVar[Any] = "call"
    name = "llmgate"

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job: Job | None = job

    async def __call__(self, call: Call, next: Any) -> Any:
        """The vectors, as the middlewares have them."""
        job = self.job
        if job is None or not job.middleware:
            return await next(call)
        before = prepared(job.request, call)
        request = copied(before)

        async def last(asked: EmbeddingRequest) -> EmbeddingResponse:
            texts = [asked.input] if isinstance(asked.input, str) else list(asked.input)
            with inward():
                there = applied(call, before, asked, job).replace(inputs=texts)
                return to_vectors(await next(there), asked.model, there.spec.provider)

        with outward(job):
            answer = await _in_colour(job.middleware, "embed_handle", "aembed_handle", last, request, call.is_async)
        return Embedding(vectors=answer.embeddings, model=answer.model, provider=answer.provider, raw=answer)


class _Round:
    """What goes on around one target."""

    def __init__(self, job: Job, call: Call, following: Any, request: CompletionRequest, asked: str) -> None:
        self.job = job
        self.call = call
        self.following = following
        self.before = request
        self.request = copied(request)  # middlewares may change it in place
        self.asked = asked
        self.completion: Completion[Any] | None = None

    async def answer(self) -> CompletionResponse:
        """The whole answer."""
        found: CompletionResponse = await _in_colour(
            self.job.middleware, "handle", "ahandle", self._last, self.request, self.call.is_async
        )
        if not isinstance(found, CompletionResponse):
            raise InvalidRequestError(f"a middleware answered {type(found).__name__}, not a CompletionResponse")
        return found

    async def _last(self, request: CompletionRequest) -> CompletionResponse:
        with inward():
            call = applied(self.call, self.before, request, self.job)
            answer: Completion[Any] = await self.following(call)
            if call.format is not None and answer.structured is None:
                answer.structured = call.format.value_of(answer)
            self.completion = answer
            return to_response(answer, _name(request, self.asked), self.call.spec.provider)

    async def stream(self) -> AsyncGenerator[Any, None]:
        """The chunks for hb."""
        middlewares, request = self.job.middleware, self.request
        source: Any
        if self.call.is_async:
            source = chained(middlewares, "astream_handle", self._chunks)(request)
        else:
            source = chained(middlewares, "stream_handle", lambda asked: drive.iterate(self._chunks(asked)))(request)
        with outward(self.job):
            async with aclosing(lifted(source)) as chunks:
                async for chunk in chunks:
                    yield from_chunk(chunk)

    async def _chunks(self, request: CompletionRequest) -> AsyncGenerator[StreamChunk, None]:
        gathering = Gathering()
        whole: Completion[Any] | None = None
        source: Any = None
        try:
            with inward():
                call = applied(self.call, self.before, request, self.job)
                asked, provider = _name(request, self.asked), call.spec.provider
                source = await self.following(call)
                async for chunk in source:
                    if chunk.kind == "end":
                        whole = chunk.completion
                        continue
                    gathering.feed(chunk)
                    for made in to_chunks(chunk, asked, provider):
                        yield made
                if gathering.finished:
                    for made in last_chunks(whole or gathering.completion(call), asked, provider):
                        yield made
        finally:
            await drive.aclose(source)


def prepared(request: Any, call: Call) -> Any:
    """The request as middlewares get it: with the clocks of the kernel, and the scope of its credential."""
    services = call.services

    async def sleep(seconds: float) -> None:
        try:
            await services.sleep(call, seconds)
        except HBError as error:  # the deadline would pass meanwhile
            raise translated(error) from error

    made = request.model_copy()
    made._io = IO(call.is_async, services.clock, services.random, sleep, call.context.remaining)
    made._scope = call.spec.client_key()
    return made


@contextmanager
def inward() -> Iterator[None]:
    """What fails in hb is an error of this package to middlewares."""
    try:
        yield
    except HBError as error:
        told = translated(error)
        raise told from told.__cause__


@contextmanager
def outward(job: Job) -> Iterator[None]:
    """What middlewares raise is the error of hb that it says in other words, or else what a route can look at."""
    try:
        yield
    except LLMGateError as error:
        found = original(error)
        raise found from found.__cause__
    except HBError:
        raise
    except job.carried as error:
        raise Carried(f"a middleware raised {type(error).__name__}: {error}") from error


def original(error: LLMGateError) -> HBError:
    """The error of hb that one of this package says in other words; itself where it says nothing else."""
    cause = error.__cause__
    return cause if isinstance(cause, HBError) and not isinstance(cause, LLMGateError) else error


NO_HINTS = ("mistral", "cohere")
"""Providers of llmgate's page whose wires know `detail` of an image, and on whose wires the page has none."""


def without_hints(call: Call) -> Call:
    """The call without `detail` of its images, where it goes to a provider that llmgate sends none."""
    if call.spec.provider not in NO_HINTS:
        return call

    def bare(part: Any, where: str) -> Any:
        if part.get("type") != "image" or part["image"].detail is None:
            return part
        call.context.report.dropped(f"{where}.detail", "on llmgate's page it is for OpenAI and Azure")
        return {**part, "image": LLMImage.from_any(part["image"], detail=None)}

    messages = []
    for place, message in enumerate(call.messages):
        content = message.get("content")
        if isinstance(content, list):
            parts = [bare(part, f"messages[{place}].content[{number}]") for number, part in enumerate(content)]
            message = {**message, "content": parts}
        messages.append(message)
    return call.replace(messages=messages)


def applied(call: Call, before: Any, after: Any, job: Job) -> Call:
    """The call of hb with what a middleware changed in its request, but for the texts of an embedding."""
    if after is before:
        return call
    is_chat = isinstance(before, CompletionRequest)
    find, plain = (chat_target, PLAIN) if is_chat else (embedding_target, EMBED_PLAIN)
    was, now = (find(it.model, it.provider, job.installed) for it in (before, after))
    if is_chat:
        old, new = call_options(before), call_options(after)
    else:
        old, new = embed_options(before, was.provider), embed_options(after, now.provider)
        if (unknown := unknown_hints(after, now.provider)) != unknown_hints(before, was.provider):
            warn_of_hints(unknown, now.provider)
    changed = {name: new.get(name) for name in old.keys() | new.keys() if not _same(old.get(name), new.get(name))}
    moves = (was.provider, was.model) != (now.provider, now.model)
    reached, wanted = connection_of(before), connection_of(after)
    if changed or moves or reached != wanted:
        if now.provider != job.targets[0].provider:
            # What the caller gave for the first provider stays there; what a middleware set anew goes along.
            wanted = _anew(reached, wanted)
            extras = _anew(old, {name: value for name, value in new.items() if name in EXTRAS})
            changed |= {name: extras.get(name) for name in EXTRAS.intersection(new)}
        if isinstance(keys := wanted.pop("api_key", None), Mapping):
            keys = keys.get(now.provider)
        if keys is not None:
            wanted["api_key"] = keys
        given = {name: value for name, value in changed.items() if value is not None}
        spec = call.services.resolve(model=now.model, provider=now.provider, **{**plain, **wanted, **given})
        trimmed = call.replace(
            args={name: value for name, value in call.args.items() if name not in changed},
            controls={name: value for name, value in call.controls.items() if name not in changed},
            explicit=call.explicit - changed.keys(),
        )
        call = call.services.retarget(trimmed, spec)
    if is_chat and after.messages is not before.messages and after.messages != before.messages:
        call = call.replace(messages=to_messages(chat_messages(after.messages)))
    return call


def _request(job: Job, call: Call, target: Target) -> CompletionRequest:
    """The request for one target, with what a route added to the conversation."""
    request: CompletionRequest = prepared(job.request, call)
    provider = request.provider if target is job.targets[0] else None
    found = request.model_copy(update={"model": target.asked, "provider": provider, "stream": call.stream})
    more = call.messages[len(request.messages) :]
    if more:  # a stream that another target goes on with
        found = found.model_copy(update={"messages": [*request.messages, *(Message(**each) for each in more)]})
    return found


def _name(request: CompletionRequest, asked: str) -> str:
    return request.model if isinstance(request.model, str) else asked


def _anew(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The options that differ from the old ones; of tables, the entries that do. Keys by provider are for any."""
    found: dict[str, Any] = {}
    for name, value in new.items():
        before = old.get(name)
        if name == "api_key" and isinstance(value, Mapping):
            found[name] = value
        elif isinstance(value, Mapping) and isinstance(before, Mapping):
            if entries := {key: each for key, each in value.items() if not _same(before.get(key), each)}:
                found[name] = entries
        elif not _same(before, value):
            found[name] = value
    return found


def _same(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


async def _in_colour(
    middlewares: Sequence[BaseMiddleware], plain: str, awaited: str, last: Any, request: Any, is_async: bool
) -> Any:
    if is_async:
        return await chained(middlewares, awaited, last)(request)
    return chained(middlewares, plain, lambda asked: drive.run(last(asked)))(request)
