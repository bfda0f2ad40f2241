"""Kernels, calls and credentials for the tests of this folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from hb_provider_bedrock.conformance import SIGNING, surroundings
from hb_testing.conformance.rig import environment
from heavenbase.call import Call, WireRequest
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.types import ParameterReport

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
NOVA = "us.amazon.nova-lite-v1:0"
TOKEN = "sk-canary-0123456789abcdef"
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
OTHER = {"type": "function", "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}}}
TOOLS = [TOOL, OTHER]
COLOURS = ("sync", "async")


def make_kernel(settings: Mapping[str, Any] | None = None, *, transport: Any = None, **variables: str) -> Kernel:
    """A kernel without cache and default arguments, whose environment is these variables, else that of the process."""
    plain = {
        "heavenbase.llm.cache.enabled": False,
        "heavenbase.llm.default_args.temperature": None,
        "heavenbase.llm.default_args.seed": None,
        "heavenbase.llm.retry.max_attempts": 1,
        **(settings or {}),
    }
    return Kernel(plain, environ=environment(**variables) if variables else os.environ, transport=transport)


def prepared(
    messages: Any = "hi", *, model: str = NOVA, verb: Any = "complete", stream: bool = False, **options: Any
) -> tuple[WireRequest, ParameterReport]:
    """The request of a call and the report of its parameters; nothing is sent."""
    content: dict[str, Any] = {name: options.pop(name) for name in ("inputs", "prompt", "images") if name in options}
    if verb == "complete":
        content["messages"] = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        content["stream"] = stream
    with make_kernel() as kernel:
        spec = kernel.resolve(model=model, provider="bedrock")
        call: Call = kernel.call(verb, spec, options, is_async=False, **content)
        return kernel.gateway(spec).prepare(call), call.context.report


def body(messages: Any = "hi", **options: Any) -> dict[str, Any]:
    """The body of a call."""
    return dict(prepared(messages, **options)[0].body)


def outcomes(**options: Any) -> dict[str, str]:
    """What became of each parameter."""
    return {name: entry.outcome for name, entry in prepared(**options)[1].entries.items()}


class Replay:
    """A transport that gives recorded answers, one after the other, and keeps the requests."""

    def __init__(self, *answers: HTTPResponse) -> None:
        self.answers = list(answers)
        self.requests: list[HTTPRequest] = []

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.requests.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)


@contextmanager
def llm_of(model: str = NOVA, *, transport: Any = None, settings: Any = None, **options: Any) -> Iterator[LLM]:
    """An LLM on Bedrock with a made-up access key."""
    options.setdefault("max_retries", 0)
    with surroundings(SIGNING), make_kernel(settings, transport=transport) as kernel:
        yield LLM(model=model, provider="bedrock", kernel=kernel, **options)


def ask(llm: LLM, colour: str, verb: str, content: Any, **options: Any) -> Any:
    """The answer of one verb (complete, stream, embed, imagen) in a colour; for streams the list of chunks."""
    if verb == "stream":
        options.setdefault("include", "chunk")
    if colour == "sync":
        found = getattr(llm, verb)(content, **options)
        return list(found) if verb == "stream" else found

    async def asked() -> Any:
        try:
            if verb == "stream":
                return [chunk async for chunk in llm.astream(content, **options)]
            return await getattr(llm, f"a{verb}")(content, **options)
        finally:
            await llm.kernel.clients.aclose()

    return asyncio.run(asked())
