"""Calls with the table installed: what each cost, the provider's own figure first, and its facts in negotiation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from heavenbase import LLM, Kernel, LLMSession
from heavenbase.errors import UnsupportedError
from heavenbase.ledger import Cost

USAGE = {"prompt_tokens": 1000, "completion_tokens": 200, "prompt_tokens_details": {"cached_tokens": 600}}
AMOUNT = Decimal("0.0083")
"""400 fresh tokens at 5 dollars a million, 600 read at 0.50, 200 out at 30."""


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(strict=False) as running:
        yield running


def made(server: LoopbackServer, kernel: Kernel, **options: Any) -> LLM:
    names = {"model": "gpt-5.5", "provider": "openai", **options}
    return LLM(**names, base_url=server.url("openai"), api_key="k", kernel=kernel, cache=False)


def test_a_call_a_stream_and_a_session_tell_what_they_cost(server: LoopbackServer) -> None:
    with Kernel({}) as kernel:
        llm = made(server, kernel)
        server.reply("hello", usage=USAGE)
        answer = llm.complete("hi")
        assert answer.cost == Cost(AMOUNT, "USD", "genai-prices 0.2.3", "2026-11-10")
        server.reply("hello", usage=USAGE)
        assert llm.chat("hi", include="cost").amount == AMOUNT
        server.reply("hello", usage=USAGE)
        *_, last = llm.stream("hi", include=["text", "cost"])
        assert last["cost"].amount == AMOUNT
        server.reply("hello", usage=USAGE)
        assert asyncio.run(llm.achat("hi", include="cost")).amount == AMOUNT
        session = LLMSession(llm)
        for _ in range(2):
            server.reply("hello", usage=USAGE)
            session.send("hi")
        assert session.cost is not None
        assert session.cost.amount == 2 * AMOUNT


def test_the_providers_own_figure_wins(server: LoopbackServer) -> None:
    with Kernel({}) as kernel:
        llm = LLM(model="gpt-5.5", provider="openrouter", base_url=server.url("openrouter"), api_key="k", kernel=kernel)
        server.reply("hello", usage={**USAGE, "cost": 0.0123})
        found = llm.complete("hi").cost
        assert found is not None
        assert (found.amount, found.source) == (Decimal("0.0123"), "provider")


def test_what_is_not_known_is_none(server: LoopbackServer) -> None:
    with Kernel({}) as kernel:
        server.reply("hello", usage=USAGE)
        assert made(server, kernel, model="gpt-99").complete("hi").cost is None
        server.reply("hello", usage={**USAGE, "cost": "much"})
        found = made(server, kernel).complete("hi").cost
        assert found is not None
        assert found.source == "genai-prices 0.2.3"


def test_facts_of_the_table_stand_below_those_of_settings(server: LoopbackServer) -> None:
    own = {'heavenbase.llm.models."gpt-5.5".capabilities.context_window': 4321}
    for settings, window in (({}, 1_000_000), (own, 4321)):
        with Kernel(settings) as kernel:
            spec = made(server, kernel).spec
            assert (spec.capability("context_window"), spec.capability("max_output_tokens")) == (window, 128_000)


def test_what_a_model_surely_has_not_is_refused_before_anything_is_sent(server: LoopbackServer) -> None:
    with Kernel({}) as kernel:
        llm = made(server, kernel, model="text-embedding-3-small")
        with pytest.raises(UnsupportedError, match="chat"):
            llm.chat("hi")
        assert server.requests == []


def test_the_table_can_be_switched_off(server: LoopbackServer) -> None:
    with Kernel({"heavenbase.llm.table": None}) as kernel:
        server.reply("hello", usage=USAGE)
        assert made(server, kernel).complete("hi").cost is None
