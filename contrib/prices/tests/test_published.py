"""genai-prices' published data become a table, and whatever is no such data is refused whole."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from hb_prices import Table
from hb_prices.published import table_of
from hb_prices.table import Header
from heavenbase.errors import InputError

HEADER = Header("test", "2026-01-01")
TIERED = {"base": 1, "tiers": [{"start": 5, "price": 2}]}
GOOD: list[dict[str, Any]] = [
    {
        "id": "acme",
        "name": "Acme",
        "api_pattern": "https://acme",
        "fallback_model_providers": ["other"],
        "models": [
            {
                "id": "M-1",
                "match": {"or": [{"equals": "M-1"}, {"and": [{"starts_with": "m-1"}, {"regex": r"^m-1-\d{8}$"}]}]},
                "context_window": 1000,
                "prices": [
                    {"prices": {"input_mtok": Decimal("0.1"), "output_mtok": TIERED}},
                    {"constraint": {"start_date": "2026-05-01"}, "prices": {"input_mtok": 3}},
                    {"constraint": {"start_time": "00:30:00Z", "end_time": "16:30:00Z"}, "prices": {"input_mtok": 4}},
                ],
                "price_variants": [
                    {"when": {"processing": "batch"}, "prices": {"input_mtok": 0.05}},
                    {"when": {"route": "eu"}, "prices": {"input_mtok": 9}},
                ],
            },
            {"id": "x:free", "match": {"equals": "x:free"}, "prices": {}},
            {"id": "sound", "match": {"ends_with": "sound"}, "prices": {"audio_hours": 3, "input_mtok": 1}},
        ],
    }
]  # fmt: skip


def test_rows_have_names_prices_services_and_facts() -> None:
    table = Table(table_of(GOOD, HEADER, lambda provider, model: {"chat": False} if model == "M-1" else {}))
    first, free, sound = table.rows("acme")
    assert first.match == ("=m-1", ["^m-1", r"~^m-1-\d{8}$"])
    assert first.prices == (
        {"input": "0.1", "output": ["1", [5, "2"]]},
        {"from": "2026-05-01", "input": "3"},
        {"daily": ["00:30", "16:30"], "input": "4"},
    )
    assert first.variants == ({"tier": "batch", "input": "0.05"},)
    assert first.facts == {"context_window": 1000, "chat": False}
    assert free.prices == ({"input": "0", "output": "0"},)
    assert sound.prices == ({"~": "0", "input": "1"},)
    assert table.header == HEADER


def changed(path: list[Any], value: Any) -> Any:
    """The good data with something else at a place."""
    found: Any = deepcopy(GOOD)
    held = found
    for step in path[:-1]:
        held = held[step]
    held[path[-1]] = value
    return found


MODEL = [0, "models", 0]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({}, "no list of providers"),
        ([], "no list of providers"),
        ([5], "a provider is no table"),
        (changed([0, "id"], 5), "the id of a provider is no text"),
        (changed([0, "models"], [5]), "a model of acme is no table"),
        (changed([*MODEL, "id"], "x" * 500), "is no text"),
        (changed([*MODEL, "match"], {"near": "x"}), "is not understood"),
        (changed([*MODEL, "match"], {}), "is not understood"),
        (changed([*MODEL, "match"], {"or": "abc"}), "is no list"),
        (changed([*MODEL, "match"], {"or": []}), "is nothing"),
        (changed([*MODEL, "match"], {"and": []}), "is nothing"),
        (changed([*MODEL, "match"], {"or": [{"equals": "m"}] * 101}), "is too long"),
        (changed([*MODEL, "match"], {"regex": "(a+)+$"}), "is none that is looked for"),
        (changed([*MODEL, "match"], {"regex": ".*.*.*z"}), "is none that is looked for"),
        (changed([*MODEL, "match"], {"regex": "a?" * 20 + "a" * 20}), "is none that is looked for"),
        (changed([*MODEL, "match"], {"regex": "(?:a|aa)" * 10 + "$"}), "is none that is looked for"),
        (changed([*MODEL, "match"], {"regex": r"\d{1,99}\d{1,99}z"}), "is none that is looked for"),
        (changed([*MODEL, "match"], {"regex": "[a"}), "cannot be read"),
        (changed([*MODEL, "match"], {"or": [{"or": [{"or": [{"or": [{"or": [{"or": []}]}]}]}]}]}), "is not understood"),
        (changed([*MODEL, "match"], {"and": [{"or": [{"equals": "a"}] * 11}] * 2}), "is too long"),
        (changed([*MODEL, "prices"], 5), "is no table"),
        (changed([*MODEL, "prices"], {"input_mtok": -1}), "is no price"),
        (changed([*MODEL, "prices"], {"input_mtok": True}), "is no price"),
        (changed([*MODEL, "prices"], {"input_mtok": "much"}), "is no price"),
        (changed([*MODEL, "prices"], {"input_mtok": 1e9}), "is no price"),
        (changed([*MODEL, "prices"], {"input_mtok": float("nan")}), "is no price"),
        (changed([*MODEL, "prices"], {"output_mtok": {**TIERED, "tiers": [{"start": -1}]}}), "begins nowhere"),
        (changed([*MODEL, "prices"], {"input_mtok": "1e-999999"}), "is no price"),
        (changed([*MODEL, "prices"], {"output_mtok": {**TIERED, "tiers": 5}}), "is no list"),
        (changed([*MODEL, "prices"], {"output_mtok": {**TIERED, "tiers": [{"start": 10**400, "price": 1}]}}), "begins"),
        (changed([0, "models"], 5), "is no list"),
        (changed([0, "fallback_model_providers"], 5), "is no list"),
        (changed([*MODEL, "price_variants"], 5), "is no list"),
        (changed([*MODEL, "price_variants", 0, "when"], ["processing"]), "is no table"),
        (changed([*MODEL, "price_variants", 0, "when"], {"processing": ["batch"]}), "is no text"),
        (changed([*MODEL, "price_variants", 0, "when"], {"processing": "two words"}), "is no name"),
        (changed([*MODEL, "id"], "a\u2028b"), "is no text"),
        (changed([*MODEL, "id"], "a\x1b[31mb"), "is no text"),
        ([*GOOD, *GOOD], "a provider twice"),
        (changed([*MODEL, "prices", 1, "constraint"], {"weekday": 1}), "is not known: weekday"),
        (changed([*MODEL, "prices", 2, "constraint", "start_time"], "00:30:00+05:00"), "not in UTC"),
        (changed([*MODEL, "prices", 1, "constraint", "start_date"], "soon"), "is no day"),
        (changed([*MODEL, "prices", 2, "constraint", "start_time"], "noon"), "is no time"),
    ],
)  # fmt: skip
def test_what_is_no_data_is_refused(data: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        table_of(data, HEADER)
