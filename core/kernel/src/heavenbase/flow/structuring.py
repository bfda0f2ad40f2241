"""The step of a call that holds an answer to its `response_format`: read, check, ask again with what is wrong.

It stands inside the cache, which so keeps only answers that fit, and outside the retries.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from heavenbase.call import Call
from heavenbase.colour import drive as drive
from heavenbase.colour.parallel import LONG, call_in_thread
from heavenbase.errors import StructuredOutputError
from heavenbase.gather import UNFINISHED, whole_chunk
from heavenbase.middleware import Next
from heavenbase.types import Chunk, Completion, Usage

if TYPE_CHECKING:
    from heavenbase.structured.format import OutputFormat

RETRIES = 1
"""How often an answer that does not fit is asked for again, unless `structured_retries` says otherwise."""


class StructuredOutput:
    """Asks again for an answer that does not fit, at most `structured_retries` times; then StructuredOutputError.

    A stream announces the new answer by a chunk of kind "restart". The chunk with the finish reason comes when the
    answer was found to fit.
    """

    def __call__(self, call: Call, next: Next) -> Any:
        """The answer with its value in `structured`, the usage of all that were asked for together."""
        # Not async itself: a call that wants no form, as most do, gets through without a coroutine of its own.
        wanted = call.format if call.verb == "complete" else None
        return next(call) if wanted is None or not (wanted.is_json or call.stream) else self._form(call, next, wanted)

    async def _form(self, call: Call, next: Next, wanted: OutputFormat) -> Any:
        if call.stream:
            controls = call.controls
            if controls.get("structured_stream") is False or controls.get("enforce_non_stream_structured"):
                return self._whole(call, next)
            return self._stream(call, next) if wanted.is_json else await next(call)
        request, spent, left = call, None, _retries(call)
        while True:
            answer: Completion = await next(request)
            error = await _judged(call, answer)
            if error is None:
                answer.usage = Usage.total(spent, answer.usage)
                return answer
            spent = Usage.total(spent, answer.usage)
            _refuse(call, error, left, spent)
            left -= 1
            request = _again(call, answer, error)

    async def _stream(self, call: Call, next: Next) -> AsyncIterator[Chunk]:
        request, spent, left = call, None, _retries(call)
        while True:
            answer: Completion | None = None
            held: list[Chunk] = []
            source = await next(request)
            try:
                async for chunk in source:
                    if chunk.kind == "end":
                        answer = chunk.completion
                    elif held or chunk.finish_reason is not None:
                        held.append(chunk)
                    else:
                        yield chunk
            finally:
                await drive.aclose(source)
            error = await _judged(call, answer) if answer is not None else None
            if answer is not None and call.context.attempts:
                call.context.attempts[-1].usage = answer.usage
            if answer is None or error is None:
                for chunk in held:
                    yield chunk if chunk.usage is None else replace(chunk, usage=Usage.total(spent, chunk.usage))
                if answer is not None:
                    answer.usage = Usage.total(spent, answer.usage)
                    yield Chunk(kind="end", completion=answer)
                return
            spent = Usage.total(spent, answer.usage)
            _refuse(call, error, left, spent)
            left -= 1
            request = _again(call, answer, error)
            yield Chunk(kind="restart")

    async def _whole(self, call: Call, next: Next) -> AsyncIterator[Chunk]:
        """One chunk, for a model whose streams cannot be relied on here."""
        answer = await self(call.replace(stream=False), next)
        yield whole_chunk(answer)
        yield Chunk(kind="end", completion=answer)


def judge(call: Call, answer: Completion) -> StructuredOutputError | None:
    """What is wrong with an answer, None for nothing; its value is put into `structured`."""
    try:
        if call.format is not None:
            answer.structured = call.format.value_of(answer)
    except StructuredOutputError as error:
        if answer.finish_reason in UNFINISHED:
            error.message, error.code = UNFINISHED[answer.finish_reason], answer.finish_reason
        error.request_id, error.partial, error.maybe_billed = answer.request_id, answer, True
        error.provider, error.model = call.spec.provider, call.spec.model_id
        return error
    return None


async def _judged(call: Call, answer: Completion) -> StructuredOutputError | None:
    if call.is_async and len(answer.text) > LONG:
        return await call_in_thread(judge, call, answer)
    return judge(call, answer)


def _retries(call: Call) -> int:
    retries = call.controls.get("structured_retries")
    return RETRIES if retries is None else int(retries)


def _refuse(call: Call, error: StructuredOutputError, left: int, spent: Usage | None) -> None:
    """Note the attempt as failed; raise where asking again would not help or is not wanted, with all that was spent."""
    answer = error.partial
    call.context.failed(error)
    call.context.reason = "asked again: the answer did not fit response_format"
    if left <= 0 or (answer is not None and answer.finish_reason in UNFINISHED):
        error.message = f"{call.target}: {error.message}"
        if answer is not None:
            answer.usage = spent
        raise error


def _again(call: Call, answer: Completion, error: StructuredOutputError) -> Call:
    problem = {
        "role": "user",
        "content": f"That does not have the required form: {error.message}. "
        "Answer again with the corrected JSON, and nothing else.",
    }
    said = [answer.message] if answer.text.strip() else []
    return call.replace(messages=[*call.messages, *said, problem])
