"""A gateway with hand-made services and calls, for the tests of this folder."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from hb_gateway_anthropic import AnthropicGateway
from heavenbase.call import Call, CallContext, Services, WireRequest, split_options
from heavenbase.clients import ClientPool
from heavenbase.errors import HBError
from heavenbase.gather import Gathering
from heavenbase.secrets import Secret
from heavenbase.spec import LLMSpec, Timeouts
from heavenbase.types import Chunk, Completion, Message, ParameterEntry

CANARY = "sk-canary-0123456789abcdef"
QUICK = Timeouts(connect=20.0, first_token=20.0, idle=20.0, stall=20.0, total=40.0, pool=20.0)
USER: Message = {"role": "user", "content": "hi"}
ANTHROPIC: Mapping[str, Any] = MappingProxyType({"api_key_env": ["ANTHROPIC_API_KEY"], "wire": "anthropic"})
WEATHER: Mapping[str, Any] = MappingProxyType(
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather of a city",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
)

# One model of each kind of thinking.
OLD = "claude-3-5-haiku-latest"
BUDGET = "claude-sonnet-4-5"
EITHER = "claude-opus-4-6"
ADAPTIVE = "claude-opus-4-8"
NEWEST = "claude-opus-5-5"


def make_spec(
    base_url: str | None = "http://127.0.0.1:1", *, key: str | None = CANARY, model: str = BUDGET, **fields: Any
) -> LLMSpec:
    fields.setdefault("provider", "anthropic")
    fields.setdefault("provider_record", ANTHROPIC)
    fields.setdefault("timeouts", QUICK)
    return LLMSpec(
        None,
        model,
        model,
        gateway="anthropic",
        requested_gateway="anthropic",
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


def prepared(spec: LLMSpec | None = None, **options: Any) -> tuple[WireRequest, dict[str, ParameterEntry]]:
    """The request of a call, and the report's entries."""
    call = make_call(spec or make_spec(model=options.pop("model", BUDGET)), **options)
    request = AnthropicGateway().prepare(call)
    return request, call.context.report.entries


def body_of(spec: LLMSpec | None = None, **options: Any) -> dict[str, Any]:
    """The body of a call's request."""
    return dict(prepared(spec, **options)[0].body)


def fields_of(spec: LLMSpec | None = None, **options: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """The body beside model and messages, and the outcome of each parameter."""
    request, entries = prepared(spec, **options)
    body = dict(request.body)
    assert body.pop("messages")
    assert body.pop("model")
    return body, {name: entry.outcome for name, entry in entries.items()}


class Caller:
    """A gateway that is called as the kernel would, once per attempt."""

    def __init__(self, *, transport: Any = None, wall: Callable[[], float] = time.time) -> None:
        self.clients = ClientPool()
        self.gateway = AnthropicGateway()
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
        return gathered(call, list(self.gateway.stream(call, request)))

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
