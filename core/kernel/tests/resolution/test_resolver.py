"""Resolution: preset, model, provider and gateway become one spec, with the origin of every value. Nothing is sent."""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.errors import (
    ConfigError,
    CredentialFormatError,
    InputError,
    InputTypeError,
    MissingCredential,
    PluginBlocked,
    PluginConflict,
    PluginFallbackWarning,
    PluginLoadError,
    UnknownModelError,
    UnknownNameError,
)
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.resolution.resolver import MEMO_SIZE

from ..installed import install_gateway
from ..support import CodeProvider, ScriptedGateway, make_kernel, scripted

KEYS = {
    "OPENROUTER_API_KEY": "sk-or-000000",
    "DEEPSEEK_API_KEY": "sk-ds-000000",
    "OPENAI_API_KEY": "sk-oa-000000",
    "GROQ_API_KEY": "sk-gq-000000",
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


@pytest.fixture
def make(home: str) -> Any:
    """Kernels with what is installed, on a fresh home and given variables."""

    def made(config: dict[str, Any] | None = None, **environ: str) -> Kernel:
        return Kernel(Config.from_dict(config or {}, environ={"HEAVENBASE_HOME": home, **KEYS, **environ}))

    return made


# Names


def test_hb02_nothing_named_is_the_system_preset(make: Any) -> None:
    spec = LLM(kernel=make()).spec
    assert (spec.preset, spec.provider, spec.model, spec.gateway) == (
        "system",
        "openrouter",
        "deepseek-v4-flash",
        "openai",
    )
    assert spec.requested_gateway == "openai"
    assert spec.args["think"] is False


def test_hb03_each_provider_has_its_own_id_of_a_model(make: Any) -> None:
    kernel = make()
    assert LLM("chat", kernel=kernel).spec.model_id == "deepseek/deepseek-v4-flash"
    assert LLM(model="ds-flash", provider="deepseek", kernel=kernel).spec.model_id == "deepseek-v4-flash"


@pytest.mark.parametrize("alias", ["ds-flash", "DS_FLASH", "ds.flash", "Ds Flash", "ds:flash", "deepseek-v4-flash"])
def test_hb04_aliases_ignore_case_and_punctuation(make: Any, alias: str) -> None:
    assert make().resolve(model=alias).model == "deepseek-v4-flash"


def test_hb04_native_ids_resolve(make: Any) -> None:
    spec = make().resolve(model="deepseek/deepseek-v4-flash")
    assert (spec.model_id, spec.provider) in (
        ("deepseek/deepseek-v4-flash", "openrouter"),
        ("deepseek-v4-flash", "deepseek"),
    )
    spec = make().resolve(model="deepseek/deepseek-v4-flash", provider="openrouter")
    assert (spec.model, spec.model_id) == ("deepseek-v4-flash", "deepseek/deepseek-v4-flash")


@pytest.mark.parametrize(
    ("names", "nearest"),
    [
        ({"preset": "chta"}, "chat"),
        ({"model": "sonett"}, "sonnet"),
        ({"provider": "opnrouter"}, "openrouter"),
        ({"gateway": "opennai"}, "openai"),
        ({"gateway": "portky"}, "portkey"),
    ],
)
def test_hb05_unknown_names_say_the_nearest_choice(make: Any, names: dict[str, str], nearest: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean '{nearest}'") as caught:
        LLM(kernel=make(), **names)
    assert isinstance(caught.value, UnknownNameError)
    assert nearest in caught.value.choices


@pytest.mark.parametrize("what", ["preset", "model", "provider", "gateway"])
@pytest.mark.parametrize("wrong", [7, b"chat", {"chat"}, True])
def test_names_of_a_wrong_type_are_typed_errors(what: str, wrong: Any) -> None:
    with pytest.raises(InputTypeError, match=f"{what} must be a str, not {type(wrong).__name__}"):
        make_kernel().resolve(**{what: wrong})


@pytest.mark.parametrize(
    ("typed", "provider", "model_id"),
    [
        ("groq/llama-3.1-8b-instant", "groq", "llama-3.1-8b-instant"),
        ("openai:gpt-5.5", "openai", "gpt-5.5"),
        ("openai/gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("gpt-4o-mini", "openai", "gpt-4o-mini"),
        ("o3", "openai", "o3"),
        ("openrouter/anthropic/claude-sonnet-4.6", "openrouter", "anthropic/claude-sonnet-4.6"),
    ],
)
def test_model_strings_that_people_already_type(make: Any, typed: str, provider: str, model_id: str) -> None:
    spec = make().resolve(model=typed)
    assert (spec.provider, spec.model_id) == (provider, model_id)


FARAWAY = {"heavenbase.llm.models.one": {"aliases": ["uno"], "providers": {"faraway": "one-f"}}}


@pytest.mark.parametrize(
    "names",
    [{"model": "one"}, {"model": "uno"}, {"model": "faraway/two"}, {"model": "faraway:two"},
     {"model": "one", "provider": "faraway"}, {"model": "one", "provider": "Far-Away"}],
)  # fmt: skip
def test_a_provider_that_is_not_installed_is_an_error_with_the_pip_line_and_never_swapped(names: Any) -> None:
    kernel = make_kernel(config=FARAWAY)
    ours = {"faraway": "hb-provider-faraway"}
    kernel.registry.inventory = replace(kernel.registry.inventory, known_providers=ours)
    with pytest.raises(PluginLoadError, match=r"pip install (one of: )?hb-provider-faraway"):
        kernel.resolve(**names)
    with pytest.raises(
        PluginLoadError, match="no preset 'faraway', and provider 'faraway' is not installed; pip install"
    ):
        kernel.resolve("faraway")


@pytest.mark.parametrize("names", [{"model": "one"}, {"model": "one", "provider": "faraway"}, {"gateway": "faraway"}])
def test_a_name_that_is_none_of_this_project_is_unknown_and_nobody_is_told_to_install_it(names: Any) -> None:
    with pytest.raises(UnknownNameError, match="'faraway'") as caught:
        make_kernel(config=FARAWAY).resolve(**names)
    assert "pip install" not in str(caught.value)


def test_a_slip_in_the_provider_of_a_model_is_told_and_not_to_be_installed(make: Any) -> None:
    kernel = make({"heavenbase.llm.models.mm": {"default_provider": "mok", "providers": {"mok": "m"}}})
    with pytest.raises(UnknownNameError, match="unknown provider 'mok'; did you mean 'mock'") as caught:
        kernel.resolve(model="mm")
    assert "pip install" not in str(caught.value)


def test_a_provider_that_comes_with_a_gateway_is_installed_by_the_name_that_exists(make: Any) -> None:
    inventory = make().registry.inventory
    assert dict(inventory.known_providers)["custom"] == "hb-gateway-openai"
    installed = {info.name: info.distribution for info in inventory.plugins if info.kind == "providers"}
    assert dict(inventory.known_providers) == installed
    kernel = make_kernel()
    kernel.registry.inventory = replace(
        inventory, plugins=tuple(info for info in inventory.plugins if info.name != "custom")
    )
    with pytest.raises(PluginLoadError, match="'custom' is not installed; pip install hb-gateway-openai"):
        kernel.resolve(preset="custom", model="m", base_url="http://localhost:1")


def test_a_model_that_the_provider_does_not_offer_is_an_error_unless_configured(make: Any) -> None:
    with pytest.raises(UnknownModelError, match="does not offer model"):
        make().resolve(model="sonnet", provider="deepseek")
    kernel = make({"heavenbase.llm.model_mismatch": "ignore"})
    assert kernel.resolve(model="sonnet", provider="deepseek").model_id == "claude-sonnet-5"


def test_a_provider_without_unknown_models_takes_only_its_own() -> None:
    provider = CodeProvider(allow_unknown_models=False)
    config = {"heavenbase.llm.models.known": {"providers": {"acme": "known-1"}}}
    kernel = make_kernel(plugins=(provider,), config=config)
    assert kernel.resolve(model="known").model_id == "known-1"
    with pytest.raises(UnknownModelError, match="did you mean 'known'"):
        kernel.resolve(model="knowm", provider="acme")


def test_explicit_names_beat_the_presets_and_those_the_defaults() -> None:
    config = {
        "heavenbase.llm.presets.mine": {"model": "one", "provider": "other", "gateway": "second"},
        "heavenbase.llm.models.one": {"providers": {"acme": "one-a", "other": "one-o"}, "default_provider": "acme"},
    }
    plugins = (CodeProvider("other", base_url="https://other.test/v1"), ScriptedGateway(name="second"))
    kernel = make_kernel(plugins=plugins, config=config)
    found = kernel.resolve("mine")
    assert (found.provider, found.model_id, found.gateway) == ("other", "one-o", "second")
    found = kernel.resolve("mine", provider="acme", gateway="scripted")
    assert (found.provider, found.model_id, found.gateway) == ("acme", "one-a", "scripted")
    assert kernel.resolve(model="one").provider == "acme"
    assert kernel.resolve("mine", model="acme/two", provider="acme").model_id == "two"


def test_users_add_presets_models_and_providers_by_configuration_alone() -> None:
    config = {
        "heavenbase.llm.providers.house": {"base_url": "https://house.test/v1", "api_key": "${env:HOUSE_KEY}"},
        "heavenbase.llm.models.big": {"aliases": ["b"], "providers": {"house": "big-7b"}},
        "heavenbase.llm.presets.fast": {"model": "b", "default_args": {"temperature": 0.5}},
    }
    spec = make_kernel(config=config, environ={"HOUSE_KEY": "sk-house-000"}).resolve("fast")
    assert (spec.provider, spec.model_id, spec.base_url) == ("house", "big-7b", "https://house.test/v1")
    assert spec.args["temperature"] == 0.5
    assert spec.api_key is not None
    assert spec.api_key.reveal() == "sk-house-000"
    with pytest.raises(ConfigError, match=r"providers\.bare\.base_url"):
        make_kernel(config={"heavenbase.llm.providers.bare": {"api_key": "sk-000000"}}).resolve(model="bare/x")


# Arguments


def test_arguments_merge_in_the_documented_order() -> None:
    def layer(number: int) -> dict[str, Any]:
        return {f"a{place}": number for place in range(number, 7)}

    class Defaults(ScriptedGateway):
        defaults = {"default_args": layer(2)}  # noqa: RUF012

    config = {
        "heavenbase.llm.default_args": layer(1),
        "heavenbase.llm.models.one": {"providers": {"acme": "one-a"}, "default_args": layer(3)},
        "heavenbase.llm.presets.mine": {"model": "one", "default_args": layer(5)},
    }
    plugins = (Defaults(), CodeProvider(default_args=layer(4)))
    spec = make_kernel(config=config, plugins=plugins).resolve("mine", **layer(6))
    assert {name: spec.args[name] for name in layer(1)} == {f"a{place}": place for place in range(1, 7)}
    assert spec.origins["args.a1"] == "heavenbase.llm.default_args"
    assert spec.origins["args.a4"] == "provider acme"
    assert spec.origins["args.a6"] == "argument"


def test_unset_takes_a_default_off_the_wire() -> None:
    config = {"heavenbase.llm.models.one": {"providers": {"acme": {"id": "one-a", "unset": ["temperature"]}}}}
    spec = make_kernel(config=config).resolve(model="one")
    assert spec.args["temperature"] is None
    assert spec.args["seed"] == 42


def test_asking_for_effort_is_asking_to_think() -> None:
    kernel = make_kernel(config={"heavenbase.llm.default_args.think": False})
    assert kernel.resolve(reasoning_effort="low").args["think"] is True
    assert kernel.resolve(reasoning_effort="low", think=False).args["think"] is False


@pytest.mark.parametrize("options", [{"max_retries": -1}, {"headers": "x"}, {"headers": {"X": "a\r\nB: c"}}])
def test_wrong_controls_are_refused_when_the_llm_is_made(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"max_retries|header"):
        make_kernel().resolve(**options)


# Where it goes, and with which credential


def test_hb28_base_urls_come_from_argument_configuration_environment_manifest_in_that_order(make: Any) -> None:
    name = {"provider": "deepseek", "model": "ds-flash"}
    configured = {"heavenbase.llm.providers.deepseek.base_url": "https://configured.test/v1"}
    variable = {"DEEPSEEK_BASE_URL": "https://variable.test/v1/"}
    assert make().resolve(**name).base_url == "https://api.deepseek.com/v1"
    assert make(**variable).resolve(**name).base_url == "https://variable.test/v1"
    assert make(configured, **variable).resolve(**name).base_url == "https://configured.test/v1"
    found = make(configured, **variable).resolve(**name, base_url="https://argument.test/v1")
    assert (found.base_url, found.origins["base_url"]) == ("https://argument.test/v1", "argument")


@pytest.mark.parametrize(
    "wrong",
    [
        "api.test/v1",
        "ftp://x.test",
        "https://",
        "https://a b.test",
        "https://u:p@x.test",
        "https://x\n.test",
        "http://[::1",
        "http://127.0.0.1:99999/v1",
        "http://:80/v1",
        "https://x.test/v1?key=1",
        "https://x.test/v1#a",
    ],
)
def test_a_base_url_that_is_none_is_refused_and_no_password_repeated(wrong: str) -> None:
    with pytest.raises(InputError, match="base_url") as caught:
        make_kernel().resolve(base_url=wrong)
    assert "u:p" not in str(caught.value)
    with pytest.raises(InputTypeError):
        make_kernel().resolve(base_url=7)


def test_a_key_never_travels_in_clear_text_to_another_machine() -> None:
    kernel = make_kernel()
    with pytest.raises(ConfigError, match="clear text"):
        kernel.resolve(base_url="http://far.test/v1")
    assert kernel.resolve(base_url="http://127.0.0.1:8000/v1").base_url == "http://127.0.0.1:8000/v1"
    assert kernel.resolve(base_url="http://localhost:8000/v1").api_key is not None
    allowed = make_kernel(config={"heavenbase.llm.providers.acme.allow_http": True})
    assert allowed.resolve(base_url="http://far.test/v1").base_url == "http://far.test/v1"


@pytest.mark.parametrize("name", ["Authorization", "x-api-key", "X-Tenant-Token", "Cookie", "cf-access-client-secret"])
def test_h8_a_header_that_may_hold_a_credential_never_travels_in_clear_text_to_another_machine(name: str) -> None:
    far, plain = {"base_url": "http://far.test/v1"}, {"heavenbase.llm.providers.acme.api_key": "none"}
    record = {**plain, "heavenbase.llm.providers.acme.placeholder_key": "none"}
    kernel = make_kernel(config=record)
    assert kernel.resolve(**far).base_url == "http://far.test/v1"
    for wrong in (
        lambda: kernel.resolve(headers={name: "s"}, **far),
        lambda: make_kernel(config={**record, f"heavenbase.llm.providers.acme.headers.{name}": "s"}).resolve(**far),
        lambda: LLM(kernel=kernel, headers={name: "s"}).chat("x", api_key="none", **far),
        lambda: LLM(kernel=kernel).chat("x", headers={name: "s"}, api_key="none", **far),
    ):
        with pytest.raises(ConfigError, match=f"would send the header '{name}' in clear text") as caught:
            wrong()
        assert "allow_http" in str(caught.value)
    assert kernel.resolve(headers={name: "s"}, base_url="http://[::1]:1/v1").headers[name] == "s"
    assert kernel.resolve(headers={name: "s"}, base_url="https://far.test/v1").headers[name] == "s"
    assert kernel.resolve(headers={"X-Team": "a", "Idempotency-Key": "1"}, **far).headers["X-Team"] == "a"
    allowed = make_kernel(config={**record, "heavenbase.llm.providers.acme.allow_http": True})
    assert allowed.resolve(headers={name: "s"}, **far).headers[name] == "s"


@pytest.mark.parametrize("constructor", [{}, {"api_key": "sk-given-000"}])
def test_a_key_never_travels_in_clear_text_because_one_call_named_another_address(constructor: dict[str, str]) -> None:
    kernel = make_kernel()
    llm = LLM(kernel=kernel, **constructor)
    for ask in (llm.chat, llm.embed, llm.stream):
        with pytest.raises(ConfigError, match="clear text"):
            ask("x", base_url="http://far.test/v1")
    assert kernel.registry.load("gateways", "scripted").calls == []


def test_a_call_may_go_elsewhere_and_the_next_goes_home() -> None:
    house = scripted()
    house.llm.chat("x", base_url="https://else.test/v1", api_key="sk-else-000", headers={"X-Team": "a"})
    house.llm.chat("x")
    away, home = (call.spec for call in house.gateway.calls)
    assert (away.base_url, away.api_key.reveal(), dict(away.headers)) == (
        "https://else.test/v1",
        "sk-else-000",
        {"X-Team": "a"},
    )
    assert home is house.llm.spec
    assert away.client_key() != home.client_key()
    with pytest.raises(InputError, match="line break"):
        house.llm.chat("x", headers={"X": "a\nB: c"})


@pytest.mark.parametrize(
    "key", ["sk-x\n", "sk-x\r\nX-Evil: 1", "sk-ümlaut-000", "", "Bearer sk-000000", "None", "${ACME}"]
)
def test_g3_a_key_that_cannot_be_sent_is_refused_and_never_repeated(key: str) -> None:
    sources: list[tuple[dict[str, Any], dict[str, str]]] = [({"api_key": key}, {})]
    if key:  # an empty variable is one that is not set
        sources.append(({}, {"ACME_API_KEY": key}))
    for given, environ in sources:
        kernel = make_kernel(environ=environ)
        with pytest.raises(CredentialFormatError) as caught:
            kernel.resolve(**given)
        assert "sk-" not in str(caught.value)


def test_g3_a_variable_that_is_not_set_is_a_missing_credential() -> None:
    config = {"heavenbase.llm.providers.acme.api_key": "${env:UNSET_KEY_VARIABLE}"}
    house = scripted(
        config={**config, "heavenbase.llm.default_preset": "house"}, environ={"UNSET_KEY_VARIABLE": "sk-1234"}
    )
    assert house.llm.spec.api_key.reveal() == "sk-1234"
    with pytest.raises(MissingCredential, match="UNSET_KEY_VARIABLE"):
        make_kernel(config=config).resolve()
    with_default = {"heavenbase.llm.providers.acme.api_key": "${env:UNSET_KEY_VARIABLE,sk-default-0}"}
    key = make_kernel(config=with_default).resolve().api_key
    assert key is not None
    assert key.reveal() == "sk-default-0"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("localhost:8000/v1", "base_url has no http:// or https:// in front: "),
        ("http:/localhost:8000", "base_url has no http:// or https:// in front: "),
        ("http://localhost:8000/v1/chat/completions", "leave out /chat/completions, which hb adds: "),
        ("https://api.acme.test/v1/messages/", "leave out /v1/messages, which hb adds: "),
    ],
)
def test_a_base_url_of_a_newcomer_is_told_what_to_change(make: Any, wrong: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        make().resolve("custom", model="m", base_url=wrong)


def test_hb37_custom_needs_a_base_url_and_a_model(make: Any) -> None:
    kernel = make()
    with pytest.raises(ValueError, match="needs a base_url"):
        LLM("custom", kernel=kernel, model="m")
    with pytest.raises(ValueError, match="needs a concrete model"):
        LLM("custom", kernel=kernel, base_url="http://127.0.0.1:1/v1")
    spec = LLM("custom", kernel=kernel, model="m", base_url="http://127.0.0.1:1/v1").spec
    assert (spec.model_id, spec.base_url, spec.gateway) == ("m", "http://127.0.0.1:1/v1", "openai")
    assert spec.api_key is not None
    assert spec.api_key.reveal() == "openai"
    spec = LLM("custom", kernel=kernel, model="m", base_url="https://x.test/v1", api_key="sk-mine-000").spec
    assert spec.api_key is not None
    assert spec.api_key.reveal() == "sk-mine-000"


# Gateways that cannot be used


def with_gateway(site: Path, source: str, **options: Any) -> Kernel:
    install_gateway(site, "special", source=source)
    return make_kernel(plugins=(ScriptedGateway("from openai", name="openai"),), discover_plugins=True, **options)


BROKEN = {
    "missing sdk": "import an_sdk_that_is_not_there",
    "raises": "raise RuntimeError('poison')",
    "check": "from heavenbase.plugin import Gateway\nclass plugin(Gateway):\n    name = 'special'\n"
    "    def check(self):\n        raise ImportError('no sdk')\n",
    "check raises": "from heavenbase.plugin import Gateway\nclass plugin(Gateway):\n    name = 'special'\n"
    "    def check(self):\n        raise RuntimeError('poison')\n",
}


@pytest.mark.parametrize("source", BROKEN.values(), ids=BROKEN)
def test_hb31_a_broken_gateway_falls_back_to_openai_loudly_and_is_remembered(site: Path, source: str) -> None:
    kernel = with_gateway(site, source)
    for _ in range(2):
        with pytest.warns(PluginFallbackWarning, match="pip install") as warned:
            llm = LLM(kernel=kernel, gateway="special")
        assert len(warned) == 1
        assert "gateway 'special' cannot be used" in str(warned[0].message)
        assert warned[0].filename == __file__
    assert (llm.spec.gateway, llm.spec.requested_gateway) == ("openai", "special")
    assert llm.spec.origins["gateway"] == "fallback from special"
    straight = kernel.resolve(gateway="openai")
    assert (llm.spec.base_url, llm.spec.api_key) == (straight.base_url, straight.api_key)
    assert llm.chat("x") == "from openai"


def test_p4_a_known_gateway_that_is_not_installed_falls_back_too(site: Path) -> None:
    kernel = make_kernel(plugins=(ScriptedGateway(name="openai"),), discover_plugins=True)
    with pytest.warns(PluginFallbackWarning, match="pip install hb-gateway-litellm"):
        assert kernel.resolve(gateway="litellm").requested_gateway == "litellm"


@pytest.mark.parametrize(
    "record", [{"wire": "converse"}, {"base_url": {"default": "https://a.test", "special": "https://b.test"}}]
)
def test_hb31_no_fallback_where_the_wire_or_the_address_differs(site: Path, record: dict[str, Any]) -> None:
    install_gateway(site, "special", source="raise RuntimeError('poison')")
    plugins = (ScriptedGateway(name="openai"), CodeProvider(**record))
    kernel = make_kernel(plugins=plugins, discover_plugins=True)
    with pytest.raises(PluginLoadError, match=r"no fallback.*same address") as caught:
        kernel.resolve(gateway="special")
    assert "pip install" in str(caught.value)


@pytest.mark.parametrize(("gateway", "words"), [("openai", "'openai' is not installed"), ("litellm", "no fallback")])
def test_where_the_openai_gateway_is_missing_too_the_error_says_what_to_install(gateway: str, words: str) -> None:
    kernel = make_kernel(config={f"heavenbase.llm.gateways.{gateway}.api_key": "key"})
    with pytest.raises(PluginLoadError, match=words) as caught:
        kernel.resolve(gateway=gateway)
    assert "pip install hb-core (or hb-gateway-openai)" in str(caught.value)


@pytest.mark.parametrize("how", ["configuration", "environment"])
def test_hb31_strict_mode_always_raises(site: Path, how: str) -> None:
    config = {"heavenbase.llm.strict_plugins": True} if how == "configuration" else {}
    environ = {"HB_STRICT_PLUGINS": "1"} if how == "environment" else {}
    kernel = with_gateway(site, BROKEN["raises"], config=config, environ=environ)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PluginLoadError, match="pip install"):
            kernel.resolve(gateway="special")


def test_p3_a_conflict_or_a_block_is_for_the_user_to_settle_and_no_reason_to_fall_back(site: Path) -> None:
    install_gateway(site, "special", module="special_twin", distribution="hb-gateway-special-two")
    kernel = with_gateway(site, "raise RuntimeError('imported')")
    with pytest.raises(PluginConflict, match=r"hb-gateway-special.*and hb-gateway-special-two"):
        kernel.resolve(gateway="special")
    blocked = make_kernel(
        plugins=(ScriptedGateway(name="openai"),),
        config={"heavenbase.plugins.disabled": ["gateways:scripted", "gateways:mock"]},
        discover_plugins=True,
    )
    with pytest.raises(PluginBlocked, match="hb plugins enable gateways:mock"):
        blocked.resolve(gateway="mock")


def test_p1_a_broken_gateway_leaves_every_other_working(site: Path) -> None:
    kernel = with_gateway(site, BROKEN["raises"])
    assert LLM(kernel=kernel).chat("x") == "hello"
    assert kernel.registry.quarantine == {}
    assert "special" in kernel.registry.names("gateways")


# Memory


def test_equal_requests_give_the_same_spec_while_the_environment_stays() -> None:
    environ = {"ACME_API_KEY": "sk-one-0000"}
    kernel = Kernel(
        Config.from_dict({"heavenbase.llm.default_provider": "acme"}, environ=environ),
        plugins=[ScriptedGateway(), CodeProvider()],
        discover_plugins=False,
    )

    def ask(**options: Any) -> Any:
        return kernel.resolve(model="acme/x", gateway="scripted", **options)

    assert ask() is ask()
    assert ask(seed=1) is ask(seed=1)
    assert ask(seed=1) is not ask(seed=2)
    assert ask(logprobs=1).args["logprobs"] is not True
    assert ask(logprobs=True).args["logprobs"] is True
    assert ask(stop=["a"]) is not ask(stop=["a"])


def test_a_changed_variable_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "sk-one-0000")
    kernel = Kernel({}, environ=os.environ, plugins=[ScriptedGateway(), CodeProvider()], discover_plugins=False)

    def key() -> str:
        found = kernel.resolve(model="acme/x", gateway="scripted").api_key
        assert found is not None
        return found.reveal()

    assert key() == "sk-one-0000"
    monkeypatch.setenv("ACME_API_KEY", "sk-two-0000")
    assert key() == "sk-two-0000"


def test_what_is_remembered_is_bounded() -> None:
    kernel = make_kernel()
    for seed in range(MEMO_SIZE * 2 + 10):
        kernel.resolve(seed=seed)
    assert len(kernel.resolver._memo) <= MEMO_SIZE


def test_resolving_imports_no_sdk(make: Any) -> None:
    before = set(sys.modules)
    make().resolve("chat")
    assert {"openai", "httpx2", "pydantic"} & (set(sys.modules) - before) == set()


@pytest.mark.parametrize(
    ("preset", "hint"), [("openrouter", "'openrouter' is a provider: provider="), ("ds-flash", "is a model: model=")]
)
def test_a_provider_or_model_given_as_a_preset_is_told_apart(make: Any, preset: str, hint: str) -> None:
    with pytest.raises(UnknownNameError, match=hint):
        make().resolve(preset=preset)
