"""The ids at the head of tests' names and the table of behaviours behind them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = tomllib.loads((ROOT / "tests" / "behaviours.toml").read_text(encoding="utf-8"))
TEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
ID = re.compile(r"(hb\d\d|[ghr]\d\d|[abcdefghknpstuv]\d{1,2})_")


def names() -> Iterator[str]:
    """The name of every test of the workspace, those that the conformance kit gives to plugins included."""
    for folder in ("core", "plugins", "contrib", "tests"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield from TEST.findall(path.read_text(encoding="utf-8"))


def ids(name: str) -> Iterator[str]:
    """The ids at the head of a name."""
    rest = name.removeprefix("test_")
    while found := ID.match(rest):
        yield found[1]
        rest = rest[found.end() :]


NAMED = {each: name for name in names() for each in ids(name)}


def test_each_behaviour_that_is_done_has_a_test_that_carries_its_id() -> None:
    assert sorted((TABLE["done"] | TABLE["found"]).keys() - NAMED.keys()) == []


def test_each_id_in_the_name_of_a_test_is_in_the_table_as_done() -> None:
    assert {each: name for each, name in NAMED.items() if each not in TABLE["done"] | TABLE["found"]} == {}


def test_a_behaviour_is_done_or_comes_later_and_is_one_sentence() -> None:
    assert sorted(TABLE) == ["done", "found", "later"]
    assert TABLE["done"].keys() & TABLE["later"].keys() == set()
    for table in TABLE.values():
        for each, says in table.items():
            assert ID.fullmatch(f"{each}_"), each
            assert says.endswith("."), each
            assert len(says) <= 160, each
