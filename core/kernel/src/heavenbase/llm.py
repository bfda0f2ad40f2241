"""LLM: the facade. One object per target; chat, stream, embed and imagen in both colours."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError
from heavenbase.messages import to_images, to_messages, to_texts
from heavenbase.operations.facade import Operations
from heavenbase.options import CONNECTION, CONTENT, PROMPTED, conceal, concealed_route, unknown_options, with_effort
from heavenbase.projection import (
    AGGREGATE,
    CHAT,
    CLOCK,
    EMBED,
    IMAGEN,
    STREAM,
    StreamProjection,
    is_on,
    names_of,
    project,
    warn_cut,
)

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.kernel import Kernel
    from heavenbase.plugin import Gateway
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion

STREAM_NAMES = (*STREAM, *CLOCK, *AGGREGATE)
_SLOW = PROMPTED | {"background"}
"""Default arguments with which a chat is more than its messages."""


class LLM(Operations):
    """A language model to call: `LLM()` is the default preset, `LLM("chat")` another, `LLM(model="gpt-4o")` a model.

    `preset`, `model`, `provider` and `gateway` are names; a list of models is a route, in which each stands in for the
    one before it, and `route` any other (a name of the settings, a table, a `Route`). `kernel` is the kernel to use
    instead of the default one; every other keyword becomes a default argument of each call, where None keeps a
    parameter off the wire. `spec` is the resolved target, of a route the first one. Unknown names raise
    UnknownNameError with the nearest choice; nothing is sent before a call.
    """

    kernel: Kernel
    spec: LLMSpec

    def __init__(
        self,
        preset: str | None = None,
        model: Any = None,
        provider: str | None = None,
        gateway: str | None = None,
        *,
        route: Any = None,
        kernel: Kernel | None = None,
        **options: Any,
    ) -> None:
        from heavenbase.functions import kernel_of

        self.kernel = kernel = kernel_of(kernel)
        conceal(options)
        if route is not None:
            options["route"] = route = concealed_route(route)
        model = model if isinstance(model, str) else concealed_route(model)
        if "tool_call_repair" in options or kernel.tool_call_repair["enabled"]:
            from heavenbase.tools.repair import LLMToolCallRepair

            if LLMToolCallRepair(kernel.tool_call_repair).enabled(options.get("tool_call_repair")):
                options.setdefault("repair_tool_calls", True)
        self.spec: LLMSpec = kernel.resolver.resolve(preset, model, provider, gateway, options)

    def __deepcopy__(self, memo: dict[int, Any]) -> LLM:
        # A spec never changes, and a kernel holds locks and connections: copies share both.
        return copy.copy(self)

    def __repr__(self) -> str:
        spec = vars(self).get("spec")
        if spec is None:  # a traceback with locals shows it while it is made
            return "LLM()"
        return (
            f"LLM(preset={spec.preset!r}, model={spec.model!r}, provider={spec.provider!r}, gateway={spec.gateway!r})"
        )

    @property
    def dim(self) -> int:
        """The length of this model's vectors: from the configuration, else by embedding one short text."""
        known = self.spec.dim
        return known if known is not None else len(self.embed("<TEST>"))

    # Chat

    def complete(self, messages: Any, *, system: str | None = None, images: Any = None, **options: Any) -> Completion:
        """The whole answer: text, reasoning, tool calls, usage, finish reason, attempts, parameter report.

        With `background=True` it is a Job, as `submit` answers it.
        """
        if self._in_background(options):
            return self.submit(messages, system=system, images=images, **options)  # type: ignore[return-value]
        return self.kernel.run(self._chat_call(messages, system, images, options, is_async=False))  # type: ignore[no-any-return]

    async def acomplete(
        self, messages: Any, *, system: str | None = None, images: Any = None, **options: Any
    ) -> Completion:
        """Async form of `complete`."""
        if self._in_background(options):
            return await self.asubmit(messages, system=system, images=images, **options)  # type: ignore[return-value]
        return await self.kernel.answer(self._chat_call(messages, system, images, options, is_async=True))  # type: ignore[no-any-return]

    def chat(
        self,
        messages: Any,
        include: str | Iterable[str] | None = None,
        reduce: bool = True,
        stream: bool = False,
        system: str | None = None,
        images: Any = None,
        **options: Any,
    ) -> Any:
        """The answer's text, or the values named by `include` (a dictionary unless one name is reduced).

        `messages` is a text, a message, an iterable of them, or a PromptTemplate, for `prompt_values`; `images` go to
        the last user message. With `stream=True` it is `stream`, with `background=True` a Job, for `poll`.
        """
        if options:
            conceal(options)
        if is_on("stream", stream):
            return self.stream(messages, include, reduce, system, images, **options)
        if include is None and not options and reduce is True and _SLOW.isdisjoint(self.spec.args):
            return self.kernel.text(self.spec, to_messages(messages, system=system, images=images))
        if self._in_background(options):
            return self.submit(messages, system=system, images=images, **options)
        names = names_of(include, CHAT, "text", reduce)
        answer = self.kernel.run(self._chat_call(messages, system, images, options, is_async=False))
        warn_cut(answer, names, 2)
        return project(answer, names, CHAT, reduce=reduce)

    __call__ = chat

    async def achat(
        self,
        messages: Any,
        include: str | Iterable[str] | None = None,
        reduce: bool = True,
        stream: bool = False,
        system: str | None = None,
        images: Any = None,
        **options: Any,
    ) -> Any:
        """Async form of `chat`; with `stream=True` the awaited value is an async iterator."""
        conceal(options)
        if is_on("stream", stream):
            return self.astream(messages, include, reduce, system, images, **options)
        if self._in_background(options):
            return await self.asubmit(messages, system=system, images=images, **options)
        names = names_of(include, CHAT, "text", reduce)
        answer = await self.kernel.answer(self._chat_call(messages, system, images, options, is_async=True))
        warn_cut(answer, names, 2)
        return project(answer, names, CHAT, reduce=reduce)

    def stream(
        self,
        messages: Any,
        include: str | Iterable[str] | None = None,
        reduce: bool = True,
        system: str | None = None,
        images: Any = None,
        **options: Any,
    ) -> Iterator[Any]:
        """The answer as it comes: pieces of text, or the values named by `include` for each chunk.

        `include="chunk"` yields typed `Chunk` objects. Names that only the whole answer has (delta, messages,
        structured …) come in one closing item. Leaving the loop closes the connection.
        """
        conceal(options)
        names = names_of(include, STREAM_NAMES, "text", reduce)
        call = self._chat_call(messages, system, images, options, is_async=False, stream=True)
        return self._iterate(call, StreamProjection(call, names, reduce=reduce))

    def astream(
        self,
        messages: Any,
        include: str | Iterable[str] | None = None,
        reduce: bool = True,
        system: str | None = None,
        images: Any = None,
        **options: Any,
    ) -> AsyncIterator[Any]:
        """Async form of `stream`."""
        conceal(options)
        names = names_of(include, STREAM_NAMES, "text", reduce)
        call = self._chat_call(messages, system, images, options, is_async=True, stream=True)
        return self._aiterate(call, StreamProjection(call, names, reduce=reduce))

    def resume(self, completion: Any, results: Mapping[str, Any] | None = None, **options: Any) -> Completion:
        """Go on with a chat whose tool calls wait: those in `pending` of a Completion, or open at the end of messages.

        `results` has one value by id of each waiting call: its result (any value, an exception for a failure), or
        `hb.RUN`, `hb.REFUSE`, `hb.PAUSE`. The options of the paused call are used again, with `options` over them.
        """
        return self.kernel.run(self._resumed_call(completion, results, options, is_async=False))  # type: ignore[no-any-return]

    async def aresume(self, completion: Any, results: Mapping[str, Any] | None = None, **options: Any) -> Completion:
        """Async form of `resume`."""
        return await self.kernel.answer(self._resumed_call(completion, results, options, is_async=True))  # type: ignore[no-any-return]

    # Embeddings

    def embed(self, inputs: Any, include: Any = None, reduce: bool = True, **options: Any) -> Any:
        """One vector for a text, a list of vectors for an iterable of texts (`[]` for none), in order.

        Equal inputs are sent once; batches hold `embedding_batch_size` inputs, `embedding_max_workers` at a time.
        """
        conceal(options)
        names = names_of(include, EMBED, "embeddings", reduce)
        call = self._embed_call(inputs, options, is_async=False)
        return _project_vectors(inputs, self.kernel.run(call), names, reduce)

    async def aembed(self, inputs: Any, include: Any = None, reduce: bool = True, **options: Any) -> Any:
        """Async form of `embed`."""
        conceal(options)
        names = names_of(include, EMBED, "embeddings", reduce)
        call = self._embed_call(inputs, options, is_async=True)
        return _project_vectors(inputs, await self.kernel.answer(call), names, reduce)

    # Images

    def imagen(self, prompt: str, include: Any = None, reduce: bool = True, images: Any = None, **options: Any) -> Any:
        """One LLMImage if there is exactly one, else a list; `images` are references for the style or an edit."""
        conceal(options)
        names = names_of(include, IMAGEN, "images", reduce)
        call = self._imagen_call(prompt, images, options, is_async=False)
        return _project_images(self.kernel.run(call), names, reduce)

    async def aimagen(
        self, prompt: str, include: Any = None, reduce: bool = True, images: Any = None, **options: Any
    ) -> Any:
        """Async form of `imagen`."""
        conceal(options)
        names = names_of(include, IMAGEN, "images", reduce)
        call = self._imagen_call(prompt, images, options, is_async=True)
        return _project_images(await self.kernel.answer(call), names, reduce)

    # Exports

    def to_client(self) -> Any:
        """The openai SDK's client for this target; ExportError where the gateway has none."""
        return self._gateway().to_client(self.spec)

    def to_aclient(self) -> Any:
        """The openai SDK's async client for this target and event loop."""
        return self._gateway().to_aclient(self.spec)

    def to_anthropic_client(self) -> Any:
        """The anthropic SDK's client for this target."""
        return self._gateway().to_anthropic_client(self.spec)

    def to_anthropic_aclient(self) -> Any:
        """The anthropic SDK's async client for this target and event loop."""
        return self._gateway().to_anthropic_aclient(self.spec)

    def to_args(self, **overrides: Any) -> dict[str, Any]:
        """`model` and the request arguments for the exported client's create(); UnknownNameError for a slip."""
        from heavenbase.resolution.arguments import check_options, parameters_of

        conceal(overrides)
        tools = overrides.get("tools", self.spec.args.get("tools"))
        if tools is not None:
            from heavenbase.tools.base import to_tools

            overrides["tools"] = [made.to_openai_tool() for made in to_tools(tools)]
        check_options(overrides := dict(with_effort(overrides)))
        unknown_options(overrides.keys() - CONTENT, parameters_of(self.spec, self.kernel.registry), allowed=True)
        return self._gateway().to_args(self.spec, overrides)

    # Calls

    def _gateway(self) -> Gateway:
        """The gateway of this target, of a route its first; an error where that cannot be used."""
        if self.spec.route is not None and self.spec.route.problem is not None:
            raise self.spec.route.problem
        return self.kernel.gateway(self.spec)

    def _chat_call(
        self,
        messages: Any,
        system: str | None,
        images: Any,
        options: dict[str, Any],
        *,
        is_async: bool,
        stream: bool = False,
    ) -> Call:
        conceal(options)
        if PROMPTED.isdisjoint(options) and PROMPTED.isdisjoint(self.spec.args):
            checked = to_messages(messages, system=system, images=images)
        else:
            from heavenbase.prompts.calls import prompted

            checked = prompted(self.kernel.config, self.spec, messages, options, system, images)
        return self.kernel.call(
            "complete", self._target(options), options, is_async=is_async, stream=stream, messages=checked
        )

    def _resumed_call(
        self, source: Any, results: Mapping[str, Any] | None, options: dict[str, Any], *, is_async: bool
    ) -> Call:
        from heavenbase.flow.tool_loop import check_resumed, resumption

        conceal(options)
        before, messages, resumed = resumption(source, results)
        if before is not None:
            options = {**before.given, **options}
        spec = before.spec if before is not None and CONNECTION.isdisjoint(options) else self._target(options)
        call = self.kernel.call("complete", spec, options, is_async=is_async, messages=messages, resumed=resumed)
        check_resumed(call)
        return call

    def _embed_call(self, inputs: Any, options: dict[str, Any], *, is_async: bool) -> Call:
        _check_prompted("embeddings", options)
        texts = [inputs] if isinstance(inputs, str) else to_texts(inputs, "inputs")
        return self.kernel.call("embed", self._target(options), options, is_async=is_async, inputs=texts)

    def _imagen_call(self, prompt: str, images: Any, options: dict[str, Any], *, is_async: bool) -> Call:
        if not isinstance(prompt, str):
            raise InputTypeError(f"prompt must be a str, not {type(prompt).__name__}")
        if not prompt.strip():
            raise InputError("the prompt is empty")
        _check_prompted("images", options)
        references = to_images(images) if images is not None else []
        return self.kernel.call(
            "imagen", self._target(options), options, is_async=is_async, prompt=prompt, images=references
        )

    def _target(self, options: dict[str, Any]) -> LLMSpec:
        """The spec, or one of its own for a call that connects elsewhere."""
        if not CONNECTION.isdisjoint(options):
            moved = {name: options.pop(name) for name in CONNECTION & options.keys()}
            return self.kernel.resolver.redirect(self.spec, moved)
        return self.spec

    def _iterate(self, call: Call, view: StreamProjection) -> Iterator[Any]:
        with closing(self.kernel.iterate(call)) as chunks:
            chunk: Chunk | None = None
            for chunk in chunks:
                yield from view.items(chunk)
            warn_cut(chunk.completion if chunk is not None else None, view.names, 2)

    async def _aiterate(self, call: Call, view: StreamProjection) -> AsyncIterator[Any]:
        chunks = self.kernel.chunks(call)
        try:
            chunk: Chunk | None = None
            async for chunk in chunks:
                for item in view.items(chunk):
                    yield item
            warn_cut(chunk.completion if chunk is not None else None, view.names, 2)
        finally:
            await chunks.aclose()


def _check_prompted(what: str, options: Mapping[str, Any]) -> None:
    for name in sorted(PROMPTED):
        if options.get(name) is not None:
            raise InputError(f"{name} is for chats; {what} take their text as it is, such as one that a template made")


def _project_vectors(inputs: Any, answer: Any, names: list[str], reduce: bool) -> Any:
    table = {**EMBED, "embeddings": lambda e: e.vectors[0]} if isinstance(inputs, str) else EMBED
    return project(answer, names, table, reduce=reduce)


def _project_images(answer: Any, names: list[str], reduce: bool) -> Any:
    if reduce and names == ["images"] and len(answer.images) == 1:
        return answer.images[0]
    return project(answer, names, IMAGEN, reduce=reduce)
