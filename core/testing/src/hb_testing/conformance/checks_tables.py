"""Checks of tables of models: nothing makes them raise, what they say is exact, and they do nothing but say it."""

from __future__ import annotations

import copy
import datetime
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hb_testing.conformance.checks_settings import SettingChecks
from hb_testing.conformance.endpoint import SETTINGS, Endpoint
from hb_testing.conformance.needs import only_if
from hb_testing.conformance.rig import KEY, PROMPT, Clock, make_kernel
from hb_testing.conformance.sandbox import audited, leftovers, no_network, records
from heavenbase.config.abilities import ABILITIES
from heavenbase.config.check import problems
from heavenbase.ledger import Cost
from heavenbase.llm import LLM
from heavenbase.middleware import Setting
from heavenbase.resolution import ModelTable
from heavenbase.secrets import scrubber
from heavenbase.types import Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hb_testing.conformance.colours import Colour
    from heavenbase.kernel import Kernel

NOWHERE = ("no-provider-of-this-kit", "no-model-of-this-kit")
"""A model that nobody has."""
ODD = {
    "empty": "",
    "blank": "  \t",
    "capitals": "GPT-4O",
    "path": "../../etc/passwd",
    "pattern": "(a+)+$",
    "braces": "{x} %s {{",
    "zero": "a\x00b",
    "surrogate": "\ud800",
    "signs": "\u202e\U0001f600\u0301",
    "lines": "one\r\ntwo",
    "long": "model-" * 5_000,
}
"""Texts that may be asked for: no name is checked before a table is."""
TEXTS = {**ODD, "words": "word " * 20_000, "one letter": "a" * 50_000}
USAGES = {
    "untold": Usage(None, None),
    "no input": Usage(None, 7),
    "nothing": Usage(0, 0),
    "little": Usage(12, 7),
    "whole": Usage(1_200, 700, cache_read=300, cache_write=200, reasoning=90, audio=5, image=6),
    "large": Usage(10**9, 10**9),
}
MOMENTS = (0.0, 1_000_000_000.0, 1_750_000_000.25, 4_000_000_000.0)
"""Epoch seconds."""
ABOUT = ("currency", "source", "date")
"""What may stand beside prices; under "tiers" those of other services of the provider."""
NOW = 1_790_000_000.0
TIMES = 200
QUICK = 0.0005
"""Seconds of processor time that a price may take, once it was asked for: the bound is for busy machines."""
PATIENT = 5.0
"""Seconds of processor time that counting the longest text may take."""
KNOWS = only_if(lambda contract, _: "" if contract.known else "no model is known that it prices: known")


class TableChecks(SettingChecks):
    """The hooks for authors, and the checks."""

    kind = "tables"
    named_by = "table"

    table: ClassVar[str] = ""
    """The table's name."""
    known: ClassVar[Sequence[tuple[str, str]]] = ()
    """Providers and ids of models there, of which it has prices."""

    def everything(self, table: ModelTable, provider: str, model: str, text: str = PROMPT) -> list[Any]:
        """All that it says of a model."""
        found: list[Any] = [table.facts(provider, model), table.count(text, provider, model)]
        for at in MOMENTS:
            found.append(table.prices(provider, model, at=at))
            found += [table.cost(provider, model, usage, at=at) for usage in USAGES.values()]
        return found

    def test_it_is_a_table(self, kernel: Kernel) -> None:
        """It has all four methods, those that it does not need from `ModelTable`."""
        assert isinstance(self.loaded(kernel), ModelTable)

    def test_it_guesses_nothing_of_a_model_that_nobody_has(self, kernel: Kernel) -> None:
        table = self.loaded(kernel)
        assert dict(table.facts(*NOWHERE)) == {}
        assert table.prices(*NOWHERE, at=NOW) is None
        assert table.cost(*NOWHERE, Usage(12, 7), at=NOW) is None

    @pytest.mark.parametrize("name", list(ODD))
    def test_no_name_makes_it_raise(self, kernel: Kernel, name: str) -> None:
        table = self.loaded(kernel)
        provider = self.known[0][0] if self.known else NOWHERE[0]
        for pair in ((provider, ODD[name]), (ODD[name], ODD[name])):
            facts, count, *money = self.everything(table, *pair)
            _check_facts(facts)
            _check_count(count)
            for each in money:
                assert each is None or isinstance(each, Cost) or hasattr(each, "items")

    @pytest.mark.parametrize("name", list(TEXTS))
    def test_no_text_makes_its_count_raise(self, kernel: Kernel, name: str) -> None:
        """Nor keeps it busy for long."""
        table = self.loaded(kernel)
        for provider, model in (*self.known[:1], NOWHERE):
            started = time.thread_time()
            _check_count(table.count(TEXTS[name], provider, model))
            assert time.thread_time() - started < PATIENT

    @KNOWS
    def test_its_facts_are_abilities_of_the_right_types(self, kernel: Kernel) -> None:
        table = self.loaded(kernel)
        for pair in self.known:
            _check_facts(table.facts(*pair))

    @KNOWS
    def test_its_prices_are_decimals(self, kernel: Kernel) -> None:
        """Of each moment; a price is never below nothing."""
        table = self.loaded(kernel)
        assert all(table.prices(*pair, at=NOW) for pair in self.known), "it has no prices of a model in known"
        for pair in self.known:
            for at in MOMENTS:
                _check_prices(table.prices(*pair, at=at) or {})

    @KNOWS
    def test_its_costs_say_whose_they_are(self, kernel: Kernel) -> None:
        """A Decimal that is finite, a currency, a source, and the day of the prices."""
        table = self.loaded(kernel)
        for pair in self.known:
            cost = table.cost(*pair, Usage(12, 7 if _answers(table, pair) else 0), at=NOW)
            assert cost is not None, f"{'/'.join(pair)} has prices, and no cost"
            _check_cost(cost)

    @KNOWS
    def test_its_costs_are_exact(self, kernel: Kernel) -> None:
        """A thousand tokens more cost what its prices say, to the last digit."""
        table = self.loaded(kernel)
        for pair in self.known:
            prices = table.prices(*pair, at=NOW) or {}
            out = 1_000 if _answers(table, pair) else 0
            few = table.cost(*pair, Usage(1_000, out), at=NOW)
            for bucket, more in (("input", Usage(2_000, out)), ("output", Usage(1_000, 2 * out))):
                price = prices.get(bucket, Decimal(0))
                price = price[0] if isinstance(price, tuple) else price  # below its first step
                many = table.cost(*pair, more, at=NOW)
                assert few is not None
                assert many is not None
                assert many.amount - few.amount == price / 1_000, f"{'/'.join(pair)}: {bucket}"

    @KNOWS
    def test_what_was_not_counted_has_no_cost(self, kernel: Kernel) -> None:
        table = self.loaded(kernel)
        for pair in self.known:
            assert table.cost(*pair, Usage(None, None), at=NOW) is None
            assert table.cost(*pair, Usage(None, 7), at=NOW) is None
            if _answers(table, pair):
                assert table.cost(*pair, Usage(12, None), at=NOW) is None

    @pytest.mark.parametrize("name", list(USAGES))
    def test_it_leaves_the_usage_as_it_is(self, kernel: Kernel, name: str) -> None:
        table, usage = self.loaded(kernel), copy.deepcopy(USAGES[name])
        for pair in (*self.known, NOWHERE):
            table.cost(*pair, usage, at=NOW)
            assert usage == USAGES[name]

    def test_it_says_the_same_again(self, kernel: Kernel) -> None:
        """Also to who changes what it said, and to several threads at once."""
        table = self.loaded(kernel)
        for pair in (*self.known, NOWHERE):
            kept = copy.deepcopy(self.everything(table, *pair))
            for said in (table.facts(*pair), table.prices(*pair, at=NOW)):
                if isinstance(said, dict):
                    said.clear()
            assert self.everything(table, *pair) == kept
            with ThreadPoolExecutor(4, "hb-tables") as pool:
                asked = [pool.submit(self.everything, table, *pair) for _ in range(8)]
                assert all(each.result() == kept for each in asked)

    def test_it_asks_no_network_and_writes_nothing(self, kernel: Kernel) -> None:
        table = self.loaded(kernel)
        written: list[str] = []

        def note(event: str, arguments: tuple[Any, ...]) -> None:
            name = str(arguments[0]) if event == "open" and _is_for_writing(arguments) else ""
            if name and ".pyc" not in name:  # Python keeps what it compiled where a module is imported first
                written.append(name)

        with no_network() as tried, audited(note):
            for pair in (*self.known, NOWHERE):
                self.everything(table, *pair)
        assert not tried, f"it does {', '.join(tried)}"
        assert not written, f"it writes {', '.join(written)}"

    def test_it_is_quick(self, kernel: Kernel) -> None:
        """What every call asks, when it was asked before: facts and a cost."""
        table, usage = self.loaded(kernel), Usage(12, 7)
        for pair in (*self.known[:3], NOWHERE):
            self.everything(table, *pair)
            started = time.thread_time()
            for _ in range(TIMES):
                table.cost(*pair, usage, at=NOW)
                table.facts(*pair)
            assert time.thread_time() - started < TIMES * QUICK

    def test_calls_go_through_with_it(self, colour: Colour) -> None:
        """A kernel that asks it; nothing stays, and no log record has a credential."""
        settings = {**SETTINGS, "heavenbase.llm.table": self.subject(), **self.settings()}
        with leftovers() as left, records() as lines:
            kernel = make_kernel(Clock(), settings=settings, plugins=[Endpoint(), *self.given_plugins()])
            llm = LLM(model="one", provider="conformance", api_key=KEY, kernel=kernel)
            answer = colour.chat(llm, PROMPT)
            assert kernel.services.table is self.loaded(kernel)
            assert answer.cost == kernel.services.cost("conformance", "one", answer.usage, NOW)
            colour.close_kernel(kernel)
        assert not left.threads, f"threads stay: {left.threads}"
        assert not left.warnings, f"left open: {left.warnings}"
        scrub = scrubber([KEY])
        assert all(scrub(line) == line for line in lines), "a log record shows the credential"
        assert not any("failed" in line for line in lines), f"it failed: {lines}"


def _answers(table: Any, pair: tuple[str, str]) -> bool:
    """Whether a model has a price for what it answers; one for vectors has none."""
    return "output" in (table.prices(*pair, at=NOW) or {})


def _check_facts(facts: Any) -> None:
    assert hasattr(facts, "items"), f"facts are {type(facts).__name__}, not a mapping"
    json.dumps(dict(facts))
    for name, value in facts.items():
        assert name in ABILITIES, f"{name!r} is no ability; hb has {', '.join(sorted(ABILITIES))}"
        wrong = [problem.message for problem in problems(value, Setting(ABILITIES[name][0], None, name), (name,))]
        assert not wrong, f"fact {name}: {wrong}"


def _check_count(count: Any) -> None:
    if count is not None:
        tokens, most = count
        assert type(tokens) is int
        assert type(most) is int
        assert 0 <= tokens <= most, f"{tokens} tokens, and at most {most}"


def _check_prices(prices: Any) -> None:
    for name, price in prices.items():
        assert isinstance(name, str)
        if name in ABOUT:
            assert price is None or isinstance(price, str), f"{name} is {type(price).__name__}, not a text"
        elif name == "tiers":
            for tier in price.values():
                _check_prices(tier)
        else:
            _check_price(name, price)


def _check_price(name: str, price: Any) -> None:
    """A Decimal; or with steps the first price, then (tokens of the prompt above which it counts, price) each."""
    if isinstance(price, tuple):
        first, *steps = price
        assert all(type(start) is int and start >= 0 for start, _ in steps)
        for each in (first, *(each for _, each in steps)):
            _check_price(name, each)
        return
    assert isinstance(price, Decimal), f"{name} is {type(price).__name__}, not a Decimal"
    assert price.is_finite(), f"{name} is {price}"
    assert price >= 0, f"{name} is {price}"


def _check_cost(cost: Cost) -> None:
    assert isinstance(cost.amount, Decimal), f"the amount is {type(cost.amount).__name__}, not a Decimal"
    assert cost.amount.is_finite()
    assert cost.amount >= 0
    assert re.fullmatch("[A-Z]{3}", cost.currency), f"{cost.currency!r} is no currency"
    assert cost.source.strip(), "it does not say whose prices these are"
    assert cost.date is None or datetime.date.fromisoformat(cost.date).isoformat() == cost.date


def _is_for_writing(arguments: tuple[Any, ...]) -> bool:
    import os

    mode, flags = arguments[1], arguments[2] if len(arguments) > 2 else 0
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return bool((flags or 0) & (os.O_WRONLY | os.O_RDWR))
