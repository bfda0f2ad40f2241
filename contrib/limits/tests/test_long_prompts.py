"""Who counts a long prompt does so beside the loop of an async call."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from hb_limits.rates import tokens
from hb_limits.server.threads import LONG
from heavenbase.operations import estimated_tokens

from . import budget_support, support

TEXT = "word " * (LONG // 5 + 1)
PROMPTS = {"text": TEXT, "parts": [{"role": "user", "content": [{"type": "text", "text": TEXT}]}]}


def of_budgets(threads: list[int], monkeypatch: pytest.MonkeyPatch) -> Any:
    class Noting(budget_support.Priced):
        def count(self, text: str, provider: str, model_id: str) -> tuple[int, int]:
            threads.append(threading.get_ident())
            return super().count(text, provider, model_id)

    return budget_support.House([{"tokens": 10**9}], table=Noting())


def of_limits(threads: list[int], monkeypatch: pytest.MonkeyPatch) -> Any:
    def noting(call: Any) -> int:
        threads.append(threading.get_ident())
        return estimated_tokens(call)

    monkeypatch.setattr(tokens, "estimated_tokens", noting)
    return support.House({"tokens_per_minute": 10**9})


@pytest.mark.parametrize("house_of", [of_budgets, of_limits])
@pytest.mark.parametrize("prompt", [*PROMPTS, "short"])
def test_a_long_prompt_is_counted_beside_the_loop(
    house_of: Callable[..., Any], prompt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    house = house_of(threads, monkeypatch)
    asyncio.run(house.llm().acomplete(PROMPTS.get(prompt, "hi")))
    is_beside = threads[0] != threading.get_ident()  # the first is the middleware's
    assert is_beside == (prompt != "short")
    threads.clear()
    house.llm().complete(PROMPTS.get(prompt, "hi"))
    assert set(threads) == {threading.get_ident()}
