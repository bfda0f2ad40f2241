"""The contract of tables of models passes a right one, and catches each wrong one by the check that is about it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, ClassVar

import pytest

from hb_testing import TableContract
from heavenbase.ledger import Cost
from heavenbase.middleware import Setting
from heavenbase.resolution import ModelTable
from heavenbase.types import Usage
from tests.test_conformance_kit import RUN, checks

pytest_plugins = ("pytester",)


class Small(ModelTable):
    """Two models of one provider: a chat model whose long prompts cost more, and one for vectors."""

    name = "small"
    settings: ClassVar[dict[str, Setting]] = {"share": Setting("float", 1.0, "part of the price that is paid")}
    rows: ClassVar[dict[str, Any]] = {
        "one": {"input": (Decimal("2.50"), (100_000, Decimal(5))), "output": Decimal(10)},
        "vectors": {"input": Decimal("0.02")},
    }

    def facts(self, provider: str, model_id: str) -> Any:
        if (provider, model_id) != ("acme", "one"):
            return {}
        return {"context_window": 128_000, "tools": True, "refused_parameters": ["temperature"]}

    def prices(self, provider: str, model_id: str, *, at: float) -> Any:
        if provider != "acme" or model_id not in self.rows:
            return None
        batch = {"input": Decimal(1)}
        return {**self.rows[model_id], "tiers": {"batch": batch}, "currency": "USD", "source": "small", "date": None}

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        prices = self.prices(provider, model_id, at=at)
        if prices is None or usage.input is None or (usage.output is None and "output" in prices):
            return None
        if usage.reasoning or usage.cache_read:
            return None
        price = prices["input"]
        if isinstance(price, tuple):
            price = price[0] if usage.input <= price[1][0] else price[1][1]
        millions = price * usage.input + prices.get("output", 0) * (usage.output or 0)
        return Cost(millions / 1_000_000 * Decimal(self.options["share"]), source="small 1", date="2026-11-01")

    def count(self, text: str, provider: str, model_id: str) -> tuple[int, int] | None:
        return (len(text) // 4, len(text)) if provider == "acme" else None


class TestSmall(TableContract):
    table = "small"
    known = (("acme", "one"), ("acme", "vectors"))

    def plugin(self) -> Any:
        return Small()


class TestEmpty(TableContract):
    """One that tells nothing at all is a right one too."""

    table = "empty"

    def plugin(self) -> Any:
        found = ModelTable()
        found.name = self.table  # type: ignore[misc]
        return found


BROKEN = """
from decimal import Decimal

from heavenbase.ledger import Cost
from heavenbase.resolution import ModelTable
from hb_testing import TableContract
from tests.test_conformance_tables import Small


class Broken(TableContract):
    made = None
    known = (("acme", "one"),)

    def __init_subclass__(cls):
        cls.table = cls.__name__.removeprefix("Test").lower()

    def plugin(self):
        found = self.made()
        found.name = self.table
        return found


class Guessing(Small):
    def facts(self, provider, model_id):
        return {"tools": False}

class TestGuessing(Broken):
    made = Guessing


class Raising(Small):
    def facts(self, provider, model_id):
        return {"context_window": 9} if model_id[0] == "o" else {}

class TestRaising(Broken):
    made = Raising


class Choking(Small):
    def count(self, text, provider, model_id):
        found = len(text.encode())
        return found, found

class TestChoking(Broken):
    made = Choking


class Naming(Small):
    def facts(self, provider, model_id):
        return {"max_tokens": 5} if model_id == "one" else {}

class TestNaming(Broken):
    made = Naming


class Typing(Small):
    def facts(self, provider, model_id):
        return {"context_window": "128k"} if model_id == "one" else {}

class TestTyping(Broken):
    made = Typing


class Listing(Small):
    def facts(self, provider, model_id):
        return {"refused_parameters": ["temperature", 5]} if model_id == "one" else {}

class TestListing(Broken):
    made = Listing


class Floating(Small):
    rows = {"one": {"input": 2.5, "output": 10.0}}
    def cost(self, provider, model_id, usage, *, at):
        return None

class TestFloating(Broken):
    made = Floating


class Rounding(Small):
    def cost(self, *given, at):
        found = super().cost(*given, at=at)
        return found and Cost(round(found.amount, 2), found.currency, found.source, found.date)

class TestRounding(Broken):
    made = Rounding


class Assuming(Small):
    def cost(self, provider, model_id, usage, *, at):
        found = Decimal(usage.input or 0) * 2 + Decimal(usage.output or 0) * 10
        return Cost(found / 1_000_000, source="x") if model_id == "one" else None

class TestAssuming(Broken):
    made = Assuming


class Nameless(Small):
    def cost(self, *given, at):
        found = super().cost(*given, at=at)
        return found and Cost(found.amount)

class TestNameless(Broken):
    made = Nameless


class Meddling(Small):
    def cost(self, provider, model_id, usage, *, at):
        usage.input = usage.input or 0
        return super().cost(provider, model_id, usage, at=at)

class TestMeddling(Broken):
    made = Meddling


class Lending(Small):
    kept = {"context_window": 9}
    def facts(self, provider, model_id):
        return self.kept if model_id == "one" else {}

class TestLending(Broken):
    made = Lending


class Writing(Small):
    def facts(self, provider, model_id):
        with open("/dev/null", "w"):
            return {}

class TestWriting(Broken):
    made = Writing


class Dialling(Small):
    def prices(self, provider, model_id, *, at):
        import socket
        try:
            socket.getaddrinfo("localhost", 80)
        except Exception:
            return None
        return super().prices(provider, model_id, at=at)

class TestDialling(Broken):
    made = Dialling


class Slow(Small):
    def cost(self, *given, at):
        sum(range(100_000))
        return super().cost(*given, at=at)

class TestSlow(Broken):
    made = Slow


class Alien:
    kind = "tables"
    contract = 1
    def status(self):
        return {}
    def close(self):
        pass

class TestAlien(Broken):
    made = Alien
"""
CAUGHT = {
    "guessing": "it_guesses_nothing_of_a_model_that_nobody_has",
    "raising": "no_name_makes_it_raise[empty]",
    "choking": "no_text_makes_its_count_raise[surrogate]",
    "naming": "its_facts_are_abilities_of_the_right_types",
    "listing": "its_facts_are_abilities_of_the_right_types",
    "typing": "its_facts_are_abilities_of_the_right_types",
    "floating": "its_prices_are_decimals",
    "rounding": "its_costs_are_exact",
    "assuming": "what_was_not_counted_has_no_cost",
    "nameless": "its_costs_say_whose_they_are",
    "meddling": "it_leaves_the_usage_as_it_is[untold]",
    "lending": "it_says_the_same_again",
    "writing": "it_asks_no_network_and_writes_nothing",
    "dialling": "it_asks_no_network_and_writes_nothing",
    "slow": "it_is_quick",
    "alien": "it_is_a_table",
}


def test_broken_tables_are_caught_each_by_its_check(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_broken=BROKEN)
    chosen = [f"test_broken.py::Test{name.title()}::test_{check}" for name, check in CAUGHT.items()]
    pytester.runpytest_inprocess(*RUN, "--tb=no", "--show-capture=no", "-rN", *chosen, "--hb-report", "report.json")
    for name, check in CAUGHT.items():
        found = checks(pytester.path / "report.json", f"tables:{name}")
        assert check in found, f"{name}: {sorted(found)}"
        assert found[check]["outcome"] == "failed", f"{name} passed {check}"
