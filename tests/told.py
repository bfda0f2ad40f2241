"""Every wire with answers given as data: whole bodies and the events of streams, sent through an injected transport.

A `Told` is one wire: how its answers look, and one kernel in both colours that is told them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from hb_testing.conformance.rig import environment
from hb_testing.server import event_frames
from heavenbase.config.config import Config
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.types import Chunk, Completion

ARGUMENTS = '{"city": "Köln"}'
KEYS = {
    "ANTHROPIC_API_KEY": "k",
    "AWS_BEARER_TOKEN_BEDROCK": "k",
    "AWS_REGION": "us-east-1",
    "AZURE_OPENAI_API_KEY": "k",
    "AZURE_OPENAI_ENDPOINT": "https://a.example",
    "COHERE_API_KEY": "k",
    "GOOGLE_CLOUD_PROJECT": "p",
    "DASHSCOPE_API_KEY": "k",
    "GROQ_API_KEY": "k",
    "MINIMAX_API_KEY": "k",
    "MOONSHOT_API_KEY": "k",
    "VLLM_BASE_URL": "https://v.example/v1",
    "XAI_API_KEY": "k",
    "ZAI_API_KEY": "k",
    "GOOGLE_CLOUD_LOCATION": "global",
    "VERTEX_API_KEY": "AIza-k",
    "DEEPSEEK_API_KEY": "k",
    "GEMINI_API_KEY": "k",
    "MISTRAL_API_KEY": "k",
    "OPENAI_API_KEY": "k",
    "OPENROUTER_API_KEY": "k",
}
SETTINGS = {
    "heavenbase.llm.cache.enabled": False,
    "heavenbase.llm.default_args.temperature": None,
    "heavenbase.llm.default_args.seed": None,
    "heavenbase.llm.default_args.timeout": None,
    "heavenbase.llm.retry.max_attempts": 1,
}


class Given:
    """A transport that gives the answer that was put into it."""

    def __init__(self) -> None:
        self.answer = HTTPResponse(500)
        self.sent = 0

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.sent += 1
        return self.answer

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)


def server_events(events: Iterable[Any]) -> bytes:
    """Server-sent events; text is sent as it is."""
    return b"".join(b"data: " + _written(event) + b"\n\n" for event in events)


def lines(events: Iterable[Any]) -> bytes:
    """One value a line."""
    return b"".join(_written(event) + b"\n" for event in events)


def frames(events: Iterable[Any]) -> bytes:
    """Frames of Amazon's: an event is {name: content}."""
    return b"".join(
        event_frames.event(name, _written(content))
        for event in events
        for name, content in (event.items() if isinstance(event, dict) else [("metadata", event)])
    )


def _written(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else json.dumps(value, ensure_ascii=False).encode()


STREAMS = {
    "text/event-stream": server_events,
    "application/x-ndjson": lines,
    "application/vnd.amazon.eventstream": frames,
}


@dataclass(eq=False)
class Told:
    """One wire. `text` and `calls` are whole answers, `streams` the events of the same two streamed.

    `marker` is the path to the finish reason in a whole answer.
    """

    name: str
    model: str
    text: dict[str, Any]
    calls: dict[str, Any]
    streams: Sequence[Sequence[Any]]
    marker: tuple[Any, ...]
    content_type: str = "text/event-stream"
    provider: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()

    @cached_property
    def given(self) -> Given:
        return Given()

    @cached_property
    def llm(self) -> LLM:
        config = Config.from_dict(SETTINGS, environ=environment(**KEYS))
        kernel = Kernel(config, transport=self.given, sleep=lambda _: None)
        provider = self.provider or self.name
        return LLM(model=self.model, provider=provider, kernel=kernel, max_retries=0, **self.options)

    def ended(self, reason: Any, answer: Any = None) -> dict[str, Any]:
        """A whole answer with another finish reason; without one where that is `...`."""
        made = deepcopy(self.text if answer is None else answer)
        *path, last = self.marker
        inner: Any = made
        for name in path:
            inner = inner[name]
        if reason is ...:
            del inner[last]
        else:
            inner[last] = reason
        return made

    def whole(self, answer: Any, **options: Any) -> Completion:
        """What a whole answer is read as."""
        body = answer if isinstance(answer, bytes) else _written(answer)
        self.given.answer = HTTPResponse(200, (("content-type", "application/json"), *self.headers), body)
        return self.llm.complete("q", **options)

    async def awhole(self, answer: Any, **options: Any) -> Completion:
        """Async form of `whole`."""
        body = answer if isinstance(answer, bytes) else _written(answer)
        self.given.answer = HTTPResponse(200, (("content-type", "application/json"), *self.headers), body)
        return await self.llm.acomplete("q", **options)

    def streamed(self, events: Any, **options: Any) -> list[Chunk]:
        """The chunks of a stream, its whole answer in the last one."""
        self.given.answer = self._stream(events)
        return list(self.llm.kernel.iterate(self._call(is_async=False, **options)))

    async def astreamed(self, events: Any, **options: Any) -> list[Chunk]:
        """Async form of `streamed`."""
        self.given.answer = self._stream(events)
        return [chunk async for chunk in self.llm.kernel.chunks(self._call(is_async=True, **options))]

    def every(self, answer: Any, events: Any, **options: Any) -> list[Completion | BaseException]:
        """What comes of an answer and its streamed form, in both colours: completions and errors."""

        async def both() -> list[Any]:
            one = await asyncio.gather(self.awhole(answer, **options), return_exceptions=True)
            return one + await asyncio.gather(self.astreamed(events, **options), return_exceptions=True)

        found: list[Any] = [_outcome(self.whole, answer, options), _outcome(self.streamed, events, options)]
        found += asyncio.run(both())
        return [it[-1].completion if isinstance(it, list) else it for it in found]

    def over(self, body: Iterable[bytes], clock: Callable[[], float], *, is_async: bool) -> Completion:
        """What a stream is read as whose bytes come so, on this clock."""
        config, provider = Config.from_dict(SETTINGS, environ=environment(**KEYS)), self.provider or self.name
        given = Given()
        given.answer = HTTPResponse(200, (("content-type", self.content_type),), body)
        with Kernel(config, transport=given, clock=clock, sleep=lambda _: None) as kernel:
            llm = LLM(model=self.model, provider=provider, kernel=kernel, max_retries=0, **self.options)

            async def last() -> Any:
                return [it async for it in llm.astream("q", include="completion")][-1]

            return asyncio.run(last()) if is_async else list(llm.stream("q", include="completion"))[-1]

    def _stream(self, events: Any) -> HTTPResponse:
        body = events if isinstance(events, bytes) else STREAMS[self.content_type](events)
        return HTTPResponse(200, (("content-type", self.content_type), *self.headers), body)

    def _call(self, *, is_async: bool, **options: Any) -> Any:
        messages = [{"role": "user", "content": "q"}]
        kernel, spec = self.llm.kernel, self.llm.spec
        return kernel.call("complete", spec, options, is_async=is_async, stream=True, messages=messages)


def _outcome(ask: Any, answer: Any, options: Mapping[str, Any]) -> Any:
    try:
        return ask(answer, **options)
    except Exception as error:
        return error


# The answers


def _chat(message: dict[str, Any], finish: str = "stop", **choice: Any) -> dict[str, Any]:
    return {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish, **choice}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def _delta(delta: dict[str, Any], finish: str | None = None, **event: Any) -> dict[str, Any]:
    made = {"id": "c-1", "object": "chat.completion.chunk", "created": 1, "model": "m", **event}
    return {**made, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


_CALL = {"index": 0, "id": "call-1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
_CHAT_STREAMS = (
    (
        _delta({"role": "assistant", "content": "", "reasoning_content": "hm"}),
        _delta({"content": "Hello"}),
        _delta({"content": " there"}),
        _delta({}, "stop"),
        {**_delta({}), "choices": [], "usage": _USAGE},
        "[DONE]",
    ),
    (
        _delta({"role": "assistant", "content": None}),
        _delta({"tool_calls": [{**_CALL, "function": {"name": "weather", "arguments": ""}}]}),
        _delta({"tool_calls": [{"index": 0, "function": {"arguments": ARGUMENTS[:7]}}]}),
        _delta({"tool_calls": [{"index": 0, "function": {"arguments": ARGUMENTS[7:]}}]}),
        _delta({}, "tool_calls", usage=_USAGE),
        "[DONE]",
    ),
)
_CHAT = {
    "text": _chat({"content": "Hello there", "reasoning_content": "hm"}),
    "calls": _chat({"content": None, "tool_calls": [_CALL]}, "tool_calls"),
    "streams": _CHAT_STREAMS,
    "marker": ("choices", 0, "finish_reason"),
}
_DETAILS = [{"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0}]
_ITEMS: list[dict[str, Any]] = [
    {"type": "reasoning", "id": "rs-1", "summary": [{"type": "summary_text", "text": "hm"}]},
    {
        "type": "message",
        "id": "msg-1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "Hello there", "annotations": []}],
    },
    {"type": "function_call", "id": "fc-1", "call_id": "call-1", "name": "weather", "arguments": ARGUMENTS},
]


def _response(*items: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5, "output_tokens_details": {"reasoning_tokens": 1}}
    made = {"id": "resp-1", "object": "response", "created_at": 1, "model": "m", "status": "completed"}
    return {**made, "output": list(items), "usage": usage}


_STARTED = {"type": "response.created", "response": {**_response(), "status": "in_progress", "usage": None}}
_THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "s"}
_USE = {"type": "tool_use", "id": "call-1", "name": "weather", "input": {"city": "Köln"}}


def _message(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    made = {"id": "msg-1", "type": "message", "role": "assistant", "model": "m", "content": list(blocks)}
    return {**made, "stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 3, "output_tokens": 2}}


def _block(place: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": place, "content_block": start},
        *({"type": "content_block_delta", "index": place, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": place},
    ]


def _messages(stop: str, *blocks: dict[str, Any]) -> list[Any]:
    return [
        {"type": "message_start", "message": {**_message(), "stop_reason": None}},
        *blocks,
        {"type": "message_delta", "delta": {"stop_reason": stop, "stop_sequence": None}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]


def _candidate(*parts: dict[str, Any], finish: str | None = "STOP") -> dict[str, Any]:
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 2, "totalTokenCount": 5}
    ended = {"finishReason": finish} if finish else {}
    return {"candidates": [{**candidate, **ended}], "usageMetadata": usage, "modelVersion": "m", "responseId": "r-1"}


_FUNCTION = {"functionCall": {"name": "weather", "args": {"city": "Köln"}}, "thoughtSignature": "c2ln"}
_COHERE_CALL = {"id": "call-1", "type": "function", "function": {"name": "weather", "arguments": ARGUMENTS}}
_COHERE_USAGE = {"billed_units": {"input_tokens": 3, "output_tokens": 2}, "tokens": {"input_tokens": 3}}


def _cohere(finish: str = "COMPLETE", **message: Any) -> dict[str, Any]:
    return {"id": "c-1", "finish_reason": finish, "message": {"role": "assistant", **message}, "usage": _COHERE_USAGE}


def _piece(kind: str, place: int | None, **message: Any) -> dict[str, Any]:
    return {"type": kind, **({} if place is None else {"index": place}), "delta": {"message": message}}


def _converse(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    return {"output": {"message": {"role": "assistant", "content": list(blocks)}}, "stopReason": stop, "usage": usage}


def _bedrock(stop: str, *events: dict[str, Any]) -> list[Any]:
    usage = {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}
    ended = [{"messageStop": {"stopReason": stop}}, {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}}]
    return [{"messageStart": {"role": "assistant"}}, *events, *ended]


def _pieces(place: int, *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"contentBlockDelta": {"contentBlockIndex": place, "delta": delta}} for delta in deltas]


_TOOL_USE = {"toolUse": {"toolUseId": "call-1", "name": "weather", "input": {"city": "Köln"}}}
_OLLAMA_END = {"done_reason": "stop", "done": True, "prompt_eval_count": 3, "eval_count": 2}


def _ollama(done: bool = True, **message: Any) -> dict[str, Any]:
    made = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "message": {"role": "assistant", **message}}
    return {**made, **_OLLAMA_END} if done else {**made, "done": False}


_OLLAMA_CALL = {"function": {"name": "weather", "arguments": {"city": "Köln"}}}
_OPENROUTER = {
    **_CHAT,
    "text": _chat({"content": "Hello there", "reasoning": "hm", "reasoning_details": _DETAILS}),
    "streams": (
        (_delta({"content": "", "reasoning": "hm", "reasoning_details": _DETAILS}), *_CHAT_STREAMS[0][1:]),
        _CHAT_STREAMS[1],
    ),
}
WIRES = [
    Told("openai", "gpt-4o-mini", **_CHAT),
    Told("openrouter", "acme/any", **_OPENROUTER),
    Told("deepseek", "deepseek-reasoner", **_CHAT),
    Told(
        "responses",
        "gpt-5",
        provider="openai",
        options={"gateway": "responses"},
        text=_response(*_ITEMS[:2]),
        calls=_response(_ITEMS[0], _ITEMS[2]),
        streams=(
            (
                _STARTED,
                {"type": "response.output_item.added", "output_index": 0, "item": _ITEMS[0]},
                {"type": "response.reasoning_summary_text.delta", "output_index": 0, "item_id": "rs-1", "delta": "hm"},
                {"type": "response.output_item.done", "output_index": 0, "item": _ITEMS[0]},
                {"type": "response.output_item.added", "output_index": 1, "item": {**_ITEMS[1], "content": []}},
                {"type": "response.output_text.delta", "output_index": 1, "item_id": "msg-1", "delta": "Hello"},
                {"type": "response.output_text.delta", "output_index": 1, "item_id": "msg-1", "delta": " there"},
                {"type": "response.output_item.done", "output_index": 1, "item": _ITEMS[1]},
                {"type": "response.completed", "response": _response(*_ITEMS[:2])},
            ),
            (
                _STARTED,
                {"type": "response.output_item.added", "output_index": 0, "item": {**_ITEMS[2], "arguments": ""}},
                {
                    "type": "response.function_call_arguments.delta",
                    "output_index": 0,
                    "item_id": "fc-1",
                    "delta": ARGUMENTS,
                },
                {"type": "response.output_item.done", "output_index": 0, "item": _ITEMS[2]},
                {"type": "response.completed", "response": _response(_ITEMS[2])},
            ),
        ),
        marker=("status",),
    ),
    Told(
        "anthropic",
        "claude-sonnet-4-5",
        text=_message(_THOUGHT, {"type": "text", "text": "Hello there"}),
        calls=_message(_USE, stop="tool_use"),
        streams=(
            _messages(
                "end_turn",
                *_block(
                    0,
                    {"type": "thinking", "thinking": "", "signature": ""},
                    {"type": "thinking_delta", "thinking": "hm"},
                    {"type": "signature_delta", "signature": "s"},
                ),
                *_block(
                    1,
                    {"type": "text", "text": ""},
                    {"type": "text_delta", "text": "Hello"},
                    {"type": "text_delta", "text": " there"},
                ),
            ),
            _messages(
                "tool_use",
                *_block(
                    0,
                    {**_USE, "input": {}},
                    {"type": "input_json_delta", "partial_json": ARGUMENTS[:7]},
                    {"type": "input_json_delta", "partial_json": ARGUMENTS[7:]},
                ),
            ),
        ),
        marker=("stop_reason",),
    ),
    Told(
        "gemini",
        "gemini-2.5-flash",
        text=_candidate({"text": "hm", "thought": True}, {"text": "Hello there", "thoughtSignature": "c2ln"}),
        calls=_candidate(_FUNCTION),
        streams=(
            (
                _candidate({"text": "hm", "thought": True}, finish=None),
                _candidate({"text": "Hello"}, finish=None),
                _candidate({"text": " there"}),
            ),
            (_candidate(_FUNCTION),),
        ),
        marker=("candidates", 0, "finishReason"),
    ),
    Told(
        "cohere",
        "command-a-03-2025",
        text=_cohere(content=[{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "Hello there"}]),
        calls=_cohere("TOOL_CALL", tool_plan="hm", tool_calls=[_COHERE_CALL]),
        streams=(
            (
                {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}},
                _piece("content-start", 0, content={"type": "thinking", "thinking": ""}),
                _piece("content-delta", 0, content={"thinking": "hm"}),
                _piece("content-start", 1, content={"type": "text", "text": ""}),
                _piece("content-delta", 1, content={"text": "Hello"}),
                _piece("content-delta", 1, content={"text": " there"}),
                {"type": "content-end", "index": 1},
                {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": _COHERE_USAGE}},
            ),
            (
                {"type": "message-start", "id": "c-1", "delta": {"message": {"role": "assistant"}}},
                _piece("tool-plan-delta", None, tool_plan="hm"),
                _piece(
                    "tool-call-start", 0, tool_calls={**_COHERE_CALL, "function": {"name": "weather", "arguments": ""}}
                ),
                _piece("tool-call-delta", 0, tool_calls={"function": {"arguments": ARGUMENTS}}),
                {"type": "tool-call-end", "index": 0},
                {"type": "message-end", "delta": {"finish_reason": "TOOL_CALL", "usage": _COHERE_USAGE}},
            ),
        ),
        marker=("finish_reason",),
    ),
    Told(
        "mistral",
        "magistral-medium-latest",
        **{
            **_CHAT,
            "text": _chat(
                {
                    "content": [
                        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
                        {"type": "text", "text": "Hello there"},
                    ]
                }
            ),
            "streams": (
                (
                    _delta({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}),
                    _delta({"content": "Hello there"}),
                    _delta({"content": ""}, "stop", usage=_USAGE),
                    "[DONE]",
                ),
                _CHAT_STREAMS[1],
            ),
        },
    ),
    Told(
        "bedrock",
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        text=_converse(
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "s"}}}, {"text": "Hello there"}
        ),
        calls=_converse(_TOOL_USE, stop="tool_use"),
        streams=(
            _bedrock(
                "end_turn",
                *_pieces(0, {"reasoningContent": {"text": "hm"}}, {"reasoningContent": {"signature": "s"}}),
                {"contentBlockStop": {"contentBlockIndex": 0}},
                *_pieces(1, {"text": "Hello"}, {"text": " there"}),
                {"contentBlockStop": {"contentBlockIndex": 1}},
            ),
            _bedrock(
                "tool_use",
                {
                    "contentBlockStart": {
                        "contentBlockIndex": 0,
                        "start": {"toolUse": {"toolUseId": "call-1", "name": "weather"}},
                    }
                },
                *_pieces(0, {"toolUse": {"input": ARGUMENTS[:7]}}, {"toolUse": {"input": ARGUMENTS[7:]}}),
                {"contentBlockStop": {"contentBlockIndex": 0}},
            ),
        ),
        content_type="application/vnd.amazon.eventstream",
        marker=("stopReason",),
    ),
    Told(
        "ollama",
        "qwen3",
        text=_ollama(content="Hello there", thinking="hm"),
        calls=_ollama(content="", tool_calls=[_OLLAMA_CALL]),
        streams=(
            (
                _ollama(False, content="", thinking="hm"),
                _ollama(False, content="Hello"),
                _ollama(False, content=" there"),
                _ollama(content=""),
            ),
            (_ollama(False, content="", tool_calls=[_OLLAMA_CALL]), _ollama(content="")),
        ),
        content_type="application/x-ndjson",
        marker=("done_reason",),
    ),
]
