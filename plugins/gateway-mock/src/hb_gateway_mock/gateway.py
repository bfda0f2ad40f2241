"""MockGateway: plays a script in the colour of the call."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_mock import answers
from hb_gateway_mock.failures import failure
from hb_gateway_mock.options import KINDS, PARAMETERS, Script, ask, combine, layer, layers
from heavenbase.call import WireRequest
from heavenbase.errors import InputError, InputTypeError
from heavenbase.plugin import Gateway
from heavenbase.types import Embedding, ImageResult

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from hb_gateway_mock.files import MockFiles
    from hb_gateway_mock.options import Layer
    from heavenbase.call import Call
    from heavenbase.operations import Listing, ModelInfo, Ranking, TokenCount
    from heavenbase.types import Chunk, Completion

REMEMBERED = 256


class MockGateway(Gateway):
    """Answers every verb from its options, without a network.

    `sleep` and `asleep` wait for the pauses that are asked for; by default those of time and asyncio.
    """

    wire: ClassVar[str] = "mock"
    vision: ClassVar[str] = ""
    blocks = frozenset({"items"})
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS

    def __init__(
        self,
        sleep: Callable[[float], object] | None = None,
        asleep: Callable[[float], Awaitable[object]] | None = None,
    ) -> None:
        self.name = "mock"
        self.sleep = sleep
        self.asleep = asleep
        self._files: MockFiles | None = None
        self._places: dict[int, tuple[Any, int, Any]] = {}
        self._lock = Lock()

    def prepare(self, call: Call) -> WireRequest:
        """The request as a mock:// endpoint would get it. InputError for an option that does not exist."""
        layers(call)
        report = call.context.report
        report.sent(*call.args)
        for name in call.controls:
            if name.startswith("mock") and call.controls[name] is not None:
                report.emulated(name, "the script of the mock is not sent")
        content: dict[str, dict[str, Any]] = {
            "complete": {"messages": [_plain(message) for message in call.messages]},
            "embed": {"input": list(call.inputs)},
            "imagen": {"prompt": call.prompt, **({"images": _plain(call.images)} if call.images else {})},
        }
        body = {"model": call.spec.model_id, **content[call.verb], **call.args}
        if call.stream:
            body["stream"] = True
        return WireRequest("POST", f"mock://{call.spec.provider}/{KINDS[call.verb]}", body)

    # Chat: one order of events, read in either colour; a float is a pause

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of the script."""
        for event in _play(self._script(call), call):
            if isinstance(event, float):
                self._pause(event, call)
            else:
                yield event

    async def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        for event in _play(await self._ascript(call), call):
            if isinstance(event, float):
                await self._apause(event, call)
            else:
                yield event

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """The whole answer at once, after all its pauses."""
        script = self._script(call)
        gathered = []
        for event in _play(script, call):
            if isinstance(event, float):
                self._pause(event, call)
            else:
                gathered.append(event)
        return _completion(script, gathered, call)

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        script = await self._ascript(call)
        gathered = []
        for event in _play(script, call):
            if isinstance(event, float):
                await self._apause(event, call)
            else:
                gathered.append(event)
        return _completion(script, gathered, call)

    # Vectors and images

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per input."""
        script = self._script(call)
        self._pause(_draw(script)(), call)
        return _embedding(script, call)

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        script = await self._ascript(call)
        await self._apause(_draw(script)(), call)
        return _embedding(script, call)

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Small PNG images that follow from prompt and seed."""
        script = self._script(call)
        self._pause(_draw(script)(), call)
        return _images(script, call)

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Async form of `generate_images`."""
        script = await self._ascript(call)
        await self._apause(_draw(script)(), call)
        return _images(script, call)

    # Operations

    async def count_tokens(self, call: Call) -> TokenCount:
        """The words of the messages, as the mock's usage counts them."""
        from heavenbase.operations import TokenCount

        script = await self.scripted(call)
        counted = answers.usage(script, call)
        return TokenCount((counted.prompt_tokens if counted is not None else None) or 0)

    async def models(self, call: Call) -> Listing[ModelInfo]:
        """The models of the script, or that of the call."""
        from heavenbase.operations import Listing, ModelInfo

        names = (await self.scripted(call)).models or [call.spec.model_id]
        found = [ModelInfo(str(name), owner="mock") for name in names]
        return Listing(found[: call.subject], len(found) > call.subject)

    async def rerank(self, call: Call) -> Ranking:
        """The documents by the scores of the script, or by the share of the query's words that they have."""
        from heavenbase.operations import Ranked, Ranking

        given, asked = (await self.scripted(call)).scores, call.subject
        wanted = set(asked.query.lower().split())
        scores = given or [len(wanted & set(text.lower().split())) / len(wanted) for text in asked.documents]
        if len(scores) != len(asked.documents):
            raise InputError(f"the mock has {len(scores)} scores for {len(asked.documents)} documents")
        found = [Ranked(place, float(score), asked.documents[place]) for place, score in enumerate(scores)]
        return Ranking(sorted(found, key=lambda one: -one.score)[: asked.top_n])

    @property
    def files(self) -> MockFiles:
        """The operations on files, which this object keeps."""
        if self._files is None:
            from hb_gateway_mock.files import MockFiles

            self._files = MockFiles(self)
        return self._files

    async def scripted(self, call: Call) -> Script:
        """The script of an operation, after its pause; what it fails with is raised."""
        script = await self._ascript(call) if call.is_async else self._script(call)
        seconds = _draw(script)()
        await self._apause(seconds, call) if call.is_async else self._pause(seconds, call)
        if script.error is not None:
            raise failure(script.error, call)
        return script

    # The script of a call

    def _script(self, call: Call) -> Script:
        parts = []
        for part in layers(call):
            if callable(part):
                part = _answer(ask(part, call))
            parts.append(part)
        return self._outcome(combine(parts))

    async def _ascript(self, call: Call) -> Script:
        parts = []
        for part in layers(call):
            if callable(part):
                answer = ask(part, call)
                part = _answer(await answer if isinstance(answer, Awaitable) else answer)
            parts.append(part)
        return self._outcome(combine(parts))

    def _outcome(self, script: Script) -> Script:
        """The script of this call where there is one per call."""
        source, script.outcomes = script.outcomes, None
        if source is None:
            return script
        part = _static(self._next(source), "an outcome of the mock")
        base = script.given()
        for name in ("text", "chunks") if "error" in part else ("error",):
            base.pop(name, None)
        script = combine([base, part])
        if script.outcomes is not None:
            raise InputError("an outcome of the mock cannot hold outcomes")
        return script

    def _next(self, source: Any) -> Any:
        if isinstance(source, str | Mapping) or not hasattr(source, "__iter__"):
            raise InputTypeError(f"mock outcomes must be a list or an iterator, not {type(source).__name__}")
        with self._lock:
            # The source is kept beside its place, so that no other object can get its id.
            _, place, last = self._places.pop(id(source), (source, 0, None))
            if isinstance(source, Iterator):
                last = next(source, last)
            elif len(source):
                last = source[min(place, len(source) - 1)]
            self._places[id(source)] = (source, place + 1, last)
            if len(self._places) > REMEMBERED:
                self._places.pop(next(iter(self._places)))
        if last is None:
            raise InputError("mock outcomes are empty")
        return last

    # Pauses

    def _pause(self, seconds: float, call: Call) -> None:
        if seconds > 0:
            seconds = call.context.within(seconds) or 0.0
            if self.sleep is None:
                from time import sleep

                sleep(seconds)
            else:
                self.sleep(seconds)
            call.context.remaining()

    async def _apause(self, seconds: float, call: Call) -> None:
        if seconds > 0:
            seconds = call.context.within(seconds) or 0.0
            if self.asleep is None:
                from asyncio import sleep

                await sleep(seconds)
            else:
                await self.asleep(seconds)
            call.context.remaining()


def _play(script: Script, call: Call) -> Iterator[Chunk | float]:
    draw = _draw(script)
    for chunk in answers.chunks(script, call):
        if chunk.has_content:
            yield draw()
        yield chunk


def _draw(script: Script) -> Callable[[], float]:
    """The seconds before each piece."""
    least, most = script.pause
    if least == most:
        return lambda: float(least)
    from random import Random

    generator = Random(script.seed if script.seed is not None else 0)
    return lambda: generator.uniform(least, most)


def _answer(value: Any) -> dict[str, Any]:
    if isinstance(value, Awaitable):
        getattr(value, "close", lambda: None)()
        raise InputTypeError("the mock callable is async; use it in async calls, or pass a plain function")
    return {} if value is None else _static(value, "the mock callable's answer")


def _static(value: Any, name: str) -> dict[str, Any]:
    found: Layer = layer(value, name)
    if callable(found):
        raise InputTypeError(f"{name} is a callable; pass a str, a mapping, a list of chunks or an exception")
    return found


def _completion(script: Script, gathered: list[Chunk], call: Call) -> Completion:
    from heavenbase.gather import Gathering

    gathering = Gathering()
    for chunk in gathered:
        gathering.feed(chunk)
    completion = gathering.completion(call)
    completion.structured = script.structured
    completion.raw = {"id": "mock", "model": call.spec.model_id, "message": completion.message}
    return completion


def _embedding(script: Script, call: Call) -> Embedding:
    if script.error is not None:
        raise failure(script.error, call)
    return Embedding(answers.vectors(script, call), usage=answers.usage(script, call), model=call.spec.model_id)


def _images(script: Script, call: Call) -> ImageResult:
    if script.error is not None:
        raise failure(script.error, call)
    made = answers.images(script, call)
    raw = {"data": [{"b64_json": image.to_b64(), "revised_prompt": image.revised_prompt} for image in made]}
    return ImageResult(made, usage=answers.usage(script, call), model=call.spec.model_id, raw=raw)


def _plain(value: Any) -> Any:
    """A message or image as JSON can hold it; what holds no image stays as it is."""
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, dict) and isinstance(value.get("content"), str):
        return value
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
