"""Where middlewares of llmgate stand in a call of hb: around each target of a chat, around an embedding as a whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar

from hb_llmgate.base import IO, BaseMiddleware, chained, copied
from hb_llmgate.calls import (
    PLAIN,
    call_options,
    chat_messages,
    connection_of,
    to_completion,
    to_response,
    to_vectors,
)
from hb_llmgate.exceptions import InvalidRequestError, LLMGateError, translated
from hb_llmgate.models import Target, chat_target
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
        if not job.middleware:
            return await next(call)
        request = _request(job, call, target)
        round = _Round(job, call, next, request, target.asked)
        if call.stream:
            return round.stream()
        try:
            response = await round.answer()
        except LLMGateError as error:
            raise original(error) from None
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
            if (asked.model, asked.provider) != (before.model, before.provider):
                raise InvalidRequestError("a middleware cannot move an embedding to another model")
            texts = [asked.input] if isinstance(asked.input, str) else list(asked.input)
            try:
                return to_vectors(await next(call.replace(inputs=texts)), asked.model)
            except HBError as error:
                raise translated(error) from error

        try:
            answer = await _in_colour(job.middleware, "embed_handle", "aembed_handle", last, request, call.is_async)
        except LLMGateError as error:
            raise original(error) from None
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
        try:
            call = applied(self.call, self.before, request, self.job)
            answer: Completion[Any] = await self.following(call)
            if call.format is not None and answer.structured is None:
                answer.structured = call.format.value_of(answer)
            self.completion = answer
            return to_response(answer, _name(request, self.asked), self.call.spec.provider)
        except HBError as error:
            raise translated(error) from error

    async def stream(self) -> AsyncGenerator[Any, None]:
        """The chunks for hb."""
        middlewares, request = self.job.middleware, self.request
        source: Any
        if self.call.is_async:
            source = chained(middlewares, "astream_handle", self._chunks)(request)
        else:
            source = chained(middlewares, "stream_handle", lambda asked: drive.iterate(self._chunks(asked)))(request)
        try:
            async with aclosing(lifted(source)) as chunks:
                async for chunk in chunks:
                    yield from_chunk(chunk)
        except LLMGateError as error:
            raise original(error) from None

    async def _chunks(self, request: CompletionRequest) -> AsyncGenerator[StreamChunk, None]:
        gathering = Gathering()
        whole: Completion[Any] | None = None
        source: Any = None
        try:
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
        except HBError as error:
            raise translated(error) from error
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


def original(error: LLMGateError) -> HBError:
    """The error of hb that one of this package says in other words; itself where it says nothing else."""
    cause = error.__cause__
    return cause if isinstance(cause, HBError) and not isinstance(cause, LLMGateError) else error


def applied(call: Call, before: CompletionRequest, after: CompletionRequest, job: Job) -> Call:
    """The call of hb with what a middleware changed in its request."""
    if after is before:
        return call
    old, new = call_options(before), call_options(after)
    changed = {name: new.get(name) for name in old.keys() | new.keys() if not _same(old.get(name), new.get(name))}
    was, now = (chat_target(it.model, it.provider, job.installed) for it in (before, after))
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
        spec = call.services.resolve(model=now.model, provider=now.provider, **{**PLAIN, **wanted, **given})
        trimmed = call.replace(
            args={name: value for name, value in call.args.items() if name not in changed},
            controls={name: value for name, value in call.controls.items() if name not in changed},
            explicit=call.explicit - changed.keys(),
        )
        call = call.services.retarget(trimmed, spec)
    if after.messages is not before.messages and after.messages != before.messages:
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
