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

KEY = "co-test-0123456789"
MODEL = "command-a-plus-05-2026"


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


def saying(text: str = "", finish: str = "COMPLETE", **message: Any) -> dict[str, Any]:
    """An answer with this text; `usage` is a field of the answer, the rest of its message."""
    usage = {"usage": message.pop("usage")} if "usage" in message else {}
    content = {"content": [{"type": "text", "text": text}]} if text else {}
    return {"id": "a1", "finish_reason": finish, "message": {"role": "assistant", **content, **message}, **usage}


def events(*found: Any) -> HTTPResponse:
    """A stream of these events."""
    body = b"".join(
        b"event: " + str(e["type"]).encode() + b"\ndata: " + json.dumps(e).encode() + b"\n\n" for e in found
    )
    return HTTPResponse(200, (("content-type", "text/event-stream"),), body + b"data: [DONE]\n\n")


def piece(place: int = 0, kind: str = "content-delta", **message: Any) -> dict[str, Any]:
    """One event about a part of the message."""
    return {"type": kind, "index": place, "delta": {"message": message}}


def end(finish: str = "COMPLETE", **fields: Any) -> dict[str, Any]:
    """The event that ends a stream."""
    return {"type": "message-end", "delta": {"finish_reason": finish, **fields}}


def streamed(answer: dict[str, Any]) -> HTTPResponse:
    """A whole answer as a stream of events."""
    message = answer["message"]
    found = [{"type": "message-start", "id": answer["id"], "delta": {"message": {"role": "assistant"}}}]
    if message.get("tool_plan"):
        found += [piece(kind="tool-plan-delta", tool_plan=word) for word in message["tool_plan"].split("|")]
    for place, block in enumerate(message.get("content", ())):
        found.append(piece(place, "content-start", content={"type": block["type"], block["type"]: ""}))
        found.append(piece(place, content={block["type"]: block[block["type"]]}))
    for place, call in enumerate(message.get("tool_calls", ())):
        begun = {**call, "function": {"name": call["function"]["name"], "arguments": ""}}
        found.append(piece(place, "tool-call-start", tool_calls=begun))
        for letter in call["function"]["arguments"]:
            found.append(piece(place, "tool-call-delta", tool_calls={"function": {"arguments": letter}}))
    usage = {"usage": answer["usage"]} if "usage" in answer else {}
    return events(*found, end(answer["finish_reason"], **usage))


def given(mode: str, answer: dict[str, Any]) -> Replay:
    """The answer as this way of asking gets it."""
    return Replay(streamed(answer) if "stream" in mode else answering(answer))


@contextmanager
def kernel(transport: Any = None, **settings: Any) -> Iterator[Kernel]:
    """A kernel with a key for Cohere and no network."""
    clock = Clock()
    made = make_kernel(clock, settings=settings, environ=environment(COHERE_API_KEY=KEY))
    made.close()
    with Kernel(made.config, transport=transport, sleep=clock.sleep, clock=clock) as found:
        yield found


def ask(mode: str, replay: Replay, prompt: Any = "hi", **options: Any) -> Completion:
    """The answer in one of four ways: chat, achat, stream, astream."""
    with kernel(replay) as made:
        llm = hb.LLM(kernel=made, **{"model": MODEL, "provider": "cohere", "max_retries": 0, **options})
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
    spec = made.resolve(model=model, provider="cohere")
    return made.call("complete", spec, options, is_async=False, messages=messages)


def body_of(messages: list[dict[str, Any]], model: str = MODEL, **options: Any) -> dict[str, Any]:
    """The body of a call with these messages."""
    with kernel() as made:
        call = made_call(made, messages, model, **options)
        return dict(made.gateway(call.spec).prepare(call).body)
