"""`hb prices refresh`: a newer table is checked whole and put in place at once, or the old one stays."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from hb_cli import State
from hb_prices import Prices
from hb_prices.cli import command
from hb_prices.refresh import refresh
from hb_testing.server import Answer, Exchange, LoopbackServer, Reply, Wire, route
from heavenbase.config import Config
from heavenbase.errors import ConfigError, FetchBlocked, FetchTimeout, FetchTooLarge, HBError, InputError
from heavenbase.kernel import Kernel

from .conftest import day

NOW = day("2026-12-24")
USD = {"input_mtok": 123}


@pytest.fixture(scope="session")
def published() -> list[dict[str, Any]]:
    """What the pinned release would publish, with one new price."""
    import importlib.util

    path = Path(__file__).parents[1] / "generate.py"
    spec = importlib.util.spec_from_file_location("generate_prices", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: list[dict[str, Any]] = json.loads(json.dumps(module.published(), default=str))
    found.append({"id": "elsewhere", "models": []})
    openai = next(each for each in found if each["id"] == "openai")
    openai["models"].insert(
        0, {"id": "gpt-99", "match": {"equals": "gpt-99"}, "prices": {"input_mtok": 99, "output_mtok": 99}}
    )
    return found


class Data(Wire):
    """A place that publishes data."""

    name = "data"
    body: Any = b""
    delay = 0.0

    @route("GET", "/data.json")
    def data(self, exchange: Exchange) -> Answer:
        """The data."""
        exchange.reply()
        return Reply(body=type(self).body, headers={"content-type": "application/json"}, delay=type(self).delay)

    @route("GET", "/moved.json")
    def moved(self, exchange: Exchange) -> Answer:
        """A redirect."""
        exchange.reply()
        return Reply(status=302, body=b"", headers={"location": "/data.json"})


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=[Data()], strict=False) as running:
        yield running


@pytest.fixture
def table(server: LoopbackServer, published: list[dict[str, Any]]) -> Prices:
    Data.body, Data.delay = json.dumps(published).encode(), 0.0
    host = server.url("data").removeprefix("http://").partition("/")[0]
    return Prices(url=f"{server.url('data')}/data.json", allow_hosts=[host], timeout=20)


def test_a_newer_table_is_used_from_then_on_and_only_its_user_reads_it(table: Prices) -> None:
    made = refresh(table, at=NOW)
    path = table.refreshed
    assert path is not None
    assert made.name == path
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]
    fresh = Prices()
    found = fresh.prices("openai", "gpt-99", at=NOW)
    assert found is not None
    assert (str(found["input"]), found["source"], found["date"]) == ("99", "genai-prices, refreshed", "2026-12-24")
    assert fresh.facts("openai", "gpt-5.5")["max_output_tokens"] == 128_000  # what is known beside stays
    assert "elsewhere" not in fresh.table.providers


def test_one_that_is_older_than_the_packaged_one_is_not_used(table: Prices) -> None:
    refresh(table, at=day("2026-01-01"))
    assert Prices().prices("openai", "gpt-99", at=NOW) is None


def test_a_broken_one_is_not_used_and_said(table: Prices, caplog: pytest.LogCaptureFixture) -> None:
    refresh(table, at=NOW)
    path = table.refreshed
    assert path is not None
    Path(path).write_text("broken", encoding="utf-8")
    assert Prices().facts("openai", "gpt-5.5")["context_window"] == 1_000_000
    assert "the refreshed table is not used" in caplog.text


def less(published: list[dict[str, Any]]) -> bytes:
    few = deepcopy(published)
    for each in few:
        each["models"] = each["models"][:1]
    return json.dumps(few).encode()


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        (b"", InputError, "no JSON"),
        (b"<html>", InputError, "no JSON"),
        (b"{}", InputError, "no list of providers"),
        (b"[" * 100_000, InputError, "no JSON"),
        (b"[]", InputError, "no list of providers"),
        (b'[{"id":"openai","models":[{"id":"m"}]}]', InputError, "how openai/m is named is no table"),
        (b'[{"id":"openai","models":[],"x":1e99999999999999999999}]', InputError, "no JSON"),
        ("few", InputError, "are not taken for whole"),
    ],
)
def test_what_is_no_data_leaves_the_old_table(
    table: Prices, published: list[dict[str, Any]], body: Any, error: type[HBError], says: str
) -> None:
    refresh(table, at=NOW)
    path = table.refreshed
    assert path is not None
    before = Path(path).read_bytes()
    Data.body = less(published) if body == "few" else body
    with pytest.raises(error, match=says):
        refresh(table, at=NOW)
    assert Path(path).read_bytes() == before
    assert os.listdir(os.path.dirname(path)) == [os.path.basename(path)]


def test_a_fetch_is_bounded_in_bytes_and_time_and_goes_nowhere_else(table: Prices) -> None:
    options = table.options
    with pytest.raises(FetchTooLarge, match=r"heavenbase\.tables\.prices\.max_bytes"):
        refresh(Prices(**{**options, "max_bytes": 1000}), at=NOW)
    with pytest.raises(FetchBlocked, match=r"heavenbase\.tables\.prices\.allow_hosts"):
        refresh(Prices(**{**options, "allow_hosts": []}), at=NOW)
    with pytest.raises(FetchBlocked, match="redirects"):
        refresh(Prices(**{**options, "url": options["url"].replace("data.json", "moved.json")}), at=NOW)
    Data.delay = 0.3
    with pytest.raises(FetchTimeout, match=r"heavenbase\.tables\.prices\.timeout"):
        refresh(Prices(**{**options, "timeout": 0.02}), at=NOW)
    assert table.refreshed is not None
    assert not os.path.exists(table.refreshed)


def test_data_may_be_in_a_file(table: Prices, published: list[dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(json.dumps(published), encoding="utf-8")
    assert refresh(table, file=str(path), at=NOW).header.source == "genai-prices, file data.json"
    with pytest.raises(InputError, match="cannot be read"):
        refresh(table, file=str(tmp_path / "none.json"), at=NOW)
    with pytest.raises(InputError, match="more than 1,000 bytes"):
        refresh(Prices(max_bytes=1000), file=str(path), at=NOW)


def test_an_embedded_kernel_reads_and_writes_no_table_of_a_user(table: Prices) -> None:
    refresh(table, at=NOW)
    with Kernel({}) as kernel:
        embedded = kernel.services.table
        assert embedded.refreshed is None
        assert embedded.prices("openai", "gpt-99", at=NOW) is None
        with pytest.raises(ConfigError, match="embedded"):
            refresh(embedded, at=NOW)


def run(*arguments: str, settings: dict[str, Any] | None = None) -> Result:
    kernel = Kernel(
        Config.from_dict({f"heavenbase.tables.prices.{k}": v for k, v in (settings or {}).items()}, environ=os.environ)
    )
    with kernel:
        return CliRunner().invoke(command, arguments, obj=State(kernel), standalone_mode=False)


def test_the_command_refreshes_from_the_place_of_the_settings(table: Prices, tmp_path: Path) -> None:
    found = run("refresh", settings=table.options)
    assert found.exception is None, found.exception
    assert table.refreshed is not None
    assert table.refreshed in found.stdout
    told = json.loads(run("refresh", "--json", settings=table.options).stdout)
    assert told["models"] > 1000
    assert isinstance(run("refresh", "--file", str(tmp_path / "none")).exception, InputError)


def test_the_command_shows_prices_by_bucket_and_tier_with_source_and_day() -> None:
    lines = run("gpt-5.5", "-b", "openai").stdout.splitlines()
    assert lines[0] == "openai/gpt-5.5, USD for a million tokens"
    assert lines[2].split() == ["input", "5"]
    assert lines[3].split() == ["input", ">", "272,000", "10"]
    assert any(line.split()[:2] == ["batch", "input"] for line in lines)
    assert "source: genai-prices 0.2.3, 2026-11-10" in lines
    assert "context_window: 1000000" in lines
    told = json.loads(run("show", "openai/gpt-5.5", "--json").stdout)
    assert told["prices"]["tiers"]["batch"]["output"] == ["15", [272000, "22.5"]]
    assert told["facts"]["max_output_tokens"] == 128_000


def test_the_command_says_what_is_not_known_and_which_table_is_in_use() -> None:
    found = run("ollama/llama3")
    assert (found.return_value, "no price is known" in found.stdout) == (1, True)
    shown = run("openrouter/mistralai/mistral-nemo").stdout
    assert "hosts" in shown
    assert "source: genai-prices 0.2.3" in run().stdout
    assert json.loads(run("--json").stdout)["models"]["openai"] > 100
