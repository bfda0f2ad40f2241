"""A scripted gateway, a provider in code, and a clock that only sleeping moves: the kernel's tests need no wire."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

from heavenbase.call import Call, WireRequest
from heavenbase.config.config import Config
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.plugin import Gateway, Provider
from heavenbase.types import Chunk, Completion, Embedding, ImageResult, ToolCall, ToolCallDelta, Usage

SETTINGS: dict[str, Any] = {
    "heavenbase.llm.default_provider": "acme",
    "heavenbase.llm.default_gateway": "scripted",
    "heavenbase.llm.default_preset": "house",
    "heavenbase.llm.presets.house": {"model": "acme/tiny"},
    "heavenbase.llm.cache.enabled": False,
}


class FakeTime:
    """Monotonic and epoch seconds that move only when somebody sleeps; `naps` are the sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.naps: list[float] = []
        self.drawn: list[float] = []

    def clock(self) -> float:
        return self.now

    def wall(self) -> float:
        return 1_700_000_000.0 + self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds

    async def asleep(self, seconds: float) -> None:
        self.sleep(seconds)

    def random(self) -> float:
        return self.drawn.pop(0) if self.drawn else 0.5


Step = Any
"""One outcome of the script: text, a Completion, an exception, a list of chunks and exceptions, or a callable."""


class ScriptedGateway(Gateway):
    """Plays one step per request, the last one for ever; `calls` are the requests, `closed` the ended streams."""

    wire: ClassVar[str] = "openai"
    vision: ClassVar[str] = ""

    def __init__(self, *script: Step, name: str = "scripted") -> None:
        self.name = name
        self.script: list[Step] = list(script) or ["hello"]
        self.calls: list[Call] = []
        self.opened = 0
        self.closed = 0
        self._lock = threading.Lock()

    def prepare(self, call: Call) -> WireRequest:
        call.context.report.sent(*call.args)
        return WireRequest("POST", "https://acme.test/v1", {"model": call.spec.model_id, **call.args})

    def _step(self, call: Call) -> Step:
        with self._lock:
            self.calls.append(call)
            step = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(step, BaseException):
            raise step
        return step(call) if callable(step) and not isinstance(step, type) else step

    def chat(self, call: Call, request: WireRequest) -> Completion:
        return completion(self._step(call))

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        await asyncio.sleep(0)
        return completion(self._step(call))

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        self.opened += 1
        try:
            for piece in pieces(self._step(call)):
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.closed += 1

    async def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        self.opened += 1
        try:
            for piece in pieces(self._step(call)):
                await asyncio.sleep(0)
                if isinstance(piece, BaseException):
                    raise piece
                yield piece
        finally:
            self.closed += 1

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        step = self._step(call)
        if isinstance(step, Embedding):
            return step
        return Embedding([[float(len(text)), 1.0] for text in call.inputs], usage=Usage(len(call.inputs), 0))

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        await asyncio.sleep(0)
        return self.embed_batch(call, request)

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        step = self._step(call)
        return ImageResult(step if isinstance(step, list) else [])

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        await asyncio.sleep(0)
        return self.generate_images(call, request)


def completion(step: Step) -> Completion:
    if isinstance(step, Completion):
        return step
    return Completion(str(step), finish_reason="stop", raw_finish_reason="stop", usage=Usage(2, 3))


def pieces(step: Step) -> list[Any]:
    if isinstance(step, list):
        return step
    return [*(Chunk(letter) for letter in str(step)), Chunk(finish_reason="stop"), Chunk(usage=Usage(2, 3))]


def calling(
    *calls: Any, text: str = "", finish: Any = "tool_calls", raw: str | None = None, usage: Usage | None = None
) -> Step:
    """A step that calls tools, as an answer or as a stream: (name, arguments) or (name, arguments, id) each."""

    def step(call: Call) -> Any:
        made = [
            ToolCall(rest[0] if rest else f"id-{name}", name, args if isinstance(args, str) else json.dumps(args))
            for name, args, *rest in calls
        ]
        if not call.stream:
            return Completion(
                text, tool_calls=made, finish_reason=finish, raw_finish_reason=raw, usage=usage or Usage(2, 3)
            )
        deltas = [ToolCallDelta(place, item.id, item.name, item.arguments) for place, item in enumerate(made)]
        end = Chunk(finish_reason=finish, raw_finish_reason=raw)
        return [Chunk(text), Chunk(tool_calls=deltas), end, Chunk(usage=usage or Usage(2, 3))]

    return step


class CodeProvider(Provider):
    """A provider whose record is given in code."""

    def __init__(self, name: str = "acme", **record: Any) -> None:
        super().__init__(__name__, name)
        self.fields = {
            "base_url": "https://acme.test/v1",
            "wire": "openai",
            "api_key_env": ["ACME_API_KEY"],
            "allow_unknown_models": True,
            **record,
        }

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        return self.fields


def make_kernel(
    *script: Step,
    config: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    time: FakeTime | None = None,
    plugins: tuple[Any, ...] = (),
    middleware: tuple[Any, ...] = (),
    **options: Any,
) -> Kernel:
    """A kernel with the scripted gateway and the provider acme, and nothing of what is installed."""
    time = time or FakeTime()
    given = [plugin.name for plugin in plugins]
    house = [plugin for plugin in (ScriptedGateway(*script), CodeProvider()) if plugin.name not in given]
    return Kernel(
        Config.from_dict({**SETTINGS, **(config or {})}, environ={"ACME_API_KEY": "sk-acme-000", **(environ or {})}),
        plugins=[*house, *plugins],
        middleware=middleware,
        discover_plugins=options.pop("discover_plugins", False),
        clock=time.clock,
        wall=time.wall,
        sleep=time.sleep,
        asleep=time.asleep,
        random=time.random,
        **options,
    )


def scripted(*script: Step, **options: Any) -> SimpleNamespace:
    """(llm, gateway, time, kernel) on a script; `options` go to `make_kernel`."""
    time = options.pop("time", None) or FakeTime()
    kernel = make_kernel(*script, time=time, **options)
    llm = LLM(kernel=kernel)
    return SimpleNamespace(llm=llm, gateway=kernel.registry.load("gateways", "scripted"), time=time, kernel=kernel)


Ask = Callable[..., Any]


def both_colours(llm: LLM, verb: str) -> list[Ask]:
    """The verb in sync and in async colour, both as plain functions; streams come as lists."""
    if verb == "stream":

        async def gather(*args: Any, **options: Any) -> list[Any]:
            return [item async for item in llm.astream(*args, **options)]

        return [
            lambda *args, **options: list(llm.stream(*args, **options)),
            lambda *args, **options: asyncio.run(gather(*args, **options)),
        ]
    sync, twin = getattr(llm, verb), getattr(llm, f"a{verb}")
    return [sync, lambda *args, **options: asyncio.run(twin(*args, **options))]
