"""What the tests of this package share: kernels without a network, and answers given as data."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import heavenbase as hb
from hb_testing.conformance.rig import Clock, environment, make_kernel
from heavenbase.call import Call
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.kernel import Kernel
from heavenbase.types import Completion

KEY = "AIza-test-0123456789"


class Replay:
    """A transport that answers with responses in order, the last one for ever, and keeps the requests."""

    def __init__(self, *responses: HTTPResponse) -> None:
        self.responses = list(responses)
        self.sent: list[HTTPRequest] = []

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.sent.append(request)
        return self.responses.pop(0) if len(self.responses) > 1 else self.responses[0]

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)

    def body(self, place: int = -1) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.sent[place].body)
        return found


def answering(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> HTTPResponse:
    """A response with this JSON."""
    named = {"content-type": "application/json", **(headers or {})}
    return HTTPResponse(status, tuple(named.items()), json.dumps(value).encode())


def saying(*parts: dict[str, Any], finish: str | None = "STOP", **fields: Any) -> dict[str, Any]:
    """An answer with these parts."""
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    return {"candidates": [{**candidate, **({"finishReason": finish} if finish else {})}], **fields}


def events(*answers: Any) -> HTTPResponse:
    """A stream of these answers."""
    body = b"".join(b"data: " + json.dumps(answer).encode() + b"\r\n\r\n" for answer in answers)
    return HTTPResponse(200, (("content-type", "text/event-stream"),), body)


@contextmanager
def kernel(transport: Any = None, **settings: Any) -> Iterator[Kernel]:
    """A kernel with a key for Gemini and no network."""
    clock = Clock()
    made = make_kernel(clock, settings=settings, environ=environment(GEMINI_API_KEY=KEY))
    made.close()
    with Kernel(made.config, transport=transport, sleep=clock.sleep, clock=clock) as found:
        yield found


def ask(mode: str, replay: Replay, prompt: Any = "hi", **options: Any) -> Completion:
    """The answer in one of four ways: chat, achat, stream, astream."""
    with kernel(replay) as made:
        llm = hb.LLM(kernel=made, **{"model": "gemini-2.5-flash", "provider": "gemini", "max_retries": 0, **options})
        if mode == "chat":
            return llm.complete(prompt)
        if mode == "stream":
            [*_, last] = llm.stream(prompt, include="completion")
            return last  # type: ignore[no-any-return]
        return asyncio.run(_asked(mode, llm, prompt))


async def _asked(mode: str, llm: Any, prompt: Any) -> Completion:
    if mode == "achat":
        return await llm.acomplete(prompt)  # type: ignore[no-any-return]
    found = [chunk async for chunk in llm.astream(prompt, include="completion")]
    return found[-1]  # type: ignore[no-any-return]


def made_call(made: Kernel, messages: list[dict[str, Any]], model: str = "gemini-2.5-flash", **options: Any) -> Call:
    """A call with these messages, not sent."""
    spec = made.resolve(model=model, provider="gemini")
    return made.call("complete", spec, options, is_async=False, messages=messages)
