"""Streams: whose exceptions come out as they are, and thoughts that nobody asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from heavenbase.errors import ProviderError
from heavenbase.middleware import Middleware
from heavenbase.types import Chunk, Completion, ToolCallDelta, Usage

from ..support import both_colours, scripted


class Refusing(Middleware):
    """Raises an error of the caller's own while a stream is under way."""

    async def __call__(self, call: Any, next: Any) -> Any:
        async def watched(source: Any) -> Any:
            try:
                async for chunk in source:
                    if chunk.text == "l":
                        raise LookupError("not this letter")
                    yield chunk
            finally:
                await source.aclose()

        return watched(await next(call))


class RefusingAttempts(Refusing):
    around = "attempt"


@pytest.mark.parametrize("middleware", [Refusing(), RefusingAttempts()], ids=lambda made: made.around)
def test_what_a_middleware_raises_inside_a_stream_comes_out_as_it_is(middleware: Middleware) -> None:
    made = scripted("hello", middleware=(middleware,))
    for stream in both_colours(made.llm, "stream"):
        with pytest.raises(LookupError, match="not this letter"):
            stream("hi")
        with pytest.raises(LookupError, match="not this letter"):
            stream("hi", tools=len)
    assert made.gateway.opened == made.gateway.closed == 4


def test_what_a_gateway_raises_inside_a_stream_is_an_error_of_hb() -> None:
    made = scripted([Chunk("he"), ZeroDivisionError("deep inside")])
    for stream in both_colours(made.llm, "stream"):
        with pytest.raises(ProviderError, match="ZeroDivisionError") as caught:
            stream("hi")
        assert caught.value.partial is not None
        assert caught.value.partial.text == "he"


THOUGHTS = [
    Chunk(reasoning="hm", raw={"r": 1}),
    Chunk("4", reasoning="so", raw={"r": 2}),
    Chunk("2", reasoning_parts=[{"provider": "acme", "field": "signature", "value": "x"}]),
    Chunk(finish_reason="stop"),
]


def test_hb12_think_false_strips_thoughts_from_the_chunks_of_streams() -> None:
    made = scripted(THOUGHTS)
    for stream in both_colours(made.llm, "stream"):
        found = stream("hi", "chunk", think=False)
        assert [chunk.text for chunk in found] == ["4", "2", ""]
        assert not any(chunk.reasoning or chunk.reasoning_parts for chunk in found)
        assert stream("hi", "think", think=False) == []
        (answer,) = stream("hi", "completion", think=False)
        assert (answer.text, answer.reasoning, answer.reasoning_parts, answer.raw) == ("42", "", [], [{"r": 2}])
        assert stream("hi", "think") == ["hm", "so"]
        assert "".join(stream("hi", "content")) == "<think>\nhmso\n</think>\n42"


def test_hb12_think_false_strips_thoughts_from_answers() -> None:
    whole = Completion("42", reasoning="hm", reasoning_parts=[{"field": "x"}], finish_reason="stop")
    for chat in both_colours(scripted(lambda call: replace(whole)).llm, "chat"):
        assert chat("hi", "think") == "hm"
        assert chat("hi", "content") == "<think>\nhm\n</think>\n42"
        assert chat("hi", ["think", "content", "message"], think=False) == {
            "think": "",
            "content": "42",
            "message": {"role": "assistant", "content": "42"},
        }


def test_thoughts_that_led_to_tool_calls_are_kept_for_the_provider_even_when_nobody_sees_them() -> None:
    part = {"provider": "acme", "field": "signature", "value": "x"}
    script = [
        [Chunk(reasoning="hm", reasoning_parts=[part]), Chunk(tool_calls=[ToolCallDelta(0, "a", "now", "{}")])],
        [Chunk("noon")],
    ]
    made = scripted(*[[*step, Chunk(finish_reason="stop")] for step in script])
    chunks = list(made.llm.stream("what time is it?", "chunk", tools={"now": lambda: "12:00"}, think=False))
    assert not any(chunk.reasoning_parts or chunk.reasoning for chunk in chunks)
    assert made.gateway.calls[1].messages[1]["reasoning_parts"] == [part]
    assert "reasoning_content" not in made.gateway.calls[1].messages[1]


class Watching(Middleware):
    """Keeps the whole answers that come by at the ends of streams."""

    def __init__(self, around: str) -> None:
        self.around = around  # type: ignore[misc]
        self.answers: list[Completion] = []

    async def __call__(self, call: Any, next: Any) -> Any:
        return self._watch(await next(call)) if call.stream else await next(call)

    async def _watch(self, source: Any) -> Any:
        async for chunk in source:
            if chunk.kind == "end":
                self.answers.append(chunk.completion)
            yield chunk


@pytest.mark.parametrize("around", ["call", "attempt"])
def test_middleware_sees_the_whole_answer_at_the_end_of_a_stream(around: str) -> None:
    watching = Watching(around)
    it = scripted([Chunk("he"), Chunk("llo"), Chunk(finish_reason="stop", usage=Usage(1, 2))], middleware=(watching,))
    for ask in both_colours(it.llm, "stream"):
        assert "".join(ask("hi")) == "hello"
    assert [(seen.text, seen.finish_reason, seen.usage) for seen in watching.answers] == 2 * [
        ("hello", "stop", Usage(1, 2))
    ]


def test_callers_of_a_stream_see_no_chunk_for_its_end() -> None:
    it = scripted([Chunk("hello"), Chunk(finish_reason="stop")])
    for ask in both_colours(it.llm, "stream"):
        assert [chunk.kind for chunk in ask("hi", include="chunk")] == ["delta", "delta"]
