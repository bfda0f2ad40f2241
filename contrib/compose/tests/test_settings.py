"""heartbit.toml: the page's own, the meaning of each key, and every mistake with its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import hb_compose as c
from hb_compose.settings import Retries, parse_provider
from heavenbase.errors import AuthError, ConfigError, HBError, InputTypeError, MissingCredential

from .support import KEYS, LONG, WAYS, Stack, marks

PAGE = """\
[provider]
name = "anthropic" # or "openrouter"
model = "claude-sonnet-4-20250514"
api_key_env = "ANTHROPIC_API_KEY" # env var for API key
max_tokens = 16384
prompt_caching = true

[provider.retry]
max_retries = 3
base_delay_ms = 1000

[provider.cascade]
enabled = true
tiers = [
  { model = "claude-haiku-4-5-20251001" },
  { model = "claude-sonnet-4-20250514" },
]
"""
HAIKU, SONNET = "claude-haiku-4-5-20251001", "claude-sonnet-4-20250514"


def load(stack: Stack, folder: Path, text: str = PAGE, **options: Any) -> c.Provider:
    file = folder / "heartbit.toml"
    file.write_text(text, encoding="utf-8")
    made = c.load_provider(file, kernel=stack.kernel, **options)
    stack.clock.slept.clear()
    return made


@WAYS
def test_h25_the_pages_file_is_read_as_it_stands(stack: Stack, way: str, tmp_path: Path) -> None:
    provider = load(stack, tmp_path)
    stack.server.reply("no")
    stack.server.reply(LONG)
    talk = [c.Message.user("one"), c.Message.assistant("two"), c.Message.user("three")]
    response = stack.ask(provider, way, talk, system="be brief", tools=[{"name": "now"}])
    assert (response.text, response.model, stack.asked) == (LONG, SONNET, [HAIKU, SONNET])
    for request in stack.requests:
        assert request.headers["x-api-key"] == KEYS["ANTHROPIC_API_KEY"]
        assert request.json["max_tokens"] == 16_384
        assert len(list(marks(request.json))) == 3


@WAYS
def test_h25_the_pages_other_provider_has_the_same_keys(stack: Stack, way: str, tmp_path: Path) -> None:
    text = PAGE.replace('"anthropic" #', '"openrouter" #').replace("ANTHROPIC_API_KEY", "MY_KEY")
    text = text.replace('"claude-', '"anthropic/claude-')  # as that provider names them
    with pytest.raises(MissingCredential, match="MY_KEY"):
        load(stack, tmp_path, text)
    provider = load(stack, tmp_path, text.replace("MY_KEY", "OPENROUTER_API_KEY"))
    stack.server.reply(LONG)
    talk = [c.Message.user("one"), c.Message.assistant("two"), c.Message.user("three")]
    assert stack.ask(provider, way, talk, system="be brief").model == f"anthropic/{HAIKU}"
    [request] = stack.requests
    assert request.headers["authorization"] == f"Bearer {KEYS['OPENROUTER_API_KEY']}"
    assert 16_384 in (request.json.get("max_tokens"), request.json.get("max_completion_tokens"))
    assert len(list(marks(request.json))) == 2


@WAYS
def test_h25_a_tier_that_is_the_model_is_not_tried_twice(stack: Stack, way: str, tmp_path: Path) -> None:
    provider = load(stack, tmp_path)
    for _ in range(2):
        stack.server.reply("no")
    assert stack.ask(provider, way).model == SONNET
    assert stack.asked == [HAIKU, SONNET]


def test_h25_each_tier_is_tried_again_as_the_file_says(stack: Stack, tmp_path: Path) -> None:
    provider = load(stack, tmp_path)
    assert isinstance(provider, c.CascadingProvider)
    assert [tier.model_name for tier in provider.tiers] == [HAIKU, SONNET]
    for tier in provider.tiers:
        assert isinstance(tier, c.RetryingProvider)
        rule = tier.backoff
        assert (rule.max_retries, rule.base_delay_ms, rule.max_delay_ms) == (3, 1000, 30_000)


def test_h25_without_the_table_retry_nothing_is_tried_again(stack: Stack, tmp_path: Path) -> None:
    provider = load(stack, tmp_path, '[provider]\nname = "openrouter"\nmodel = "x/y"\n')
    assert isinstance(provider, c.OpenRouterProvider)
    stack.fail(529)
    with pytest.raises(HBError):
        stack.ask(provider)
    [request] = stack.requests
    assert request.headers["authorization"] == f"Bearer {KEYS['OPENROUTER_API_KEY']}"
    assert parse_provider('[provider]\nname = "anthropic"\nmodel = "m"\n[provider.retry]\n').retry == Retries(
        3, 500, 30_000
    )


def test_h25_the_model_is_the_last_tier_although_the_file_does_not_say_so() -> None:
    read = parse_provider(PAGE.replace('  { model = "claude-sonnet-4-20250514" },\n', ""))
    assert (read.tiers, read.model) == ((HAIKU,), SONNET)
    off = parse_provider(PAGE.replace("enabled = true", "enabled = false"))
    assert (off.tiers, off.remarks) == ((), ("the cascade is not enabled: its tiers are not asked",))


def test_h21_the_table_of_the_gate_sets_its_knobs(stack: Stack, tmp_path: Path) -> None:
    gate = """
[provider.cascade.gate]
type = "heuristic"
min_output_tokens = 2
accept_tool_calls = false
escalate_on_max_tokens = false
refusal_patterns = ["weiß ich nicht"]
escalate_on_refusal = false
refusal_window = 50
"""
    provider = load(stack, tmp_path, PAGE.replace("enabled = true", 'enabled = true\nescalate_on = ["auth"]') + gate)
    assert isinstance(provider, c.CascadingProvider)
    made = provider.gate
    assert (made.min_output_tokens, made.accept_tool_calls, made.escalate_on_max_tokens) == (2, False, False)
    assert (made.refusal_patterns, made.escalate_on_refusal, made.refusal_window) == (("weiß ich nicht",), False, 50)
    stack.fail(401)
    stack.server.reply(LONG)
    assert stack.ask(provider).model == SONNET


def test_h25_a_key_that_is_not_set_is_named_before_anything_is_sent(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(MissingCredential, match=r"heartbit\.toml.*MY_KEY, which is not set"):
        load(stack, tmp_path, PAGE.replace("ANTHROPIC_API_KEY", "MY_KEY"))


def test_h25_other_tables_are_let_be_and_named() -> None:
    assert parse_provider(f"{PAGE}\n[orchestrator]\nmax_turns = 5\n").remarks[0] == "not read: [orchestrator]"


@pytest.mark.parametrize(
    ("before", "after", "line", "told"),
    [
        ("max_tokens", "max_token", 5, "'max_token'; did you mean 'max_tokens'?"),
        ("max_retries", "retries", 9, "'retries'; did you mean 'max_retries'?"),
        ("base_delay_ms = 1000", "base_delay_ms = 40000", 10, "(40000) is more than provider.retry.max_delay_ms"),
        ("base_delay_ms = 1000", "base_delay_ms = -1", 10, "at least 0, not -1"),
        ('"anthropic"', '"antropic"', 2, "'antropic'; did you mean 'anthropic'?"),
        ('"anthropic"', '""', 2, "provider.name is empty"),
        ('model = "claude-sonnet-4-20250514"\napi', "api", 1, "[provider] has no model"),
        ('model = "claude-sonnet-4-20250514"\napi', 'model = ""\napi', 3, "provider.model is empty"),
        ("16384", '"16384"', 5, "provider.max_tokens must be a whole number, not text"),
        ("16384", "0", 5, "provider.max_tokens must be at least 1, not 0"),
        ("prompt_caching = true", "prompt_caching = 1", 6, "must be true or false"),
        ("[provider.retry]", "[provider.retries]", 8, "'retries'; did you mean 'retry'?"),
        ('model = "claude-sonnet-4-20250514"\napi', 'model = "  "\napi', 3, "provider.model is empty"),
        ('"anthropic"', '"  "', 2, "provider.name is empty"),
        ('model = "claude-haiku-4-5-20251001"', 'model = "  "', 15, "the model of tier 1 of provider.cascade is empty"),
        ('model = "claude-haiku-4-5-20251001"', 'model = ""', 15, "the model of tier 1 of provider.cascade is empty"),
        ('{ model = "claude-haiku-4-5-20251001" }', '{ modle = "x" }', 15, "'modle'; did you mean 'model'?"),
        ('{ model = "claude-haiku-4-5-20251001" }', '"x"', 14, "tier 1 of provider.cascade must be a table"),
        ("claude-haiku-4-5-20251001", "claude-sonnet-4-20250514", 16, "tier 2 of provider.cascade is"),
        ("enabled = true", "enabled = true\nescalate_on = ['atuh']", 14, "'atuh'; did you mean 'auth'?"),
        ("enabled = true", "enabled = true\nescalate_on = [['auth']]", 14, "must be a list of texts; a list is none"),
        ("enabled = true", "enabled = true\nescalate_on = [{a = 1}]", 14, "must be a list of texts; a table is none"),
        ("enabled = true", "enabled = true\nescalate_on = [5]", 14, "must be a list of texts; a whole number is none"),
        ("16384", "0x" + "f" * 5000, 5, "provider.max_tokens must be less than 1e+15"),
        ("base_delay_ms = 1000", "base_delay_ms = 0x" + "f" * 5000, 10, "provider.retry.base_delay_ms must be less"),
        ("16384", "1.5", 5, "provider.max_tokens must be a whole number, not 1.5"),
        ("enabled = true", "enabled = true\ngate = { type = 5 }", 14, "gate.type must be text, not a whole number"),
        ("enabled = true", "enabled = true\ngate = { type = '' }", 14, "provider.cascade.gate.type is empty"),
        ("enabled = true", "enabled = true\ngate = { min_output_tokens = -1 }", 14, "must be at least 0"),
        ("enabled = true", "enabled = true\ngate = { min_tokens = 1 }", 14, "did you mean 'min_output_tokens'?"),
        ('"ANTHROPIC_API_KEY"', '"sk-ant-0123456789abcdef"', 4, "is the name of a variable"),
        ("api_key_env", "api_key", 4, "'api_key'; did you mean 'api_key_env'?"),
        ("[provider]", "[providr]", 1, "did you mean [provider]"),
        ("max_tokens = 16384", "max_tokens = ", 5, "no valid TOML"),
    ],
)  # fmt: skip
def test_h25_a_mistake_is_named_with_its_line(before: str, after: str, line: int, told: str) -> None:
    assert before in PAGE
    text = PAGE.replace(before, after)
    if after == "[providr]":
        text = '[providr]\nname = "anthropic"\n'
    with pytest.raises(ConfigError) as caught:
        parse_provider(text, "my.toml")
    [first, *_] = str(caught.value).split("\n")
    where = f"line {line}" if after == "[providr]" else f"my.toml:{line}:"
    assert where in first
    assert told in first
    assert "sk-ant" not in str(caught.value)


def test_h25_every_mistake_is_named_at_once() -> None:
    text = PAGE.replace("max_tokens", "max_token").replace("max_retries", "retries").replace('"anthropic"', '"x"')
    with pytest.raises(ConfigError) as caught:
        parse_provider(text)
    assert [line.split(":")[1] for line in str(caught.value).split("\n")] == ["2", "5", "9"]


@pytest.mark.parametrize("tiers", ["", "tiers = []"])
def test_h25_an_enabled_cascade_needs_tiers(tiers: str) -> None:
    text = f'[provider]\nname = "anthropic"\nmodel = "m"\n[provider.cascade]\nenabled = true\n{tiers}\n'
    with pytest.raises(ConfigError, match=rf"heartbit\.toml:{6 if tiers else 5}: .*enabled and has no tiers"):
        parse_provider(text)


def test_tiers_may_be_tables_of_their_own() -> None:
    table = '[[provider.cascade.tiers]]\nmodel = "{}"\n'
    head = '[provider]\nname = "anthropic"\nmodel = "m"\n[provider.cascade]\nenabled = true\n'
    assert parse_provider(head + table.format("a") + table.format("b")).tiers == ("a", "b")
    with pytest.raises(ConfigError, match=":8: the model of tier 2"):
        parse_provider(head + table.format("a") + table.format(""))


def test_a_list_where_the_table_belongs_is_named() -> None:
    for text, line, kind in (
        ('\n[[provider]]\nname = "anthropic"\n', 2, "a list; write [provider] once"),
        ("provider = 5\n", 1, "a whole number"),
    ):
        with pytest.raises(ConfigError, match=re.escape(f"my.toml:{line}: provider must be a table, not {kind}")):
            parse_provider(text, "my.toml")


def test_a_file_that_is_not_there_is_named(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        c.load_provider(tmp_path / "none.toml", kernel=stack.kernel)
    (tmp_path / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="UTF-8"):
        c.load_provider(tmp_path / "bad.toml", kernel=stack.kernel)


def test_what_is_no_file_is_named(stack: Stack, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"{tmp_path}: ")):
        c.load_provider(tmp_path, kernel=stack.kernel)
    with pytest.raises(ConfigError, match=re.escape(r"'a\x00b': no file has such a name")):
        c.load_provider("a\0b", kernel=stack.kernel)


def test_a_file_is_bounded_and_a_path(stack: Stack, tmp_path: Path) -> None:
    for wrong in (5, None, b"heartbit.toml", ["heartbit.toml"]):
        with pytest.raises(InputTypeError, match="the file of a provider is a path"):
            c.load_provider(wrong, kernel=stack.kernel)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="/dev/zero: is larger than"):
        c.load_provider("/dev/zero", kernel=stack.kernel)
    (tmp_path / "bad.toml").write_bytes(b"[provider]\nname = '\xff'\n")
    with pytest.raises(ConfigError, match=r"bad\.toml:2: is not UTF-8"):
        c.load_provider(tmp_path / "bad.toml", kernel=stack.kernel)


@pytest.mark.parametrize("many", [5_000])
def test_a_file_of_thousands_of_tiers_or_mistakes_is_read_in_one_pass(many: int) -> None:
    tiers = "".join(f'  {{ model = "m{number}" }},\n' for number in range(many))
    assert len(parse_provider(PAGE.replace("tiers = [\n", f"tiers = [\n{tiers}")).tiers) == many + 1
    slips = "".join(f"max_token{number} = 1\n" for number in range(many // 10))
    with pytest.raises(ConfigError) as caught:
        parse_provider(PAGE.replace("max_tokens = ", f"{slips}max_tokens = "))
    assert len(str(caught.value).split("\n")) == many // 10
    assert f"heartbit.toml:{4 + many // 10}: " in str(caught.value)
    with pytest.raises(ConfigError, match=r"unknown key in \[provider\.cascade\]: 'x'"):
        parse_provider(f"{PAGE}x{'.x' * 3000} = 1\n")


def test_a_file_with_a_mark_of_its_order_of_bytes_is_read(stack: Stack, tmp_path: Path) -> None:
    assert isinstance(load(stack, tmp_path, f"\ufeff{PAGE}"), c.CascadingProvider)
    assert parse_provider(f"\ufeff{PAGE}") == parse_provider(PAGE)
    with pytest.raises(ConfigError, match=r"heartbit\.toml:5: "):
        parse_provider(f"\ufeff{PAGE}".replace("16384", "0"))


def test_h17_a_callback_is_told_of_the_retries_of_a_file(stack: Stack, tmp_path: Path) -> None:
    provider = load(stack, tmp_path, on_retry=lambda *told: stack.told.append(told))
    stack.fail(401)
    with pytest.raises(AuthError):
        stack.ask(provider)
    assert stack.told == []


JUDGE = """
from heavenbase.middleware import Judge, Setting


class Polite(Judge):
    name = "polite"
    settings = {"word": Setting("str", "please", "what an answer must say")}

    def __call__(self, call, answer):
        word = self.options["word"]
        return None if word in answer.text else f"it does not say {word!r}"
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of somebody else's, with a judge as its entry point."""
    site = tmp_path / "site"
    info = site / "polite-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "polite_judge.py").write_text(JUDGE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: polite\nVersion: 1.0\n")
    (info / "RECORD").write_text("polite_judge.py,sha256=00,1\n")
    (info / "entry_points.txt").write_text("[heavenbase.judges]\npolite = polite_judge:Polite\n")
    monkeypatch.syspath_prepend(str(site))


@WAYS
def test_h23_a_gate_of_another_distribution_is_used(stranger: None, stack: Stack, way: str, tmp_path: Path) -> None:
    gate = '\n[provider.cascade.gate]\ntype = "polite"\nword = "thanks"\n'
    provider = load(stack, tmp_path, PAGE + gate)
    stack.server.reply("a long answer, please")
    stack.server.reply("whatever it is")
    response = stack.ask(provider, way)
    assert (response.model, response.tiers[0]) == (SONNET, (HAIKU, "it does not say 'thanks'"))
    stack.server.reply("a long answer, please")
    tiers = [stack.direct(model=HAIKU), stack.direct()]
    assert stack.ask(c.CascadingProvider(tiers, "polite"), way).model == HAIKU


def test_h23_a_gate_that_nobody_has_is_named_with_its_line(stack: Stack, tmp_path: Path) -> None:
    for gate, told in (
        ('{ type = "heurisic" }', "'heurisic'; did you mean 'heuristic'?"),
        ('{ type = "finish", accept_emty = true }', "'accept_emty'; did you mean 'accept_empty'?"),
    ):
        with pytest.raises(ConfigError, match=r"heartbit\.toml:14: provider\.cascade\.gate: ") as caught:
            load(stack, tmp_path, PAGE.replace("enabled = true", f"enabled = true\ngate = {gate}"))
        assert told.split("; ")[1] in str(caught.value)
