"""SDK clients: one per key, made from the spec alone; credentials; exports; injected transports."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import openai
import pytest

from hb_gateway_openai import OpenAIGateway, custom
from hb_testing.server import LoopbackServer
from heavenbase import errors
from heavenbase.call import Call, CallContext
from heavenbase.clients import LIMIT
from heavenbase.http.transport.body import AsyncBody, Body
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.plugin import Provider
from heavenbase.secrets import Secret

from .support import CANARY, CUSTOM, OPENAI, OPENROUTER, Caller, make_call, make_spec


def test_importing_the_plugin_imports_no_sdk() -> None:
    names = ("openai", "httpx2", "httpx", "httpcore2", "pydantic", "asyncio")
    code = f"import sys, hb_gateway_openai; print([name for name in {names} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_preparing_a_request_imports_no_sdk() -> None:
    code = (
        "import sys, time; from types import SimpleNamespace\n"
        "from hb_gateway_openai import OpenAIGateway\n"
        "from heavenbase.call import Call, CallContext\n"
        "from heavenbase.spec import LLMSpec, Timeouts\n"
        "spec = LLMSpec(None, 'm', 'm', 'p', 'openai', 'openai', base_url='http://x/v1')\n"
        "context = CallContext(time.monotonic, Timeouts(), 0.0, 0.0, None)\n"
        "call = Call('complete', spec, context, messages=[{'role': 'user', 'content': 'hi'}])\n"
        "print(OpenAIGateway().prepare(call).url, 'openai' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["http://x/v1/chat/completions", "False"]


def test_custom_is_a_provider_as_data() -> None:
    assert isinstance(custom, Provider)
    record = custom.resolve("custom", "openai", "m")
    assert record is not None
    assert record["require_base_url"] is True
    assert record["require_model_override"] is True
    assert record["placeholder_model"] == "custom"
    assert record["placeholder_key"] == "openai"
    assert record["api_key_optional"] is True
    assert custom.resolve("openai", "openai", "m") is None


# Exports


def test_hb33_equal_specs_share_one_client_of_the_sdk(caller: Caller) -> None:
    client = caller.gateway.to_client(make_spec())
    assert type(client) is openai.OpenAI
    assert caller.gateway.to_client(make_spec(args={"temperature": 1})) is client
    assert caller.gateway.to_client(make_spec(key="other-key-123")) is not client
    assert caller.gateway.to_client(make_spec(headers={"x": "1"})) is not client
    assert caller.gateway.to_client(make_spec("http://127.0.0.1:2/v1")) is not client


def test_hb33_async_clients_belong_to_a_loop(caller: Caller) -> None:
    async def client() -> Any:
        found = caller.gateway.to_aclient(make_spec())
        assert caller.gateway.to_aclient(make_spec()) is found
        return found

    first = asyncio.run(client())
    assert type(first) is openai.AsyncOpenAI
    assert asyncio.run(client()) is not first


def test_exported_clients_work_with_the_sdks_own_methods(caller: Caller, server: LoopbackServer) -> None:
    spec = make_spec(server.url(), args={"temperature": 0, "max_retries": 3})
    client = caller.gateway.to_client(spec)
    assert client.max_retries == 3
    arguments = caller.gateway.to_args(spec, {})
    answer = client.chat.completions.create(messages=[{"role": "user", "content": "hi"}], **arguments)
    assert answer.choices[0].message.content == "echo: hi"
    stream = client.chat.completions.create(messages=[{"role": "user", "content": "hi"}], stream=True, **arguments)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "echo: hi"
    assert len(client.embeddings.create(model="m", input=["a"]).data[0].embedding) == 1536
    with pytest.raises(openai.NotFoundError):
        client.with_options(base_url=server.url(fault="S1.404")).models.list()
    with pytest.raises(openai.APIConnectionError):
        client.with_options(base_url=server.url(fault="N2.b"), max_retries=0).models.list()
    with pytest.raises(openai.APITimeoutError):
        client.with_options(base_url=server.url(fault="E9.a"), max_retries=0, timeout=0.05).models.list()


def test_exported_async_clients_work_too(caller: Caller, server: LoopbackServer) -> None:
    async def work() -> str | None:
        spec = make_spec(server.url())
        client = caller.gateway.to_aclient(spec)
        answer = await client.chat.completions.create(
            messages=[{"role": "user", "content": "hi"}], **caller.gateway.to_args(spec, {})
        )
        await caller.clients.aclose()
        text: str | None = answer.choices[0].message.content
        return text

    assert asyncio.run(work()) == "echo: hi"


def test_an_async_client_made_where_no_loop_runs_works_on_every_loop(caller: Caller, server: LoopbackServer) -> None:
    client = caller.gateway.to_aclient(make_spec(server.url()))
    assert caller.gateway.to_aclient(make_spec(server.url())) is client
    assert caller.gateway.to_client(make_spec(server.url())) is not client

    async def work() -> int:
        first, second = await asyncio.gather(client.models.list(), client.models.list())
        return len(first.data) + len(second.data)

    assert asyncio.run(work()) == asyncio.run(work()) > 0

    async def close() -> None:
        await client.models.list()
        await caller.clients.aclose()

    asyncio.run(close())


def test_a_closed_export_does_not_break_the_gateway(caller: Caller, server: LoopbackServer) -> None:
    spec = make_spec(server.url())
    with caller.gateway.to_client(spec) as client:
        client.models.list()
    assert caller.run("chat", spec).text == "echo: hi"


def test_hbs_own_calls_are_never_retried_by_the_sdk(caller: Caller, server: LoopbackServer) -> None:
    with pytest.raises(errors.ServerError):
        caller.run("chat", make_spec(server.url(fault="S5.500"), args={"max_retries": 3}))
    assert server.request_count == 1


def test_a_call_leaves_nothing_behind(caller: Caller, server: LoopbackServer, mode: str) -> None:
    def found() -> list[Any]:
        return [it for it in gc.get_objects() if type(it) in (Call, CallContext, Body, AsyncBody)]

    spec = make_spec(server.url())
    caller.run(mode, spec)
    gc.collect()
    before = len(found())
    gc.disable()  # nothing waits for the collector, and no idle connection keeps what it has carried
    try:
        caller.run(mode, spec)
        assert len(found()) == before
    finally:
        gc.enable()


def test_what_the_sdk_tells_of_this_machine_is_not_sent(caller: Caller, server: LoopbackServer, mode: str) -> None:
    caller.run(mode, make_spec(server.url()))
    assert [name for name in server.requests[0].headers if name.startswith("x-stainless")] == []
    caller.run(mode, make_spec(server.url()), extra_headers={"x-stainless-lang": "mine"})
    assert [value for name, value in server.requests[1].headers.items() if name.startswith("x-stainless")] == ["mine"]


@pytest.mark.parametrize(
    ("args", "overrides", "expected"),
    [
        ({"temperature": 0, "seed": 42, "timeout": 120, "cache": True}, {}, {"temperature": 0, "seed": 42}),
        ({"temperature": 0, "seed": 42}, {"seed": None}, {"temperature": 0, "seed": None}),
        ({"temperature": None, "seed": None}, {}, {}),
        ({"temperature": 0}, {"temperature": None}, {}),
        ({"temperature": 0}, {"top_p": 0.5, "on_lossy": "warn"}, {"temperature": 0, "top_p": 0.5}),
        ({}, {"top_k": 5}, {"extra_body": {"top_k": 5}}),
        ({}, {"extra_headers": {"x": "1"}}, {"extra_headers": {"x": "1"}}),
    ],
)
def test_arguments_for_the_sdks_method(args: Any, overrides: Any, expected: Any) -> None:
    found = OpenAIGateway().to_args(make_spec(args=args), overrides)
    assert found == {"model": "gpt-4o-mini", **expected}


def test_thinking_for_the_sdks_method() -> None:
    gateway = OpenAIGateway()
    assert gateway.to_args(make_spec(provider_record=OPENAI, args={"think": False}), {})["reasoning_effort"] == "none"
    spec = make_spec(provider_record=OPENROUTER, args={"think": False})
    assert gateway.to_args(spec, {}) == {"model": "gpt-4o-mini", "extra_body": {"reasoning": {"enabled": False}}}


def test_there_is_no_anthropic_client() -> None:
    with pytest.raises(errors.ExportError):
        OpenAIGateway().to_anthropic_client(make_spec())


def test_closing_the_gateway_closes_the_connections_of_forgotten_clients_too(
    caller: Caller, server: LoopbackServer
) -> None:
    for number in range(LIMIT + 2):
        caller.run("chat", make_spec(server.url(), key=f"key-{number}"))
    caller.clients.close()
    assert server.connections == 1
    caller.gateway.close()
    server.wait_for(lambda s: s.connections == 0, 1)


# What is sent comes from the spec alone


def test_no_variable_of_the_sdk_reaches_the_wire(
    caller: Caller, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "OPENAI_API_KEY": "sk-env",
        "OPENAI_ADMIN_KEY": "sk-admin",
        "OPENAI_ORG_ID": "org-env",
        "OPENAI_PROJECT_ID": "proj-env",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/env",
        "OPENAI_CUSTOM_HEADERS": "x-env: sneaky",
        "HTTP_PROXY": "http://127.0.0.1:1",
    }.items():
        monkeypatch.setenv(name, value)
    caller.run("chat", make_spec(server.url(), headers={"x-title": "mine"}))
    asyncio.run(_alone(caller, make_spec(server.url(), headers={"x-title": "mine"})))
    for request in server.requests:
        assert request.headers["x-title"] == "mine"
        assert request.bearer == CANARY
        assert "env" not in str({k: v for k, v in request.headers.items() if k != "host"})
        assert "openai-organization" not in request.headers
        assert "openai-project" not in request.headers


async def _alone(caller: Caller, spec: Any) -> None:
    await caller.arun("achat", spec)
    await caller.clients.aclose()


def test_organization_and_project_come_from_the_configuration(caller: Caller, server: LoopbackServer) -> None:
    caller.run("chat", make_spec(server.url(), gateway_record={"organization": "org-1", "project": "proj-1"}))
    headers = server.requests[0].headers
    assert (headers["openai-organization"], headers["openai-project"]) == ("org-1", "proj-1")


def test_headers_of_the_call_win_over_those_of_the_spec(caller: Caller, server: LoopbackServer) -> None:
    spec = make_spec(server.url(), headers={"X-One": "spec", "x-two": "spec"})
    caller.run("chat", spec, extra_headers={"x-one": "call", "user-agent": "mine"}, extra_query={"v": "1"})
    assert server.requests[0].headers["x-one"] == "call"
    assert server.requests[0].headers["x-two"] == "spec"
    assert server.requests[0].headers["user-agent"] == "mine"
    assert server.requests[0].headers["content-type"] == "application/json"
    assert server.requests[0].path.endswith("?v=1")


def test_a_header_that_http_cannot_carry_is_an_input_error(caller: Caller, server: LoopbackServer, mode: str) -> None:
    for value in ("line\nbreak", "h€llo"):
        with pytest.raises(errors.InputError) as caught:
            caller.run(mode, make_spec(server.url()), extra_headers={"x-bad": value})
        assert value not in str(caught.value)
    assert server.request_count == 0


def test_a_body_that_json_cannot_carry_is_an_input_error(caller: Caller, server: LoopbackServer, mode: str) -> None:
    with pytest.raises(errors.InputError):
        caller.run(mode, make_spec(server.url()), temperature=float("nan"))
    with pytest.raises(errors.InputTypeError, match="object"):
        caller.run(mode, make_spec(server.url()), made_up=object())
    assert server.request_count == 0


def test_lone_surrogates_are_sent(caller: Caller, server: LoopbackServer, mode: str) -> None:
    caller.run(mode, make_spec(server.url()), messages=[{"role": "user", "content": "half \ud800"}])
    assert server.requests[0].json["messages"][0]["content"] == "half \ud800"


def test_proxies_are_per_client_and_per_call(caller: Caller, server: LoopbackServer) -> None:
    assert caller.run("chat", make_spec(server.url())).text == "echo: hi"
    with pytest.raises(errors.ConnectError, match=r"127\.0\.0\.1:1"):
        caller.run("chat", make_spec(server.url(), args={"http_proxy": "http://127.0.0.1:1"}))
    with pytest.raises(errors.ConnectError, match=r"127\.0\.0\.1:1"):
        caller.run("chat", make_spec(server.url()), http_proxy="http://127.0.0.1:1")
    assert caller.run("chat", make_spec(server.url())).text == "echo: hi"
    with pytest.raises(errors.ConfigError):
        caller.run("chat", make_spec(server.url()), http_proxy="socks5://127.0.0.1:1")


# Credentials


def test_a_missing_key_names_the_variables_and_sends_nothing(caller: Caller, server: LoopbackServer, mode: str) -> None:
    record = {"api_key_env": ["ACME_API_KEY", "ACME_KEY"]}
    with pytest.raises(errors.MissingCredential) as caught:
        caller.run(mode, make_spec(server.url(), key=None, provider="acme", provider_record=record))
    for words in ("'acme'", "ACME_API_KEY or ACME_KEY"):
        assert words in str(caught.value)
    assert server.request_count == 0


def test_a_client_without_a_key_is_not_another_providers(caller: Caller, server: LoopbackServer, mode: str) -> None:
    caller.run(mode, make_spec(server.url(), key=None, provider_record={"api_key_optional": True}))
    with pytest.raises(errors.MissingCredential):
        caller.run(mode, make_spec(server.url(), key=None, provider="acme", provider_record={"api_key_env": ["ACME"]}))
    assert server.request_count == 1


def test_a_missing_key_does_not_keep_a_request_from_being_shown() -> None:
    request = OpenAIGateway().prepare(make_call(make_spec(key=None, provider_record=OPENAI)))
    assert request.auth == "Authorization: Bearer"


def test_an_endpoint_that_needs_no_key_gets_a_placeholder(caller: Caller, server: LoopbackServer) -> None:
    caller.run("chat", make_spec(server.url(), key=None, provider_record=CUSTOM))
    assert server.requests[0].bearer == "openai"


@pytest.mark.parametrize("value", ["sk-a\n", "sk\r\nx: y", "sk-é", "sk a", "${KEY}", "None"])
def test_a_key_that_cannot_be_sent(caller: Caller, server: LoopbackServer, value: str) -> None:
    spec = make_spec(server.url(), provider_record={"api_key_env": ["ACME_KEY"]})
    object.__setattr__(spec, "api_key", Secret(value))
    with pytest.raises(errors.CredentialFormatError, match="ACME_KEY") as caught:
        caller.run("chat", spec)
    assert value.strip() not in str(caught.value).replace("'None'", "")
    assert server.request_count == 0


def test_no_base_url_is_a_config_error(caller: Caller) -> None:
    with pytest.raises(errors.ConfigError, match="base_url"):
        OpenAIGateway().prepare(make_call(make_spec(None)))


# A kernel's own transport


class Recorded:
    """A transport that answers from memory."""

    def __init__(self, answer: HTTPResponse | Exception) -> None:
        self.answer = answer
        self.requests: list[HTTPRequest] = []
        self.closed = 0

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.requests.append(request)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)


class Pieces:
    """A body in pieces that notes when it is closed."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.pieces)

    def close(self) -> None:
        self.closed = True


class AsyncPieces(Pieces):
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    async def aclose(self) -> None:
        self.closed = True


CHAT = b'{"id":"c","choices":[{"index":0,"message":{"content":"from memory"},"finish_reason":"stop"}]}'
EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"from "}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"content":"memory"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
)
SSE = (("content-type", "text/event-stream"),)


@pytest.mark.parametrize(
    ("mode", "pieces"),
    [
        *((mode, Pieces) for mode in ("chat", "achat", "stream", "astream")),
        *((mode, AsyncPieces) for mode in ("achat", "astream")),
    ],
)
def test_requests_go_through_the_kernels_transport(mode: str, pieces: type[Pieces]) -> None:
    body = pieces(*EVENTS) if "stream" in mode else pieces(CHAT[:20], CHAT[20:])
    transport = Recorded(HTTPResponse(200, SSE if "stream" in mode else (), body))
    caller = Caller(transport=transport)
    assert caller.run(mode, make_spec("https://api.example/v1")).text == "from memory"
    [request] = transport.requests
    assert (request.method, request.url) == ("POST", "https://api.example/v1/chat/completions")
    assert request.header("Authorization") == f"Bearer {CANARY}"
    assert CANARY not in repr(request)
    assert b'"content":"hi"' in request.body
    assert body.closed


@pytest.mark.parametrize("mode", ["chat", "achat"])
def test_statuses_and_failures_of_the_kernels_transport(mode: str) -> None:
    refused = Caller(transport=Recorded(HTTPResponse(401, (("x-request-id", "r-9"),), b'{"error":{"message":"no"}}')))
    with pytest.raises(errors.AuthError) as caught:
        refused.run(mode, make_spec())
    assert caught.value.request_id == "r-9"
    broken = Caller(transport=Recorded(ConnectionResetError("x")))
    with pytest.raises(errors.TransportClosed):
        broken.run(mode, make_spec())
    typed = Caller(transport=Recorded(errors.Overloaded("busy", retry_after=3.0)))
    with pytest.raises(errors.Overloaded) as busy:
        typed.run(mode, make_spec())
    assert busy.value.retry_after == 3.0


def test_a_sync_call_takes_no_async_body() -> None:
    class OnlyAsync:
        def __aiter__(self) -> Any:
            raise AssertionError

    caller = Caller(transport=Recorded(HTTPResponse(200, (), OnlyAsync())))
    with pytest.raises(errors.PluginContractError):
        caller.run("chat", make_spec())


# Several callers at once


def test_many_threads_share_the_connections(caller: Caller, server: LoopbackServer) -> None:
    spec = make_spec(server.url())
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                assert caller.run("chat", spec).text == "echo: hi"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert server.request_count == 100
    assert server.accepted_connections <= 20


def test_two_loops_and_a_thread_at_once(caller: Caller, server: LoopbackServer) -> None:
    spec = make_spec(server.url())
    found: list[str] = []

    def loop() -> None:
        async def work() -> None:
            answers = await asyncio.gather(*(caller.arun("achat", spec) for _ in range(10)))
            found.extend(answer.text for answer in answers)

        asyncio.run(work())

    threads = [threading.Thread(target=loop) for _ in range(2)]
    for thread in threads:
        thread.start()
    found.append(caller.run("chat", spec).text)
    for thread in threads:
        thread.join()
    assert found == ["echo: hi"] * 21
