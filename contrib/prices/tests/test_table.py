"""The packaged table: what the generator makes of genai-prices' data, read as far as it is asked."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hb_prices import Table
from hb_prices.matching import LONGEST, is_version, matches
from hb_prices.prices import PACKAGED
from hb_prices.refused import PACKAGED as PARAMETERS
from hb_prices.table import Header, Row
from heavenbase.errors import ConfigError

GENERATOR = Path(__file__).parents[1] / "generate.py"


def test_the_packaged_table_is_what_the_generator_makes_of_the_pinned_release() -> None:
    run = subprocess.run([sys.executable, str(GENERATOR), "--check"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")


def test_what_models_refuse_is_made_of_the_manifests_of_their_makers() -> None:
    written = PARAMETERS.read_text(encoding="utf-8")
    found = runpy.run_path(str(GENERATOR))
    assert found["refused"]() == written
    rules = json.loads(written)
    assert {name for rule in rules for name in rule["parameters"]} <= found["SAMPLING"]
    # A rule with a condition, of one gateway, or of the whole endpoint says nothing of a model.
    assert all("gpt-5.5" not in rule["models"] and "*" not in rule["models"] for rule in rules)
    assert "top_k" not in {name for rule in rules for name in rule["parameters"]}


def test_it_says_where_it_is_from_and_of_which_day(table: Table) -> None:
    assert table.header == Header("genai-prices 0.2.3", "2026-11-10")
    assert {"openai", "anthropic", "google", "openrouter", "aws"} <= set(table.providers)


def test_a_lookup_reads_one_provider_and_is_remembered(table: Table) -> None:
    fresh = Table.read(PACKAGED)
    first = fresh.find("openai", "gpt-5.5")
    assert first is not None
    assert set(fresh._read) == {"openai"}
    assert fresh.find("openai", "gpt-5.5") is first
    assert fresh.find("openai", "no-such-model") is None
    assert fresh.find("nobody", "gpt-5.5") is None
    for number in range(2000):  # what is remembered is bounded
        fresh.find("nobody", str(number))
    assert len(fresh._found) <= 1024


def test_asking_it_imports_neither_genai_prices_nor_pydantic_nor_asyncio() -> None:
    code = (
        "import sys; from hb_prices import Prices; p = Prices(); assert p.facts('openai', 'gpt-5.5');"
        "assert p.prices('openai', 'gpt-5.5', at=1e9);"
        "print([n for n in ('genai_prices', 'pydantic', 'httpx2', 'toktok', 'tomllib', 'click') if n in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "text",
    ["", "no json", "[]", '{"version":2,"source":"s","date":"d"}', '{"version":1,"source":"s","date":"d"}\nno line'],
)
def test_what_is_no_table_is_an_error_that_says_what_to_do(text: str) -> None:
    with pytest.raises(ConfigError, match="hb prices refresh"):
        Table(text, "prices.jsonl")


@pytest.mark.parametrize("line", ['{"provider":"x"}', '{"provider":"x","models":5}', '{"provider":"x","models":[{}]}'])
def test_a_broken_line_is_an_error_when_it_is_asked(line: str) -> None:
    broken = Table(f'{{"version":1,"source":"s","date":"d"}}\n{line}\n', "prices.jsonl")
    with pytest.raises(ConfigError, match=r"prices\.jsonl: a line cannot be read"):
        broken.find("x", "y")


def test_a_file_that_is_not_there_or_no_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Table.read(tmp_path / "none.jsonl")
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="it is no text"):
        Table.read(tmp_path / "bytes")


@pytest.mark.parametrize(
    ("alternative", "name", "fits"),
    [
        ("=gpt-5.5", "gpt-5.5", True),
        ("=gpt-5.5", "gpt-5.5-pro", False),
        ("^claude-haiku-4-5", "claude-haiku-4-5-20251001", True),
        ("^claude-haiku-4-5", "claude-haiku-4-5@20251001", True),
        ("^claude-haiku-4-5", "claude-haiku-4-5-latest", True),
        ("^claude-opus-4-1", "claude-opus-4-10", False),
        ("^claude-opus-4-1", "claude-opus-4-10-20270101", False),
        ("^claude-opus-4", "claude-opus-4-7", False),
        ("^claude-sonnet-4-2025", "claude-sonnet-4-20250514", True),
        ("^claude-3-5-sonnet", "claude-3-5-sonnet-v2@20241022", True),
        ("^gemini-2.5-pro", "gemini-2.5-pro-preview-05-06", True),
        ("^gemini-2.5-pro", "gemini-2.5-pro-computer-use", False),
        ("*gemini-2.0-flash-0", "gemini-2.0-flash-001", True),
        ("*gemini-1.5-flash", "gemini-1.5-flash-8b", False),
        ("^deepseek-chat", "deepseek-chat:free", False),
        ("^kimi-k2", "kimi-k2.6", False),
        ("^gpt-5-nano-", "gpt-5-nano-2025-08-07", True),
        ("^ft:gpt-4o-mini-2024-", "ft:gpt-4o-mini-2024-07-18:acme::abc", True),
        ("*claude-3-5-haiku-20241022", "us.anthropic.claude-3-5-haiku-20241022-v1:0", True),
        ("*amazon.nova-lite", "arn:aws:bedrock:us-east-1:1:inference-profile/us.amazon.nova-lite-v1:0", True),
        ("*amazon.nova-lite", "amazon.nova-lite-v1:0:300k", True),
        ("*amazon.nova-lite", "my-amazon.nova-lite-v1:0", False),
        ("*o4-mini", "team-o4-mini", False),
        ("$claude-opus-5", "publishers/anthropic/models/claude-opus-5", True),
        ("$claude-opus-5", "not-claude-opus-5", False),
        (r"~^grok-4\.5-\d{8}$", "grok-4.5-20260101", True),
        (["^gemini-2.5-pro", r"~^(?!.*-tts)"], "gemini-2.5-pro-preview-tts", False),
    ],
)
def test_a_name_means_its_own_model_under_a_date_or_a_place_and_no_relative(
    alternative: str | list[str], name: str, fits: bool
) -> None:
    assert matches([alternative], name) is fits


def test_names_that_users_choose_mean_a_model_only_where_they_are_its_name() -> None:
    assert matches(["=o3", "*o4-mini"], "o3", exact=True)
    assert not matches(["=o3", "*o4-mini"], "o4-mini-2025-04-16", exact=True)


def test_a_version_has_three_digits_or_a_date() -> None:
    assert is_version("-2025-08-07")
    assert is_version("")
    assert not is_version("-7")
    assert not is_version("-mini")


def test_a_date_may_be_written_together_and_a_name_is_bounded(table: Table) -> None:
    found = table.find("openai", "gpt-5.2-20251211")
    assert isinstance(found, Row)
    assert found.id == "gpt-5.2"
    assert table.find("openai", "gpt-5.2" + "-20251211" * LONGEST) is None


@pytest.mark.parametrize("tail", ["1" * 280 + "x", "-latest" * 40 + "!", "2024-01-01" * 25 + "x", ".1" * 140 + "\n"])
def test_a_long_name_is_looked_for_in_a_moment(tail: str) -> None:
    began = time.process_time()
    assert not matches(["^gpt-5", "*gpt-5"], f"gpt-5-{tail}")
    assert time.process_time() - began < 0.5  # one that takes numbers apart in every way never ends
