"""`hb budgets` and `hb budgets reset`, and what `hb doctor` tells of budgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import heavenbase as hb
from hb_cli.state import State
from hb_limits import Budgets
from hb_limits.budgets.command import budgets
from hb_testing.caches import ManualClock
from heavenbase.errors import InputError, UnknownNameError

from .budget_support import MONDAY, Bank, Priced

RULES = [
    {"name": "team", "per": "tenant", "every": "day", "money": "5.00", "tokens": 100_000},
    {"name": "unused", "match": "other/*", "tokens": 7},
]


def made(**options: Any) -> hb.Kernel:
    provider = {"base_url": "https://bank.invalid/v1", "gateway": "bank", "api_key": "sk-bank-of-the-house",
                "allow_unknown_models": True}  # fmt: skip
    config = {
        "heavenbase.llm.providers.bank": provider,
        "heavenbase.llm.cache.enabled": False,
        "heavenbase.llm.middleware": ["budgets"],
        "heavenbase.middleware.budgets": options,
    }
    plugins: list[Any] = [Bank(), Priced(), Budgets()]
    return hb.Kernel(config, plugins=plugins, wall=ManualClock(MONDAY))


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[hb.Kernel]:
    with made(rules=RULES, store="sqlite", path=str(tmp_path / "budgets.db")) as kernel:
        llm = hb.LLM(model="bank/dear", kernel=kernel, max_tokens=1000)
        for tenant in ("acme", "acme", "other"):
            llm.complete("hi", tenant=tenant)
        yield kernel


def run(kernel: hb.Kernel, *arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(budgets, arguments, obj=State(kernel), input=text, catch_exceptions=False)


def test_it_shows_what_was_spent_and_what_is_left(kernel: hb.Kernel) -> None:
    found = run(kernel)
    assert found.exit_code == 0
    lines = [line.split() for line in found.stdout.splitlines()]
    assert lines[0] == ["budget", "for", "window", "spent", "reserved", "left"]
    assert found.stdout.count("team") == 2
    assert "0.061 USD, 2,100 tokens" in found.stdout
    assert "4.939 USD, 97,900 tokens" in found.stdout
    assert "7 tokens" in found.stdout
    told = json.loads(run(kernel, "--json").stdout)
    assert told == json.loads(run(kernel, "show", "--json").stdout)
    acme = next(row for row in told["budgets"] if row["for"] == "acme")
    assert acme["money"] == {"currency": "USD", "budget": "5", "spent": "0.061", "reserved": "0", "left": "4.939"}
    assert acme["tokens"] == {"budget": 100_000, "spent": 2100, "reserved": 0, "left": 97_900}
    assert acme["window"] == "2027-01-15T00:00Z to 2027-01-16T00:00Z"


def test_it_begins_anew_where_it_is_agreed_to(kernel: hb.Kernel) -> None:
    refused = run(kernel, "reset", text="n\n")
    assert refused.exit_code == 1
    assert "0.061 USD" in run(kernel).stdout
    assert run(kernel, "reset", "team", "--for", "acme", text="y\n").exit_code == 0
    assert "0.061 USD" not in run(kernel).stdout
    assert "0.0305 USD" in run(kernel).stdout
    assert "1 account reset" in run(kernel, "reset", "--for", "other", "--yes").stdout
    assert "0.0305 USD" not in run(kernel).stdout
    assert "nothing was spent" in run(kernel, "reset", "unused", "--yes").stderr


def test_a_budget_that_there_is_not_is_an_error(kernel: hb.Kernel) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'team'"):
        run(kernel, "reset", "teem", "--yes")


def test_budgets_in_memory_say_that_they_are_of_one_process() -> None:
    with made(rules=RULES) as kernel:
        assert "each process keeps budgets of its own" in run(kernel).stderr
    with made() as kernel:
        assert "no budgets" in run(kernel).stderr


def test_budgets_of_calls_say_that_they_are_kept_elsewhere(tmp_path: Path) -> None:
    rules = [{"per": "call", "tokens": 5}]
    with made(rules=rules, store="sqlite", path=str(tmp_path / "budgets.db")) as kernel:
        assert "kept by the process that makes it" in run(kernel).stderr


def test_a_store_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "budgets.db"
    path.write_text("nothing of the kind" * 100)
    with made(rules=RULES, store="sqlite", path=str(path)) as kernel, pytest.raises(InputError, match="cannot be read"):
        run(kernel)


def test_the_doctor_is_told_of_rules_and_store(kernel: hb.Kernel) -> None:
    status = kernel.stack.load("budgets").status()
    assert status == {"rules": "team, unused", "store": "sqlite", "granted": 3, "refused": 0, "unpriced": 0}
