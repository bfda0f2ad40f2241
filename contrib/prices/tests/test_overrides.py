"""What settings say of models: exact prices, limits, another model's row; and mistakes with file and line."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hb_prices import Prices
from heavenbase import Kernel
from heavenbase.config import Config
from heavenbase.errors import ConfigError, InputError
from heavenbase.ledger import Cost
from heavenbase.types import Usage

from .conftest import day

NOW = day("2026-11-20")


def priced(**models: Any) -> Prices:
    return Prices(models=models)


def test_numbers_are_exact_as_text_and_as_float() -> None:
    table = priced(**{"acme/*": {"input": 0.1, "output": "0.2", "cache_read": 1, "date": "2026-10-01"}})
    found = table.cost("acme", "any", Usage(3, 1, cache_read=0), at=NOW)
    assert found == Cost(Decimal("5E-7"), "USD", "configuration", "2026-10-01")
    shown = table.prices("acme", "any", at=NOW)
    assert shown is not None
    assert (shown["input"], shown["source"]) == (Decimal("0.1"), "configuration")


def test_a_local_model_may_have_a_price_and_a_currency() -> None:
    table = priced(**{"ollama/*": {"input": 0, "output": 0, "currency": "eur"}})
    assert table.cost("ollama", "llama3", Usage(10, 10), at=NOW) == Cost(Decimal(0), "EUR", "configuration")


def test_a_deployment_may_be_like_a_model() -> None:
    table = priced(**{"azure/chat-*": {"like": "openai/gpt-5.5", "max_output_tokens": 4096}})
    found = table.cost("azure", "chat-eu", Usage(1000, 100), at=NOW)
    assert (found and found.amount, found and found.source) == (Decimal("0.008"), "genai-prices 0.2.3")
    assert table.facts("azure", "chat-eu") == {"context_window": 1_000_000, "max_output_tokens": 4096}


def test_the_first_pattern_that_fits_counts_and_case_does_not_matter() -> None:
    table = priced(**{"OpenAI/gpt-5.5": {"input": 1, "output": 1}, "openai/*": {"input": 2, "output": 2}})
    amounts = [
        found.amount
        for model in ("GPT-5.5", "gpt-5.4")
        if (found := table.cost("openai", model, Usage(1_000_000, 0), at=NOW)) is not None
    ]
    assert amounts == [1, 2]


def test_own_prices_count_where_the_listed_ones_are_those_of_some_host() -> None:
    table = priced(**{"openrouter/mistralai/*": {"input": 1, "output": 1}})
    assert table.cost("openrouter", "mistralai/mistral-nemo", Usage(1_000_000, 0), at=NOW) is not None


def test_a_model_to_be_like_that_the_table_lacks_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    table = priced(**{"azure/chat-*": {"like": "openai/gtp-5.5"}})
    for _ in range(3):
        assert table.cost("azure", "chat-1", Usage(1, 1), at=NOW) is None
        assert table.facts("azure", "chat-2") == {}
    (message,) = caplog.messages
    assert message == 'heavenbase.tables.prices.models."azure/chat-*": the table has no openai/gtp-5.5 to be like'


def test_limits_alone_leave_the_prices() -> None:
    table = priced(**{"openai/gpt-5.5": {"context_window": 5}})
    assert table.facts("openai", "gpt-5.5")["context_window"] == 5
    assert table.cost("openai", "gpt-5.5", Usage(1, 1), at=NOW) is not None


@pytest.mark.parametrize(
    ("pattern", "held", "says"),
    [
        ("gpt-5.5", {"input": 1}, 'names no provider: write "provider/id"'),
        ("openai/x", 5, "is a table of prices, not int"),
        ("openai/x", {}, "says nothing of the model"),
        ("openai/x", {"currency": "USD"}, "says nothing of the model"),
        ("openai/x", {"inptu": 1}, "did you mean 'input'"),
        ("openai/x", {"input": "cheap"}, "is a price"),
        ("openai/x", {"input": -1}, "is a price"),
        ("openai/x", {"input": True}, "is a price"),
        ("openai/x", {"input": [1]}, "is a price"),
        ("openai/x", {"input": "nan"}, "is a price"),
        ("openai/x", {"context_window": 0}, "is a number of tokens"),
        ("openai/x", {"like": "gpt-5.5"}, "names another model"),
        ("openai/x", {"like": 5}, "names another model"),
        ("openai/x", {"input": 1, "currency": "dollars"}, "three letters"),
        ("openai/x", {"input": 1, "date": 5}, "YYYY-MM-DD"),
        ("openai/x", {"input": 1, "date": "yesterday"}, "YYYY-MM-DD"),
        ("openai/x", {"input": "1e999999"}, "is a price: at most"),
        ("openai/x", {"input": "1e-999999"}, "is a price: at most"),
    ],
)
def test_a_mistake_is_an_error_with_its_key(pattern: str, held: Any, says: str) -> None:
    with pytest.raises(InputError, match=rf"models\..*{says}"):
        priced(**{pattern: held})


def test_settings_reach_the_table_and_their_mistakes_tell_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[heavenbase.tables.prices.models]\n"acme/m" = { input = 0.1, output = 0.2 }\n', encoding="utf-8")
    with Kernel(Config.load(user_file=file)) as kernel:
        assert kernel.services.cost("acme", "m", Usage(1_000_000, 0), NOW) == Cost(
            Decimal("0.1"), "USD", "configuration"
        )
    for text, says in (
        ("timeout = 'long'", "timeout must be a number"),
        ("modles = {}", "unknown key.*models"),
        ('models = { "acme/m" = { inptu = 1 } }', "did you mean 'input'"),
    ):
        file.write_text(f"[heavenbase.tables.prices]\n{text}\n", encoding="utf-8")
        with (
            Kernel(Config.load(user_file=file)) as kernel,
            pytest.raises(ConfigError, match=rf"config\.toml:2: .*{says}"),
        ):
            _ = kernel.services.table


def test_a_file_of_the_settings_takes_the_place_of_the_table(tmp_path: Path) -> None:
    lines = ['{"version":1,"source":"mine","date":"2020-01-01"}']
    lines.append('{"provider":"openai","models":[{"id":"m","match":["=m"],"prices":[{"input":"7","output":"7"}]}]}')
    (tmp_path / "mine.jsonl").write_text("\n".join(lines), encoding="utf-8")
    table = Prices(file=str(tmp_path / "mine.jsonl"))
    assert table.cost("openai", "m", Usage(1_000_000, 0), at=NOW) == Cost(Decimal(7), "USD", "mine", "2020-01-01")
    assert table.cost("openai", "gpt-5.5", Usage(1, 1), at=NOW) is None
    assert table.status()["source"] == "mine"
    with pytest.raises(InputError, match="cannot be read"):
        Prices(file=str(tmp_path / "none.jsonl"))


def test_a_file_that_is_no_table_is_told_with_the_line_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f'\n[heavenbase.tables.prices]\nfile = "{tmp_path}/none.jsonl"\n', encoding="utf-8")
    with (
        Kernel(Config.load(user_file=file)) as kernel,
        pytest.raises(ConfigError, match=r"config\.toml:3: .*none\.jsonl: .*\(heavenbase\.tables\.prices\.file\)"),
    ):
        kernel.services.table  # noqa: B018
