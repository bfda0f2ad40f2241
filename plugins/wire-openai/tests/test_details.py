"""What answers of this wire tell beside text: choices, citations, logprobs, filters, sound, usage."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from hb_wire_openai.answers import Thinking, completion
from hb_wire_openai.messages import wire_messages
from hb_wire_openai.streams import ChatStream
from hb_wire_openai.usage import chat_usage
from heavenbase.errors import StreamTruncated
from heavenbase.gather import Gathering
from heavenbase.types import Audio, Citation, Completion, FilterResult, TokenLogprob, Usage

from .support import make_call, make_spec

SEEN = Thinking(False, ())
SPEC = make_spec()
LOGPROBS = {
    "content": [
        {
            "token": "hi",
            "logprob": -0.5,
            "bytes": [104, 105],
            "top_logprobs": [{"token": "ho", "logprob": -2, "bytes": None}],
        }
    ],
    "refusal": None,
}
TOKENS = [TokenLogprob("hi", -0.5, [TokenLogprob("ho", -2.0)], [104, 105])]
CITED = {
    "type": "url_citation",
    "url_citation": {"start_index": 0, "end_index": 2, "url": "https://a.example", "title": "A"},
}


def choice(delta: Any = None, finish: Any = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"index": index, "delta": delta or {}, "finish_reason": finish, **fields}


def event(*choices: Any, **fields: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": list(choices), **fields}


def gather(*events: Any, ends: bool = True, **args: Any) -> Completion:
    call = make_call(SPEC, **args)
    state, gathering = ChatStream(call, SEEN, lambda error: error), Gathering()
    for item in events:
        chunk = state.feed(json.dumps(item).encode())
        assert chunk is not None
        gathering.feed(chunk)
    if ends:
        state.feed(b"[DONE]")
    last = state.end()
    if last is not None:
        gathering.feed(last)
    return gathering.completion(call)


def read(*choices: dict[str, Any], **fields: Any) -> Completion:
    found = [{"index": i, "finish_reason": "stop", **one} for i, one in enumerate(choices)]
    return completion(make_call(SPEC), {"choices": found, **fields}, SEEN)


def test_b1_choices_of_a_stream_never_mix() -> None:
    tool = {"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    answer = gather(
        event(choice({"content": "x", "tool_calls": [tool]}, index=1)),  # the second may begin
        event(choice({"content": "A"})),
        event(choice({"content": "B"}), choice({"content": "y"}, index=1)),
        event(choice({}, "stop")),
        event(choice({}, "tool_calls", 1)),
        n=2,
    )
    assert (answer.text, answer.tool_calls, answer.finish_reason) == ("AB", [], "stop")
    assert [(it.index, it.text, it.finish_reason) for it in answer.choices] == [
        (0, "AB", "stop"),
        (1, "xy", "tool_calls"),
    ]
    assert [call.name for call in answer.choices[1].tool_calls] == ["f"]


def test_b1_an_answer_of_several_ends_with_the_last_of_them() -> None:
    events = [event(choice({"content": "A"}, "stop")), event(choice({"content": "x"}, index=1))]
    with pytest.raises(StreamTruncated):
        gather(*events, ends=False, n=2)
    assert gather(*events, event(choice({}, "length", 1)), ends=False, n=2).choices[1].finish_reason == "length"
    assert gather(event(choice({"content": "A"}, "stop")), ends=False, n=2).text == "A"  # the server gave one


def test_b1_all_choices_of_a_whole_answer() -> None:
    answer = read(
        {"index": 1, "message": {"content": "x"}, "logprobs": LOGPROBS}, {"index": 0, "message": {"content": "A"}}
    )
    assert answer.text == "A"
    assert [(it.index, it.text, it.logprobs) for it in answer.choices] == [(0, "A", []), (1, "x", TOKENS)]


def test_b12_annotations() -> None:
    expected = Citation(0, 2, title="A", url="https://a.example")
    assert read({"message": {"content": "hi", "annotations": [CITED]}}).citations == [expected]
    streamed = gather(event(choice({"content": "hi"})), event(choice({"content": "", "annotations": [CITED]}, "stop")))
    assert streamed.citations == [expected]


def test_b12_sources_at_the_top_of_an_answer() -> None:
    sources = {
        "citations": ["https://a.example", "https://b.example"],
        "search_results": [{"title": "B", "url": "https://b.example", "snippet": "q"}],
    }
    expected = [Citation(url="https://a.example"), Citation(title="B", url="https://b.example", quote="q")]
    assert read({"message": {"content": "hi"}}, **sources).citations == expected
    assert (
        gather(event(choice({"content": "hi"}), **sources), event(choice({}, "stop"), **sources)).citations == expected
    )
    own = {"context": {"citations": [{"content": "q", "title": "T", "filepath": "a.txt", "url": None}]}}
    assert read({"message": {"content": "hi", **own}}).citations == [
        Citation(kind="document", document=0, title="T", quote="q")
    ]


def test_b12_logprobs_in_both_shapes() -> None:
    assert read({"message": {"content": "hi"}, "logprobs": LOGPROBS}).logprobs == TOKENS
    assert gather(event(choice({"content": "hi"}, logprobs=LOGPROBS)), event(choice({}, "stop"))).logprobs == TOKENS
    old = {"tokens": ["hi"], "token_logprobs": [-0.5], "top_logprobs": [{"ho": -2}], "token_ids": [7]}
    assert read({"message": {"content": "hi"}, "logprobs": old}).logprobs == [
        TokenLogprob("hi", -0.5, [TokenLogprob("ho", -2.0)], id=7)
    ]


def test_b12_filters_of_prompt_and_answer() -> None:
    safe = {"hate": {"filtered": False, "severity": "safe"}, "jailbreak": {"filtered": False, "detected": True}}
    prompt = {"prompt_filter_results": [{"prompt_index": 0, "content_filter_results": safe}]}
    on_prompt = [FilterResult("hate", "prompt", False, None, "safe"), FilterResult("jailbreak", "prompt", False, True)]
    on_answer = FilterResult("hate", "answer", False, None, "safe")
    whole = read({"message": {"content": "hi"}, "content_filter_results": {"hate": safe["hate"]}}, **prompt)
    assert whole.filters == [*on_prompt, on_answer]
    streamed = gather(
        event(**prompt),
        event(choice({"content": "hi"}, content_filter_results={})),
        event(choice({"content": "!"}, content_filter_results={"hate": safe["hate"]})),
        event(choice({}, "stop", content_filter_results={"hate": safe["hate"]})),
    )
    assert streamed.filters == [*on_prompt, on_answer]


def test_b12_what_is_said_in_a_sound_is_the_text_and_its_id_goes_back() -> None:
    sound = {"id": "audio_1", "data": b64encode(b"\x00\x01").decode(), "expires_at": 2e9, "transcript": "hi you"}
    whole = read({"message": {"content": None, "audio": sound}})
    pieces = [
        {"id": "audio_1", "transcript": "hi "},
        {"data": sound["data"]},
        {"transcript": "you"},
        {"expires_at": 2e9},
    ]
    streamed = gather(*(event(choice({"audio": piece})) for piece in pieces), event(choice({}, "stop")))
    for answer in (whole, streamed):
        assert answer.text == "hi you"
        assert answer.audio == [Audio(b"\x00\x01", None, "hi you", "audio_1", 2e9)]
        answer.delta = []
        (back,) = wire_messages(make_call(SPEC, messages=[answer.message]))
        assert back == {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}
    late = make_call(SPEC, messages=[whole.message])
    late.context.created_at = 3e9
    assert wire_messages(late) == [{"role": "assistant", "content": "hi you"}]
    assert "audio" in late.context.report.names("dropped")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            {"prompt_tokens": 2168, "prompt_tokens_details": {"cached_tokens": 2161, "cache_write_tokens": 2161}},
            Usage(7, cache_read=2161, cache_write=0),
        ),
        ({"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 9}}, Usage(0, cache_read=7)),
        (
            {
                "prompt_tokens": 7,
                "completion_tokens": 1,
                "total_tokens": 17,
                "prompt_tokens_details": {"cached_tokens": 9},
            },
            Usage(7, 1, cache_read=9),
        ),
        (
            {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 3}},
            Usage(2, cache_read=2, cache_write=3),
        ),
    ],
)
def test_b7_buckets_add_up_to_the_sums_of_the_provider(raw: Any, expected: Usage) -> None:
    assert chat_usage(raw) == expected


def test_b7_a_later_count_forgets_nothing_of_an_earlier_one() -> None:
    first = {"prompt_tokens": 10, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 8}}
    last = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": None}
    answer = gather(event(choice({"content": "hi"}), usage=first), event(choice({}, "stop"), usage=last))
    assert answer.usage == Usage(2, 2, cache_read=8)


def test_b12_what_is_malformed_is_passed_over() -> None:
    odd = {"content": "hi", "annotations": [7, {"type": "url_citation", "url_citation": 5}], "audio": "x"}
    answer = read(
        {"message": odd, "logprobs": [3], "content_filter_results": {"a": 1}}, citations=[1], search_results=4
    )
    assert answer.text == "hi"
    assert [it.url for it in answer.citations] == [None]


def test_b7_counts_in_a_choice_and_costs_in_parts_are_read() -> None:
    counts = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    answer = gather(event(choice({"content": "x"})), event(choice({}, "stop", usage=counts)))
    assert answer.usage == Usage(3, 2)
    found = chat_usage({**counts, "cost": {"input_tokens_cost": 0.1, "total_cost": 0.25}})
    assert found is not None
    assert (found.cost, found.currency) == ("0.25", "USD")
