"""A gateway with hand-made services and calls, for the tests of this folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from hb_gateway_openai import OpenAIGateway
from heavenbase.call import Call, CallContext, Services, WireRequest, split_options
from heavenbase.clients import ClientPool
from heavenbase.errors import HBError
from heavenbase.gather import Gathering
from heavenbase.secrets import Secret
from heavenbase.spec import LLMSpec, Timeouts
from heavenbase.types import Chunk, Completion

CANARY = "sk-canary-0123456789abcdef"
QUICK = Timeouts(connect=20.0, first_token=20.0, idle=20.0, stall=20.0, total=40.0, pool=20.0)
USER = {"role": "user", "content": "hi"}
CUSTOM: Mapping[str, Any] = MappingProxyType({"api_key_optional": True})
OPENAI: Mapping[str, Any] = MappingProxyType(
    {"api_key_env": ["OPENAI_API_KEY"], "thinking_control": "reasoning_effort", "image_endpoint": "images"}
)
OPENROUTER: Mapping[str, Any] = MappingProxyType(
    {"api_key_env": ["OPENROUTER_API_KEY"], "thinking_control": "extra_body_reasoning", "image_endpoint": "chat"}
)
DEEPSEEK: Mapping[str, Any] = MappingProxyType({"thinking_control": "extra_body_thinking_type"})


def make_spec(base_url: str | None = "http://127.0.0.1:1/v1", *, key: str | None = CANARY, **fields: Any) -> LLMSpec:
    fields.setdefault("provider", "custom")
    fields.setdefault("provider_record", CUSTOM)
    fields.setdefault("timeouts", QUICK)
    fields.setdefault("model_id", "gpt-4o-mini")
    return LLMSpec(
        None,
        "m",
        gateway="openai",
        requested_gateway="openai",
        base_url=base_url,
        api_key=Secret(key) if key is not None else None,
        **fields,
    )


def make_call(
    spec: LLMSpec, verb: Any = "complete", *, is_async: bool = False, stream: bool = False, **options: Any
) -> Call:
    content = {name: options.pop(name) for name in ("messages", "inputs", "prompt", "images") if name in options}
    if verb == "complete":
        content.setdefault("messages", [USER])
    explicit = frozenset(options.pop("explicit", options.keys()))
    timeouts = spec.timeouts.merged(options.pop("timeout", None))
    now = time.monotonic()
    deadline = None if timeouts.total is None else now + timeouts.total
    args, controls = split_options({**spec.args, **options})
    return Call(
        verb,
        spec,
        CallContext(time.monotonic, timeouts, now, time.time(), deadline),
        is_async,
        stream,
        args=args,
        controls=controls,
        explicit=explicit,
        **content,
    )


def prepared(spec: LLMSpec, verb: Any = "complete", **options: Any) -> tuple[WireRequest, dict[str, str]]:
    """The request of a call and the outcome of each parameter."""
    call = make_call(spec, verb, **options)
    request = OpenAIGateway().prepare(call)
    return request, {name: entry.outcome for name, entry in call.context.report.entries.items()}


class Caller:
    """A gateway that is called as the kernel would, once per attempt."""

    def __init__(
        self, gateway: OpenAIGateway | None = None, *, transport: Any = None, wall: Callable[[], float] = time.time
    ) -> None:
        self.clients = ClientPool()
        self.gateway = gateway or OpenAIGateway()
        self.gateway.services = Services(
            self.clients.get, lambda key, default=None: default, time.monotonic, wall, transport
        )

    def run(self, mode: str, spec: LLMSpec, **options: Any) -> Completion:
        """The answer of one chat in a mode: chat, stream, achat or astream."""
        if mode.startswith("a"):
            return asyncio.run(self._alone(mode, spec, options))
        call = make_call(spec, stream=mode == "stream", **options)
        request = self.gateway.prepare(call)
        if mode == "chat":
            return self.gateway.chat(call, request)
        chunks = self.gateway.stream(call, request)
        return gathered(call, list(chunks))

    async def arun(self, mode: str, spec: LLMSpec, **options: Any) -> Completion:
        """`run` on the running loop."""
        call = make_call(spec, is_async=True, stream=mode == "astream", **options)
        request = self.gateway.prepare(call)
        if mode == "achat":
            return await self.gateway.achat(call, request)
        return gathered(call, [chunk async for chunk in self.gateway.astream(call, request)])

    async def _alone(self, mode: str, spec: LLMSpec, options: dict[str, Any]) -> Completion:
        try:
            return await self.arun(mode, spec, **options)
        finally:
            await self.clients.aclose()

    def verb(self, mode: str, verb: str, spec: LLMSpec, **options: Any) -> Any:
        """The answer of `embed` or `imagen`; async where the mode says so."""
        sync = {"embed": self.gateway.embed_batch, "imagen": self.gateway.generate_images}
        call = make_call(spec, verb, is_async=mode == "async", **options)
        request = self.gateway.prepare(call)
        if mode == "sync":
            return sync[verb](call, request)

        async def alone() -> Any:
            method = {"embed": self.gateway.aembed_batch, "imagen": self.gateway.agenerate_images}[verb]
            try:
                return await method(call, request)
            finally:
                await self.clients.aclose()

        return asyncio.run(alone())


def gathered(call: Call, chunks: list[Chunk]) -> Completion:
    """The chunks as the kernel gathers them."""
    gathering = Gathering()
    for chunk in chunks:
        gathering.feed(chunk)
    return gathering.completion(call)


def assert_clean(error: HBError) -> None:
    """Nothing of the key, no request, and no exception of another package hangs on an error."""
    import traceback

    seen: BaseException | None = error
    while seen is not None:
        assert isinstance(seen, HBError)
        seen = seen.__cause__ or seen.__context__
    whole = "".join(traceback.TracebackException.from_exception(error, capture_locals=False).format())
    assert CANARY not in whole
    assert CANARY not in repr(error.__dict__)
