"""Names that are nearly right, at every door and on every wire: refused with the right one, or named in the report."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import heavenbase as hb
from hb_cli.app import app
from hb_cli.state import State
from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer
from heavenbase.config.config import Config
from heavenbase.errors import CacheWarning, HBError, UnknownNameError
from heavenbase.kernel import Kernel
from heavenbase.options import KNOWN, OPTIONS
from heavenbase.resolution.arguments import parameters_of
from tests.test_sent_as_asked import WIRES, sent

SPELLINGS = [
    *("temprature", "tempreature", "Temperature", "TEMPERATURE", "temperature ", " temperature", "température"),
    *("max_token", "maxTokens", "max-tokens", "MAX_TOKENS", "max tokens", "topP", "top-p", "topp", "TopP", "top-k"),
    *("stops", "Stop", "stop_words", "reasoning-effort", "reasoningEffort", "reasoningeffort", "think_", "thinking."),
    *("thinking.budget", "response-format", "responseformat", "tool-choice", "toolchoice", "toolz", "Tools"),
    *("frequency-penalty", "freq_penalty", "logit-bias", "service-tier", "parallel-tool-calls", "parallel_tools"),
    *("sytem", "systm", "System", "message", "promt", "modle", "model_name", "api-key", "apikey", "apiKey", "API_KEY"),
    *("baseurl", "baseURL", "base-url", "time_out", "Timeout", "timeouts", "max_retrys", "max_retry", "maxRetries"),
    *("streaming", "Stream", "cached", "use_cache", "imgs", "seeds", "Seed", "extraBody", "extra-body", "extra_headrs"),
    *("headerz", "default_header", "http-proxy", "frobnicate", "foo-bar", "temperature.max", "", "x" * 500),
]


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    with LoopbackServer(strict=False) as running:
        yield running


@pytest.fixture(scope="module")
def kernel(server: LoopbackServer) -> Iterator[Kernel]:
    acme = {"gateway": "openai", "base_url": server.url("openai"), "api_key": "sk-acme-000"}
    plain = {f"heavenbase.llm.default_args.{name}": None for name in ("temperature", "seed")}
    settings = {"heavenbase.llm.cache.enabled": False, "heavenbase.llm.providers.acme": acme, **plain}
    with Kernel(Config.from_dict(settings, environ=environment())) as made:
        yield made


@pytest.mark.parametrize("wire", WIRES)
def test_a1_no_wire_takes_a_name_that_is_nearly_one_of_an_option(kernel: Kernel, wire: str) -> None:
    model, gateway, _ = WIRES[wire]
    there = {"base_url": "http://127.0.0.1:1/v1"} if wire in ("custom", "azure") else {}
    known = parameters_of(kernel.resolve(None, model, None, gateway, **there), kernel.registry)
    assert known is not None
    for name in SPELLINGS:
        if name in known:  # its own word for it
            continue
        with pytest.raises(UnknownNameError):
            sent(kernel, wire, **{name: 1})
        with pytest.raises(UnknownNameError):
            kernel.resolve(None, model, None, gateway, **there, **{name: 1})


def test_a1_parameters_of_the_responses_wire_are_refused_on_the_chat_wire(kernel: Kernel) -> None:
    for name in ("instructions", "max_output_tokens", "previous_response_id", "truncation", "conversation"):
        value: Any = 64 if name == "max_output_tokens" else "auto"
        with pytest.raises(UnknownNameError):
            sent(kernel, "openai", **{name: value})
        assert name in sent(kernel, "responses", **{name: value})[0]["body"]


VERBS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("chat", "complete", "stream", "embed", "imagen", "count_tokens"), ("hi",)),
    "rerank": ("hi", ["a", "b"]),
    "models": (),
}


@pytest.mark.parametrize("verb", [*VERBS, *(f"a{verb}" for verb in VERBS)])
@pytest.mark.parametrize(
    "name", ["temprature", "max-tokens", "Timeout", "sytem", "modle", "model", "provider", "sizee"]
)
def test_a1_every_verb_refuses_them_before_anything_is_sent(
    kernel: Kernel, server: LoopbackServer, verb: str, name: str
) -> None:
    llm = hb.LLM(model="acme/m", kernel=kernel)
    server.clear()

    async def ask() -> Any:
        found = getattr(llm, verb)(*VERBS[verb[1:]], **{name: "x"})
        return [item async for item in found] if hasattr(found, "__aiter__") else await found

    def ask_in_line() -> Any:
        found = getattr(llm, verb)(*VERBS[verb], **{name: "x"})
        return list(found) if hasattr(found, "__next__") else found

    with pytest.raises(UnknownNameError):
        ask_in_line() if verb in VERBS else asyncio.run(ask())
    assert server.requests == []


TOOL: dict[str, Any] = {"name": "w", "parameters": {"type": "object", "properties": {}}}
WITHIN: dict[str, dict[str, Any]] = {
    "timeout": {"timeout": {"totl": 1}},
    "cache": {"cache": {"enabld": True}},
    "cache_config": {"cache_config": {"polcy": "off"}},
    "on_lossy": {"on_lossy": {"guarantes": "warn"}},
    "tool_call_repair": {"tool_call_repair": {"enabld": True}},
    "mock": {"mock": {"txt": "x"}},
    "response_format": {"response_format": {"type": "json_shema"}},
    "include": {"include": "txt"},
    "tool attribute": {"tools": [{**TOOL, "descripton": "x"}]},
    "tool parameters": {"tools": [{"type": "function", "function": {"name": "w", "paramters": {}}}]},
    "tool type": {"tools": [{"type": "functon", "function": TOOL}]},
    "choice type": {"tools": [TOOL], "tool_choice": {"type": "functon", "function": {"name": "w"}}},
    "choice key": {"tools": [TOOL], "tool_choice": {"typ": "function"}},
    "choice": {"tools": [TOOL], "tool_choice": "requird"},
}
MESSAGES: dict[str, Any] = {
    "role": [{"role": "usr", "content": "x"}],
    "attribute": [{"role": "user", "content": "x", "nme": "y"}],
    "calls": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "tool_call": [{"id": "1"}]}],
    "part": [{"role": "user", "content": [{"type": "txt", "text": "x"}]}],
    "image": [{"role": "user", "content": [{"type": "image_ulr", "image_url": {"url": "https://a.test/b.png"}}]}],
    "detail": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a", "detial": "low"}}]}],
    "file": [{"role": "user", "content": [{"type": "file", "file": {"file_dta": "data:text/plain;base64,eA=="}}]}],
}  # fmt: skip


@pytest.mark.parametrize("case", [*WITHIN, *MESSAGES])
def test_a1_names_within_options_messages_and_tools_are_checked(
    kernel: Kernel, server: LoopbackServer, case: str
) -> None:
    llm = hb.LLM(model="acme/m", kernel=kernel)
    server.clear()
    for ask in (llm.chat, llm.stream) if case != "include" else (llm.chat,):
        with pytest.raises(UnknownNameError):
            list(ask(MESSAGES.get(case, "hi"), **WITHIN.get(case, {})))
    with pytest.raises(UnknownNameError):
        asyncio.run(llm.achat(MESSAGES.get(case, "hi"), **WITHIN.get(case, {})))
    assert server.requests == []


@pytest.mark.parametrize("wire", ["openai", "openrouter", "custom"])
def test_a1_attributes_that_nobody_knows_are_reported_as_unknown_where_a_wire_takes_them(
    kernel: Kernel, wire: str
) -> None:
    part = {"type": "text", "text": "x", "frobnicate": 1}
    message = {"role": "user", "content": [part], "zig": 1}
    tool = {"type": "function", "function": {**TOOL, "zag": 1}}
    body, report = sent(kernel, wire, [message], tools=[tool])
    assert "frobnicate" in json.dumps(body["body"])
    assert sorted(report.names("unknown")) == [
        "messages[0].content[0].frobnicate",
        "messages[0].zig",
        "tools[0].function.zag",
    ]


WRONG: list[Any] = [
    *(1, -1, 1.5, "word", "", [], {}, True, [1], ["a"], {"a": 1}, [{}], [[]], {"type": 5}, (1,), {1}, b"x"),
    *(object(), float("nan"), lambda: 1),
]


@pytest.mark.parametrize("wire", WIRES)
def test_a1_no_value_of_a_parameter_raises_an_error_of_pythons_own(kernel: Kernel, wire: str) -> None:
    model, gateway, _ = WIRES[wire]
    there = {"base_url": "http://127.0.0.1:1/v1"} if wire in ("custom", "azure") else {}
    known = parameters_of(kernel.resolve(None, model, None, gateway, **there), kernel.registry) or frozenset()
    ours = [name for name, option in OPTIONS.items() if option.kind != "connection" and not name.startswith("mock")]
    wrong = itertools.cycle(WRONG)
    for name in sorted(known - KNOWN) + ours:
        for value in WRONG if name not in known else itertools.islice(wrong, 7):
            try:
                sent(kernel, wire, **{name: value})
            except HBError:
                continue


ARGUMENTS: dict[str, list[str]] = {
    "chat": ["chat", "hi", "-m", "acme/m"],
    "stream": ["chat", "hi", "-m", "acme/m", "--stream"],
    "session": ["session", "hi", "-m", "acme/m", "--no-log"],
    "embed": ["embed", "hi", "-m", "acme/m"],
    "explain": ["explain", "hi", "-m", "acme/m"],
}


@pytest.mark.parametrize("command", ARGUMENTS)
@pytest.mark.parametrize("name", ["temperture", "max-tokens", "Temperature", "thinking.budget", "frobnicate", "modle"])
def test_a1_the_command_line_refuses_them(kernel: Kernel, server: LoopbackServer, command: str, name: str) -> None:
    server.clear()
    done = CliRunner().invoke(
        app, [*ARGUMENTS[command], "-o", f"{name}=1"], prog_name="hb", obj=State(kernel), input=""
    )
    assert done.exit_code != 0
    assert f"unknown option {name!r}" in done.stderr
    assert server.requests == []


ROWS = [
    "default_args",
    "presets.p.args",
    "presets.p.default_args",
    "models.t.default_args",
    "providers.acme.default_args",
]


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("name", ["temprature", "max-tokens", "Temperature", "frobnicate"])
def test_a1_settings_with_them_are_refused_where_they_are_used(row: str, name: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "heavenbase.llm.providers.acme": {"base_url": "http://127.0.0.1:1/v1", "api_key": "sk-acme-000"},
        "heavenbase.llm.models.t": {"providers": {"acme": "t-1"}},
        "heavenbase.llm.presets.p": {"model": "t"},
        f"heavenbase.llm.{row}": {name: 1},
    }
    ask: Callable[[], Any] = lambda: hb.LLM("p", kernel=Kernel(settings))  # noqa: E731
    with pytest.raises(UnknownNameError, match=f"unknown option '{name}'"):
        ask()


@pytest.mark.parametrize(
    "key",
    ["llm.presets.p.modle", "llm.defualt_preset", "llm.providers.acme.base-url", "llm.cache.Enabled", "plugin.allow"],
)
def test_a1_keys_of_the_settings_are_checked(key: str) -> None:
    with pytest.raises(HBError, match=r"unknown key .* did you mean"):
        Config.from_dict({f"heavenbase.{key}": "x"})


@pytest.mark.parametrize(
    ("provider", "option"),
    [("azure", "api_verison"), ("bedrock", "regoin"), ("vertex", "Project"), ("acme", "reasoning-replay")],
)
def test_a1_options_that_plugins_read_are_checked(provider: str, option: str) -> None:
    settings = {"base_url": "http://127.0.0.1:1/v1", "api_key": "sk-acme-000", "options": {option: "x"}}
    with pytest.raises(UnknownNameError, match=f"unknown option of provider '{provider}' '{option}'; did you mean"):
        hb.LLM(model=f"{provider}/m", kernel=Kernel({f"heavenbase.llm.providers.{provider}": settings}))


@pytest.mark.parametrize("backend", ["sqlite", "memory", "redis"])
def test_a1_options_that_a_cache_does_not_have_are_told(backend: str, tmp_path: Path) -> None:
    cache = {"backend": backend, "namespace": "us", "path": str(tmp_path / "c.db"), "options": {"busy_timout_ms": 5}}
    with Kernel({"heavenbase.llm.cache": cache}) as kernel, pytest.warns(CacheWarning, match="busy_timout_ms: unknown"):
        hb.LLM("mock", kernel=kernel, cache=True, cache_policy="force").complete("hi")
