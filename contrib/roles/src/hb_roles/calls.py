"""One call by role: its hooks, its clock, and its answer in OpenAI's shape."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from hb_roles import answers
from hb_roles.answers import ChatCompletion, ChatCompletionChunk
from hb_roles.errors import EnvVarMissingError
from hb_roles.hooks import Hooks, shown
from hb_roles.models import ResolvedCall
from hb_roles.resolver import copied
from heavenbase.errors import HBError, InputError, MissingCredential
from heavenbase.options import CONNECTION, conceal

if TYPE_CHECKING:
    from heavenbase import Kernel, LLMSpec
    from heavenbase.types import Chunk

MODES = {
    "completion": ("chat", "tool", "other"),
    "embedding": ("embedding", "other"),
    "image": ("image", "other"),
    "audio": ("audio", "other"),
}
"""The modes of roles that each call takes."""
_CALLS = {"chat": "completion", "tool": "completion", "embedding": "embedding", "image": "image", "audio": "audio"}
_SHAPES: dict[str, Callable[[Any], Any]] = {
    "complete": answers.chat_completion,
    "embed": answers.embedding_response,
    "imagen": answers.images_response,
}


def check_mode(resolved: ResolvedCall, call: str) -> None:
    """InputError where the mode of a role is for another call, or its call offers no tools."""
    if resolved.mode not in MODES[call]:
        hint = f"call hub.{_CALLS[resolved.mode]}()"
        raise InputError(f"role {resolved.role!r} has mode {resolved.mode}, which {call}() does not take; {hint}")
    if resolved.mode == "tool" and not resolved.params.get("tools"):
        raise InputError(f"role {resolved.role!r} has mode tool, and no tools are offered; give params_override.tools")


class ByRole:
    """A call that is ready to go.

    `given` is what the caller asked, for hooks; `key` the variable of its key where it is not set.
    """

    def __init__(
        self,
        kernel: Kernel,
        hooks: Hooks,
        resolved: ResolvedCall,
        spec: LLMSpec,
        verb: Any,
        options: dict[str, Any],
        content: dict[str, Any],
        given: Any,
        *,
        is_async: bool,
        streams: bool,
        key: str | None,
    ) -> None:
        if verb == "complete" and resolved.params.get("background") is True:
            raise InputError("a call by role waits for its answer; for background use hb.LLM(...).submit()")
        conceal(options)
        moved = {name: options.pop(name) for name in CONNECTION.intersection(options)}
        if moved:
            spec = kernel.resolver.redirect(spec, moved)
        self.streams = streams
        self._kernel = kernel
        self._hooks = hooks
        self._resolved = resolved
        self._key = key
        self._call = kernel.call(verb, spec, options, is_async=is_async, stream=streams, **content)
        self._verb = verb
        self._given = given
        self._asked_as = "messages" if verb == "complete" else "input"

    # Whole answers

    def answer(self) -> Any:
        """Send it, in sync code."""
        self._hooks.before(self._told())
        started = self._kernel.clock()
        response, failure = None, None
        try:
            response = _SHAPES[self._verb](self._kernel.run(self._call))
        except BaseException as error:
            failure = self._failed(error)
            if failure is not error:
                raise failure from error
            raise
        finally:
            self._hooks.after(self._end(started, failure, response))
        return response

    async def aanswer(self) -> Any:
        """Send it, in async code."""
        await self._hooks.abefore(self._told())
        started = self._kernel.clock()
        response, failure = None, None
        try:
            response = _SHAPES[self._verb](await self._kernel.answer(self._call))
        except BaseException as error:
            failure = self._failed(error)
            if failure is not error:
                raise failure from error
            raise
        finally:
            await self._hooks.aafter(self._end(started, failure, response))
        return response

    # Streams: the hooks are told from the first pull to the last piece

    def chunks(self) -> Iterator[ChatCompletionChunk]:
        """Send it and give the pieces of the answer, in sync code."""
        self._hooks.before(self._told())
        started = self._kernel.clock()
        pieces = self.pieces()
        failure: BaseException | None = None
        try:
            with closing(self._kernel.iterate(self._call)) as source:
                for chunk in source:
                    if (piece := pieces.next(chunk)) is not None:
                        yield piece
        except BaseException as error:
            failure = self._failed(error)
            if failure is not error:
                raise failure from error
            raise
        finally:
            self._hooks.after(self._end(started, failure, pieces.whole))

    async def achunks(self) -> AsyncIterator[ChatCompletionChunk]:
        """Send it and give the pieces of the answer, in async code."""
        await self._hooks.abefore(self._told())
        started = self._kernel.clock()
        pieces = self.pieces()
        failure: BaseException | None = None
        source = self._kernel.chunks(self._call)
        try:
            async for chunk in source:
                if (piece := pieces.next(chunk)) is not None:
                    yield piece
        except BaseException as error:
            failure = self._failed(error)
            if failure is not error:
                raise failure from error
            raise
        finally:
            try:
                await source.aclose()
            finally:
                await self._hooks.aafter(self._end(started, failure, pieces.whole))

    # What hooks are told

    def _told(self) -> dict[str, Any]:
        resolved = self._resolved
        return {
            "role": resolved.role,
            "provider": resolved.provider,
            "model": resolved.model,
            "mode": resolved.mode,
            "params": shown(resolved.params),
            self._asked_as: copied(self._given),
        }

    def _end(self, started: float, failure: BaseException | None, response: Any) -> dict[str, Any]:
        is_left = isinstance(failure, GeneratorExit)
        if is_left:
            failure = HBError("the stream was left before its end")
        return {
            **self._told(),
            "success": failure is None and response is not None,
            "error": failure,
            "response": answers.apart(response) if self._hooks.hears_after else None,
            "duration": self._kernel.clock() - started,
        }

    def _failed(self, error: BaseException) -> BaseException:
        """The error, or the one that names the variable of the file where a key is missing."""
        if self._key is None or not isinstance(error, MissingCredential):
            return error
        provider = self._resolved.provider
        text = f"{self._key} is not set, or is empty: providers.{provider}.env_key names it for role "
        return EnvVarMissingError.of(error, f"{text}{self._resolved.role!r}", variables=[self._key])

    def pieces(self) -> _Pieces:
        """The pieces of its stream, before the first."""
        return _Pieces(answers.first_chunk(self._call.spec.model_id, self._call.context.created_at))


class _Pieces:
    """The pieces of one stream, and the whole answer when it is over."""

    def __init__(self, known: ChatCompletionChunk) -> None:
        self._known = known
        self._begun: set[int] = set()
        self.whole: ChatCompletion | None = None

    def next(self, chunk: Chunk) -> ChatCompletionChunk | None:
        """The piece for a chunk; None for one that says nothing to callers yet."""
        if chunk.kind == "end" and chunk.completion is not None:
            self.whole = answers.chat_completion(chunk.completion)
            piece = answers.last_chunk(self.whole, self._known)
        else:
            piece = answers.chat_chunk(chunk, self._known)
        self._known = piece
        for choice in piece.choices:
            if choice.index not in self._begun:
                self._begun.add(choice.index)
                choice.delta.role = "assistant"
        return piece if piece.choices else None
