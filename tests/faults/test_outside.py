"""Faults beside those of the matrix, on every wire in both colours.

Answers of another kind, odd streams, broken compression, refusals that never end, and odd words of a model.
"""

from __future__ import annotations

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from hb_testing.server import FAULT_TEXT, Reply, Stream
from heavenbase import errors
from heavenbase.errors import HBError
from tests.faults import outside
from tests.faults.test_every_wire import TOOL
from tests.faults.wires import BOTH, EVERY, Bench, bench, on_every
from tests.fuzz.samples import framed
from tests.fuzz.wires import WIRES

__all__ = ["bench"]
every = on_every()
CUT = (errors.ResponseError, errors.StreamTruncated)
QUICK = {"first_token": 0.2, "idle": 0.2, "stall": 0.2, "total": 20.0}
WHOLE = ("null", "true", "zero", "text", "list", "object", "lists", "blank", "html", "utf16")
HI = "echo: hi"


def said(made: Bench, verb: str, fault: str, **options: Any) -> str:
    """The text of a good answer under a fault, after one request."""
    ran = made.run(verb, f"X.{fault}", content="hi", **options)
    assert ran.error is None, f"{verb} under {fault}: {ran.error!r}"
    assert ran.answer is not None
    assert ran.answer.finish_reason == "stop"
    assert ran.requests == 1
    return ran.answer.text


def failed(made: Bench, verb: str, fault: str, kinds: Any, requests: int | None = None, **options: Any) -> HBError:
    """The error under a fault."""
    return made.error(verb, f"X.{fault}", kinds=kinds, requests=requests, content="hi", **options)


@every
def test_b1_what_is_no_answer_of_the_wire_is_told_in_words(bench: Bench) -> None:
    for name in WHOLE:
        for kind in ("whole", "event"):
            for verb in BOTH:
                error = failed(bench, verb, f"{kind}-{name}", CUT, requests=2)
                assert error.maybe_billed
                assert len(str(error)) < 600


@every
def test_b1_what_stands_around_an_answer_is_blank_or_breaks_it(bench: Bench) -> None:
    for fault in ("garbage-behind", "answer-behind", "prefix-before", "twice", "latin", "events-for-whole"):
        failed(bench, "chat", fault, errors.ResponseDecodeError, requests=2)
    for fault in ("blanks-around", "mark-before"):
        assert said(bench, "chat", fault) == HI


@every
def test_b4_packed_answers_are_unpacked_or_refused(bench: Bench) -> None:
    for verb in BOTH:
        for fault in ("gzip", "x-gzip", "old", "closed-behind"):
            assert said(bench, verb, fault) == HI
        for fault in ("deflate", "gzip-twice", "gzip-none", "packing-unknown"):
            failed(bench, verb, fault, errors.ResponseDecodeError, requests=2)
    failed(bench, "chat", "gzip-cut", errors.ResponseDecodeError, requests=2)
    # Of a stream the end may have come; else it is cut off, or broken.
    ran = bench.run("stream", "X.gzip-cut", content="hi")
    assert ran.text == HI if ran.error is None else isinstance(ran.error, errors.StreamError | errors.ResponseError)


@every
@pytest.mark.slow
def test_b4_a_whole_answer_that_calls_itself_a_stream_is_bounded_too(bench: Bench) -> None:
    failed(bench, "chat", "endless-events", errors.ResponseTooLarge, requests=1)


@every
def test_e1_the_end_counts_where_it_stands(bench: Bench) -> None:
    for fault in ("closing-twice", "stream-twice", "reset-at-end", "finished-silence", "blank-type"):
        assert said(bench, "stream", fault) == FAULT_TEXT
    failed(bench, "stream", "half-character", CUT)
    assert said(bench, "stream", "many") == "ab" * outside.MANY


@every
def test_e5_data_in_many_lines_and_events_without_any_change_nothing(bench: Bench) -> None:
    if bench.speaker.framing != "sse":
        pytest.skip("only server-sent events have these")
    for fault in ("in-lines", "pings"):
        assert said(bench, "stream", fault) == FAULT_TEXT


@every
def test_e6_events_without_content_and_events_that_never_end_are_given_up(bench: Bench) -> None:
    error = failed(bench, "stream", "empty-forever", (errors.StallTimeout, errors.ResponseShapeError), timeout=QUICK)
    assert error.retryable
    error = failed(bench, "stream", "never-whole", errors.StallTimeout, requests=1, timeout=QUICK)
    assert error.partial is not None
    for verb in BOTH:
        failed(bench, verb, "slow-head", errors.ResponseTimeout, requests=2, timeout=QUICK)
        failed(bench, verb, "slow-body", errors.StallTimeout, requests=2, timeout=QUICK)


@every
def test_s1_a_refusal_is_told_however_it_comes(bench: Bench) -> None:
    for verb in BOTH:
        error = failed(bench, verb, "long-error", errors.RequestRejected, requests=1)
        assert len(str(error)) < 1000
        error = failed(bench, verb, "escapes-error", errors.RequestRejected, requests=1)
        assert "\x1b" not in str(error)
        assert "\x00" not in str(error)
        failed(bench, verb, "empty-error", errors.ServerError, requests=3)
        failed(bench, verb, "error-reset", errors.RateLimitError, requests=3)
        failed(bench, verb, "error-endless", errors.ServerError, requests=3)


@every
def test_s1_a_refusal_before_the_request_was_read_is_that_refusal(bench: Bench) -> None:
    for verb in BOTH:
        error = bench.error(verb, "X.early", kinds=errors.StatusError, requests=1, content="a" * 3_000_000)
        assert error.status == 413


@every
def test_n2_half_of_an_answer_is_none(bench: Bench) -> None:
    failed(bench, "chat", "half-of-json", errors.TransportClosed, requests=2)
    failed(bench, "stream", "half-of-json", (errors.TransportClosed, errors.StreamInterrupted))


@every
def test_e3_an_error_event_shows_no_key(bench: Bench) -> None:
    if not bench.speaker.has_error_events:
        pytest.skip("streams of this wire carry no errors")
    failed(bench, "stream", "key-in-event", errors.StreamInterrupted, requests=1)


@every
def test_s4_a_wait_without_measure_is_not_waited_for(bench: Bench) -> None:
    for verb in BOTH:
        bench.server.reply(status=429, text="Rate limit reached; try again in 99999999999s")
        ran = bench.run(verb)
        assert isinstance(ran.error, errors.RateLimitError)
        assert (ran.requests, ran.slept) == (1, [])


# What a model says


def weather(city: str = "") -> str:
    """The weather in a city."""
    return f"sunny in {city}"


@every
def test_e8_odd_calls_of_tools_are_answered_and_the_loop_goes_on(bench: Bench) -> None:
    many = [{"name": "weather", "arguments": {"city": str(number)}} for number in range(60)]
    twins = [{"name": "weather", "arguments": {"city": city}, "id": "x"} for city in ("Ulm", "Bonn")]
    odd = [{"name": "rm -rf /\n\x1b", "arguments": {}}, {"name": "n" * 50_000, "arguments": {}}]
    for calls in (many, twins, odd):
        for verb in BOTH:
            bench.server.reply(tool_calls=calls)
            bench.server.reply("done")
            ran = bench.run(verb, tools=[weather])
            assert ran.error is None, ran.error
            assert ran.answer is not None
            assert (ran.answer.text, ran.requests) == ("done", 2)
            assert len({made.id for made in ran.answer.tool_calls}) == len(calls)
            results = [message for message in ran.answer.messages if message["role"] == "tool"]
            assert len(results) == len(calls)


@every
def test_b16_an_answer_that_ends_for_tool_calls_has_some(bench: Bench) -> None:
    word = next((raw for raw, meant in bench.speaker.finish_reasons.items() if meant == "tool_calls"), None)
    if word is None:
        pytest.skip("no finish reason of this wire says so")
    for verb in BOTH:
        for _ in range(2):
            bench.server.reply("", finish_reason=word)
        ran = bench.run(verb)
        bench.server._replies.clear()
        assert isinstance(ran.error, errors.ResponseShapeError), ran.answer
        assert ran.requests == 2
        bench.server.reply("so", finish_reason=word)
        assert bench.run(verb).error is None


OPENAI = on_every(
    without=[wire.name for wire in WIRES if wire.name not in ("openai", "mistral")],
    because="calls begin with their names on this wire",
)


@OPENAI
def test_b14_a_streamed_call_without_a_name_is_of_no_known_form(bench: Bench) -> None:
    def streamed(*deltas: Any) -> Any:
        events = [{"choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]} for delta in deltas]
        events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}]
        bench.server.script(lambda request: Stream([], [framed("openai", event) for event in events], []))
        ran = bench.run("stream", tools=[TOOL])
        bench.server.script(None)
        return ran

    nameless = {"index": 0, "id": "a", "function": {"arguments": "{}"}}
    for deltas in ([nameless], [{**nameless, "id": None}], [{"function": {"arguments": "{}"}}]):
        error = streamed(*deltas).error
        assert isinstance(error, errors.StreamInterrupted)
        assert isinstance(error.__cause__, errors.ResponseShapeError)
    named = {"index": 0, "function": {"name": "write"}}
    for deltas in ([nameless, named], [{**named, "id": "a"}, {"id": "a", "function": {"arguments": "{}"}}]):
        ran = streamed(*deltas)
        assert ran.error is None
        assert [made.name for made in ran.answer.tool_calls] == ["write"]


@OPENAI
def test_e5_events_that_nobody_knows_break_no_answer(bench: Bench) -> None:
    events = [
        {"choices": [{"index": 0, "delta": {"content": "so"}}]},
        {"object": "acme.metrics", "took": 1},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    bench.server.script(lambda request: Stream([], [framed("openai", event) for event in events], []))
    assert bench.run("stream").text == "so"
    events[:] = events[1:2]
    assert isinstance(bench.run("stream").error, errors.ResponseShapeError)
    bench.server.script(None)


@every
def test_b3_odd_prompts_and_counts_are_taken(bench: Bench) -> None:
    for verb in BOTH:
        ran = bench.run(verb, content="a\ud800b\x00")
        assert ran.error is None, ran.error
        assert ran.answer is not None
        ran.answer.text.encode()
        bench.server.reply("so", usage={"prompt_tokens": -5, "completion_tokens": 10**30, "total_tokens": 1.5})
        ran = bench.run(verb)
        assert ran.error is None, ran.error
        assert ran.answer is not None
        assert ran.answer.usage is None or ran.answer.usage.output is None


@every
def test_e1_large_texts_are_whole(bench: Bench) -> None:
    text = "é" * 1_000_000
    for verb in BOTH:
        bench.server.reply(text)
        ran = bench.run(verb)
        assert ran.error is None, ran.error
        assert ran.answer is not None
        assert ran.answer.text == text


@every
def test_e11_calls_that_run_beside_each_other_get_each_their_own(bench: Bench) -> None:
    """A third of them is refused."""
    llm = bench.rig.llm(max_retries=0)
    wrong: list[Any] = []

    def answered(request: Any) -> Reply:
        number = re.search(rb"ask-(\d+)-", request.body)[1].decode()  # type: ignore[index]
        status = 400 if int(number) % 3 == 1 else 200
        return Reply(f"said-{number}-", status=status)

    def check(number: int, text: str, error: HBError | None) -> None:
        is_refused = number % 3 == 1
        if is_refused != (error is not None) or f"said-{number}-" not in (text or str(error)):
            wrong.append((number, text, error))

    def ask(number: int) -> None:
        text, error = "", None
        try:
            asked = f"ask-{number}-"
            text = llm.complete(asked).text if number % 2 else "".join(llm.stream(asked))
        except HBError as caught:
            error = caught
        check(number, text, error)

    async def aask(number: int) -> None:
        text, error = "", None
        try:
            asked = f"ask-{number}-"
            if number % 2:
                text = (await llm.acomplete(asked)).text
            else:
                text = "".join([piece async for piece in llm.astream(asked)])
        except HBError as caught:
            error = caught
        check(number, text, error)

    def threads() -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(30)))

    async def tasks() -> None:
        await asyncio.gather(*map(aask, range(30)))

    bench.server.script(answered)
    bench.rig.colour.run(threads, tasks)
    bench.server.script(None)
    assert wrong == []


@pytest.mark.parametrize("bench", [each for each in EVERY if str(each.id).startswith("openai")], indirect=True)
def test_u1_a_picture_of_an_answer_is_not_fetched_from_an_address_that_is_not_public(bench: Bench) -> None:
    for url in ("http://169.254.169.254/a.png", "http://127.0.0.1:9/a.png", "file:///etc/passwd"):
        bench.server.script(lambda request, url=url: Reply(body={"data": [{"url": url}]}))
        with pytest.raises((errors.FetchBlocked, errors.ResponseShapeError)):
            bench.rig.call("imagen", llm=bench.rig.llm())["images"][0].to_bytes()
    bench.server.script(None)


@every
def test_e3_an_error_event_is_told_by_its_words_where_it_has_no_status(bench: Bench) -> None:
    if not bench.speaker.has_error_events:
        pytest.skip("streams of this wire carry no errors")
    for status, kind, requests in ((401, errors.AuthError, 1), (429, errors.RateLimitError, 3)):
        bench.error("stream", f"E3.a-{status}", kinds=kind, requests=requests)
        error = bench.error("stream", f"E3.b-{status}", kinds=errors.StreamInterrupted, requests=1)
        assert isinstance(error.__cause__, kind)
