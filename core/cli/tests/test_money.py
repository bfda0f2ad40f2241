"""What the command line tells of money and of what models can do, with a table of models in code or installed."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hb_cli import output
from hb_cli.known import COLUMNS, short
from hb_cli.money import figure, money
from hb_testing.server import LoopbackServer
from heavenbase.kernel import Kernel
from heavenbase.ledger import Cost
from heavenbase.resolution import ModelTable
from heavenbase.types import Chunk, Completion, Usage

Run = Callable[..., Any]
DAY = "2026-11-01"
TABLE = """
from decimal import Decimal

from heavenbase.ledger import Cost
from heavenbase.resolution import ModelTable

PRICES = {"input": (Decimal("2.50"), (200_000, Decimal(5))), "output": Decimal(10)}
ABOUT = {"currency": "USD", "date": "2026-11-01"}
FACTS = {"context_window": 128_000, "max_output_tokens": 16_384, "vision": True, "tools": True}


class Prices(ModelTable):
    def facts(self, provider, model_id):
        return dict(FACTS) if model_id in ("gpt-4o-mini", "mock") else {}

    def prices(self, provider, model_id, *, at):
        return {**PRICES, **ABOUT} if model_id in ("gpt-4o-mini", "mock") else None

    def cost(self, provider, model_id, usage, *, at):
        if usage.input is None or usage.output is None or model_id not in ("gpt-4o-mini", "mock"):
            return None
        amount = (Decimal("2.5") * usage.input + 10 * usage.output) / 1_000_000
        return Cost(amount, source="stranger 1", date="2026-11-01")

    def status(self):
        return {"version": "1", "date": "2026-11-01"}
"""


CHOOSY = """
from heavenbase.errors import InputError
from heavenbase.middleware import Setting
from heavenbase.resolution import ModelTable


class Prices(ModelTable):
    settings = {"file": Setting("str | null", None, "the file of it")}

    def configure(self, options):
        error = InputError(f"{options['file']} is not there")
        error.key = ("file",)
        raise error
"""


class Penny(ModelTable):
    """A cent for each token that goes in, two for one that comes out."""

    name = "prices"

    def facts(self, provider: str, model_id: str) -> Any:
        return {"max_output_tokens": 100, "context_window": 8000} if model_id == "m" else {}

    def cost(self, provider: str, model_id: str, usage: Usage, *, at: float) -> Cost | None:
        if model_id != "m" or usage.input is None or usage.output is None:
            return None
        return Cost(Decimal(usage.input + 2 * usage.output) / 100, source="pennies", date=DAY)


@pytest.fixture
def installed(site: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A table of models that is installed, and asked for."""
    publish(site, monkeypatch, "stranger_prices", TABLE)
    return site


def publish(site: Any, monkeypatch: pytest.MonkeyPatch, module: str, source: str) -> None:
    """Install a table under the name `stranger`, and ask for it."""
    site.module(module, source)
    site.add("stranger-prices", {"heavenbase.tables": {"stranger": f"{module}:Prices"}})
    monkeypatch.setenv("HEAVENBASE_LLM__TABLE", "stranger")


@pytest.fixture
def priced(scripted: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Kernel]:
    """A kernel with a table in code whose preset `chat` answers what is given."""

    def make(*answers: Any, **options: Any) -> Kernel:
        kernel, _ = scripted(*answers, **options)
        kernel.registry.add(Penny())
        return kernel

    return make


def whole(text: str = "ok") -> Completion:
    return Completion(text, finish_reason="stop", usage=Usage(3, 4))


def streamed(text: str = "ok") -> list[Chunk]:
    return [Chunk(text), Chunk(finish_reason="stop"), Chunk(usage=Usage(3, 4))]


def test_verbose_and_json_tell_the_cost(run: Run, priced: Any) -> None:
    told = {"amount": "0.11", "currency": "USD", "source": "pennies", "date": DAY}
    assert f"cost: 0.11 USD (pennies, {DAY})" in run("chat", "hi", "-v", kernel=priced(whole())).err.splitlines()
    found = json.loads(run("chat", "hi", "--json", kernel=priced(whole())).out)
    assert found["cost"] == told
    assert found["attempts"][0]["cost"] == told
    *_, last = run("chat", "hi", "--json", "--stream", kernel=priced(streamed())).out.splitlines()
    assert json.loads(last)["cost"] == told
    assert "cost: 0.11 USD" in run("chat", "hi", "--stream", "-v", kernel=priced(streamed())).err


def test_a_cost_that_is_not_known_is_null_and_no_line(run: Run, scripted: Any) -> None:
    kernel, _ = scripted(whole(), whole())
    assert json.loads(run("chat", "hi", "--json", kernel=kernel).out)["cost"] is None
    assert "cost" not in run("chat", "hi", "-v", kernel=kernel).err


def test_a_session_tells_what_it_cost(run: Run, priced: Any) -> None:
    lines = "hi\n/cost\nhi\n/cost\n"
    out = run("session", "--no-log", input=lines, kernel=priced(streamed(), streamed())).out
    assert "tokens: input 3, output 4\ncost: 0.11 USD" in out
    assert f"tokens: input 6, output 8\ncost: 0.22 USD (pennies, {DAY})" in out
    assert run("session", "--no-log", input="/cost\n", kernel=priced()).out == "nothing was counted yet\n"


def test_a_session_of_unknown_prices_says_so(run: Run, scripted: Any) -> None:
    kernel, _ = scripted(streamed())
    assert "cost: unknown" in run("session", "--no-log", input="hi\n/cost\n", kernel=kernel).out


# hb explain


def worst(run: Run, *args: str, **fields: Any) -> Any:
    return json.loads(run("explain", *args, "--json", **fields).out)["worst_case"]


def test_explain_tells_the_worst_case_of_one_target(run: Run, installed: Any) -> None:
    found = worst(run, "hi", "-p", "mock", "-o", "max_tokens=1000", "-o", "max_retries=2")
    # Ten tokens by estimate and a thousand of the answer; what may have been billed is repeated once.
    tokens = json.loads(run("tokens", "hi", "-p", "mock", "--estimate", "--json").out)["tokens"]
    amount = 2 * (Decimal("2.5") * tokens + 10 * 1000) / 1_000_000
    assert Decimal(found["cost"]["amount"]) == amount
    assert (found["requests"], found["seconds"], found["unknown"]) == (3 + 4, 600, [])
    out = run("explain", "hi", "-p", "mock", "-o", "max_tokens=1000", "-o", "max_retries=2").out
    assert f"worst case: 7 requests, 600 s, about {figure(amount)} USD\n" in out


def test_the_limit_of_the_model_counts_where_nobody_gives_one(run: Run, installed: Any) -> None:
    few, many = (worst(run, "hi", "-p", "mock", *more)["cost"] for more in (["-o", "max_tokens=10"], []))
    assert Decimal(many["amount"]) > 2 * 16_384 * 10 / Decimal(1_000_000) > Decimal(few["amount"])


def test_asking_again_for_the_form_and_several_choices_count(run: Run, installed: Any) -> None:
    args = ("hi", "-p", "mock", "-o", "max_tokens=100", "-o", "max_retries=0")
    one = Decimal(worst(run, *args)["cost"]["amount"])
    assert Decimal(worst(run, *args, "-o", "n=3")["cost"]["amount"]) - one == 200 * 10 / Decimal(1_000_000)
    form = ("-o", 'response_format={"type":"json_object"}')
    once = Decimal(worst(run, *args, *form, "-o", "structured_retries=0")["cost"]["amount"])
    assert Decimal(worst(run, *args, *form)["cost"]["amount"]) > 2 * once


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        (("-m", "openai/unheard-of"), "how long an answer may be is not known: give max_tokens"),
        (("-m", "openai/unheard-of", "-o", "max_tokens=5"), "its price is not known"),
        (("-p", "mock", "--verb", "imagen"), "what it makes is not priced before it is there"),
    ],
)
def test_what_is_not_known_is_named(run: Run, installed: Any, args: tuple[str, ...], reason: str) -> None:
    found = worst(run, "hi", *args)
    assert (found["cost"], found["unknown"]) == (None, [reason])
    out = run("explain", "hi", *args).out
    assert f", a cost that is not known\n  {reason}\n" in out


def test_vectors_have_a_worst_case_too(run: Run, installed: Any) -> None:
    found = worst(run, "word", "-p", "mock", "--verb", "embed")
    assert Decimal(found["cost"]["amount"]) == 2 * Decimal("2.5") / 1_000_000


def test_explain_tells_the_worst_case_of_a_route(run: Run, installed: Any) -> None:
    args = ("hi", "-m", "mock/mock", "-m", "openai/gpt-4o-mini", "-o", "max_tokens=100")
    found = worst(run, *args)
    story = json.loads(run("explain", *args, "--json").out)
    rows = story["route"]["targets"]
    assert found["unknown"] == []
    assert Decimal(found["cost"]["amount"]) == sum(Decimal(row["cost"]["amount"]) for row in rows)
    lines = [" ".join(line.split()) for line in run("explain", *args).out.splitlines()]
    assert any(line.startswith("mock/mock at most 7 requests, 0.00") for line in lines)


def test_a_route_with_a_target_of_unknown_price_has_a_least_cost(run: Run, installed: Any) -> None:
    args = ("hi", "-m", "mock/mock", "-m", "openai/unheard-of", "-o", "max_tokens=100")
    found = worst(run, *args)
    assert found["cost"]["at_least"] is True
    assert found["unknown"] == ["openai/unheard-of: its price is not known"]
    assert "s, at least 0.00" in run("explain", *args).out


def test_explain_tells_who_says_what_a_model_can(run: Run, installed: Any) -> None:
    run("cfg", "set", "heavenbase.llm.providers.openai.capabilities.vision", "false")
    run("cfg", "set", 'heavenbase.llm.models."gpt-4o-mini".providers.openai', "gpt-4o-mini")
    run("cfg", "set", 'heavenbase.llm.models."gpt-4o-mini".capabilities.prefill', "false")
    found = json.loads(run("explain", "hi", "-m", "gpt-4o-mini", "-b", "openai", "--json").out)
    origins = found["capability_origins"]
    assert origins.keys() == found["capabilities"].keys()
    assert (found["capabilities"]["context_window"], origins["context_window"]) == (128_000, "table stranger")
    assert (found["capabilities"]["vision"], origins["vision"]) == (False, "provider openai")
    assert origins["prefill"] == "model gpt-4o-mini"
    lines = [
        " ".join(line.split()) for line in run("explain", "hi", "-m", "gpt-4o-mini", "-b", "openai").out.splitlines()
    ]
    assert "context_window 128000 table stranger" in lines


# hb models


def test_models_have_windows_prices_and_abilities(run: Run, installed: Any) -> None:
    run("cfg", "set", 'heavenbase.llm.models."gpt-4o-mini".providers.openai', "gpt-4o-mini")
    code, out, err = run("models")
    assert (code, err) == (0, "")
    header, *lines = out.splitlines()
    assert header.split()[:2] == ["model", "aliases"]
    assert all(name in header for name in COLUMNS)
    (line,) = [line for line in lines if line.startswith("gpt-4o-mini ")]
    assert "128k" in line
    assert "16.38k" in line
    assert " 2.5+ " in line
    assert "tools, vision" in line
    assert lines[-1] == f"prices are for a million tokens: USD; {DAY}"
    rows = {row["model"]: row["known"] for row in json.loads(run("models", "--json").out)["models"]}
    assert rows["gpt-4o-mini"]["openai"]["prices"] == {
        "input": ["2.50", [200_000, "5"]],
        "output": "10",
        "currency": "USD",
        "date": DAY,
    }
    assert rows["gpt-4o-mini"]["openai"]["capabilities"]["context_window"] == 128_000


def test_models_without_a_table_look_as_before(run: Run) -> None:
    run("cfg", "set", "heavenbase.llm.table", "null")
    header, *lines = run("models").out.splitlines()
    assert "in/M" not in header
    assert not any(line.startswith("prices are") for line in lines)


def test_the_models_fit_into_a_narrow_terminal(run: Run, installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    out = run("models", "-b", "openai").out
    assert max(map(len, out.splitlines())) <= 60 + len("prices are for a million tokens")
    assert "gpt-5-image-mini" in out


def test_models_of_an_endpoint_have_what_the_table_knows(
    run: Run, installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-live")
    with LoopbackServer() as server:
        monkeypatch.setenv("OPENAI_BASE_URL", server.url("openai"))
        _, line, *_ = run("models", "-b", "openai", "--live").out.splitlines()
        assert line.split()[:6] == ["gpt-4o-mini", "hb", "2023-11-14", "128k", "16.38k", "2.5+"]
        found = json.loads(run("models", "-b", "openai", "--live", "--json").out)["models"]
        assert found[0]["known"]["capabilities"]["vision"] is True


def test_a_table_that_cannot_be_loaded_spoils_no_listing(run: Run, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(site, monkeypatch, "broken_prices", "raise RuntimeError('no data')")
    code, out, err = run("models")
    assert code == 0
    assert "deepseek-v4-flash" in out
    assert "tables:stranger of stranger-prices 1.0 cannot be imported: RuntimeError: no data" in err


def test_a_table_that_fails_spoils_no_listing(run: Run, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    source = TABLE.replace("return {**PRICES, **ABOUT}", "raise KeyError(model_id)").replace(
        "return dict(FACTS)", "1 / 0"
    )
    publish(site, monkeypatch, "failing_prices", source)
    assert "deepseek-v4-flash" in run("models").out
    assert run("explain", "hi", "-p", "mock").code == 0


# hb plugins, hb doctor


def test_plugins_and_doctor_know_tables(run: Run, installed: Any) -> None:
    (line,) = [line for line in run("plugins").out.splitlines() if " stranger-prices " in line]
    assert line.split()[:3] == ["table", "stranger", "stranger-prices"]
    out = run("doctor").out
    assert "table of models  stranger tells prices and abilities" in out
    assert "tables:stranger of stranger-prices 1.0, contract 1 (version 1, date 2026-11-01)" in out


def test_a_broken_table_is_told_with_its_reason(run: Run, site: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(site, monkeypatch, "broken_prices", "raise RuntimeError('no data')")
    code, out, _ = run("doctor")
    assert code == 1
    (line,) = [line for line in out.splitlines() if line.startswith("broken")]
    assert "table of models" in line
    assert "tables:stranger of stranger-prices 1.0 cannot be imported: RuntimeError: no data" in line
    monkeypatch.delenv("HEAVENBASE_LLM__TABLE")
    (line,) = [line for line in run("doctor").out.splitlines() if line.startswith("broken")]
    assert "hb plugins disable tables:stranger" in line


def test_a_setting_that_a_table_cannot_use_is_told_with_no_remedy_for_another(
    run: Run, site: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(site, monkeypatch, "choosy_prices", CHOOSY)
    home.mkdir(exist_ok=True)
    (home / "config.toml").write_text('[heavenbase.tables.stranger]\nfile = "/somewhere/else"\n')
    (line,) = [line for line in run("doctor").out.splitlines() if line.startswith("broken")]
    assert "config.toml:2: /somewhere/else is not there" in line
    assert "hb cfg unset" not in line


def test_a_table_that_is_asked_for_and_not_there_is_broken(run: Run) -> None:
    run("cfg", "set", "heavenbase.llm.table", "prizes")
    code, out, _ = run("doctor")
    assert code == 1
    assert "unknown table 'prizes'" in out
    assert "hb cfg unset heavenbase.llm.table" in out
    run("cfg", "set", "heavenbase.llm.table", "null")
    assert "none is asked (heavenbase.llm.table is null)" in run("doctor").out


# Words


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"),
        ("0.000012345678", "0.00001235"),
        ("12.3456", "12.35"),
        ("123456.789", "123456.79"),
        ("5", "5"),
        ("1E+3", "1000"),
        ("0.10", "0.1"),
        ("1e-30", "0." + "0" * 29 + "1"),
    ],
)
def test_amounts_have_the_digits_that_count(amount: str, text: str) -> None:
    assert figure(amount) == text
    assert money({"amount": amount, "currency": "EUR", "at_least": True}) == f"at least {text} EUR"


def test_numbers_of_tokens_are_short() -> None:
    assert [short(each) for each in (None, 512, 8_192, 128_000, 1_048_576, 1_000_000)] == [
        "",
        "512",
        "8.192k",
        "128k",
        "1.049M",
        "1M",
    ]
