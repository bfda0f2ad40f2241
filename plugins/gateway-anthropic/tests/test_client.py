"""SDK clients: one per key, made from the spec alone; credentials, headers, exports, counts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import anthropic
import pytest

import heavenbase as hb
from hb_gateway_anthropic import AnthropicGateway
from hb_testing.server import LoopbackServer
from heavenbase import errors
from heavenbase.clients import LIMIT
from heavenbase.colour import drive
from heavenbase.secrets import Secret

from .support import ANTHROPIC, BUDGET, CANARY, Caller, make_call, make_spec


def test_importing_the_plugin_and_preparing_a_request_import_no_sdk() -> None:
    code = (
        "import sys, time\n"
        "from hb_gateway_anthropic import AnthropicGateway\n"
        "from heavenbase.call import Call, CallContext\n"
        "from heavenbase.spec import LLMSpec, Timeouts\n"
        "spec = LLMSpec(None, 'm', 'm', 'p', 'anthropic', 'anthropic', base_url='http://x/v1')\n"
        "context = CallContext(time.monotonic, Timeouts(), 0.0, 0.0, None)\n"
        "call = Call('complete', spec, context, messages=[{'role': 'user', 'content': 'hi'}])\n"
        "names = ('anthropic', 'httpx2', 'httpx', 'httpcore2', 'pydantic', 'asyncio')\n"
        "print(AnthropicGateway().prepare(call).url, [name for name in names if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["http://x/v1/messages", "[]"]


def test_a_chat_in_every_way(caller: Caller, server: LoopbackServer, mode: str) -> None:
    answer = caller.run(mode, make_spec(server.url("anthropic")))
    assert (answer.text, answer.finish_reason, answer.raw_finish_reason) == ("echo: hi", "stop", "end_turn")
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (1, 2)
    assert server.request_count == 1


# What is sent


def test_h04_path_key_version_and_system(caller: Caller, server: LoopbackServer, mode: str) -> None:
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
    caller.run(mode, make_spec(server.url("anthropic")), messages=messages)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/anthropic/v1/messages")
    assert request.headers["x-api-key"] == CANARY
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert request.json["system"] == "be brief"
    assert request.json["messages"] == [{"role": "user", "content": "hi"}]
    names = [name.lower() for name, _ in request.raw_headers]
    assert len(names) == len(set(names))


def test_a_bearer_provider_gets_no_key_header(caller: Caller, server: LoopbackServer, mode: str) -> None:
    spec = make_spec(server.url("anthropic"), provider_record={**ANTHROPIC, "auth_mode": {"anthropic": "bearer"}})
    caller.run(mode, spec)
    assert server.requests[0].bearer == CANARY
    assert "x-api-key" not in server.requests[0].headers


def test_what_is_given_as_auth_token_travels_as_bearer(server: LoopbackServer) -> None:
    with hb.Kernel() as kernel:
        options: dict[str, Any] = {"model": "haiku", "provider": "anthropic", "base_url": server.url("anthropic")}
        hb.LLM(**options, auth_token="token-1", cache=False, kernel=kernel).chat("hi")
        hb.LLM(**options, api_key="key-1", cache=False, kernel=kernel).chat("hi")
    assert [(request.headers.get("x-api-key"), request.bearer) for request in server.requests] == [
        (None, "token-1"),
        ("key-1", None),
    ]


def test_no_variable_of_the_sdk_reaches_the_wire(
    caller: Caller, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "ANTHROPIC_API_KEY": "sk-env",
        "ANTHROPIC_AUTH_TOKEN": "token-env",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:1/env",
        "ANTHROPIC_CUSTOM_HEADERS": "x-env: sneaky",
        "ANTHROPIC_WEBHOOK_SIGNING_KEY": "hook-env",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    spec = make_spec(server.url("anthropic"), headers={"x-title": "mine"})
    caller.run("chat", spec)
    caller.run("achat", spec)
    for request in server.requests:
        assert request.headers["x-title"] == "mine"
        assert request.headers["x-api-key"] == CANARY
        assert "env" not in str({k: v for k, v in request.headers.items() if k != "host"})
    assert caller.gateway.to_anthropic_client(spec).webhook_key is None


def test_headers_of_the_call_win_over_those_of_the_spec(caller: Caller, server: LoopbackServer) -> None:
    spec = make_spec(server.url("anthropic"), headers={"X-One": "spec", "x-two": "spec", "anthropic-beta": "a"})
    caller.run("chat", spec, extra_headers={"x-one": "call", "user-agent": "mine"}, extra_query={"beta": "true"})
    [request] = server.requests
    assert (request.headers["x-one"], request.headers["x-two"]) == ("call", "spec")
    assert (request.headers["user-agent"], request.headers["anthropic-beta"]) == ("mine", "a")
    assert request.path.endswith("/v1/messages?beta=true")


def test_another_version_of_the_api_may_be_asked_for(caller: Caller, server: LoopbackServer) -> None:
    caller.run("chat", make_spec(server.url("anthropic"), headers={"Anthropic-Version": "2026-10-21"}))
    assert server.requests[0].headers["anthropic-version"] == "2026-10-21"


def test_a_secret_header_is_sent_and_not_shown(caller: Caller, server: LoopbackServer) -> None:
    spec = make_spec(server.url("anthropic"), headers={"cf-access-token": CANARY, "x-title": "t"})
    call = make_call(spec)
    request = caller.gateway.prepare(call)
    assert dict(request.headers) == {
        "content-type": "application/json",
        "anthropic-version": "2023-06-01",
        "x-title": "t",
    }
    assert request.auth == "x-api-key"
    caller.gateway.chat(call, request)
    assert server.requests[0].headers["cf-access-token"] == CANARY


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/"])
def test_hb35_the_base_url_is_without_its_version(end: str) -> None:
    spec = make_spec(f"https://api.anthropic.com{end}")
    assert AnthropicGateway().prepare(make_call(spec)).url == "https://api.anthropic.com/v1/messages"


def test_hbs_own_calls_are_never_retried_by_the_sdk(caller: Caller, server: LoopbackServer) -> None:
    with pytest.raises(errors.Overloaded):
        caller.run("chat", make_spec(server.url("anthropic", fault="S5.529"), args={"max_retries": 3}))
    assert server.request_count == 1


def test_what_the_sdk_tells_of_this_machine_is_not_sent(caller: Caller, server: LoopbackServer, mode: str) -> None:
    caller.run(mode, make_spec(server.url("anthropic")))
    assert [name for name in server.requests[0].headers if name.startswith("x-stainless")] == []
    caller.run(mode, make_spec(server.url("anthropic")), extra_headers={"x-stainless-lang": "mine"})
    assert [value for name, value in server.requests[1].headers.items() if name.startswith("x-stainless")] == ["mine"]


def test_lone_surrogates_are_sent(caller: Caller, server: LoopbackServer, mode: str) -> None:
    caller.run(mode, make_spec(server.url("anthropic")), messages=[{"role": "user", "content": "half \ud800"}])
    assert server.requests[0].json["messages"][0]["content"] == "half \ud800"


def test_a_body_that_json_cannot_carry_is_an_input_error(caller: Caller, server: LoopbackServer, mode: str) -> None:
    with pytest.raises(errors.InputError):
        caller.run(mode, make_spec(server.url("anthropic")), temperature=float("nan"))
    with pytest.raises(errors.InputTypeError, match="object"):
        caller.run(mode, make_spec(server.url("anthropic")), made_up=object())
    assert server.request_count == 0


# Credentials


def test_g25_a_missing_key_names_the_variable_and_sends_nothing(
    caller: Caller, server: LoopbackServer, mode: str
) -> None:
    with pytest.raises(errors.MissingCredential, match="ANTHROPIC_API_KEY") as caught:
        caller.run(mode, make_spec(server.url("anthropic"), key=None))
    assert "'anthropic'" in str(caught.value)
    assert server.request_count == 0


def test_an_endpoint_that_needs_no_key_gets_a_placeholder(caller: Caller, server: LoopbackServer) -> None:
    caller.run("chat", make_spec(server.url("anthropic"), key=None, provider_record={"api_key_optional": True}))
    assert server.requests[0].headers["x-api-key"] == "anthropic"


@pytest.mark.parametrize("value", ["sk-a\n", "sk\r\nx: y", "sk-é", "sk a", "${KEY}", "None"])
def test_a_key_that_cannot_be_sent(caller: Caller, server: LoopbackServer, value: str) -> None:
    spec = make_spec(server.url("anthropic"))
    object.__setattr__(spec, "api_key", Secret(value))
    with pytest.raises(errors.CredentialFormatError, match="ANTHROPIC_API_KEY") as caught:
        caller.run("chat", spec)
    assert value.strip() not in str(caught.value).replace("'None'", "")
    assert server.request_count == 0


def test_no_base_url_is_a_config_error() -> None:
    with pytest.raises(errors.ConfigError, match="base_url"):
        AnthropicGateway().prepare(make_call(make_spec(None)))


# Exports


def test_hb35_exports_are_the_sdks_own_clients_and_shared() -> None:
    with hb.Kernel() as kernel:
        llm = hb.LLM(
            model="sonnet",
            provider="anthropic",
            gateway="anthropic",
            api_key="k",
            base_url="https://x/v1",
            kernel=kernel,
        )
        client = llm.to_anthropic_client()
        assert type(client) is anthropic.Anthropic
        assert str(client.base_url).rstrip("/") == "https://x"
        same = hb.LLM(
            model="haiku",
            provider="anthropic",
            gateway="anthropic",
            api_key="k",
            base_url="https://x/v1",
            kernel=kernel,
        )
        assert same.to_anthropic_client() is client
        assert same.spec.client_key() == llm.spec.client_key()

        async def work() -> None:
            aclient = llm.to_anthropic_aclient()
            assert type(aclient) is anthropic.AsyncAnthropic
            assert same.to_anthropic_aclient() is aclient

        asyncio.run(work())


def test_hb34_there_is_no_openai_client() -> None:
    with hb.Kernel() as kernel:
        llm = hb.LLM(model="sonnet", provider="anthropic", gateway="anthropic", api_key="k", kernel=kernel)
        for export in (llm.to_client, llm.to_aclient, llm.to_args):
            with pytest.raises(ValueError, match="openai client"):
                export()


def test_clients_differ_by_key_place_and_headers(caller: Caller) -> None:
    client = caller.gateway.to_anthropic_client(make_spec())
    assert caller.gateway.to_anthropic_client(make_spec(args={"temperature": 1})) is client
    assert caller.gateway.to_anthropic_client(make_spec(key="other-key-123")) is not client
    assert caller.gateway.to_anthropic_client(make_spec(headers={"x": "1"})) is not client
    assert caller.gateway.to_anthropic_client(make_spec("http://127.0.0.1:2")) is not client
    bearer = make_spec(provider_record={**ANTHROPIC, "auth_mode": "bearer"})
    assert caller.gateway.to_anthropic_client(bearer) is not client


def test_async_clients_belong_to_a_loop(caller: Caller) -> None:
    async def client() -> Any:
        return caller.gateway.to_anthropic_aclient(make_spec())

    assert asyncio.run(client()) is not asyncio.run(client())


def test_exported_clients_work_with_the_sdks_own_methods(caller: Caller, server: LoopbackServer) -> None:
    client = caller.gateway.to_anthropic_client(make_spec(server.url("anthropic"), args={"max_retries": 3}))
    assert client.max_retries == 3
    arguments: Any = {"model": "claude-haiku-5-5", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    assert client.messages.create(**arguments).content[0].text == "echo: hi"
    with client.messages.stream(**arguments) as stream:
        assert "".join(stream.text_stream) == "echo: hi"
    with pytest.raises(anthropic.NotFoundError):
        client.with_options(base_url=server.url("anthropic", fault="S1.404")).messages.create(**arguments)


def test_exported_async_clients_work_too(caller: Caller, server: LoopbackServer) -> None:
    async def work() -> str:
        client = caller.gateway.to_anthropic_aclient(make_spec(server.url("anthropic")))
        answer = await client.messages.create(
            model="claude-haiku-5-5", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        )
        await caller.clients.aclose()
        return str(answer.content[0].text)

    assert asyncio.run(work()) == "echo: hi"


def test_closing_the_kernel_closes_the_connections_of_forgotten_clients_too(server: LoopbackServer) -> None:
    with hb.Kernel() as kernel:
        for number in range(LIMIT + 2):
            llm = hb.LLM(
                model=BUDGET,
                provider="anthropic",
                base_url=server.url("anthropic"),
                api_key=f"key-{number}",
                cache=False,
                kernel=kernel,
            )
            llm.chat("hi")
        assert server.connections == 1
    server.wait_for(lambda s: s.connections == 0, 1)


# What Claude does not do


@pytest.mark.parametrize(("verb", "preset"), [("embed", "embed"), ("imagen", "imagen")])
def test_hb30_g12_embeddings_and_images_are_refused_with_the_alternative(
    server: LoopbackServer, verb: str, preset: str
) -> None:
    with hb.Kernel() as kernel:
        llm = hb.LLM(
            model="sonnet",
            provider="anthropic",
            gateway="anthropic",
            api_key="k",
            base_url=server.url("anthropic"),
            kernel=kernel,
        )
        with pytest.raises(NotImplementedError, match=f'preset="{preset}"'):
            getattr(llm, verb)("x")
        with pytest.raises(errors.UnsupportedError, match=f'preset="{preset}"'):
            asyncio.run(getattr(llm, f"a{verb}")("x"))
    assert server.request_count == 0


# Counting tokens


def test_tokens_are_counted_without_an_answer(caller: Caller, server: LoopbackServer) -> None:
    spec = make_spec(server.url("anthropic"), args={"temperature": 0})
    call = make_call(spec, messages=[{"role": "user", "content": "one two three"}], max_tokens=9)
    assert int(drive.run(caller.gateway.count_tokens(call))) == 3

    async def work() -> int:
        found = await caller.gateway.count_tokens(make_call(spec, is_async=True))
        await caller.clients.aclose()
        return int(found)

    assert asyncio.run(work()) == 1
    assert {request.path for request in server.requests} == {"/anthropic/v1/messages/count_tokens"}
    server.reply(body={"tokens": 3})
    with pytest.raises(errors.ResponseShapeError, match="input_tokens"):
        drive.run(caller.gateway.count_tokens(call))
