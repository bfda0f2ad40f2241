"""What a table of models knows decides which targets are asked; what manifests and settings say wins over it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hb_routing import cascade, fallback
from hb_routing.candidates import _may_have
from hb_testing.conformance.samples import IMAGES
from hb_testing.server import LoopbackServer
from heavenbase.errors import ContextOverflow, FallbackExhausted, FallbackWarning, UnsupportedError, VisionNotSupported
from heavenbase.image import LLMImage
from heavenbase.llm import LLM
from heavenbase.operations import estimated_tokens
from heavenbase.resolution import ModelTable

from .support import House, colours

IMAGE = {"type": "image_url", "image_url": {"url": LLMImage.from_bytes(IMAGES["png"]).to_data_url()}}
LOOK = [{"role": "user", "content": [{"type": "text", "text": "What is it?"}, IMAGE]}]
TOOL = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object", "properties": {}}}}
OVERFLOW = {"error": {"message": "maximum context length is 10", "code": "context_length_exceeded", "type": "x"}}

pytestmark = pytest.mark.filterwarnings("ignore::heavenbase.errors.FallbackWarning")


class Facts(ModelTable):
    """Facts by provider."""

    name = "prices"

    def __init__(self, **facts: dict[str, Any]) -> None:
        super().__init__()
        self.known = facts

    def facts(self, provider: str, model_id: str) -> Any:
        return self.known.get(provider, {})


def knowing(house: House, more: Any = None, **facts: dict[str, Any]) -> None:
    """Let the kernel of the house have a table with these facts."""
    house.kernel = house.make(more=more, plugins=[Facts(**facts)])


@pytest.mark.parametrize("form", range(4))
def test_a_prompt_that_is_too_long_by_the_table_goes_on_before_a_token_is_spent(house: House, form: int) -> None:
    knowing(house, one={"context_window": 50}, two={"context_window": 100_000})
    house.servers["two"].reply("hello")
    assert list(colours(house, house.llm(), "word " * 200))[form]() == "hello"
    assert house.counts() == (0, 1, 0)


def test_the_reason_is_told(house: House) -> None:
    knowing(house, one={"context_window": 50})
    answer = house.llm("one/m", "two/m").complete("word " * 200)
    skipped = answer.hops[0]
    assert (skipped.target, skipped.outcome) == ("one/m", "skipped")
    assert skipped.reason.endswith("tokens, and its context holds 50")
    assert answer.attempts[0].reason == f"one/m was skipped: {skipped.reason}"


@pytest.mark.parametrize("where", ["provider", "model"])
def test_what_the_settings_say_wins_over_the_table(house: House, where: str) -> None:
    said = {"context_window": 100_000, "vision": True, "tools": True, "structured": "json_schema"}
    facts = {"context_window": 5, "vision": False, "tools": False, "structured": "none"}
    config: dict[str, Any] = {}
    if where == "provider":
        config["heavenbase.llm.providers.one"] = {"capabilities": said}
    if where == "model":
        config["heavenbase.llm.models.m"] = {"providers": {"one": "m"}, "capabilities": said}
    house.kernel = house.make(config, plugins=[Facts(one=facts)])
    llm = house.llm("one/m", "two/m")
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    house.servers["one"].reply("a")
    assert llm.complete("word " * 200).served_by == "one/m"
    assert llm.complete(LOOK).served_by == "one/m"
    assert llm.complete("hi", tools=[TOOL]).served_by == "one/m"
    house.servers["one"].reply("{}")
    assert llm.complete("hi", response_format=form).served_by == "one/m"


def test_a_target_that_only_reads_is_passed_over_where_there_is_something_to_see(house: House) -> None:
    knowing(house, two={"vision": False})
    house.fail("one", 503)
    answer = house.llm(max_retries=0).complete(LOOK)
    assert answer.served_by == "three/m"
    assert [(hop.target, hop.reason) for hop in answer.hops[:2]] == [
        ("one/m", "overloaded"),
        ("two/m", "it has no images"),
    ]
    house.fail("one", 503)
    assert house.llm(max_retries=0).complete("hi").served_by == "two/m"


def test_without_a_route_the_same_fact_refuses_before_anything_is_sent(house: House) -> None:
    knowing(house, one={"vision": False, "tools": False})
    llm = LLM(model="one/m", kernel=house.kernel)
    with pytest.raises(VisionNotSupported):
        llm.chat(LOOK)
    with pytest.raises(UnsupportedError, match="tools"):
        llm.chat("hi", tools=[TOOL])
    assert house.counts() == (0, 0, 0)


def test_behind_an_overflow_only_a_longer_context_is_asked(house: House) -> None:
    knowing(house, one={"context_window": 300}, two={"context_window": 300}, three={"context_window": 301})
    house.servers["one"].reply(body=OVERFLOW, status=400)
    with pytest.warns(FallbackWarning):
        answer = house.llm().complete("word " * 200)
    assert (answer.served_by, house.counts()) == ("three/m", (1, 0, 1))
    assert answer.hops[1].reason == "its context holds 300 tokens, and 300 were too few"


def test_where_no_context_is_longer_the_overflow_is_told(house: House) -> None:
    knowing(house, one={"context_window": 300}, two={"context_window": 200})
    house.servers["one"].reply(body=OVERFLOW, status=400)
    with pytest.raises(FallbackExhausted) as caught:
        house.llm("one/m", "two/m").complete("word " * 100)
    assert [type(error) for _, error in caught.value.errors] == [ContextOverflow]
    assert caught.value.kind == ContextOverflow.kind
    assert house.counts() == (1, 0, 0)


def test_of_a_context_that_nobody_knows_it_is_asked(house: House) -> None:
    knowing(house, one={"context_window": 300})
    house.servers["one"].reply(body=OVERFLOW, status=400)
    assert house.llm("one/m", "two/m").complete("word " * 100).served_by == "two/m"


def test_the_tiers_of_a_cascade_are_looked_at_too(house: House) -> None:
    knowing(house, one={"context_window": 5})
    answer = house.routed(cascade("one/m", "two/m", judge="finish")).complete("word " * 50)
    assert (answer.served_by, house.counts()) == ("two/m", (0, 1, 0))


def test_the_limit_of_the_table_is_what_a_wire_asks_for_that_wants_one(house: House) -> None:
    with LoopbackServer() as server:
        given = {"gateway": "anthropic", "wire": "anthropic", "base_url": server.url("anthropic")}
        knowing(house, {"one": given}, one={"max_output_tokens": 777})
        LLM(model="one/claude-of-tomorrow", kernel=house.kernel).chat("hi")
        house.fail("two", 503)
        house.routed(fallback("two/m", "one/other"), max_retries=0).chat("hi")
        assert [request.json["max_tokens"] for request in server.requests] == [777, 777]
        LLM(model="one/claude-of-tomorrow", kernel=house.kernel, max_tokens=5).chat("hi")
        assert server.requests[-1].json["max_tokens"] == 5


@pytest.mark.parametrize("text", ["", "word " * 40, "1+1=2; " * 9, "\u4f60\u597d" * 9, "\n\t a" * 9, "\U0001f600" * 9])
def test_what_a_prompt_may_have_is_no_less_than_its_estimate(house: House, text: str) -> None:
    """So that counting is left out only where it could refuse nothing."""
    made = {"id": "a", "type": "function", "function": {"name": "f", "arguments": json.dumps({"text": text})}}
    said = [
        {"role": "system", "content": text},
        {"role": "user", "content": [{"type": "text", "text": text}, IMAGE, IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "a", "content": text},
    ]
    spec = house.kernel.resolve(model="one/m")
    for options in ({}, {"tools": [TOOL]}, {"response_format": {"type": "json_object"}}):
        call = house.kernel.call("complete", spec, options, is_async=False, messages=said)
        tokens = estimated_tokens(call)
        assert _may_have(call, tokens)
        assert not _may_have(call, 100 * tokens)
