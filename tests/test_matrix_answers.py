"""What every native provider answers: one shape, one vocabulary of reasons, whole and streamed, in both colours."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from heavenbase.types import Completion
from tests.matrix import CALLS, CLOCK, EVERY, WAYS, WEATHER, Bench, fields

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
FORM = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}


@EVERY
@WAYS
def test_g02_an_answer_has_every_documented_field(bench: Bench, way: str) -> None:
    bench.reply('{"city": "Köln"}', usage=USAGE)
    answer = bench.ask(way, response_format=FORM)
    assert isinstance(answer, Completion)
    assert (answer.text, answer.structured) == ('{"city": "Köln"}', {"city": "Köln"})
    assert (answer.provider, answer.gateway) == (bench.row.name, bench.row.gateway)
    assert answer.model
    assert answer.message == {"role": "assistant", "content": answer.text}
    assert (answer.finish_reason, answer.tool_calls) == ("stop", [])
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (7, 5, 12)
    assert [(attempt.provider, attempt.gateway, attempt.error) for attempt in answer.attempts] == [
        (bench.row.name, bench.row.gateway, None)
    ]
    assert answer.raw is not None
    assert answer.id or bench.row.name in ("bedrock", "ollama"), "these two wires name no answer"


@EVERY
@WAYS
def test_g02_what_is_serialised_leaves_the_providers_own_object_out(bench: Bench, way: str) -> None:
    bench.reply("so", tool_calls=CALLS)
    answer = bench.ask(way, tools=[WEATHER, CLOCK])
    written = json.loads(json.dumps(answer.to_dict()))
    assert "raw" not in written
    assert (written["text"], written["provider"]) == ("so", bench.row.name)
    assert [call["function"]["name"] for call in written["tool_calls"]] == ["get_weather", "get_time"]
    assert pickle.loads(pickle.dumps(answer)).text == "so"  # noqa: S301 - our own bytes


@EVERY
@WAYS
def test_g03_finish_reasons_are_one_vocabulary(bench: Bench, way: str) -> None:
    assert {"stop", "length"} <= set(bench.wire.finish_reasons.values())
    for raw, finish in bench.wire.finish_reasons.items():
        calls = CALLS[:1] if finish == "tool_calls" else []
        bench.reply("so", finish_reason=raw, tool_calls=calls)
        answer = bench.ask(way, tools=[WEATHER])
        assert (answer.finish_reason, answer.raw_finish_reason) == (finish, raw)


@EVERY
@WAYS
def test_g03_an_answer_that_calls_tools_ended_for_them_whatever_word_came_with_it(bench: Bench, way: str) -> None:
    stop = next(raw for raw, finish in bench.wire.finish_reasons.items() if finish == "stop")
    bench.reply(tool_calls=CALLS, finish_reason=stop)
    assert bench.ask(way, tools=[WEATHER, CLOCK]).finish_reason == "tool_calls"


@EVERY
def test_g04_a_stream_has_deltas_a_finish_reason_and_usage(bench: Bench) -> None:
    pieces = ["Grüße ", "aus ", "Köln ", "🌍"]
    bench.reply(chunks=pieces, usage=USAGE)
    chunks = bench.stream()
    assert [chunk.text for chunk in chunks if chunk.text] == pieces
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["stop"]
    last = [chunk.usage for chunk in chunks if chunk.usage is not None][-1]
    assert (last.prompt_tokens, last.completion_tokens) == (7, 5)
    assert not any(chunk.has_content for chunk in chunks[chunks.index(_finish(chunks)) + 1 :])


@EVERY
def test_g04_a_stream_has_the_pieces_of_tool_calls(bench: Bench) -> None:
    bench.reply("so", tool_calls=CALLS)
    chunks = bench.stream(tools=[WEATHER, CLOCK])
    deltas = [delta for chunk in chunks for delta in chunk.tool_calls or ()]
    assert [delta.name for delta in deltas if delta.name] == ["get_weather", "get_time"]
    assert _finish(chunks).finish_reason == "tool_calls"
    first = [delta.arguments for delta in deltas if delta.index == deltas[0].index]
    assert json.loads("".join(first)) == {"city": "Köln"}


@EVERY
def test_g04_what_a_stream_adds_up_to_is_the_whole_answer(bench: Bench) -> None:
    answers = []
    for way in ("complete", "stream"):
        bench.reply("so", tool_calls=CALLS, usage=USAGE)
        answers.append(bench.ask(way, tools=[WEATHER, CLOCK]))
    whole, gathered = answers
    assert (whole.text, fields(whole.tool_calls), whole.finish_reason) == ("so", CALLS, "tool_calls")
    assert len({call.id for call in whole.tool_calls}) == 2
    assert (gathered.text, fields(gathered.tool_calls)) == (whole.text, fields(whole.tool_calls))
    assert (gathered.finish_reason, gathered.usage) == (whole.finish_reason, whole.usage)


@EVERY
@pytest.mark.parametrize("fault", ["E1.after", "E2.2"])
def test_h11_a_stream_that_breaks_raises_and_keeps_what_came(bench: Bench, fault: str) -> None:
    from heavenbase.errors import StreamError

    bench.server.strike(fault, bench.row.name)
    with pytest.raises(StreamError) as caught:
        bench.stream()
    assert caught.value.partial is not None
    assert caught.value.partial.text.startswith("Grüße")


@EVERY
def test_h11_an_error_inside_a_stream_raises(bench: Bench) -> None:
    from heavenbase.errors import ProviderError

    bench.server.strike("E3.after", bench.row.name)
    with pytest.raises(ProviderError):
        bench.stream()


def _finish(chunks: list[Any]) -> Any:
    return next(chunk for chunk in chunks if chunk.finish_reason)
