"""Vertex AI: where requests go, who calls, and that nobody else learns the credential."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import pytest

import heavenbase as hb
from hb_provider_vertex.conformance import LOCATION, PROJECT, VertexWire
from hb_testing.conformance.rig import Clock, environment, make_kernel
from hb_testing.server import LoopbackServer
from heavenbase import errors
from heavenbase.kernel import Kernel

TOKEN = "-".join(("ya29", "made-up", "token"))
PLACE = {"project": PROJECT, "location": LOCATION}
THERE = f"/vertex/v1/projects/{PROJECT}/locations/{LOCATION}/publishers/google/models"
REGIONAL = "projects/p/locations/us-central1/publishers/google/models/m"
GLOBAL = "projects/p/locations/global/publishers/google/models"


@pytest.fixture(scope="module")
def shared() -> Iterator[LoopbackServer]:
    with LoopbackServer(wires=[VertexWire()]) as server:
        yield server


@pytest.fixture
def server(shared: LoopbackServer) -> Iterator[LoopbackServer]:
    shared.clear()
    yield shared
    assert shared.errors == []


@pytest.fixture
def tokens() -> Iterator[SimpleNamespace]:
    """A server of tokens: `uri`, the assertions that it got, and the status that it answers with."""
    state = SimpleNamespace(asked=[], status=200)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            state.asked.append(parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()))
            said = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
            body = json.dumps(said if state.status == 200 else {"error": "invalid_grant"}).encode()
            self.send_response(state.status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        state.uri = f"http://127.0.0.1:{made.server_port}/token"
        yield state
        made.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def private_key() -> str:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*kinds).decode()


@pytest.fixture
def account(tokens: SimpleNamespace, private_key: str, tmp_path: Path) -> Path:
    """A file of a service account whose tokens come from the server of tokens."""
    info = {
        "type": "service_account",
        "project_id": "of-the-account",
        "private_key_id": "k",
        "private_key": private_key,
        "client_email": "hb@loopback.invalid",
        "client_id": "1",
        "token_uri": tokens.uri,
    }
    path = tmp_path / "account.json"
    path.write_text(json.dumps(info))
    return path


def kernel(variables: dict[str, str] | None = None, **settings: Any) -> Kernel:
    return make_kernel(Clock(), settings=settings, environ=environment(**(variables or {})))


def llm(server: LoopbackServer, made: Kernel, **options: Any) -> hb.LLM:
    named = {"model": "gemini-2.5-flash", "provider": "vertex", "base_url": server.url("vertex"), "max_retries": 0}
    return hb.LLM(kernel=made, **{**named, **options})


# Where


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({"project": "p", "location": "us-central1"}, f"https://us-central1-aiplatform.googleapis.com/v1/{REGIONAL}"),
        ({"project": "p"}, f"https://aiplatform.googleapis.com/v1/{GLOBAL}/m"),
        (
            {"project": "p", "location": "eu"},
            "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu/publishers/google/models/m",
        ),
        ({"api_key": "k"}, "https://aiplatform.googleapis.com/v1/publishers/google/models/m"),
        (
            {"api_key": "k", "project": "p", "location": "us-central1"},
            f"https://us-central1-aiplatform.googleapis.com/v1/{REGIONAL}",
        ),
        (
            {"project": "p", "base_url": "https://proxy.example/vertex/v1beta1"},
            f"https://proxy.example/vertex/v1beta1/{GLOBAL}/m",
        ),
    ],
)
def test_v6_the_address_is_that_of_the_place(options: dict[str, Any], url: str) -> None:
    with kernel() as made:
        model = hb.LLM(model="m", provider="vertex", kernel=made, **options)
        call = made.call("complete", model.spec, {}, is_async=False, messages=[{"role": "user", "content": "hi"}])
        request = made.gateway(model.spec).prepare(call)
        assert request.url == f"{url}:generateContent"
        assert not request.body.keys() & {"project", "location"}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("google/gemini-2.5-pro", f"{GLOBAL}/gemini-2.5-pro"),
        ("models/gemini-2.5-pro", f"{GLOBAL}/gemini-2.5-pro"),
        ("publishers/meta/models/l", "projects/p/locations/global/publishers/meta/models/l"),
        ("projects/q/locations/eu/endpoints/7", "projects/q/locations/eu/endpoints/7"),
        ("endpoints/7", "projects/p/locations/global/endpoints/7"),
    ],
)
def test_v6_a_model_may_say_where_it_lies(model: str, path: str) -> None:
    from hb_provider_vertex.place import Place, model_path

    assert model_path(model, Place("p", "global")) == path


def test_v6_without_a_project_nothing_is_sent(server: LoopbackServer) -> None:
    with kernel() as made, pytest.raises(errors.ConfigError, match="GOOGLE_CLOUD_PROJECT"):
        llm(server, made).chat("hi")
    with kernel() as made, pytest.raises(errors.InputError, match="location"):
        llm(server, made, project="p", location="evil.example/x").chat("hi")
    assert server.requests == []


def test_v6_project_and_location_come_from_the_variables_too(server: LoopbackServer) -> None:
    with kernel({"GOOGLE_CLOUD_PROJECT": PROJECT, "GOOGLE_CLOUD_LOCATION": LOCATION}) as made:
        assert llm(server, made, auth_token=TOKEN).chat("hi")
    assert server.requests[0].path == f"{THERE}/gemini-2.5-flash:generateContent"


# Who


def test_v6_an_api_key_needs_no_project(server: LoopbackServer) -> None:
    with kernel({"VERTEX_API_KEY": "key-of-mine", "GOOGLE_CLOUD_PROJECT": "ignored"}) as made:
        assert llm(server, made).chat("hi")
    [sent] = server.requests
    assert sent.path == "/vertex/v1/publishers/google/models/gemini-2.5-flash:generateContent"
    assert (sent.headers["x-goog-api-key"], sent.headers.get("authorization")) == ("key-of-mine", None)


def test_v6_a_token_is_sent_as_one(server: LoopbackServer) -> None:
    with kernel() as made:
        assert llm(server, made, auth_token=TOKEN, **PLACE).chat("hi")
    [sent] = server.requests
    assert (sent.headers["authorization"], sent.headers.get("x-goog-api-key")) == (f"Bearer {TOKEN}", None)


def test_v6_a_service_account_gets_a_token_once(server: LoopbackServer, account: Path, tokens: SimpleNamespace) -> None:
    with kernel() as made:
        model = llm(server, made, credentials=str(account), **PLACE)
        assert model.chat("hi")
        assert list(model.stream("there"))

        async def later() -> Any:
            return await model.achat("again")

        assert asyncio.run(later())
        assert TOKEN not in repr(model.spec) + json.dumps(model.spec.to_dict(), default=str)
    assert len(tokens.asked) == 1
    assert tokens.asked[0]["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    assert [sent.headers["authorization"] for sent in server.requests] == [f"Bearer {TOKEN}"] * 3
    methods = [sent.path.partition("?")[0].rpartition(":")[2] for sent in server.requests]
    assert methods == ["generateContent", "streamGenerateContent", "generateContent"]
    assert {sent.path.rpartition("/")[0] for sent in server.requests} == {THERE}


def test_v6_async_calls_share_a_token(server: LoopbackServer, account: Path, tokens: SimpleNamespace) -> None:
    with kernel({"GOOGLE_APPLICATION_CREDENTIALS": str(account)}) as made:
        model = llm(server, made, **PLACE)

        async def both() -> list[Any]:
            return list(await asyncio.gather(model.achat("one"), model.achat("two")))

        assert len(asyncio.run(both())) == 2
    assert len(tokens.asked) == 1


def test_v6_a_refused_account_is_an_auth_error(server: LoopbackServer, account: Path, tokens: SimpleNamespace) -> None:
    tokens.status = 400
    with kernel() as made, pytest.raises(errors.AuthError, match="invalid_grant") as caught:
        llm(server, made, credentials=str(account), **PLACE).chat("hi")
    assert server.requests == []
    assert "PRIVATE" not in str(caught.value)


def test_v6_what_is_no_file_of_credentials_says_what_to_do(server: LoopbackServer, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text("{}")
    with kernel() as made:
        for wrong in ("absent.json", "wrong.json"):
            with pytest.raises(errors.MissingCredential, match="GOOGLE_APPLICATION_CREDENTIALS"):
                llm(server, made, credentials=str(tmp_path / wrong), **PLACE).chat("hi")
        with pytest.raises(errors.InputTypeError, match="path"):
            llm(server, made, credentials={"type": "service_account"}, **PLACE).chat("hi")
    assert server.requests == []


def test_v6_an_object_of_google_auth_is_taken(server: LoopbackServer) -> None:
    class Given:
        valid, expired, quota_project_id, token = False, False, "paying", ""

        def refresh(self, request: Any) -> None:
            self.valid, self.token = True, TOKEN

    with kernel() as made:
        assert llm(server, made, credentials=Given(), **PLACE).chat("hi")
    [sent] = server.requests
    assert (sent.headers["authorization"], sent.headers["x-goog-user-project"]) == (f"Bearer {TOKEN}", "paying")


def test_v6_credentials_of_the_machine_may_be_forbidden(server: LoopbackServer) -> None:
    with (
        kernel(**{"heavenbase.llm.providers.vertex.options.adc": False}) as made,
        pytest.raises(errors.MissingCredential, match="VERTEX_API_KEY"),
    ):
        llm(server, made, **PLACE).chat("hi")
    assert server.requests == []


@pytest.fixture
def surroundings(account: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has an identity of Google Cloud in each place, and a proxy that nothing answers at."""
    adc = tmp_path / "home/.config/gcloud/application_default_credentials.json"
    adc.parent.mkdir(parents=True)
    adc.write_text(account.read_text())
    (tmp_path / "home/.netrc").write_text("machine 127.0.0.1 login canary password canary\n")
    planted = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(account),
        "GOOGLE_CLOUD_PROJECT": "canary",
        "GOOGLE_CLOUD_LOCATION": "canary",
        "VERTEX_API_KEY": "canary",
        "GOOGLE_API_KEY": "canary",
        "HOME": str(tmp_path / "home"),
        "GCE_METADATA_HOST": "127.0.0.1:9",
        "REQUESTS_CA_BUNDLE": "/canary.pem",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"), "http://127.0.0.1:9"),
    }
    for name, value in planted.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("surroundings")
@pytest.mark.parametrize("way", ["chat", "stream", "achat", "astream", "to_client"])
def test_e2_an_embedded_kernel_takes_no_identity_of_the_machine(
    way: str, server: LoopbackServer, tokens: SimpleNamespace
) -> None:
    def ask(model: hb.LLM) -> Any:
        if way == "to_client":
            return model.to_client()
        answer = getattr(model, way)("hi")
        if way == "achat":
            return asyncio.run(answer)
        if way == "stream":
            return list(answer)

        async def all_of() -> list[Any]:
            return [chunk async for chunk in answer]

        return asyncio.run(all_of()) if way == "astream" else answer

    with Kernel({}) as made:
        with pytest.raises(errors.ConfigError, match="project"):
            ask(llm(server, made))
        with pytest.raises(errors.MissingCredential, match=r"credentials=.*environ=os\.environ"):
            ask(llm(server, made, **PLACE))
    assert (server.requests, tokens.asked) == ([], [])


@pytest.mark.usefixtures("surroundings")
def test_e2_the_server_of_tokens_is_asked_without_what_the_process_says(
    server: LoopbackServer, account: Path, tokens: SimpleNamespace
) -> None:
    with Kernel({}) as made:
        assert llm(server, made, credentials=str(account), **PLACE).chat("hi")
    given = {"GOOGLE_APPLICATION_CREDENTIALS": str(account), "GOOGLE_CLOUD_PROJECT": PROJECT}
    with Kernel({}, environ=given) as made:
        assert llm(server, made, location=LOCATION).chat("hi")
    assert len(tokens.asked) == 2
    assert [sent.headers["authorization"] for sent in server.requests] == [f"Bearer {TOKEN}"] * 2
    assert "canary" not in str([(sent.path, sent.headers, sent.body) for sent in server.requests])


def test_e2_a_given_proxy_is_on_the_way_to_the_server_of_tokens(
    server: LoopbackServer, account: Path, tokens: SimpleNamespace
) -> None:
    with Kernel({}) as made, pytest.raises(errors.ConnectError, match="TransportError"):
        llm(server, made, credentials=str(account), http_proxy="http://127.0.0.1:9", **PLACE).chat("hi")
    assert tokens.asked == []


@pytest.mark.parametrize("url", ["http://vertex.invalid", "http://127.0.0.1.vertex.invalid"])
def test_v6_a_token_goes_over_https_alone(url: str, account: Path, tokens: SimpleNamespace) -> None:
    with kernel() as made, pytest.raises(errors.ConfigError, match="https"):
        hb.LLM(model="m", provider="vertex", kernel=made, base_url=url, credentials=str(account), **PLACE).chat("hi")
    assert tokens.asked == []


# What


def test_v6_vectors_are_predictions(server: LoopbackServer) -> None:
    with kernel() as made:
        model = llm(server, made, model="gemini-embedding-001", auth_token=TOKEN, **PLACE)
        found = model.embed(["one two", "three"], include=["embeddings", "usage"], dimensions=8, input_type="query")
    assert [len(vector) for vector in found["embeddings"]] == [8, 8]
    assert found["usage"]["prompt_tokens"] == 3
    bodies = sorted((sent.json for sent in server.requests), key=str)
    assert bodies[0] == {
        "instances": [{"content": "one two", "task_type": "RETRIEVAL_QUERY"}],
        "parameters": {"outputDimensionality": 8},
    }
    assert len(bodies) == 2


def test_v6_tokens_are_counted_in_the_shape_of_vertex(server: LoopbackServer) -> None:
    with kernel() as made:
        counted = llm(server, made, auth_token=TOKEN, **PLACE).count_tokens("one two three")
        assert (int(counted), counted.method) == (3, "endpoint")
    assert server.requests[0].json.keys() == {"contents"}


def test_v6_images_and_errors_are_those_of_gemini(server: LoopbackServer) -> None:
    with kernel() as made:
        model = llm(server, made, model="imagen-4.0-generate-001", auth_token=TOKEN, **PLACE)
        assert model.imagen("a mug").format == "png"
        server.reply(status=429, text="Resource exhausted")
        with pytest.raises(errors.RateLimitError):
            llm(server, made, auth_token=TOKEN, **PLACE).chat("hi")


@pytest.mark.parametrize("credential", [{"api_key": "k"}, {"auth_token": TOKEN}])
def test_v6_the_exported_client_is_one_of_vertex(server: LoopbackServer, credential: dict[str, str]) -> None:
    with kernel() as made:
        client = llm(server, made, **credential, **PLACE).to_client()
        assert client.models.generate_content(model="gemini-2.5-flash", contents="hi").text
    assert server.requests[0].path.endswith("/publishers/google/models/gemini-2.5-flash:generateContent")
