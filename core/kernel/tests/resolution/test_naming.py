"""Which provider and model a name means, by the keys that are there; over what is installed. Nothing is sent."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.errors import InputError, UnknownModelError, UnknownNameError
from heavenbase.http.gateway import needed_key
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.resolution.catalog import Catalog, fold
from heavenbase.spec import LLMSpec

from ..support import CodeProvider, make_kernel

ROUTER = {"OPENROUTER_API_KEY": "sk-or-000000"}
Resolve = Callable[..., LLMSpec]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture
def made(home: str) -> Callable[..., Kernel]:
    """A kernel over what is installed, that sees these variables alone."""

    def make(environ: dict[str, str] | None = None, **config: Any) -> Kernel:
        settings = {f"heavenbase.llm.{name}": value for name, value in config.items()}
        return Kernel(Config.from_dict(settings, environ={"HEAVENBASE_HOME": home, **(environ or {})}))

    return make


def keys(*vendors: str) -> dict[str, str]:
    return {f"{vendor.upper()}_API_KEY": f"sk-{vendor}-000" for vendor in vendors}


# A4: what is named exactly is sent


OWN = [
    ("zai", "glm-4.7"),
    ("zai-zh", "glm-4.6"),
    ("deepseek", "deepseek-chat"),
    ("deepseek", "deepseek-reasoner"),
    ("dashscope", "qwen-max"),
    ("dashscope", "qwen-plus"),
    ("dashscope", "qwen3.6-flash"),
    ("openai", "gpt-image-2"),
    ("openai", "gpt-4.1"),
    ("ollama", "gemma4"),
    ("ollama", "qwen3.6:35b-a3b"),
    ("anthropic", "claude-opus-4-1-20250805"),
    ("groq", "llama-3.1-8b-instant"),
    ("groq", "openai/gpt-oss-120b"),
    ("openrouter", "anthropic/claude-sonnet-4.5:beta"),
]


@pytest.mark.parametrize(("provider", "model"), OWN)
def test_a4_an_id_of_the_providers_own_is_sent_as_it_is(made: Callable[..., Kernel], provider: str, model: str) -> None:
    kernel = made()
    for spec in (kernel.resolve(model=model, provider=provider), kernel.resolve(model=f"{provider}/{model}")):
        assert (spec.provider, spec.model_id) == (provider, model)
    assert kernel.resolve(model="deepseek-chat", provider="deepseek").args.get("think") is None


def test_a4_an_id_that_begins_with_the_providers_name_keeps_it(made: Callable[..., Kernel]) -> None:
    kernel = made()
    for named in ({"provider": "openrouter"}, {}):
        for model, sent in (
            ("openrouter/auto", "openrouter/auto"),
            ("openrouter/openai/gpt-4o", "openai/gpt-4o"),
            ("openrouter/ds-flash", "deepseek/deepseek-v4-flash"),
            ("openrouter/gpt-5.5", "openai/gpt-5.5"),
        ):
            spec = kernel.resolve(model=model, **named)
            assert (spec.provider, spec.model_id) == ("openrouter", sent)


def test_a4_no_alias_shadows_a_native_id_of_any_manifest_or_of_the_catalogue(made: Callable[..., Kernel]) -> None:
    kernel = made()
    catalog = kernel.resolver.catalog
    natives = {
        (provider, native if isinstance(native, str) else native["id"])
        for record in catalog.models.values()
        for provider, native in record["providers"].items()
        if catalog.provider(provider) == provider and provider != "custom"
    }
    for provider, native in natives:
        spec = kernel.resolve(model=native, provider=provider)
        assert spec.model_id == native or fold(spec.model_id) == fold(native), f"{native} at {provider}"
    aliases = {alias: name for name, record in catalog.models.items() for alias in record.get("aliases", ())}
    for alias, name in aliases.items():
        for provider in catalog.providers:
            if catalog.is_own(provider, alias) and fold(alias) != fold(name) and provider != "custom":
                assert fold(kernel.resolve(model=alias, provider=provider).model_id) == fold(alias)


def test_a4_family_names_still_mean_the_model_of_the_catalogue(made: Callable[..., Kernel]) -> None:
    kernel = made()
    for provider, alias, sent in (
        ("deepseek", "ds-flash", "deepseek-v4-flash"),
        ("zai", "glm", "glm-5.2"),
        ("openai", "gpt-mini", "gpt-5.6-terra"),
        ("anthropic", "sonnet", "claude-sonnet-5"),
        ("openrouter", "glm-4.7", "z-ai/glm-4.7-flash"),
    ):
        assert kernel.resolve(model=alias, provider=provider).model_id == sent


# A5: where a name goes


WHERE = [
    # exact ids go to their vendor when its key is set
    ("openai", "gpt-5", "openai", "gpt-5"),
    ("openai", "gpt-5.5", "openai", "gpt-5.5"),
    ("openai", "gpt-9-turbo", "openai", "gpt-9-turbo"),
    ("openai", "text-embedding-3-small", "openai", "text-embedding-3-small"),
    ("openai", "text-embedding-3-large", "openai", "text-embedding-3-large"),
    ("openai openrouter", "gpt-5.5", "openai", "gpt-5.5"),
    ("anthropic openrouter", "claude-sonnet-5", "anthropic", "claude-sonnet-5"),
    ("anthropic openrouter", "claude-sonnet-6", "anthropic", "claude-sonnet-6"),
    ("gemini", "gemini-9-pro", "gemini", "gemini-9-pro"),
    ("zai openrouter", "glm-4.7", "zai", "glm-4.7"),
    ("zai_zh", "glm-9", "zai-zh", "glm-9"),
    ("deepseek openrouter", "deepseek-chat", "deepseek", "deepseek-chat"),
    ("moonshot_zh", "kimi-k2.6", "moonshot-zh", "kimi-k2.6"),
    # ... or when no router's key is set
    ("", "gpt-5.5", "openai", "gpt-5.5"),
    ("groq", "claude-sonnet-5", "anthropic", "claude-sonnet-5"),
    # ... else to the router
    ("openrouter", "gpt-5.5", "openrouter", "openai/gpt-5.5"),
    ("openrouter groq", "claude-sonnet-5", "openrouter", "anthropic/claude-sonnet-5"),
    ("openrouter", "openai/gpt-5.5", "openrouter", "openai/gpt-5.5"),
    ("openrouter openai", "openai/gpt-5.5", "openai", "gpt-5.5"),
    # family names keep the default provider, and fall to one with a key
    ("openrouter openai", "gpt", "openrouter", "openai/gpt-5.6-sol"),
    ("openrouter anthropic", "sonnet", "openrouter", "anthropic/claude-sonnet-5"),
    ("anthropic", "sonnet", "anthropic", "claude-sonnet-5"),
    ("openai", "gpt", "openai", "gpt-5.6-sol"),
    ("deepseek", "ds-flash", "deepseek", "deepseek-v4-flash"),
    ("", "sonnet", "openrouter", "anthropic/claude-sonnet-5"),
    ("groq", "sonnet", "openrouter", "anthropic/claude-sonnet-5"),
    # a key that two places of one vendor read is that of the first
    ("moonshot", "kimi", "moonshot", "kimi-k2.6"),
    ("moonshot_zh", "kimi", "moonshot-zh", "kimi-k2.6"),
    ("zai", "glm", "zai", "glm-5.2"),
    # ids of places that serve the models of others
    ("groq", "llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
    ("vertex", "gemini-9-pro", "vertex", "gemini-9-pro"),
    ("vertex openrouter", "gemini-embedding-001", "vertex", "gemini-embedding-001"),
    ("vertex gemini", "gemini-9-pro", "gemini", "gemini-9-pro"),
    ("zai_zh openai", "embedding-3", "zai-zh", "embedding-3"),
    ("groq", "openai/gpt-oss-120b", "groq", "openai/gpt-oss-120b"),
    ("groq openai", "openai/gpt-oss-120b", "openai", "gpt-oss-120b"),
    ("groq", "qwen/qwen3-32b", "groq", "qwen/qwen3-32b"),
    ("groq openrouter", "qwen/qwen3-32b", "openrouter", "qwen/qwen3-32b"),
    ("openrouter", "meta-llama/llama-3.3-70b-instruct", "openrouter", "meta-llama/llama-3.3-70b-instruct"),
    ("openrouter", "groq/llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
    ("openrouter", "anthropic/claude-sonnet-4.5", "anthropic", "claude-sonnet-4.5"),
]


@pytest.mark.parametrize(("vendors", "model", "provider", "native"), WHERE)
def test_a5_a_name_goes_where_a_key_is(
    made: Callable[..., Kernel], vendors: str, model: str, provider: str, native: str
) -> None:
    spec = made(keys(*vendors.split())).resolve(model=model)
    assert (spec.provider, spec.model_id) == (provider, native)
    if vendors and f"{vendors.split()[0].upper()}_API_KEY" in spec.origins["provider"]:
        assert "is set" in spec.origins["provider"]


@pytest.mark.parametrize(
    ("vendors", "provider", "native"),
    [
        ("", "openrouter", "deepseek/deepseek-v4-flash"),
        ("openrouter openai", "openrouter", "deepseek/deepseek-v4-flash"),
        ("deepseek openai", "deepseek", "deepseek-v4-flash"),
        ("openai groq", "openai", "gpt-5.4-mini"),
        ("groq", "groq", "llama-3.3-70b-versatile"),
        ("voyage", "openrouter", "deepseek/deepseek-v4-flash"),
    ],
)
@pytest.mark.parametrize("preset", [None, "chat"])
def test_a5_without_a_model_the_default_of_a_provider_with_a_key_stands_in(
    made: Callable[..., Kernel], vendors: str, provider: str, native: str, preset: str | None
) -> None:
    spec = LLM(preset, kernel=made(keys(*vendors.split()))).spec
    assert (spec.provider, spec.model_id, spec.preset) == (provider, native, preset or "system")
    assert spec.args["think"] is False
    if provider not in ("openrouter", "deepseek"):
        assert spec.origins["provider"].endswith("_API_KEY is set, and no provider of deepseek-v4-flash has a key")
        assert spec.origins["model"] == f"default of provider {provider}, which has no ds-flash"


def test_a5_a_preset_that_means_its_model_keeps_it(made: Callable[..., Kernel]) -> None:
    assert made(keys("openai")).resolve("coder").provider == "openrouter"
    own = {"presets.mine": {"model": "ds-flash"}}
    assert made(keys("openai"), **own).resolve("mine").provider == "openrouter"
    with pytest.raises(UnknownModelError, match="does not offer"):
        made(keys("openai")).resolve("coder", provider="openai")


def test_a5_embeddings_stand_in_too(made: Callable[..., Kernel]) -> None:
    for vendor, native in (
        ("openai", "text-embedding-3-small"),
        ("voyage", "voyage-4-lite"),
        ("mistral", "mistral-embed"),
    ):
        assert made(keys(vendor)).resolve("embed").model_id == native
    assert made(keys("openrouter")).resolve("embed").provider == "openrouter"


def test_a5_every_provider_has_a_default_model(made: Callable[..., Kernel]) -> None:
    kernel = made({"AZURE_OPENAI_ENDPOINT": "https://azure.test"})
    catalog: Catalog = kernel.resolver.catalog
    without = [name for name in catalog.providers if not catalog.records[name].get("default_models")]
    assert without == ["custom"]
    for name in set(catalog.providers) - {"custom", "voyage"}:
        spec = kernel.resolve(provider=name)
        assert (spec.provider, bool(spec.model_id)) == (name, True)
    assert kernel.resolve("embed", provider="voyage").model_id == "voyage-4-lite"


def test_a5_with_one_vendors_key_alone_each_of_its_models_goes_there(made: Callable[..., Kernel]) -> None:
    catalog: Catalog = made().resolver.catalog
    for name in set(catalog.providers) - {"azure", "custom"}:  # which have no models but those of the user
        record = catalog.records[name]
        if not (variables := record.get("api_key_env")):
            continue
        kernel = made({variables[0]: "sk-a-key-000"})
        natives = [row["providers"][name] for row in catalog.models.values() if name in row["providers"]]
        ids = {native if isinstance(native, str) else native["id"] for native in natives}
        for model in ids | set(record.get("default_models", {}).values()):
            assert kernel.resolve(model=model).provider == name, f"{model} with {variables[0]}"


def test_a5_the_providers_of_the_settings_count(made: Callable[..., Kernel]) -> None:
    kernel = made(default_provider="groq")
    assert kernel.resolve().provider == "groq"
    assert kernel.resolve(model="sonnet").provider == "openrouter"
    kernel = made({"WORK_KEY": "sk-work-000"}, **{"providers.anthropic.api_key": "${env:WORK_KEY}"})
    assert kernel.resolve(model="sonnet").provider == "anthropic"
    assert made(**{"providers.anthropic.api_key": "${env:WORK_KEY}"}).resolve(model="sonnet").provider == "openrouter"
    kernel = made(**{"providers.groq.default_models.chat": "mine"})
    assert kernel.resolve(provider="groq").model_id == "mine"
    mine = {"providers.work": {"base_url": "https://w.test/v1", "api_key": "sk-work-000", "models": {"gpt-5.5": "big"}}}
    spec = made(**mine).resolve(model="gpt-5.5", provider="work")
    assert (spec.model, spec.model_id) == ("gpt-5.5", "big")


def test_a5_a_server_of_ones_own_counts_where_its_address_is_said(made: Callable[..., Kernel]) -> None:
    spec = made({"OLLAMA_HOST": "127.0.0.1:11434"}).resolve()
    assert (spec.provider, spec.origins["provider"].partition(" ")[0]) == ("ollama", "OLLAMA_HOST")
    assert made(**{"providers.lmstudio.base_url": "http://localhost:1/v1"}).resolve().provider == "lmstudio"
    assert made({"AWS_ACCESS_KEY_ID": "AKIA0000"}).resolve().provider == "bedrock"


def test_a5_who_says_how_to_connect_needs_no_variable(made: Callable[..., Kernel]) -> None:
    kernel = made(keys("openai"))
    assert kernel.resolve(api_key="sk-mine-000").provider == "openrouter"
    assert kernel.resolve(model="sonnet", api_key="sk-mine-000").provider == "openrouter"


def test_a5_a_key_that_comes_later_is_seen(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    for name in ("OPENROUTER_API_KEY", "OPENAI_API_KEY", "DEEPSEEK_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HEAVENBASE_HOME", home)
    monkeypatch.setenv("GROQ_API_KEY", "sk-groq-000")
    kernel = Kernel({}, environ=os.environ)
    assert kernel.resolve().provider == "groq"
    assert kernel.resolve() is kernel.resolve()
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai-000")
    assert kernel.resolve().provider == "openai"
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-or-000")
    assert kernel.resolve().provider == "openrouter"
    assert kernel.resolve(model="gpt-5.5").provider == "openai"


def told_without_a_key(kernel: Kernel, **names: Any) -> str:
    try:
        needed_key(kernel.resolve(**names), "")
    except ValueError as error:
        return str(error)
    return ""


def test_a5_without_any_key_the_error_names_the_three_shortest_ways(made: Callable[..., Kernel]) -> None:
    for names in ({}, {"preset": "chat"}):
        told = told_without_a_key(made(), **names)
        assert "set OPENROUTER_API_KEY (from https://openrouter.ai/settings/keys); or set the key of another" in told
        assert "such as OPENAI_API_KEY or ANTHROPIC_API_KEY" in told
        assert "hb chat -p local" in told


def test_a5_the_ways_that_are_named_lead_to_an_answer(made: Callable[..., Kernel]) -> None:
    told = told_without_a_key(made(), model="sonnet")
    assert "set OPENROUTER_API_KEY" in told
    assert "of another provider of the model: ANTHROPIC_API_KEY; or ask a model on this machine" in told
    told = told_without_a_key(made(keys("openai")), preset="coder")
    assert "ask the default model of openai, whose key is set: hb chat -b openai, or provider='openai'" in told
    told = told_without_a_key(made(keys("anthropic")), preset="embed")
    assert "such as OPENAI_API_KEY or GEMINI_API_KEY" in told
    assert "hb embed -b local" in told
    assert "hb imagen -b ollama" in told_without_a_key(made(), preset="imagen")


def test_a5_a_provider_that_cannot_chat_says_what_it_can(made: Callable[..., Kernel]) -> None:
    with pytest.raises(InputError, match="'voyage' has no default model to chat with, only to embed; pass model="):
        made(keys("voyage")).resolve(provider="voyage")
    for names, hint in (
        ({"provider": "portkey"}, "'portkey' is a gateway: gateway='portkey', or hb … -g portkey"),
        ({"preset": "openai"}, "'openai' is a provider: provider='openai', or hb … -b openai"),
        ({"preset": "gpt-4o"}, "'gpt-4o' is a model: model='gpt-4o', or hb … -m gpt-4o"),
        ({"model": "openai"}, "'openai' is a provider: provider='openai', or hb … -b openai"),
        ({"model": "chat"}, "'chat' is a preset: preset='chat', or hb … -p chat"),
    ):
        with pytest.raises(UnknownNameError, match=hint):
            made().resolve(**names)
    with pytest.raises(InputError, match="model is empty"):
        made().resolve(model="")


def test_a5_a_named_provider_without_a_key_says_where_one_is_from(made: Callable[..., Kernel]) -> None:
    for names in ({"provider": "openai"}, {"model": "gpt-4o-mini"}, {"model": "openai/gpt-4o-mini"}):
        told = told_without_a_key(made(keys("openrouter")), **names)
        assert "set OPENAI_API_KEY (from https://platform.openai.com/api-keys); or ask the default model" in told
        assert "of openrouter, whose key is set: hb chat -b openrouter" in told


def test_a5_a_provider_given_in_code_is_left_to_itself() -> None:
    kernel = make_kernel(environ={"ACME_API_KEY": ""}, plugins=(CodeProvider("other"),))
    assert kernel.resolve().provider == "acme"


def test_a5_a_key_whose_provider_is_not_installed_says_what_to_install(made: Callable[..., Kernel]) -> None:
    kernel = made({"GROQ_API_KEY": "sk-groq-000"})
    left = tuple(it for it in kernel.registry.inventory.plugins if (it.kind, it.name) != ("providers", "groq"))
    kernel.registry.inventory = replace(kernel.registry.inventory, plugins=left)
    told = told_without_a_key(kernel)
    assert "GROQ_API_KEY is set: pip install hb-provider-groq; or set OPENROUTER_API_KEY" in told
    with pytest.raises(
        UnknownModelError, match="GROQ_API_KEY is set: pip install hb-provider-groq; or name the provider"
    ):
        kernel.resolve(model="llama-3.1-8b-instant")
