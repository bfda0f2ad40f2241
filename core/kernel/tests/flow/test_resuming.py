"""People in the loop: asked before a tool runs, and calls that wait until somebody answers them."""

from __future__ import annotations

import asyncio
import json
import pickle
from typing import Any

import pytest

import heavenbase as hb
from heavenbase import Tool
from heavenbase.errors import InputError, InputTypeError, UnknownNameError
from heavenbase.types import Completion, ToolCall, Usage

from ..support import both_colours, calling, scripted

SCHEMA = {"name": "find", "parameters": {"type": "object", "properties": {}}}


class Shop:
    """A tool with a side effect."""

    def __init__(self, **settings: Any) -> None:
        self.sold: list[str] = []
        self.tool = Tool(run=self.buy, **settings)

    def buy(self, item: str) -> str:
        """Buy something."""
        self.sold.append(item)
        return f"bought {item}"


def results(made: Any) -> list[Any]:
    return [message["content"] for message in made.gateway.calls[-1].messages if message["role"] == "tool"]


BUY = calling(("buy", {"item": "tea"}))


# Confirming


@pytest.mark.parametrize(
    ("verdict", "sold", "result"),
    [
        (True, ["tea"], "bought tea"),
        (hb.RUN, ["tea"], "bought tea"),
        (False, [], "the user does not allow this call"),
        (hb.REFUSE, [], "the user does not allow this call"),
        ("too expensive", [], "too expensive"),
    ],
)
def test_confirm_decides_about_each_call(verdict: Any, sold: list[str], result: str) -> None:
    for place in range(2):
        shop, made = Shop(confirm=True), scripted(BUY, "done")
        asked: list[Any] = []

        def confirm(call: ToolCall, asked: list[Any] = asked) -> Any:
            asked.append((call.name, call.parse()))
            return verdict

        both_colours(made.llm, "chat")[place]("tea please", tools=shop.tool, confirm=confirm)
        assert asked == [("buy", {"item": "tea"})]
        assert shop.sold == sold
        (found,) = results(made)
        assert found == result or json.loads(found)["error"] == {"type": "Refused", "message": result}


def test_a_tool_can_bring_its_own_confirm_and_one_that_asks_nobody() -> None:
    shop, made = Shop(confirm=lambda call: "mine: no"), scripted(BUY, "done")
    made.llm.chat("tea please", tools=shop.tool, confirm=lambda call: True)
    assert shop.sold == []
    shop, made = Shop(confirm=False), scripted(BUY, "done")
    made.llm.chat("tea please", tools=shop.tool, confirm=lambda call: False)
    assert shop.sold == ["tea"]


def test_an_async_confirm_is_awaited_and_people_are_asked_one_after_the_other() -> None:
    asking = 0

    async def confirm(call: ToolCall) -> bool:
        nonlocal asking
        asking += 1
        assert asking == 1
        await asyncio.sleep(0)
        asking -= 1
        return bool(call.parse()["item"] == "tea")

    shop = Shop()
    made = scripted(calling(("buy", {"item": "tea"}, "a"), ("buy", {"item": "milk"}, "b")), "done")
    asyncio.run(made.llm.achat("shop", tools=shop.tool, confirm=confirm))
    assert shop.sold == ["tea"]


def test_an_answer_of_confirm_that_is_none_is_an_error() -> None:
    shop, made = Shop(), scripted(BUY, "done")
    with pytest.raises(InputTypeError, match="confirm answered None for 'buy'"):
        made.llm.chat("tea please", tools=shop.tool, confirm=lambda call: None)
    assert shop.sold == []


def test_a_tool_can_refuse_repaired_arguments() -> None:
    shop, made = Shop(accept_repaired=False), scripted(calling(("buy", "{'item': 'tea'}")), "done")
    made.llm.chat("tea please", tools=shop.tool, repair_tool_calls=True)
    assert shop.sold == []
    assert json.loads(results(made)[0])["error"]["type"] == "RepairedArguments"


# Pausing


@pytest.mark.parametrize("how", ["nobody to ask", "confirm", "the tool"])
def test_a_call_waits_and_the_loop_goes_on_when_it_is_answered(how: str) -> None:
    for place in range(2):
        shop = Shop(confirm=True if how == "nobody to ask" else None)
        options: dict[str, Any] = {"tools": [shop.tool]}
        if how == "confirm":
            options["confirm"] = lambda call: hb.PAUSE
        if how == "the tool":

            def buy(item: str) -> str:
                raise hb.ToolPause("ask the owner")

            options["tools"] = [buy]
        made = scripted(BUY, "enjoy it")
        ask, resume = (both_colours(made.llm, verb)[place] for verb in ("complete", "resume"))
        paused: Completion = ask("tea please", **options)
        (waiting,) = paused.pending
        assert (waiting.name, shop.sold, len(made.gateway.calls)) == ("buy", [], 1)
        assert waiting.reason == ("ask the owner" if how == "the tool" else None)
        answer: Completion = resume(paused, {waiting.id: "bought tea, by hand"})
        assert (answer.text, answer.pending, answer.tool_turns) == ("enjoy it", [], 1)
        assert results(made) == ["bought tea, by hand"]
        assert [message["role"] for message in answer.messages] == ["user", "assistant", "tool", "assistant"]


REFUSED = {"type": "Refused", "message": "the user does not allow this call"}


@pytest.mark.parametrize(
    ("decision", "sold", "result"),
    [
        (hb.RUN, ["tea"], "bought tea"),
        (hb.REFUSE, [], {"ok": False, "error": REFUSED}),
        (LookupError("sold out"), [], {"ok": False, "error": {"type": "LookupError", "message": "sold out"}}),
        ({"price": 3}, [], {"price": 3}),
    ],
)
def test_a_person_runs_refuses_or_answers_a_waiting_call(decision: Any, sold: list[str], result: Any) -> None:
    shop, made = Shop(confirm=True), scripted(BUY, "done")
    paused = made.llm.complete("tea please", tools=shop.tool, temperature=0.5)
    answer = made.llm.resume(paused, {paused.pending[0].id: decision})
    assert (answer.text, shop.sold) == ("done", sold)
    (found,) = results(made)
    assert (found if isinstance(result, str) else json.loads(found)) == result
    assert made.gateway.calls[1].args["temperature"] == 0.5


def test_a_paused_conversation_goes_on_from_its_messages_alone() -> None:
    shop, made = Shop(confirm=True), scripted(BUY, "done")
    paused = made.llm.complete("tea please", tools=shop.tool)
    stored = json.loads(json.dumps(paused.messages))
    answer = made.llm.resume(stored, {paused.pending[0].id: hb.RUN}, tools=shop.tool)
    assert (answer.text, shop.sold) == ("done", ["tea"])
    again = pickle.loads(pickle.dumps(paused))  # noqa: S301
    made.gateway.script = ["done"]
    assert made.llm.resume(again, {again.pending[0].id: "a gift"}).text == "done"


def test_what_ran_beside_a_waiting_call_does_not_run_again() -> None:
    shop = Shop()
    made = scripted(calling(("buy", {"item": "tea"}), ("find", {})), "done")
    paused = made.llm.complete("tea please", tools=[shop.tool, SCHEMA])
    answer = made.llm.resume(paused, {"id-find": "found"})
    assert shop.sold == ["tea"]
    assert [call["role"] for call in answer.messages] == ["user", "assistant", "tool", "tool", "assistant"]
    assert answer.usage == Usage(2, 3)


def test_a_call_may_be_paused_again() -> None:
    shop, made = Shop(confirm=True), scripted(BUY, "done")
    paused = made.llm.complete("tea please", tools=shop.tool)
    again = made.llm.resume(paused, {paused.pending[0].id: hb.PAUSE})
    assert [call.id for call in again.pending] == [call.id for call in paused.pending]
    assert len(made.gateway.calls) == 1
    assert made.llm.resume(again, {again.pending[0].id: hb.RUN}).text == "done"


def test_a_resumption_counts_its_rounds_on() -> None:
    shop, made = Shop(), scripted(calling(("buy", {"item": "tea"}), ("find", {})), BUY)
    paused = made.llm.complete("tea please", tools=[shop.tool, SCHEMA], max_tool_turns=3)
    answer = made.llm.resume(paused, {"id-find": "found"})
    assert (answer.tool_turns, answer.truncated, len(made.gateway.calls)) == (3, True, 3)


def test_a_stream_that_pauses_can_be_resumed() -> None:
    shop, made = Shop(confirm=True), scripted(BUY, "done")
    (paused,) = made.llm.stream("tea please", "completion", tools=shop.tool)
    assert [call.name for call in paused.pending] == ["buy"]
    assert made.llm.resume(paused, {paused.pending[0].id: hb.RUN}).text == "done"
    assert shop.sold == ["tea"]


def test_answers_that_fit_no_call_are_errors_before_anything_is_sent() -> None:
    shop, made = Shop(confirm=True), scripted(BUY, "done")
    paused = made.llm.complete("tea please", tools=shop.tool)
    identity = paused.pending[0].id
    with pytest.raises(UnknownNameError, match="waiting tool call 'id-bux'"):
        made.llm.resume(paused, {"id-bux": 1, identity: 1})
    with pytest.raises(InputError, match=r"no result for tool call 'id-buy' \(buy\)"):
        made.llm.resume(paused)
    with pytest.raises(InputTypeError, match="mapping of results"):
        made.llm.resume(paused, [1])
    with pytest.raises(InputError, match="no tool 'buy' runs here"):
        made.llm.resume(paused.messages, {identity: hb.RUN})
    with pytest.raises(InputError, match="no tool call waits"):
        made.llm.resume("hi", {})
    assert (len(made.gateway.calls), shop.sold) == (1, [])
