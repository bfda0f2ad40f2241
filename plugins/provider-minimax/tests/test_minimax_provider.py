"""MiniMax as a provider: the contract of every provider, and what is special about this endpoint."""

from __future__ import annotations

from hb_testing import ProviderContract
from hb_testing.prepared import prepared


class TestMinimax(ProviderContract):
    provider = "minimax"


def test_thoughts_are_asked_for_apart_from_the_text() -> None:
    assert prepared("MiniMax-M2.7").body["reasoning_split"] is True
    assert "reasoning_split" not in prepared("minimax/embo-01", verb="embed").body


def test_the_temperature_is_above_zero_and_at_most_one() -> None:
    assert prepared("MiniMax-M2.7", defaults=True).body["temperature"] == 0.01
    assert prepared("MiniMax-M2.7", temperature=2).body["temperature"] == 1
    assert prepared("MiniMax-M2.7", temperature=0.5).report["temperature"] == "sent"


def test_what_has_no_effect_there_is_reported_and_left_out() -> None:
    sent = prepared("MiniMax-M2.7", presence_penalty=1, frequency_penalty=1, logit_bias={"1": 1}, n=2)
    assert sent.body.keys() == {"model", "messages", "reasoning_split", "n"}
    assert sent.report == {
        "presence_penalty": "dropped",
        "frequency_penalty": "dropped",
        "logit_bias": "dropped",
        "n": "clamped",
        "reasoning_split": "sent",
    }


def test_not_thinking_is_left_to_hb() -> None:
    assert prepared("MiniMax-M2.7", think=False).report["think"] == "emulated"


def test_thoughts_go_back_as_they_came() -> None:
    part = {
        "provider": "minimax",
        "model": "m",
        "field": "reasoning_details",
        "value": [{"type": "text", "text": "hm"}],
    }
    message = {"role": "assistant", "content": "2", "reasoning_parts": [part]}
    sent = prepared("MiniMax-M2.7", content={"messages": [{"role": "user", "content": "1+1?"}, message]})
    assert sent.body["messages"][1] == {"role": "assistant", "content": "2", "reasoning_details": part["value"]}
