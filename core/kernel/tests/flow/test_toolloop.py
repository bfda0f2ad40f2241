"""The tool loop: rounds, results, budget, streams, errors and cancellation, in both colours."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import Any

import pytest

from heavenbase import Tool
from heavenbase.errors import InputError, InputTypeError, ServerError
from heavenbase.types import Chunk, Completion, Usage

from ..support import both_colours, calling, scripted


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fail(a: int = 0) -> None:
    raise LookupError("no such thing")


def results(made: Any) -> list[Any]:
    """The contents of the results that the last request brought."""
    return [message["content"] for message in made.gateway.calls[-1].messages if message["role"] == "tool"]


def both(*script: Any, **options: Any) -> list[Any]:
    """(what scripted makes, ask) for each colour, each with a script of its own."""
    made = [scripted(*script, **options) for _ in range(2)]
    return [(one, both_colours(one.llm, "complete")[place]) for place, one in enumerate(made)]


# Rounds


def test_hb13_a_tool_is_run_and_the_model_answers_with_its_result() -> None:
    for made, ask in both(calling(("add", {"a": 40, "b": 2})), "42!"):
        answer = ask("what is 40 + 2?", tools=[add])
        assert answer.text == "42!"
        assert [message["role"] for message in answer.delta] == ["assistant", "tool", "assistant"]
        assert answer.delta[1] == {"role": "tool", "tool_call_id": "id-add", "name": "add", "content": "42"}
        assert [message["role"] for message in answer.messages] == ["user", "assistant", "tool", "assistant"]
        assert [call.name for call in answer.tool_calls] == ["add"]
        assert (answer.tool_turns, answer.max_tool_turns, answer.truncated, answer.pending) == (1, 8, False, [])
        assert answer.usage == Usage(4, 6)
        assert len(answer.attempts) == 2
        schema = made.gateway.calls[0].args["tools"][0]["function"]["parameters"]
        assert schema["properties"]["a"]["type"] == "integer"
        assert schema["required"] == ["a", "b"]


def test_results_are_texts_as_they_are_and_all_else_as_json() -> None:
    tools = {"text": lambda: "plain", "data": lambda: {"n": [1, None]}, "nothing": lambda: None, "odd": lambda: {1}}
    for made, ask in both(calling(*((name, {}) for name in tools)), "done"):
        ask("go", tools=tools)
        assert results(made) == ["plain", '{"n": [1, null]}', "null", "[1]"]


def test_hb14_a_raising_tool_gives_a_structured_error_and_the_loop_goes_on() -> None:
    for made, ask in both(calling(("fail", {}), ("missing", {})), "done"):
        assert ask("go", tools=[fail]).text == "done"
        raised, unknown = map(json.loads, results(made))
        assert raised == {"ok": False, "error": {"type": "LookupError", "message": "no such thing"}}
        assert (unknown["ok"], unknown["error"]["type"]) == (False, "UnknownTool")


def test_hb14_malformed_and_wrong_arguments_are_results_too() -> None:
    for made, ask in both(calling(("add", '{"a": 1'), ("add", {"a": "x", "b": 1}, "two")), "done"):
        ask("go", tools=[add])
        malformed, wrong = map(json.loads, results(made))
        assert malformed["error"]["type"] == "JSONDecodeError"
        assert wrong["error"]["type"] == "ValidationError"
        assert "a: Input should be a valid integer" in wrong["error"]["message"]


def test_hb15_at_most_eight_rounds_are_nine_requests_and_the_end_is_visible() -> None:
    for made, ask in both(calling(("add", {"a": 1, "b": 2}))):
        answer = ask("go", tools=[add])
        assert len(made.gateway.calls) == 9
        assert (answer.tool_turns, answer.max_tool_turns, answer.truncated) == (8, 8, True)
        assert answer.text == "[incomplete: stopped after 8 tool turns, 1 tool call not run]"
        assert answer.messages[-1]["content"] == answer.text
        assert [call.name for call in answer.pending] == ["add"]
        assert len(answer.tool_calls) == 9


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_hb15_max_tool_turns_bounds_the_rounds(limit: int) -> None:
    for made, ask in both(calling(("add", {"a": 1, "b": 2}), text="thinking")):
        answer = ask("go", tools=[add], max_tool_turns=limit)
        assert (len(made.gateway.calls), answer.tool_turns) == (limit + 1, limit)
        assert answer.text.startswith("thinking [incomplete: ")


def test_on_round_hears_of_every_round() -> None:
    for _, ask in both(calling(("add", {"a": 1, "b": 2}), text="one moment"), calling(("fail", {})), "done"):
        heard: list[Any] = []
        ask("go", tools=[add, fail], on_round=heard.append)
        assert [(it.turn, it.max_turns, it.answer.text) for it in heard] == [(1, 8, "one moment"), (2, 8, "")]
        assert [it.results[0]["content"] for it in heard] == ["3", heard[1].results[0]["content"]]


def test_an_async_on_round_is_awaited() -> None:
    made, heard = scripted(calling(("add", {"a": 1, "b": 2})), "done"), []

    async def on_round(told: Any) -> None:
        await asyncio.sleep(0)
        heard.append(told.turn)

    asyncio.run(made.llm.achat("go", tools=[add], on_round=on_round))
    assert heard == [1]


@pytest.mark.parametrize("finish", ["length", "content_filter", "refusal", "pause"])
def test_no_call_of_an_answer_that_was_cut_off_is_run(finish: str) -> None:
    ran: list[int] = []
    for made, ask in both(calling(("note", {"n": 1}), finish=finish)):
        answer = ask("go", tools={"note": lambda n: ran.append(n)})
        assert (answer.finish_reason, len(made.gateway.calls), answer.pending) == (finish, 1, [])
    assert ran == []


def test_a_forced_choice_holds_for_the_first_round_only() -> None:
    for made, ask in both(calling(("add", {"a": 1, "b": 2})), "3"):
        ask("go", tools=[add], tool_choice="required")
        assert [call.args.get("tool_choice") for call in made.gateway.calls] == ["required", None]
    for made, ask in both(calling(("add", {"a": 1, "b": 2})), "3"):
        ask("go", tools=[add], tool_choice="auto")
        assert [call.args.get("tool_choice") for call in made.gateway.calls] == ["auto", "auto"]


def test_calls_without_an_id_get_one_that_is_theirs_alone_in_the_whole_conversation() -> None:
    script = (calling(("add", {"a": 1, "b": 2}, "")), calling(("add", {"a": 3, "b": 4}, "call_0")), "done")
    for made, ask in both(*script):
        answer = ask("go", tools=[add])
        ids = [call.id for call in answer.tool_calls]
        assert ids == ["call_0", "call_1"]
        results = [message for message in answer.messages if message["role"] == "tool"]
        assert [(message["tool_call_id"], message["content"]) for message in results] == [
            ("call_0", "3"),
            ("call_1", "7"),
        ]
        again = made.llm.complete([*answer.messages[:2], *answer.messages[2:], "and again?"], tools=[add])
        assert again.text == "done"
    for made, ask in both(calling(("add", {"a": 1, "b": 1}, ""), ("add", {"a": 2, "b": 2}, "")), "done"):
        assert [call.id for call in ask("go", tools=[add]).tool_calls] == ["call_0", "call_1"]
        assert results_by_id(made) == {"call_0": "2", "call_1": "4"}


def results_by_id(made: Any) -> dict[str, str]:
    return {m["tool_call_id"]: m["content"] for m in made.gateway.calls[-1].messages if m["role"] == "tool"}


# Schemas only


def test_hb17_calls_of_a_schema_are_returned_and_not_run() -> None:
    schema = {"name": "find", "parameters": {"type": "object", "properties": {}}}
    for made, ask in both(calling(("find", {"q": 1}))):
        answer = ask("go", tools=[schema])
        assert [call.name for call in answer.pending] == ["find"]
        assert (answer.finish_reason, len(made.gateway.calls)) == ("tool_calls", 1)
        assert answer.tool_calls[0].parse() == {"q": 1}


def test_hb17_beside_a_schema_the_tools_that_run_are_run_and_the_rest_waits() -> None:
    schema = {"name": "find", "parameters": {"type": "object", "properties": {}}}
    for made, ask in both(calling(("add", {"a": 1, "b": 2}), ("find", {}))):
        answer = ask("go", tools=[add, schema])
        assert [call.name for call in answer.pending] == ["find"]
        assert [message["content"] for message in answer.messages if message["role"] == "tool"] == ["3"]
        assert len(made.gateway.calls) == 1


# Colours


def test_hb16_an_async_tool_in_a_sync_call_is_an_error_before_anything_is_sent() -> None:
    async def late(a: int) -> int:
        await asyncio.sleep(0)
        return a + 1

    made = scripted(calling(("late", {"a": 1})), "2")
    for ask in (made.llm.chat, made.llm.complete, lambda *a, **k: list(made.llm.stream(*a, **k))):
        with pytest.raises(TypeError, match="tool 'late' is async, and this call is not; use achat") as caught:
            ask("go", tools=[late])
        assert isinstance(caught.value, InputTypeError)
    assert made.gateway.calls == []
    assert asyncio.run(made.llm.achat("go", tools=[late])) == "2"
    assert results(made) == ["2"]


def test_hb16_a_tool_that_only_turns_out_to_be_async_is_an_error_too() -> None:
    async def late() -> str:
        return "later"

    made = scripted(calling(("sneaky", {})), "done")
    with pytest.raises(TypeError, match="is async; use achat"):
        made.llm.chat("go", tools={"sneaky": lambda: late()})
    made = scripted(calling(("sneaky", {})), "done")
    assert asyncio.run(made.llm.achat("go", tools={"sneaky": lambda: late()})) == "done"
    assert results(made) == ["later"]


def test_async_callbacks_in_a_sync_call_are_errors() -> None:
    async def hear(told: Any) -> None: ...

    made = scripted("hello")
    for name in ("on_round", "confirm"):
        with pytest.raises(InputTypeError, match=f"{name} is async"):
            made.llm.chat("go", tools=[add], **{name: hear})
        with pytest.raises(InputTypeError, match=f"{name} must be callable"):
            made.llm.chat("go", tools=[add], **{name: 7})


def test_async_calls_of_a_round_run_side_by_side_up_to_the_bound_and_keep_their_order() -> None:
    running = peak = 0

    async def work(n: int) -> int:
        nonlocal running, peak
        running += 1
        peak = max(peak, running)
        await asyncio.sleep(0.001 * (5 - n))
        running -= 1
        return n

    calls = [("work", {"n": n}, f"id-{n}") for n in range(5)]
    for bound, wanted in ((None, 5), (2, 2), (1, 1)):
        made, running, peak = scripted(calling(*calls), "done"), 0, 0
        asyncio.run(made.llm.achat("go", tools=[work], tool_concurrency=bound))
        assert (peak, results(made)) == (wanted, ["0", "1", "2", "3", "4"])


def test_sync_tools_of_an_async_call_run_in_threads_beside_the_loop() -> None:
    meeting = threading.Barrier(3, timeout=5)
    calls = [("meet", {"n": n}, f"id-{n}") for n in range(3)]

    def meet(n: int) -> int:
        meeting.wait()
        return n

    made = scripted(calling(*calls), "done")
    asyncio.run(made.llm.achat("go", tools=[meet]))
    assert results(made) == ["0", "1", "2"]


def test_sync_tools_that_ask_models_themselves_do_not_wait_for_each_other() -> None:
    def agent(n: int) -> Any:
        inner = scripted(calling(("add", {"a": n, "b": 1})), str(n))
        return asyncio.run(inner.llm.achat("go", tools=[add]))

    async def main() -> None:
        calls = [("agent", {"n": n}, f"id-{n}") for n in range(8)]
        made = [scripted(calling(*calls), "done") for _ in range(12)]
        assert await asyncio.gather(*(one.llm.achat("go", tools=[agent]) for one in made)) == ["done"] * 12
        assert results(made[0]) == [str(n) for n in range(8)]

    asyncio.run(main())


@pytest.mark.parametrize("error", [StopIteration("enough"), GeneratorExit("enough")])
def test_odd_exceptions_of_a_tool_do_not_hang_the_call(error: BaseException) -> None:
    def odd() -> None:
        raise error

    for made, ask in both(calling(("odd", {})), "done"):
        if isinstance(error, Exception):
            assert ask("go", tools=[odd]).text == "done"
            assert json.loads(results(made)[0])["ok"] is False
        else:
            with pytest.raises(type(error)):
                ask("go", tools=[odd])


def test_sync_calls_of_a_round_run_one_after_the_other() -> None:
    threads: set[int] = set()
    made = scripted(calling(("here", {}, "a"), ("here", {}, "b")), "done")
    made.llm.chat("go", tools={"here": lambda: threads.add(threading.get_ident())})
    assert threads == {threading.get_ident()}


# Limits


def test_a_tool_that_takes_too_long_is_a_result() -> None:
    release = threading.Event()
    slow = Tool("slow", run=lambda: release.wait(5), timeout=0.02)
    try:
        for made, ask in both(calling(("slow", {})), "done"):
            started = time.perf_counter()
            assert ask("go", tools=[slow]).text == "done"
            assert time.perf_counter() - started < 2
            assert json.loads(results(made)[0])["error"] == {
                "type": "ToolTimeout",
                "message": "no result within 0.02 s",
            }
    finally:
        release.set()


def test_the_timeout_of_a_call_is_for_tools_without_one() -> None:
    async def slow() -> None:
        await asyncio.sleep(5)

    made = scripted(calling(("slow", {})), "done")
    asyncio.run(made.llm.achat("go", tools=[slow], tool_timeout=0.01))
    assert json.loads(results(made)[0])["error"]["type"] == "ToolTimeout"
    for wrong, error in ((0, InputError), ("soon", InputTypeError)):
        with pytest.raises(error, match="tool_timeout must be"):
            made.llm.chat("go", tools=[add], tool_timeout=wrong)


def test_cancelling_a_call_cancels_its_tools() -> None:
    async def main() -> list[str]:
        seen: list[str] = []
        begun = asyncio.Event()

        async def endless() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        made = scripted(calling(("endless", {})), "done")
        task = asyncio.ensure_future(made.llm.achat("go", tools=[endless]))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(asyncio.all_tasks()) == 1
        assert len(made.gateway.calls) == 1
        return seen

    assert asyncio.run(main()) == ["cancelled"]


def test_a_tool_that_gives_itself_up_does_not_cancel_the_call() -> None:
    async def quitter() -> None:
        raise asyncio.CancelledError

    made = scripted(calling(("quitter", {})), "done")
    assert asyncio.run(made.llm.achat("go", tools=[quitter])) == "done"
    assert json.loads(results(made)[0])["error"]["message"] == "the tool was cancelled"


# Streams


def test_every_round_is_streamed_live_in_both_colours() -> None:
    for place in range(2):
        heard: list[str] = []
        made = scripted(calling(("note", {}), text="let me see"), "42")
        stream = both_colours(made.llm, "stream")[place]
        found = stream("go", "chunk", tools={"note": lambda heard=heard: heard.append("ran") or "noted"})
        text = [(chunk.kind, chunk.text) for chunk in found if chunk.text or chunk.kind != "delta"]
        assert text == [("delta", "let me see"), ("round", ""), ("delta", "4"), ("delta", "2")]
        (boundary,) = [chunk for chunk in found if chunk.kind == "round"]
        assert [message["role"] for message in boundary.messages] == ["assistant", "tool"]
        assert boundary.messages[1]["content"] == "noted"
        assert [d.name for chunk in found for d in chunk.tool_calls or ()] == ["note"]
        assert made.gateway.opened == made.gateway.closed == 2


def test_text_comes_before_the_tool_has_run() -> None:
    ran: list[bool] = []
    made = scripted(calling(("note", {}), text="let me see"), "42")
    stream = made.llm.stream("go", tools={"note": lambda: ran.append(True)})
    assert next(stream) == "let me see"
    assert ran == []
    assert list(stream) == ["4", "2"]
    assert ran == [True]


def test_a_stream_ends_with_the_whole_answer() -> None:
    for place in range(2):
        made = scripted(calling(("add", {"a": 40, "b": 2})), "42!")
        answer: Completion = both_colours(made.llm, "stream")[place]("go", "completion", tools=[add])[-1]
        assert (answer.text, answer.tool_turns, answer.usage) == ("42!", 1, Usage(4, 6))
        assert [message["role"] for message in answer.delta] == ["assistant", "tool", "assistant"]
        made = scripted(calling(("add", {"a": 40, "b": 2})))
        texts = both_colours(made.llm, "stream")[place]("go", tools=[add], max_tool_turns=1)
        assert texts == ["[incomplete: stopped after 1 tool turn, 1 tool call not run]"]


def test_leaving_a_stream_closes_it_and_runs_nothing_more() -> None:
    ran: list[bool] = []
    made = scripted(calling(("note", {}), text="let me see"), "42")
    stream = made.llm.stream("go", tools={"note": lambda: ran.append(True)})
    next(stream)
    stream.close()
    assert (made.gateway.opened, made.gateway.closed, ran) == (1, 1, [])

    async def main() -> None:
        made = scripted(calling(("note", {}), text="let me see"), "42")
        stream = made.llm.astream("go", tools={"note": lambda: ran.append(True)})
        async for _ in stream:
            break
        await stream.aclose()
        assert (made.gateway.opened, made.gateway.closed, ran) == (1, 1, [])

    asyncio.run(main())


# Errors


def test_an_error_of_a_later_round_carries_what_was_said_before_it() -> None:
    def down(call: Any) -> Any:
        raise ServerError("down", status=500)

    for _, ask in both(calling(("add", {"a": 1, "b": 2})), down):
        with pytest.raises(ServerError) as caught:
            ask("go", tools=[add], max_retries=0)
        partial = caught.value.partial
        assert partial is not None
        assert [message["role"] for message in partial.messages] == ["user", "assistant", "tool"]
        assert (partial.tool_turns, partial.usage) == (1, Usage(2, 3))
        assert len(caught.value.attempts) == 2
    for place in range(2):
        made = scripted(calling(("add", {"a": 1, "b": 2})), [Chunk("so"), ServerError("down", status=500)])
        with pytest.raises(Exception, match="down") as broken:
            both_colours(made.llm, "stream")[place]("go", tools=[add], max_retries=0)
        assert (broken.value.partial.text, broken.value.partial.tool_turns) == ("so", 1)  # type: ignore[attr-defined]


def test_what_a_callback_raises_ends_the_call_as_it_is() -> None:
    def stop(told: Any) -> None:
        raise LookupError("enough")

    for made, ask in both(calling(("add", {"a": 1, "b": 2})), "done"):
        with pytest.raises(LookupError, match="enough"):
            ask("go", tools=[add], on_round=stop)
        assert len(made.gateway.calls) == 1


def test_each_request_of_a_loop_has_the_whole_time() -> None:
    made = scripted(calling(("wait", {})), "done")
    made.llm.chat("go", tools={"wait": lambda: made.time.sleep(50)}, timeout=40)
    assert len(made.gateway.calls) == 2
