"""CascadingProvider over the wires: which tier answers, what it costs, what is streamed."""

from __future__ import annotations

from typing import Any

import pytest

import hb_compose as c
from heavenbase.errors import AuthError, ConfigError, HBError, InputTypeError, Overloaded, UnknownNameError

from .support import BOTH, CHEAP, LONG, MODELS, WAYS, WEATHER, Stack

SHORT = {"anthropic": {"input_tokens": 7, "output_tokens": 2}}
SHORT["openrouter"] = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}  # type: ignore[assignment]


def tiers(stack: Stack, name: str = "anthropic", **options: Any) -> c.CascadingProvider:
    return c.CascadingProvider([stack.direct(name, CHEAP[name]), stack.direct(name)], **options)


@BOTH
@WAYS
def test_h19_an_accepted_answer_of_the_cheap_tier_is_all(stack: Stack, name: str, way: str) -> None:
    stack.server.reply(LONG)
    response = stack.ask(tiers(stack, name), way)
    assert (response.text, response.model, stack.asked) == (LONG, CHEAP[name], [CHEAP[name]])
    assert response.tiers == ((CHEAP[name], ""),)


@BOTH
@WAYS
def test_h19_h20_a_rejected_tier_leads_to_the_next_and_is_paid_for(stack: Stack, name: str, way: str) -> None:
    stack.server.reply("no", usage=SHORT[name])
    stack.server.reply("no", usage=SHORT[name])  # of the last tier, which is not judged
    response = stack.ask(tiers(stack, name), way)
    assert (response.text, response.model, stack.asked) == ("no", MODELS[name], [CHEAP[name], MODELS[name]])
    assert (response.usage.input, response.usage.output) == (14, 4)
    ledger = [(it.model, it.usage and it.usage.completion_tokens, it.rejected) for it in response.attempts]
    assert ledger == [(CHEAP[name], 2, "the answer has 2 tokens, fewer than 5"), (MODELS[name], 2, None)]
    assert response.tiers == ((CHEAP[name], "the answer has 2 tokens, fewer than 5"), (MODELS[name], ""))


@BOTH
@WAYS
def test_h19_a_failing_tier_leads_to_the_next(stack: Stack, name: str, way: str) -> None:
    stack.fail(503)
    stack.server.reply(LONG)
    response = stack.ask(tiers(stack, name), way)
    assert (response.text, response.model) == (LONG, MODELS[name])
    assert [attempt.error for attempt in response.attempts] == ["overloaded", None]


@WAYS
def test_h19_where_all_fail_the_error_is_the_last_tiers_with_the_whole_ledger(stack: Stack, way: str) -> None:
    stack.fail(500)
    stack.fail(529)
    with pytest.raises(Overloaded) as caught:
        stack.ask(tiers(stack), way)
    assert caught.value.status == 529
    assert [attempt.status for attempt in caught.value.attempts] == [500, 529]


def test_h19_no_tiers_are_a_mistake(stack: Stack) -> None:
    with pytest.raises(ConfigError, match="at least one tier"):
        c.CascadingProvider([])
    with pytest.raises(InputTypeError, match="list of providers"):
        c.CascadingProvider(stack.direct())


@WAYS
def test_h19_each_tier_has_its_own_retries(stack: Stack, way: str) -> None:
    stack.fail(503, times=2)
    stack.server.reply(LONG)
    cheap, dear = stack.retrying(stack.direct(model=CHEAP["anthropic"]), 1), stack.retrying(stack.direct(), 1)
    response = stack.ask(c.CascadingProvider([cheap, dear]), way)
    assert stack.asked == [CHEAP["anthropic"]] * 2 + [MODELS["anthropic"]]
    assert (response.text, len(response.attempts)) == (LONG, 3)


@WAYS
@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_h20_a_wrong_key_or_request_does_not_climb(stack: Stack, way: str, status: int) -> None:
    stack.fail(status)
    with pytest.raises(HBError) as caught:
        stack.ask(tiers(stack), way)
    assert (caught.value.status, len(stack.requests)) == (status, 1)


@WAYS
@pytest.mark.parametrize("on", [["auth"], [AuthError], lambda error: isinstance(error, AuthError)])
def test_h20_a_wrong_key_climbs_when_asked(stack: Stack, way: str, on: Any) -> None:
    stack.fail(401)
    stack.server.reply(LONG)
    assert stack.ask(tiers(stack, escalate_on=on), way).model == MODELS["anthropic"]


def test_h20_words_that_name_no_error_are_refused(stack: Stack) -> None:
    with pytest.raises(UnknownNameError, match="'rate_limit'"):
        tiers(stack, escalate_on=["rate_limits"])
    with pytest.raises(InputTypeError, match="escalate_on"):
        tiers(stack, escalate_on="auth")


@BOTH
def test_h22_only_the_last_tier_streams(stack: Stack, name: str) -> None:
    stack.server.reply("no", usage=SHORT[name])
    stack.server.reply(chunks=["one ", "two"])
    response = stack.ask(tiers(stack, name), "stream_complete")
    assert [request.json.get("stream", False) for request in stack.requests] == [False, True]
    assert (stack.pieces, response.text) == (["one ", "two"], "one two")


@BOTH
def test_h22_an_accepted_answer_is_one_piece(stack: Stack, name: str) -> None:
    stack.server.reply(chunks=["a good answer ", "of some words"])
    response = stack.ask(tiers(stack, name), "stream_complete")
    assert (stack.pieces, response.text) == ([LONG], LONG)
    assert [request.json.get("stream", False) for request in stack.requests] == [False]


@BOTH
def test_h22_a_single_tier_streams(stack: Stack, name: str) -> None:
    stack.server.reply(chunks=["one ", "two"])
    response = stack.ask(c.CascadingProvider([stack.direct(name)]), "stream_complete")
    assert (stack.pieces, response.text, response.model) == (["one ", "two"], "one two", MODELS[name])
    assert stack.sent["stream"] is True


@BOTH
@WAYS
def test_h21_a_call_of_a_tool_is_accepted_even_at_the_limit(stack: Stack, name: str, way: str) -> None:
    end = "max_tokens" if name == "anthropic" else "length"
    calls = [{"name": "get_weather", "arguments": {"city": "Bonn"}}]
    stack.server.reply("", tool_calls=calls, finish_reason=end)
    response = stack.ask(tiers(stack, name), way, tools=[WEATHER])
    assert (response.model, response.stop_reason, stack.asked) == (CHEAP[name], "max_tokens", [CHEAP[name]])
    stack.server.reply(LONG, finish_reason=end)
    stack.server.reply(LONG)
    assert stack.ask(tiers(stack, name), way, tools=[WEATHER]).model == MODELS[name]


@BOTH
@WAYS
@pytest.mark.parametrize(("tokens", "is_accepted"), [(4, False), (5, True)])
def test_h21_tokens_are_those_that_the_wire_counts(
    stack: Stack, name: str, way: str, tokens: int, is_accepted: bool
) -> None:
    words = ("input_tokens", "output_tokens") if name == "anthropic" else ("prompt_tokens", "completion_tokens")
    stack.server.reply("it is forty-two", usage=dict(zip(words, (7, tokens), strict=True)))
    stack.server.reply(LONG)
    assert stack.ask(tiers(stack, name), way).model == (CHEAP if is_accepted else MODELS)[name]


@BOTH
@WAYS
@pytest.mark.parametrize("says", ["I CAN\u2019T help you with that, sorry.", "i don't know what that is, sorry."])
def test_h21_a_refusal_on_the_wire_leads_on(stack: Stack, name: str, way: str, says: str) -> None:
    stack.server.reply(says)
    stack.server.reply(says)
    response = stack.ask(tiers(stack, name), way)
    assert (response.text, response.model, stack.asked) == (says, MODELS[name], [CHEAP[name], MODELS[name]])


@WAYS
def test_a_gate_of_ones_own_decides(stack: Stack, way: str) -> None:
    class Wary:
        def accept(self, request: c.CompletionRequest, response: c.CompletionResponse) -> bool:
            return request.system == "be brief" and "sure" in response.text

    for gate in (Wary(), Wary().accept):
        stack.server.clear()
        stack.server.reply("I am sure")
        assert stack.ask(tiers(stack, gate=gate), way, system="be brief").model == CHEAP["anthropic"]
        stack.server.reply("perhaps it is so")
        assert stack.ask(tiers(stack, gate=gate), way, system="be brief").tiers[0][1].endswith("rejected the answer")


def test_a_gate_may_be_async_in_async_calls(stack: Stack) -> None:
    async def gate(request: c.CompletionRequest, response: c.CompletionResponse) -> bool:
        return True

    stack.server.reply("no")
    if stack.colour.name == "async":
        assert stack.ask(tiers(stack, gate=gate)).model == CHEAP["anthropic"]
        return
    with pytest.raises(InputTypeError, match="async"):
        stack.ask(tiers(stack, gate=gate))


def test_a_gate_must_be_one(stack: Stack) -> None:
    for wrong in (5, c.HeuristicGate):
        with pytest.raises(InputTypeError, match="gate"):
            tiers(stack, gate=wrong)


def test_cascades_stand_in_cascades_and_retries_around_them(stack: Stack) -> None:
    inner = c.CascadingProvider([stack.direct(model=CHEAP["anthropic"]), stack.direct()])
    outer = stack.retrying(c.CascadingProvider([inner, stack.direct("openrouter")]))
    stack.fail(500, times=3)
    stack.server.reply(LONG)
    response = stack.ask(outer)
    assert stack.asked == [CHEAP["anthropic"], MODELS["anthropic"], MODELS["openrouter"], CHEAP["anthropic"]]
    assert (response.model, len(response.attempts)) == (CHEAP["anthropic"], 4)


@WAYS
def test_h20_a_tier_in_the_middle_counts_the_one_before_it_once(stack: Stack, way: str) -> None:
    three = [stack.direct(model=CHEAP["anthropic"]), stack.direct(), stack.direct("openrouter")]
    stack.server.reply("no", usage=SHORT["anthropic"])
    stack.server.reply(LONG, usage={"input_tokens": 7, "output_tokens": 9})
    response = stack.ask(c.CascadingProvider(three), way)
    assert (response.text, response.usage.input, response.usage.output) == (LONG, 14, 11)
    assert [attempt.usage and attempt.usage.completion_tokens for attempt in response.attempts] == [2, 9]
