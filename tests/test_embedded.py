"""An embedded kernel knows what it is given: of the process's surroundings it reads and writes nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import heavenbase as hb
from hb_testing.conformance.colours import Colour
from hb_testing.server import LoopbackServer
from heavenbase.http.gateway import sender_to
from heavenbase.http.transport.connections import Route
from tests.matrix import EVERY, INSTALLED, Row, wires

CANARY = "canary-of-the-process"
OTHERS = (
    *("OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_WEBHOOK_SECRET"),
    *("OPENAI_CUSTOM_HEADERS", "OPENAI_API_VERSION", "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_PROFILE"),
    *(
        "ANTHROPIC_CUSTOM_HEADERS",
        "ANTHROPIC_FEDERATION_RULE_ID",
        "ANTHROPIC_ORGANIZATION_ID",
        "ANTHROPIC_IDENTITY_TOKEN",
    ),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK", "AWS_ROLE_ARN"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"),
    *("AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_EXECUTION_ENV", "AWS_SDK_UA_APP_ID", "AWS_CA_BUNDLE"),
    *(
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
        "GOOGLE_GENAI_USE_VERTEXAI",
        "GOOGLE_CLOUD_PROJECT",
        "GOOGLE_GEMINI_BASE_URL",
    ),
    *("GOOGLE_APPLICATION_CREDENTIALS", "CO_API_KEY", "CO_API_URL", "OLLAMA_HOST", "OLLAMA_API_KEY"),
    *(
        "GOOGLE_GENAI_CLIENT_MODE",
        "GOOGLE_GENAI_REPLAYS_DIRECTORY",
        "GOOGLE_GENAI_REPLAY_ID",
        "GOOGLE_GENAI_API_VERSION",
    ),
    *("GOOGLE_GENAI_USE_ENTERPRISE", "GOOGLE_GENAI_HTTP_CLIENT", "CO_CLIENT_NAME", "MISTRAL_DEBUG", "MISTRAL_AGENT"),
    *("MISTRAL_API_KEY", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_AD_TOKEN", "AZURE_OPENAI_API_VERSION"),
    *("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "PORTKEY_API_KEY", "HB_LOCAL_MODEL"),
    *("HEAVENBASE_LLM__DEFAULT_ARGS__USER", "HEAVENBASE_LLM__PROVIDERS__OPENAI__API_KEY", "HB_STRICT_PLUGINS"),
)
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder, with their content."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A process full of canaries: variables, proxies, files of the user, of the folder and of AWS. None is touched."""
    home, folder = tmp_path / "home", tmp_path / "folder"
    planted = {
        home / ".config/heavenbase/config.toml": f'heavenbase.llm.default_args.extra_headers.X-Canary = "{CANARY}"\n',
        home / ".aws/credentials": f"[default]\naws_access_key_id = {CANARY}\naws_secret_access_key = {CANARY}\n",
        home / ".aws/config": f"[default]\nregion = {CANARY}\n",
        folder / "heavenbase.toml": f'heavenbase.llm.default_args.user = "{CANARY}"\n',
        folder / ".env": f"GROQ_API_KEY={CANARY}\n",
    }
    for path, text in planted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)
    keys = {key for row in INSTALLED for key in (*row.keys, row.address)}
    for name in {*OTHERS, *keys}:
        monkeypatch.setenv(name, CANARY)
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://{CANARY}:{CANARY}@127.0.0.1:9")
    monkeypatch.setenv("HOME", str(home))
    for name in ("HEAVENBASE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(folder)
    before = files(tmp_path)
    yield home
    assert files(tmp_path) == before


def seen(server: LoopbackServer) -> str:
    """All that arrived."""
    return "\n".join(f"{request.path} {request.headers} {request.body!r}" for request in server.requests)


@EVERY
def test_e2_nothing_of_the_process_is_on_the_wire(row: Row, matrix_colour: Colour, home: Path) -> None:
    with LoopbackServer(wires=wires()) as server:
        given = {"base_url": server.url(row.name), "api_key": row.key}
        with hb.Kernel({f"heavenbase.llm.providers.{row.name}": given}) as kernel:
            llm = hb.LLM(model=f"{row.name}/{row.model}", kernel=kernel, max_retries=0)
            matrix_colour.chat(llm, "hi")
            matrix_colour.close_kernel(kernel)
        assert len(server.requests) == 1
        assert row.key in seen(server)
        assert CANARY not in seen(server)


@EVERY
def test_e2_no_key_and_no_identity_of_the_process_is_taken(row: Row, matrix_colour: Colour, home: Path) -> None:
    with LoopbackServer(wires=wires()) as server:
        given: dict[str, Any] = {f"heavenbase.llm.providers.{row.name}.base_url": server.url(row.name)}
        with hb.Kernel(given) as kernel:
            llm = hb.LLM(model=f"{row.name}/{row.model}", kernel=kernel, max_retries=0)
            if row.name == "ollama":
                matrix_colour.chat(llm, "hi")
            else:
                with pytest.raises(hb.errors.MissingCredential):
                    matrix_colour.chat(llm, "hi")
                assert server.requests == []
            matrix_colour.close_kernel(kernel)
        assert CANARY not in seen(server)


def test_e2_bedrock_signs_with_the_keys_that_it_is_given(home: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAGIVEN", "AWS_SECRET_ACCESS_KEY": "given-secret", "AWS_REGION": "eu-west-1"}
    with LoopbackServer() as server:
        config = {"heavenbase.llm.providers.bedrock.base_url": server.url("bedrock")}
        with hb.Kernel(config, environ=keys) as kernel:
            llm = hb.LLM(model="bedrock/us.amazon.nova-lite-v1:0", kernel=kernel, max_retries=0)
            assert llm.chat("hi")
            client = kernel.gateway(llm.spec).to_bedrock_client(llm.spec)  # type: ignore[attr-defined]
            client.converse(modelId=llm.spec.model_id, messages=[{"role": "user", "content": [{"text": "hi"}]}])
            client.close()
        assert len(server.requests) == 2
        for request in server.requests:
            assert "Credential=AKIAGIVEN/" in request.headers["authorization"]
            assert "/eu-west-1/bedrock/aws4_request" in request.headers["authorization"]
            assert "x-amz-security-token" not in request.headers
        assert CANARY not in seen(server)


class Leases:
    """In place of connections: notes the route that is asked for."""

    def __init__(self) -> None:
        self.routes: list[Route] = []

    def lease(self, route: Route) -> None:
        self.routes.append(route)

    async_lease = lease


def test_e2_proxies_and_authorities_are_those_that_are_given(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", f"/{CANARY}.pem")

    def route(**given: Any) -> Route:
        leases: Any = Leases()
        with hb.Kernel({}, **given) as kernel:
            spec = kernel.resolve(model="m", preset="custom", base_url="https://api.example/v1", api_key="k-123456")
            sender_to("https://api.example/v1", spec, kernel.services, leases, is_async=False)
        return leases.routes[0]  # type: ignore[no-any-return]

    plain = route()
    assert (plain.proxy, plain.ca_file, plain.trusts_env) == (None, None, False)
    chosen = route(environ={"HTTPS_PROXY": "http://proxy.example:3128", "SSL_CERT_FILE": "/mine.pem"})
    assert (chosen.proxy, chosen.ca_file, chosen.trusts_env) == ("http://proxy.example:3128", "/mine.pem", False)
    process = route(environ=os.environ)
    assert (CANARY in str(process.proxy), process.trusts_env) == (True, True)


def test_e2_what_an_embedded_kernel_may_read_can_be_seen(home: Path, tmp_path: Path) -> None:
    nothing = {"variables": "none", "files": "none", "written": "none", "identity": "none"}
    assert hb.Kernel({}).config.surroundings() == nothing
    given = hb.Config.from_dict({}, environ={"A": "1", "HOME": str(tmp_path)}).surroundings()
    assert given["variables"] == "2 that were given"
    assert str(tmp_path / ".cache") in given["written"]
    whole = hb.Config.from_dict({}, environ=os.environ).surroundings()
    assert whole["variables"] == "of the process"
    assert str(home / ".config") in whole["files"]
    with pytest.raises(hb.errors.InputTypeError, match="environ"):
        hb.Kernel(hb.Config.from_dict({}), environ={})


def test_e2_answers_are_kept_where_an_embedded_kernel_is_told(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    kept = tmp_path_factory.mktemp("kept") / "answers.db"

    def asked(**settings: Any) -> int:
        with LoopbackServer() as server:
            row = {"base_url": server.url("openai"), "api_key": "k-123456"}
            config = {"heavenbase.llm.providers.openai": row, **settings}
            for _ in range(2):
                with hb.Kernel(config) as kernel:
                    llm = hb.LLM(model="openai/gpt-4o-mini", kernel=kernel)
                    assert llm.chat("hi") == llm.chat("hi")
            return len(server.requests)

    assert asked() == 4
    assert asked(**{"heavenbase.llm.cache.backend": "memory"}) == 2
    assert asked(**{"heavenbase.llm.cache.path": str(kept)}) == 1
    assert kept.exists()
