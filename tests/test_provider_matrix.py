"""Every provider of the catalogue: its address and key, where its requests go, and which names mean it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from hb_testing.conformance.rig import environment
from hb_testing.server import LoopbackServer, RecordedRequest
from heavenbase.config.config import Config
from heavenbase.discovery.inventory import discover
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.resolution.catalog import fold


@dataclass(frozen=True)
class Row:
    """One provider: `url_env` overrides `url`, `keys` are the variables of its credential, `models` mean it."""

    name: str
    url_env: str
    url: str
    keys: tuple[str, ...]
    backends: Mapping[str, str]
    model: str
    models: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    args: Mapping[str, Any] = field(default_factory=dict)
    verb: str = "chat"
    wire: str = "openai"


def same(slug: str, **others: str) -> dict[str, str]:
    """A slug that every routing gateway knows, but for `others`."""
    return {**dict.fromkeys(("portkey", "litellm", "bifrost"), slug), **others}


UNLISTED = {"allow_unknown_models": True}
DIRECT = {"http_proxy": "", "https_proxy": ""}
ROWS = [
    Row(
        "openrouter",
        "OPENROUTER_BASE_URL",
        "https://openrouter.ai/api/v1",
        ("OPENROUTER_API_KEY",),
        same("openrouter"),
        "ds-flash",
        ("openrouter/any/model", "ds-flash"),
        wire="openrouter",
    ),
    Row(
        "openai",
        "OPENAI_BASE_URL",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        same("openai"),
        "gpt-4o",
        ("gpt-4o", "o3-mini", "text-embedding-3-large"),
    ),
    Row(
        "anthropic",
        "ANTHROPIC_BASE_URL",
        "https://api.anthropic.com",
        ("ANTHROPIC_API_KEY",),
        same("anthropic"),
        "claude-haiku-4-5",
        ("claude-opus-4-1-20250805",),
        wire="anthropic",
    ),
    Row(
        "grok",
        "XAI_BASE_URL",
        "https://api.x.ai/v1",
        ("XAI_API_KEY",),
        same("xai"),
        "grok-4.5",
        ("grok-4.3", "xai/grok-4.5"),
        UNLISTED,
    ),
    Row(
        "gemini",
        "GEMINI_BASE_URL",
        "https://generativelanguage.googleapis.com/v1beta",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        same("gemini", portkey="google"),
        "gemini-3.6-flash",
        ("gemini-2.5-pro", "gemini-embedding-001"),
        wire="gemini",
    ),
    Row(
        "deepseek",
        "DEEPSEEK_BASE_URL",
        "https://api.deepseek.com/v1",
        ("DEEPSEEK_API_KEY",),
        same("deepseek"),
        "ds-flash",
        ("deepseek-v5", "deepseek/deepseek-v4-flash"),
    ),
    Row(
        "moonshot",
        "MOONSHOT_BASE_URL",
        "https://api.moonshot.ai/v1",
        ("MOONSHOT_API_KEY",),
        same("moonshot"),
        "kimi",
        ("kimi-k2.7-code", "moonshot-v1-8k", "kimi/kimi-k3"),
    ),
    Row(
        "moonshot-zh",
        "MOONSHOT_ZH_BASE_URL",
        "https://api.moonshot.cn/v1",
        ("MOONSHOT_ZH_API_KEY", "MOONSHOT_API_KEY"),
        same("moonshot"),
        "kimi",
        ("moonshot-zh/kimi-k3", "moonshot_zh/kimi-k3"),
    ),
    Row(
        "zai",
        "ZAI_BASE_URL",
        "https://api.z.ai/api/paas/v4",
        ("ZAI_API_KEY",),
        same("zai", portkey="zhipu"),
        "glm",
        ("glm-5.3", "zai/glm-5.2"),
        {"portkey_custom_host": True, "auth_mode": {"anthropic": "bearer"}},
    ),
    Row(
        "zai-zh",
        "ZAI_ZH_BASE_URL",
        "https://open.bigmodel.cn/api/paas/v4",
        ("ZAI_ZH_API_KEY", "ZAI_API_KEY"),
        same("zai", portkey="zhipu"),
        "glm",
        ("zai-zh/glm-5.2", "zhipu/glm-5.3"),
        {"portkey_custom_host": True},
    ),
    Row(
        "minimax",
        "MINIMAX_BASE_URL",
        "https://api.minimax.io/v1",
        ("MINIMAX_API_KEY",),
        same("minimax"),
        "MiniMax-M2.7",
        ("MiniMax-M2.7", "minimax/abab7"),
        UNLISTED,
    ),
    Row(
        "cohere",
        "COHERE_BASE_URL",
        "https://api.cohere.com/v2",
        ("COHERE_API_KEY", "CO_API_KEY"),
        same("cohere"),
        "command-a-03-2025",
        ("command-r7b-12-2024", "embed-v4", "embed-multilingual-v3.0"),
        wire="cohere",
    ),
    Row(
        "mistral",
        "MISTRAL_BASE_URL",
        "https://api.mistral.ai/v1",
        ("MISTRAL_API_KEY",),
        same("mistral", portkey="mistral-ai"),
        "mistral-small-latest",
        ("mistral-large-latest", "ministral-8b-latest", "codestral-embed", "mistral/anything"),
        UNLISTED,
        wire="mistral",
    ),
    Row(
        "voyage",
        "VOYAGE_BASE_URL",
        "https://api.voyageai.com/v1",
        ("VOYAGE_API_KEY",),
        same("voyage"),
        "voyage-4-lite",
        ("voyage", "voyage-code-3"),
        verb="embed",
    ),
    Row(
        "dashscope",
        "DASHSCOPE_BASE_URL",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ("DASHSCOPE_API_KEY",),
        same("dashscope"),
        "qwen-max",
        ("qwen-max", "qwen3-coder-plus", "text-embedding-v4"),
        UNLISTED,
        {"embedding_batch_size": 10},
    ),
    Row(
        "ollama",
        "OLLAMA_BASE_URL",
        "http://localhost:11434",
        ("OLLAMA_API_KEY",),
        same("ollama"),
        "gemma",
        ("ollama/llama3.2:1b", "ollama:llama3.2"),
        {**UNLISTED, "api_key_optional": True},
        DIRECT,
        wire="ollama",
    ),
    Row(
        "lmstudio",
        "LM_STUDIO_BASE_URL",
        "http://localhost:1234/v1",
        ("LM_STUDIO_API_KEY",),
        same("openai", litellm="lm_studio"),
        "qwen",
        ("lmstudio/any", "lm-studio/any"),
        {**UNLISTED, "api_key_optional": True},
        DIRECT,
    ),
    Row(
        "omlx",
        "OMLX_BASE_URL",
        "http://localhost:8000/v1",
        ("OMLX_API_KEY",),
        same("openai"),
        "qwen",
        ("omlx/any",),
        {**UNLISTED, "api_key_optional": True, "portkey_custom_host": True},
        DIRECT,
    ),
    Row(
        "vllm",
        "VLLM_BASE_URL",
        "http://localhost:8000/v1",
        ("VLLM_API_KEY",),
        same("openai", litellm="hosted_vllm"),
        "qwen",
        ("vllm/org/any",),
        {**UNLISTED, "api_key_optional": True},
    ),
]
NAMES = [row.name for row in ROWS]
KEYS = {variable: f"sk-matrix-{variable.lower()}" for row in ROWS for variable in row.keys}
"""A key in every variable, all different."""


def kernel(**environ: str) -> Kernel:
    """A kernel that sees only these variables; no cache, so that every call is a request."""
    return Kernel(Config.from_dict({"heavenbase.llm.cache.enabled": False}, environ=environment(**environ)))


def name_of(row: Row) -> str:
    return row.name


@pytest.fixture(scope="module")
def server() -> Iterator[LoopbackServer]:
    # Not strict: each provider has fields of its own.
    with LoopbackServer(strict=False) as running:
        yield running


def ask(row: Row, server: LoopbackServer, **environ: str) -> RecordedRequest:
    """The one request of a call through this provider, moved to the server by its variable."""
    seen = len(server.requests)
    with kernel(**{row.url_env: server.url(row.wire), **environ}) as running:
        llm = LLM(model=row.model, provider=row.name, kernel=running)
        assert llm.spec.origins["base_url"] == f"environment {row.url_env}"
        llm.embed("hello") if row.verb == "embed" else llm.chat("hello")
    (request,) = server.requests[seen:]
    return request


def test_the_matrix_has_every_provider_of_the_catalogue() -> None:
    with kernel() as running:
        assert {*NAMES, "mock", "custom"} <= set(running.registry.names("providers"))
        assert running.resolver.catalog.wanted == []


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_it_resolves_to_its_own_address_and_first_key(row: Row) -> None:
    with kernel(**KEYS) as running:
        spec = running.resolve(model=row.model, provider=row.name)
        assert (spec.provider, spec.base_url) == (row.name, row.url)
        assert spec.api_key is not None
        assert spec.api_key.reveal() == KEYS[row.keys[0]]
        assert tuple(spec.provider_record["api_key_env"]) == row.keys
        assert spec.origins["api_key"] == f"environment {row.keys[0]}"


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_its_other_variables_hold_its_key_when_the_first_is_empty(row: Row) -> None:
    for place, variable in enumerate(row.keys):
        with kernel(**{**dict.fromkeys(row.keys[:place], ""), variable: KEYS[variable]}) as running:
            found = running.resolve(model=row.model, provider=row.name).api_key
            assert found is not None
            assert found.reveal() == KEYS[variable]


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_it_never_takes_the_key_of_another(row: Row) -> None:
    with kernel(**{name: key for name, key in KEYS.items() if name not in row.keys}) as running:
        assert running.resolve(model=row.model, provider=row.name).api_key is None


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_it_is_described_as_routing_gateways_and_callers_need(row: Row) -> None:
    with kernel() as running:
        spec = running.resolve(model=row.model, provider=row.name)
        assert {gateway: spec.provider_backend(gateway) for gateway in row.backends} == row.backends
        assert row.flags.items() <= spec.provider_record.items()
        assert row.args.items() <= spec.args.items()
        for page in ("title", "docs_url", "models_url"):
            assert spec.provider_record[page]
        assert ("keys_url" in spec.provider_record) or spec.provider_record["api_key_optional"]


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_its_requests_go_to_its_address_with_its_key(row: Row, server: LoopbackServer) -> None:
    request = ask(row, server, **KEYS)
    own = KEYS[row.keys[0]]
    carried = [value for value in request.headers.values() if "sk-matrix-" in value]
    assert carried
    assert all(value.removeprefix("Bearer ") == own for value in carried)
    assert request.path.startswith(server.url(row.wire).removeprefix(server.origin))


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_a5_with_its_key_alone_calls_go_to_it(row: Row, server: LoopbackServer) -> None:
    seen = len(server.requests)
    own = {row.keys[0]: KEYS[row.keys[0]], row.url_env: server.url(row.wire)}
    asked: list[dict[str, Any]] = [{}, {"provider": row.name}]
    with kernel(**own) as running:
        for names in asked:
            if row.verb == "embed":
                LLM("embed", kernel=running, **names).embed("hello")
            else:
                LLM(kernel=running, **names).chat("hello")
        default = running.resolve(None if row.verb == "chat" else "embed", provider=row.name)
        assert running.resolve(model=default.model_id, provider=row.name).model_id == default.model_id
    requests = server.requests[seen:]
    assert len(requests) == len(asked)
    for request in requests:
        carried = [value for value in request.headers.values() if "sk-matrix-" in value]
        assert [value.removeprefix("Bearer ") for value in carried] == [KEYS[row.keys[0]]] * len(carried)
        assert carried
        assert request.path.startswith(server.url(row.wire).removeprefix(server.origin))


@pytest.mark.parametrize("row", [row for row in ROWS if row.flags.get("api_key_optional")], ids=name_of)
def test_a_server_of_ones_own_needs_no_key(row: Row, server: LoopbackServer) -> None:
    others = {name: key for name, key in KEYS.items() if name not in row.keys}
    request = ask(row, server, **others)
    assert not [value for value in request.headers.values() if "sk-matrix-" in value]


@pytest.mark.parametrize("row", ROWS, ids=name_of)
def test_names_that_mean_it_lead_to_it(row: Row) -> None:
    with kernel() as running:
        for model in row.models:
            assert running.resolve(model=model).provider == row.name, model


def test_the_mock_needs_neither_address_nor_key() -> None:
    with kernel() as running:
        assert LLM("mock", kernel=running).chat("x") == "mock response"


def test_custom_is_the_endpoint_that_the_caller_names(server: LoopbackServer) -> None:
    seen = len(server.requests)
    with kernel(**KEYS) as running:
        LLM("custom", model="mine", base_url=server.url("openai"), api_key="sk-mine", kernel=running).chat("x")
    (request,) = server.requests[seen:]
    assert request.headers["authorization"] == "Bearer sk-mine"
    assert request.json["model"] == "mine"


def manifests() -> dict[str, dict[str, Any]]:
    """The record of every installed provider."""
    config = Config.from_dict({}, environ=environment())
    found = discover(config.paths().cache_dir).plugins
    return {p.name: (p.manifest or {}).get("provider", {}) for p in found if p.kind == "providers"}


def test_no_two_providers_claim_one_name() -> None:
    records = manifests()
    claims = Counter([fold(name) for name in records])
    claims.update(fold(alias) for record in records.values() for alias in record.get("aliases", ()))
    assert [name for name, count in claims.items() if count > 1] == []


def test_no_two_providers_claim_one_routing_prefix() -> None:
    claims = [(prefix.lower(), name) for name, record in manifests().items() for prefix in record.get("prefixes", ())]
    for prefix, name in claims:
        rivals = {other for rival, other in claims if other != name and rival.startswith(prefix)}
        assert not rivals, f"{prefix!r} of {name} is also the beginning of a prefix of {rivals}"
