"""Azure OpenAI: where requests go, what they show, and that nothing ever goes to OpenAI instead."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest

import heavenbase as hb
from hb_provider_azure.gateway import AzureGateway
from heavenbase import errors
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.kernel import Kernel

KEY = "sk-canary-0123456789abcdef"
TOKEN = "eyJ0eXAi.eyJhdWQi.c2lnbmF0dXJl"
ENDPOINT = "https://mine.openai.azure.com"
ANSWER = {
    "id": "chatcmpl-1",
    "model": "gpt-4o",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hello"}}],
    "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
}
VECTORS = {"data": [{"index": 0, "embedding": [1.0, 2.0]}], "model": "ada", "usage": {"prompt_tokens": 1}}
RESPONSE = {
    "id": "resp_1",
    "status": "completed",
    "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}],
}


class Azure:
    """A transport that answers as Azure does, and keeps what came."""

    def __init__(self) -> None:
        self.requests: list[HTTPRequest] = []
        self.status = 200
        self.body: Any = None

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.requests.append(request)
        found = VECTORS if "/embeddings" in request.url else RESPONSE if "/responses" in request.url else ANSWER
        body = json.dumps(self.body or found).encode()
        return HTTPResponse(self.status, [("content-type", "application/json"), ("apim-request-id", "r1")], body)

    async def asend(self, request: HTTPRequest) -> HTTPResponse:
        return self.send(request)

    @property
    def url(self) -> str:
        return self.requests[-1].url

    @property
    def sent(self) -> Any:
        return json.loads(self.requests[-1].body)

    def header(self, name: str) -> str | None:
        headers = {key.lower(): value for key, value in self.requests[-1].headers}
        return headers.get(name)


@pytest.fixture
def azure() -> Azure:
    return Azure()


@pytest.fixture
def kernel(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    for name in ("API_KEY", "AD_TOKEN", "API_VERSION"):
        monkeypatch.delenv(f"AZURE_OPENAI_{name}", raising=False)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", ENDPOINT)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-never-for-azure")
    settings = {"heavenbase": {"llm": {"cache": {"enabled": False}}}}
    with Kernel(settings, environ=os.environ, transport=azure) as made:
        yield made


def chat(kernel: Kernel, **options: Any) -> str:
    options = {"model": "azure/my-deployment", "api_key": KEY, **options}
    return str(hb.LLM(kernel=kernel, **options).chat("hi"))


def test_a_deployment_is_called_at_its_path_with_a_version_and_a_key(kernel: Kernel, azure: Azure) -> None:
    assert chat(kernel) == "hello"
    assert azure.url == f"{ENDPOINT}/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21"
    assert azure.header("api-key") == KEY
    assert azure.header("authorization") is None
    assert azure.sent["model"] == "my-deployment"


def test_async_calls_go_the_same_way(kernel: Kernel, azure: Azure) -> None:
    async def ask() -> str:
        return str(await hb.LLM(model="azure/my-deployment", api_key=KEY, kernel=kernel).achat("hi"))

    assert asyncio.run(ask()) == "hello"
    assert azure.header("api-key") == KEY


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (f"{ENDPOINT}/", "/openai/deployments/d/chat/completions?api-version=2024-10-21"),
        (f"{ENDPOINT}/openai", "/openai/deployments/d/chat/completions?api-version=2024-10-21"),
        (f"{ENDPOINT}/openai/deployments/other", "/openai/deployments/d/chat/completions?api-version=2024-10-21"),
        (f"{ENDPOINT}/openai/v1/", "/openai/v1/chat/completions"),
    ],
)
def test_every_spelling_of_the_endpoint_works(kernel: Kernel, azure: Azure, address: str, path: str) -> None:
    assert chat(kernel, model="azure/d", base_url=address) == "hello"
    assert azure.url == ENDPOINT + path


def test_g12_embeddings_have_a_deployment_of_their_own(kernel: Kernel, azure: Azure) -> None:
    vector = hb.LLM(model="azure/my-embeddings", api_key=KEY, kernel=kernel).embed("text")
    assert vector == [1.0, 2.0]
    assert azure.url.startswith(f"{ENDPOINT}/openai/deployments/my-embeddings/embeddings?")


@pytest.mark.parametrize("name", ["text-embedding-3-small", "gpt-5.5", "ds-flash"])
def test_a_deployment_may_be_called_like_a_model_of_others(kernel: Kernel, azure: Azure, name: str) -> None:
    assert chat(kernel, model=f"azure/{name}") == "hello"
    assert f"/deployments/{name}/chat/" in azure.url


def test_the_version_comes_from_the_call_the_instance_or_the_environment(
    kernel: Kernel, azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = hb.LLM(model="azure/d", api_key=KEY, api_version="2025-01-01", kernel=kernel)
    answer = llm.complete("hi", api_version="2025-02-02")
    assert azure.url.endswith("?api-version=2025-02-02")
    assert "api_version" not in azure.sent
    assert answer.report.entries["api_version"].outcome == "renamed"
    llm.chat("hi")
    assert azure.url.endswith("?api-version=2025-01-01")
    monkeypatch.setenv("AZURE_OPENAI_API_VERSION", "2025-03-03")
    with Kernel(transport=azure) as other:
        chat(other)
    assert azure.url.endswith("?api-version=2025-03-03")


def test_without_an_endpoint_nothing_is_sent_anywhere(
    kernel: Kernel, azure: Azure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_OPENAI_ENDPOINT")
    with Kernel(transport=azure) as other, pytest.raises(errors.ConfigError, match="AZURE_OPENAI_ENDPOINT"):
        chat(other)
    assert azure.requests == []


def test_without_a_credential_the_ways_to_one_are_named(kernel: Kernel, azure: Azure) -> None:
    with pytest.raises(errors.MissingCredential, match="AZURE_OPENAI_API_KEY"):
        chat(kernel, api_key=None)
    assert azure.requests == []


def test_a_token_in_place_of_a_key_is_a_bearer(kernel: Kernel, azure: Azure) -> None:
    assert chat(kernel, api_key=TOKEN) == "hello"
    assert azure.header("authorization") == f"Bearer {TOKEN}"
    assert azure.header("api-key") is None


@pytest.mark.parametrize("mode", ["sync", "async", "async function"])
def test_a_token_provider_is_asked_for_every_request(kernel: Kernel, azure: Azure, mode: str) -> None:
    count = 0

    def plain() -> str:
        nonlocal count
        count += 1
        return f"{TOKEN}{count}"

    async def awaited() -> str:
        return plain()

    provider: Callable[[], Any] = awaited if mode == "async function" else plain
    llm = hb.LLM(model="azure/d", azure_ad_token_provider=provider, kernel=kernel)

    async def ask() -> None:
        for _ in range(2):
            await llm.achat("hi")

    if mode == "sync":
        llm.chat("hi")
        llm.chat("hi")
    else:
        asyncio.run(ask())
    sent = [{n.lower(): v for n, v in request.headers}["authorization"] for request in azure.requests]
    assert sent == [f"Bearer {TOKEN}1", f"Bearer {TOKEN}2"]
    assert "azure_ad_token_provider" not in azure.sent


def test_a_gateway_given_to_the_kernel_may_bring_its_own_provider(azure: Azure, kernel: Kernel) -> None:
    with Kernel(plugins=[AzureGateway(lambda: TOKEN)], transport=azure) as own:
        assert chat(own, api_key=None) == "hello"
    assert azure.header("authorization") == f"Bearer {TOKEN}"


def failing() -> str:
    raise RuntimeError("sign in first")


@pytest.mark.parametrize(
    ("provider", "kind"),
    [("not callable", errors.InputTypeError), (failing, errors.AuthError), (lambda: "", errors.CredentialFormatError)],
)
def test_a_provider_that_gives_no_token_is_told_before_anything_is_sent(
    kernel: Kernel, azure: Azure, provider: Any, kind: type[errors.HBError]
) -> None:
    with pytest.raises(kind):
        chat(kernel, api_key=None, azure_ad_token_provider=provider)
    assert azure.requests == []


def test_the_responses_wire_has_the_v1_address(kernel: Kernel, azure: Azure) -> None:
    assert chat(kernel, gateway="azure_responses") == "hello"
    assert azure.url == f"{ENDPOINT}/openai/v1/responses"
    assert azure.header("authorization") == f"Bearer {KEY}"
    assert azure.sent["input"] == [{"role": "user", "content": "hi"}]


def test_clients_are_azures(kernel: Kernel) -> None:
    llm = hb.LLM(model="azure/d", api_key=KEY, kernel=kernel)
    client = llm.to_client()
    assert isinstance(client, openai.AzureOpenAI)
    assert client is llm.to_client()
    assert isinstance(llm.to_aclient(), openai.AsyncAzureOpenAI)
    answer = client.chat.completions.create(messages=[{"role": "user", "content": "hi"}], **llm.to_args())
    assert answer.choices[0].message.content == "hello"


def test_g24_errors_of_azure_are_told_apart(kernel: Kernel, azure: Azure) -> None:
    for status, code, kind in (
        (401, "401", errors.AuthError),
        (429, "429", errors.RateLimitError),
        (404, "DeploymentNotFound", errors.ModelNotFound),
        (400, "content_filter", errors.ContentFiltered),
    ):
        azure.status, azure.body = status, {"error": {"code": code, "message": "no"}}
        with pytest.raises(kind) as caught:
            chat(kernel, max_retries=0)
        assert KEY not in str(caught.value)


def test_what_would_be_sent_is_shown_without_the_key(kernel: Kernel) -> None:
    spec = kernel.resolve(model="azure/d", api_key=KEY)
    assert KEY not in json.dumps(spec.to_dict())
