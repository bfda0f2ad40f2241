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

KEY = "mi-test-0123456789"
MODEL = "mistral-small-latest"


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


def saying(content: Any = "", finish: str = "stop", **fields: Any) -> dict[str, Any]:
    """An answer with this content; `usage` is a field of the answer, the rest of its message."""
    usage = {"usage": fields.pop("usage")} if "usage" in fields else {}
    message = {"role": "assistant", "content": content, **fields}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    return {"id": "a1", "object": "chat.completion", "created": 1, "model": MODEL, "choices": [choice], **usage}


def events(*found: Any) -> HTTPResponse:
    """A stream of these events."""
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in found)
    return HTTPResponse(200, (("content-type", "text/event-stream"),), body + b"data: [DONE]\n\n")


def piece(delta: Mapping[str, Any], finish: str | None = None, **fields: Any) -> dict[str, Any]:
    """One event with a piece of the answer."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "a1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice], **fields}


def thought(text: str, **fields: Any) -> dict[str, Any]:
    """A chunk of thoughts."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}], **fields}


def streamed(answer: dict[str, Any]) -> HTTPResponse:
    """A whole answer as a stream of events, its chunks one by one."""
    [choice] = answer["choices"]
    message = choice["message"]
    content = message["content"]
    found = [piece({"role": "assistant", "content": ""})]
    for chunk in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        found.append(piece({"content": chunk["text"] if chunk["type"] == "text" else [chunk]}))
    if message.get("tool_calls"):
        found.append(piece({"content": "", "tool_calls": message["tool_calls"]}))
    usage = {"usage": answer["usage"]} if "usage" in answer else {}
    return events(*found, piece({"content": ""}, choice["finish_reason"], **usage))


def given(mode: str, answer: dict[str, Any]) -> Replay:
    """The answer as this way of asking gets it."""
    return Replay(streamed(answer) if "stream" in mode else answering(answer))


@contextmanager
def kernel(transport: Any = None, **settings: Any) -> Iterator[Kernel]:
    """A kernel with a key for Mistral and no network."""
    clock = Clock()
    made = make_kernel(clock, settings=settings, environ=environment(MISTRAL_API_KEY=KEY))
    made.close()
    with Kernel(made.config, transport=transport, sleep=clock.sleep, clock=clock) as found:
        yield found


def ask(mode: str, replay: Replay, prompt: Any = "hi", **options: Any) -> Completion:
    """The answer in one of four ways: chat, achat, stream, astream."""
    with kernel(replay) as made:
        llm = hb.LLM(kernel=made, **{"model": MODEL, "provider": "mistral", "max_retries": 0, **options})
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


def made_call(made: Kernel, messages: list[dict[str, Any]], model: str = MODEL, **options: Any) -> Call:
    """A call with these messages, not sent."""
    spec = made.resolve(model=model, provider="mistral")
    return made.call("complete", spec, options, is_async=False, messages=messages)


def body_of(messages: list[dict[str, Any]], model: str = MODEL, **options: Any) -> dict[str, Any]:
    """The body of a call with these messages."""
    with kernel() as made:
        call = made_call(made, messages, model, **options)
        return dict(made.gateway(call.spec).prepare(call).body)
