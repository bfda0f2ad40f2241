"""What comes back for a call: the shape that a plugin must answer in, and what only the kernel can add to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

from heavenbase.call import Call, CallContext, Kept
from heavenbase.colour import drive as drive
from heavenbase.colour.parallel import LONG, call_in_thread
from heavenbase.details import Details, Record
from heavenbase.errors import HBError, PluginContractError, ProviderError, ToolArgsError
from heavenbase.gather import Ending, Gathering, name_calls
from heavenbase.secrets import scrubbed, scrubber, told
from heavenbase.spec import EMPTY
from heavenbase.types import Chunk, Completion, Embedding, ImageResult, ToolCall

_DEPTH = 8
SHAPES: dict[str, type] = {"complete": Completion, "embed": Embedding, "imagen": ImageResult}


def check_colour(call: Call, answer: Any) -> None:
    """PluginContractError unless a hook answered in the colour of the call.

    That is a value, an awaitable, an iterator or an async iterator; what an awaitable brings is for `check_value`.
    """
    if call.stream:
        method, wanted = ("__aiter__", "an async iterator") if call.is_async else ("__iter__", "an iterator")
    elif call.is_async:
        method, wanted = "__await__", "an awaitable"
    else:
        check_value(call, answer)
        return
    if not hasattr(answer, method):
        raise _contract(call, answer, wanted)


def check_value(call: Call, answer: Any) -> None:
    """PluginContractError unless a hook answered the type of its verb."""
    shape = SHAPES.get(call.verb)
    if not isinstance(answer, shape or Record):
        raise _contract(call, answer, shape.__name__ if shape else "an OperationResult")


def check_answer(call: Call, answer: Any) -> None:
    """PluginContractError unless what comes out of all middlewares is an answer to the call."""
    if call.stream:
        if not hasattr(answer, "__aiter__"):
            raise PluginContractError(
                f"a middleware answered a stream with {type(answer).__name__}; return next(call)'s"
            )
    elif not isinstance(answer, SHAPES.get(call.verb) or Record):
        raise PluginContractError(
            f"a middleware answered {call.verb} with {type(answer).__name__}; return next(call)'s"
        )


def stamp(call: Call, answer: Any, repair: Mapping[str, Any] = EMPTY) -> Any:
    """Put on an answer what only the kernel knows; `repair` are the settings of tool_call_repair."""
    context = call.context
    spec = context.served or call.spec
    answer.provider = answer.provider or spec.provider
    answer.gateway = answer.gateway or spec.gateway
    if answer.model is None:
        answer.model = spec.model_id
    if call.verb in SHAPES:
        answer.served_by, answer.hops = f"{spec.provider}/{spec.model_id}", context.hops
    answer.created_at = context.created_at
    answer.elapsed = context.clock() - context.started
    answer.attempts = context.attempts
    answer.report = context.report
    if context.cached:
        answer.cached = True
    if isinstance(answer, Completion):
        answer._heard = context.headers
        if answer.tool_calls:
            settle_calls(call, answer, repair)
        if call.format is not None and answer.structured is None:
            answer.structured = call.format.value_of(answer)
        if call.args.get("think") is False:
            answer.reasoning = ""
            if not answer.tool_calls:  # with results of tools, providers want the thoughts that led to them back
                answer.reasoning_parts = [part for part in answer.reasoning_parts if part.get("is_kept")]
        message = answer.message
        answer.delta = [message]
        answer.messages = [*call.messages, message]
    return answer


async def stamped(call: Call, answer: Any, repair: Mapping[str, Any] = EMPTY) -> Any:
    """As `stamp`; for an async call beside its loop, where the arguments of tools are long."""
    calls = getattr(answer, "tool_calls", None)
    if calls and call.is_async and sum(len(made.arguments) for made in calls) > LONG:
        return await call_in_thread(stamp, call, answer, repair)
    return stamp(call, answer, repair)


def settle_calls(call: Call, answer: Completion, repair: Mapping[str, Any]) -> None:
    """Give every tool call an id, repair the arguments where that is asked for, and keep what a resumption needs.

    The calls of an answer that was cut off stay as they are, as they are never run. Where the provider gave no finish
    reason, whole calls say what it is; where it gave one that nobody knows, they wait for a word of the caller.
    """
    name_calls(answer.tool_calls, call.messages, only_missing=bool(answer.reasoning_parts))
    is_unnamed = answer.finish_reason == "other" and not answer.raw_finish_reason
    if answer.finish_reason == "stop" or (is_unnamed and all(map(_is_whole, answer.tool_calls))):
        answer.finish_reason = "tool_calls"
    if answer.finish_reason != "tool_calls":
        if answer.finish_reason == "other":
            answer.pending, answer._call = list(answer.tool_calls), Kept(call)
        return
    option = call.controls.get("repair_tool_calls")
    if "tool_call_repair" in call.given and "repair_tool_calls" not in call.given:
        option = None  # what the call says counts before the default of its LLM
    from heavenbase.tools.repair import LLMToolCallRepair

    settings = LLMToolCallRepair(repair).merged(call.controls.get("tool_call_repair")).merged(option)
    if settings.enabled():
        try:
            answer.tool_calls = settings.repair(answer.tool_calls, call.args.get("tools"))
        except HBError as error:
            error.partial = answer
            raise
    answer.pending, answer._call = list(answer.tool_calls), Kept(call)


def _is_whole(call: ToolCall) -> bool:
    try:
        call.parse()
    except ToolArgsError as error:
        return error.code is not None
    return True


def without_thoughts(chunk: Chunk) -> Chunk | None:
    """The chunk as a caller sees it who wants no thoughts; None when there is nothing else in it."""
    left = replace(chunk, reasoning="", reasoning_parts=None)
    return left if left != Chunk(raw=chunk.raw) else None


async def guarded(call: Call, source: Any) -> AsyncIterator[Chunk]:
    """The chunks of a gateway, in the colour of the call, and behind the terminal marker one with the whole answer.

    What the gateway raises that is no error of hb becomes one. Middleware raises what it likes.
    """
    gathering = Gathering()
    feed = gathering.feed
    fitting: _Fitting | None = _Fitting(call)
    try:
        if call.is_async:
            async for chunk in source:
                if fitting is not None:
                    chunk, fitting = fitting.fitted(chunk)
                feed(chunk)
                yield chunk
        else:
            for chunk in source:
                if fitting is not None:
                    chunk, fitting = fitting.fitted(chunk)
                feed(chunk)
                yield chunk
        if gathering.finished:
            yield Ending(gathering, call)
    except HBError as error:
        clean(call, error)
        raise
    except Exception as error:
        clean(call, error)
        raise foreign(call, error) from error
    finally:
        await drive.aclose(source)


class _Fitting:
    """What is done to chunks on their way: the first tells the limits, thoughts in tags are taken out.

    `fitted` gives the chunk, and what is to look at the next one; None where there is no more to be done.
    """

    def __init__(self, call: Call) -> None:
        self._context: CallContext | None = call.context
        self._tags: TagFilter | None = None
        self._is_one = call.args.get("n") in (None, 1)
        if call.args.get("think") is False:
            from heavenbase.wires.thoughts import TagFilter

            self._tags = TagFilter()

    def fitted(self, chunk: Chunk) -> tuple[Chunk, _Fitting | None]:
        if self._tags is not None:
            chunk = self._tags.strip(chunk)
            if self._is_one and self._tags.is_done:
                self._tags = None
        if self._context is not None:
            limits, self._context = self._context.limits(), None
            if limits is not None:
                chunk = replace(chunk, details=Details.limited(chunk.details, limits))
        return chunk, self if self._tags is not None else None


def annotate(call: Call, error: HBError, gathering: Gathering | None = None) -> HBError:
    """Put on an error what only the kernel knows: target, ledger, what had come."""
    error.provider = error.provider or call.spec.provider
    error.model = error.model or call.spec.model_id
    if gathering is not None and error.partial is None and gathering.chunks:
        error.partial = partial = gathering.completion(call)
        if partial.usage is not None and call.context.attempts and call.context.attempts[-1].usage is None:
            call.context.attempts[-1].usage = partial.usage
    error.attempts = tuple(call.context.attempts)
    clean(call, error)
    return error


def clean(call: Call, error: BaseException) -> None:
    """Take out of an error what its call must not tell, before a middleware sees it, which may log it."""
    _scrub(error, scrubber(call.secrets()))


def _scrub(error: BaseException | None, scrub: Callable[[str], str]) -> None:
    """Take out of an error and of those that led to it what the call must not tell."""
    for _ in range(_DEPTH):
        if error is None:
            return
        if isinstance(error, HBError):
            error.scrubbed(scrub)
            for attempt in error.attempts:
                attempt.request_id = scrub(attempt.request_id) if attempt.request_id else None
        else:
            error.args = tuple(scrubbed(error.args, scrub))
        error = error.__cause__ or error.__context__


def foreign(call: Call, error: Exception) -> ProviderError:
    """What leaves hb for an exception that a gateway should have mapped: nobody knows whether it was sent before."""
    text = f"gateway {call.spec.gateway!r} raised {told(error)}"
    return ProviderError(text, provider=call.spec.provider, maybe_billed=True)


def _contract(call: Call, answer: Any, wanted: str) -> PluginContractError:
    if hasattr(answer, "cr_frame"):
        answer.close()  # a coroutine that nobody will await
    colour = f"{'an async' if call.is_async else 'a sync'} {'stream' if call.stream else 'call'}"
    return PluginContractError(
        f"gateway {call.spec.gateway!r} answered {call.verb} with {type(answer).__name__}; "
        f"{colour} wants {wanted}; answer in the colour of the call",
        provider=call.spec.provider,
        maybe_billed=True,
    )
