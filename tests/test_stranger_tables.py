"""A stranger's table of models, named by a settings file: prices, facts and settings of its own reach calls."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.server import LoopbackServer
from heavenbase.discovery.inventory import discover
from tests.strangers import install, kernel_of

CODE = '''
from decimal import Decimal

import heavenbase as hb
from heavenbase.middleware import Setting
from heavenbase.resolution import ModelTable


class Strange(ModelTable):
    """Knows one model of every provider."""

    settings = {
        "each": Setting("float", 1.0, "price of a token", minimum=0),
        "window": Setting("int | null", None, "longest prompt", minimum=1),
    }
    configured = 0

    def configure(self, options):
        super().configure(options)
        self.configured += 1

    def facts(self, provider, model_id):
        window = self.options["window"]
        return {"context_window": window} if model_id == "small" and window is not None else {}

    def cost(self, provider, model_id, usage, *, at):
        if model_id != "small" or usage.total_tokens is None:
            return None
        return hb.Cost(Decimal(str(self.options["each"])) * usage.total_tokens, "EUR", "a stranger", "2026-11-01")
'''
SITE = {
    "strange_prices.py": CODE,
    "strange_prices-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: strange-prices\nVersion: 1.0\n",
    "strange_prices-1.0.dist-info/RECORD": "strange_prices.py,,\n",
    "strange_prices-1.0.dist-info/entry_points.txt": "[heavenbase.tables]\nstrange = strange_prices:Strange\n",
}
SETTINGS = """
[heavenbase.llm]
table = "strange"
cache.enabled = false

[heavenbase.llm.providers.one]
base_url = "ONE"
api_key = "key-of-one"

[heavenbase.llm.providers.two]
base_url = "TWO"
api_key = "key-of-two"

[heavenbase.tables.strange]
each = 0.25
"""
USAGE = {"prompt_tokens": 3, "completion_tokens": 5}


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    yield install(tmp_path_factory.mktemp("site"), SITE, monkeypatch)
    sys.modules.pop("strange_prices", None)


Make = Callable[..., hb.Kernel]


@pytest.fixture
def make(site: Path, servers: list[LoopbackServer], tmp_path: Path) -> Iterator[Make]:
    """Makes kernels of the settings file, with more lines behind it."""
    made: list[hb.Kernel] = []

    def kernel(more: str = "", text: str = SETTINGS) -> hb.Kernel:
        made.append(kernel_of(tmp_path, text + more, servers))
        return made[-1]

    yield kernel
    for each in made:
        each.close()


async def _astream(llm: hb.LLM) -> Any:
    return [item async for item in llm.astream("hello", include=["text", "cost"])][-1]["cost"]


FORMS: dict[str, Callable[[hb.LLM], Any]] = {
    "chat": lambda llm: llm.chat("hello", include="cost"),
    "achat": lambda llm: asyncio.run(llm.achat("hello", include="cost")),
    "stream": lambda llm: list(llm.stream("hello", include=["text", "cost"]))[-1]["cost"],
    "astream": lambda llm: asyncio.run(_astream(llm)),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_prices_calls_of_every_colour_with_its_settings(
    make: Make, servers: list[LoopbackServer], form: str
) -> None:
    kernel = make()
    servers[0].reply("good day", usage=USAGE)
    cost = FORMS[form](hb.LLM(model="one/small", kernel=kernel))
    assert cost == hb.Cost(Decimal(2), "EUR", "a stranger", "2026-11-01")
    assert FORMS[form](hb.LLM(model="one/large", kernel=kernel)) is None
    assert kernel.services.table.configured == 1


def test_its_facts_choose_among_targets(make: Make, servers: list[LoopbackServer]) -> None:
    kernel = make("window = 20\n")
    with pytest.warns(hb.errors.FallbackWarning, match="its context holds 20"):
        answer = hb.LLM(model=["one/small", "two/large"], kernel=kernel).complete("word " * 100)
    assert (answer.served_by, servers[0].request_count) == ("two/large", 0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("each = 0.25", "eech = 0.25", "unknown key 'heavenbase.tables.strange.eech'; did you mean 'each'"),
        ("each = 0.25", "each = -1.0", "heavenbase.tables.strange.each"),
        ("each = 0.25", 'window = "wide"', "heavenbase.tables.strange.window"),
    ],
)
def test_a_wrong_setting_is_an_error_with_file_and_line(
    make: Make, tmp_path: Path, old: str, new: str, words: str
) -> None:
    text = SETTINGS.replace(old, new)
    line = text[: text.index(new)].count("\n") + 1
    with pytest.raises(hb.errors.ConfigError) as caught:
        hb.LLM(model="one/small", kernel=make(text=text)).chat("hello")
    assert str(caught.value).startswith(f"{tmp_path / 'config.toml'}:{line}: ")
    assert words in str(caught.value)


def test_being_installed_prices_nothing(make: Make) -> None:
    kernel = make(text=SETTINGS.replace('table = "strange"\n', "").partition("[heavenbase.tables")[0])
    assert hb.LLM(model="one/small", kernel=kernel).complete("hello").attempts[0].usage is not None
    assert "strange_prices" not in sys.modules


def test_a_name_that_is_not_there_is_told_with_the_nearest(make: Make) -> None:
    kernel = make(text=SETTINGS.replace('"strange"', '"strenge"').partition("[heavenbase.tables")[0])
    with pytest.raises(hb.errors.PluginLoadError, match=r"unknown table 'strenge'.*strange"):
        hb.LLM(model="one/small", kernel=kernel).chat("hello")


def test_the_command_line_knows_it(make: Make, site: Path, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from hb_cli.app import app

    make()

    def run(*args: str) -> Any:
        return CliRunner().invoke(app, ["--config", str(tmp_path / "config.toml"), *args]).stdout

    found = json.loads(run("explain", "hello", "-m", "one/small", "-o", "max_tokens=4", "--json"))
    assert found["worst_case"]["cost"]["currency"] == "EUR"
    (row,) = [row for row in json.loads(run("plugins", "--json"))["plugins"] if row["distribution"] == "strange-prices"]
    assert (row["kind"], row["name"]) == ("table", "strange")
    assert [each.distribution for each in discover(None).claims("tables", "strange")] == ["strange-prices"]


def test_the_kit_checks_it_by_name(site: Path) -> None:
    from hb_testing import TableContract
    from hb_testing.conformance.choice import contract_for, parse

    made = contract_for(parse("tables:strange"))
    assert issubclass(made, TableContract)
    assert made.table == "strange"
