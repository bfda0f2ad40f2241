"""`hb explain`: the whole story of a call, without a network."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import InputError

Run = Callable[..., Any]
KEY = "sk-explained-secret"


def story(run: Run, *args: str, **fields: Any) -> dict[str, Any]:
    code, out, err = run("explain", *args, "--json", **fields)
    assert (code, err) == (0, "")
    data: dict[str, Any] = json.loads(out)
    return data


def test_names_and_their_origins_are_told(run: Run) -> None:
    found = story(run, "hi")
    names = ("preset", "model", "model_id", "provider", "gateway", "base_url")
    assert [found[name]["value"] for name in names] == [
        "chat",
        "deepseek-v4-flash",
        "deepseek/deepseek-v4-flash",
        "openrouter",
        "openai",
        "https://openrouter.ai/api/v1",
    ]
    assert found["preset"]["origin"] == "argument"
    assert found["model"]["origin"] == "preset chat"
    assert found["base_url"]["origin"] == "provider openrouter"


def test_the_key_is_told_by_its_variable_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    found = story(run, "hi")
    assert found["key"] == {"value": "not set", "origin": "set OPENROUTER_API_KEY"}
    assert found["request"]["headers"]["Authorization"] == "Bearer (no key is set)"
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    found = story(run, "hi")
    assert found["key"] == {"value": "set", "origin": "environment OPENROUTER_API_KEY"}
    assert found["request"]["headers"]["Authorization"] == "Bearer ***"
    assert KEY not in json.dumps(found)
    assert story(run, "hi", "-p", "mock")["key"] == {"value": "none", "origin": "none is needed"}


def test_each_argument_has_its_origin(run: Run, home: Path) -> None:
    run("cfg", "set", "heavenbase.llm.default_args.seed", "7")
    arguments = story(run, "hi", "-o", "top_p=0.5", "-o", "timeout=9")["arguments"]
    assert arguments["top_p"] == {"value": 0.5, "origin": "argument", "sent": True}
    assert arguments["seed"] == {"value": 7, "origin": f"user file {home / 'config.toml'}:2", "sent": True}
    assert arguments["temperature"]["origin"] == "packaged default"
    assert arguments["think"] == {"value": False, "origin": "preset chat", "sent": True}
    assert arguments["timeout"]["sent"] is False


def test_the_request_is_the_one_that_would_be_sent(run: Run) -> None:
    request = story(run, "hi", "-s", "brief", "-o", "max_tokens=5", "--stream")["request"]
    assert request["method"] == "POST"
    assert request["url"] == "https://openrouter.ai/api/v1/chat/completions"
    body = request["body"]
    assert body["model"] == "deepseek/deepseek-v4-flash"
    assert body["messages"] == [{"role": "system", "content": "brief"}, {"role": "user", "content": "hi"}]
    assert body["max_tokens"] == 5
    assert body["stream"] is True


@pytest.mark.parametrize(("verb", "field", "value"), [("embed", "input", ["hi"]), ("imagen", "prompt", "hi")])
def test_other_verbs_are_explained_too(run: Run, verb: str, field: str, value: Any) -> None:
    assert story(run, "hi", "-p", "mock", "--verb", verb)["request"]["body"][field] == value


def test_what_becomes_of_each_parameter_is_told(run: Run) -> None:
    found = story(run, "hi", "-m", "openai/gpt-4o-mini", "-o", "max_tokens=5")
    assert found["parameters"]["max_tokens"]["outcome"] == "renamed"
    assert found["parameters"]["max_tokens"]["wire"] == "max_completion_tokens"


def test_limits_and_retries_are_told(run: Run) -> None:
    found = story(run, "hi", "-o", 'timeout={"total":9}', "-o", "max_retries=1")
    assert found["timeouts"]["total"] == 9
    assert found["timeouts"]["connect"] == 5
    assert found["retry"]["attempts"] == 2


@pytest.mark.parametrize(
    ("args", "used", "reason"),
    [
        ([], True, "policy deterministic"),
        (["--no-cache"], False, "it is off (argument)"),
        (["-o", "temperature=0.7", "-o", "seed=null"], False, "the answer is not determined"),
        (["-o", "cache_policy=off"], False, "policy off"),
        (["-o", 'cache={"namespaces":{"text":{"enabled":false}}}'], False, "namespace text is off"),
    ],
)
def test_the_decision_of_the_cache_is_told(run: Run, args: list[str], used: bool, reason: str) -> None:
    cache = story(run, "hi", *args)["cache"]
    assert cache["used"] is used
    assert cache["reason"].startswith(reason)
    assert (cache["key"] is not None) is used


def test_the_cache_key_is_the_one_under_which_the_answer_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    key = story(run, "hi")["cache"]["key"]
    assert len(key) == 64
    assert story(run, "hi")["cache"]["key"] == key
    assert story(run, "ho")["cache"]["key"] != key
    monkeypatch.setenv("OPENROUTER_API_KEY", "another-key")
    assert story(run, "hi")["cache"]["key"] != key


def test_behind_a_gateway_that_routes_both_addresses_and_both_keys_are_told(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted(config={"heavenbase.llm.gateways.scripted.api_key": KEY})
    gateway.defaults = {"routes": True, "base_url": "https://gate.test/v1"}
    found = story(run, "hi", kernel=kernel)
    assert found["base_url"] == {"value": "https://gate.test/v1", "origin": "gateway scripted"}
    assert found["provider_url"]["origin"] == "provider scripted"
    assert found["gateway_key"]["value"] == "set"
    _, out, _ = run("explain", "hi", kernel=kernel)
    assert "\ngateway key   set " in out
    assert KEY not in out + json.dumps(found)


def test_headers_of_the_user_are_masked_and_public_ones_shown(run: Run, scripted: Any) -> None:
    settings = {"heavenbase.llm.providers.scripted.headers": {"x-tenant": "user-header-secret"}}
    kernel, _ = scripted(config=settings)
    headers = story(run, "hi", kernel=kernel)["request"]["headers"]
    assert headers["x-public"] == "yes"
    assert headers["x-tenant"] == "***"


def test_a_fallback_is_told(run: Run) -> None:
    found = story(run, "hi", "-g", "litellm")
    assert found["gateway"]["value"] == "openai"
    assert found["requested_gateway"] == "litellm"
    assert "asked for: litellm" in found["gateway"]["origin"]
    assert any("pip install hb-gateway-litellm" in warning for warning in found["warnings"])


def test_a_call_that_would_be_refused_is_told(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted()
    prepare = gateway.prepare

    def lossy(call: Any) -> Any:
        request = prepare(call)
        call.context.report.dropped("stop", "this wire has none")
        call.context.report.dropped("top_p", "this wire has none")
        return request

    gateway.prepare = lossy
    warnings = story(run, "hi", "-o", "top_p=0.5", kernel=kernel)["warnings"]
    assert len(warnings) == 1
    assert "top_p is dropped" in warnings[0]
    warnings = story(run, "hi", "-o", "stop=x", kernel=kernel)["warnings"]
    assert len(warnings) == 1
    assert warnings[0].startswith("this call is refused: stop is dropped")


def test_a_request_that_cannot_be_made_fails_with_the_rest_still_told(run: Run, scripted: Any) -> None:
    kernel, gateway = scripted()

    def refuse(call: Any) -> Any:
        raise InputError("no such thing")

    gateway.prepare = refuse
    code, out, _ = run("explain", "hi", kernel=kernel)
    assert code == 1
    assert "  cannot be made: no such thing\n" in out
    assert "provider  scripted" in out


def test_the_text_form_tells_the_same(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    code, out, err = run("explain", "hi", "-o", "top_p=0.5")
    assert (code, err) == (0, "")
    for line in (
        "preset    chat                          argument",
        "key       set                           environment OPENROUTER_API_KEY",
        "  POST https://openrouter.ai/api/v1/chat/completions",
        "  Authorization: Bearer ***",
    ):
        assert line in out.splitlines()
    assert "\ntime limits: connect 5 s, first_token 120 s, " in out
    assert "\nattempts: at most 3, " in out
    assert "\ncache: no, the answer is not determined" in out
    assert KEY not in out


def test_no_sdk_and_no_network_library_is_imported(process: Run) -> None:
    code = (
        "import sys\nfrom hb_cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as done:\n    assert done.code == 0\n"
        "print('LOADED', sorted({'openai', 'httpx', 'httpx2', 'asyncio', 'pydantic', 'ssl'} & set(sys.modules)))"
    )
    _, out, err = process("explain", "hi", code=code)
    assert out.splitlines()[-1] == "LOADED []", err


def test_nothing_is_sent(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    with LoopbackServer() as server:
        base = server.url("openrouter")
        assert story(run, "hi", "-o", f"base_url={base}")["request"]["url"].startswith(base)
        assert server.accepted_connections == 0
