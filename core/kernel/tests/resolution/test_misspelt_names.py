"""Misspelt names in manifests and in the configuration: refused with the nearest name before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from heavenbase.config.config import Config
from heavenbase.discovery.inventory import discover
from heavenbase.discovery.manifest import Slip, check_manifest
from heavenbase.errors import HBError, PluginContractError, UnknownNameError
from heavenbase.kernel import Kernel

from ..installed import install
from ..support import CodeProvider, make_kernel

HEAD = (
    '[provider]\nname = "acmex"\ngateway = "mock"\nwire = "mock"\nbase_url = "mock://x"\nallow_unknown_models = true\n'
)
TAIL = '[models.acmex-1]\ndefault_provider = "acmex"\nproviders = { acmex = "one" }\n'
SLIPS = {
    "a default argument": (
        "default_args = { temprature = 1, max_retrys = 7 }\n",
        "default_args.temprature: unknown option; did you mean 'temperature'",
    ),
    "an argument that is unset": (
        'unset = ["temprature"]\n',
        "unset.temprature: unknown option; did you mean 'temperature'",
    ),
    "a key": ('base_ulr = "https://other.test"\n', "base_ulr: unknown key; did you mean 'base_url'"),
    "a key of a rule": (
        'parameters = [{ renam = { seed = "s" } }]\n',
        r"parameters\[0\].renam: unknown key; did you mean 'rename'",
    ),
    "an argument of a rule": (
        'parameters = [{ drop = { temprature = "no" } }]\n',
        r"parameters\[0\].drop.temprature: unknown option; did you mean 'temperature'",
    ),
    "an ability": (
        "capabilities = { embedings = true }\n",
        "capabilities.embedings: unknown key; did you mean 'embeddings'",
    ),
}


def kernel_with(site: Path, manifest: str) -> Kernel:
    source = "from heavenbase.plugin import Provider\nplugin = Provider(__name__, 'acmex')\n"
    install(
        site,
        "hb-provider-acmex",
        {"heavenbase.providers": {"acmex": "prov_acmex:plugin"}},
        {"prov_acmex/__init__.py": source, "prov_acmex/provider.toml": manifest},
    )
    return Kernel(Config.from_dict({}, environ={"HEAVENBASE_HOME": str(site.parent / "home")}))


@pytest.mark.parametrize(("line", "told"), SLIPS.values(), ids=SLIPS)
def test_a_provider_with_a_misspelt_name_in_its_manifest_is_refused(site: Path, line: str, told: str) -> None:
    kernel = kernel_with(site, HEAD + line + TAIL)
    for names in ({"model": "acmex-1"}, {"provider": "acmex", "model": "anything"}):
        with pytest.raises(PluginContractError, match=told) as caught:
            kernel.resolve(**names)
        assert "provider.toml of hb-provider-acmex" in str(caught.value)
    assert kernel.resolve(model="mock").provider == "mock"


@pytest.mark.parametrize(
    ("names", "tables", "told"),
    [
        ({"model": "own"}, '[models.own]\ndefault_provder = "acmex"\nproviders = { mock = "m" }\n', "default_provder"),
        ({"model": "own"}, '[models.own]\nprovders = { acmex = "m" }\n', "did you mean 'providers'"),
        ({"preset": "p"}, '[presets.p]\nmodle = "acmex-1"\n', "presets.p.modle: unknown key; did you mean 'model'"),
        ({"preset": "p"}, '[presets.p]\nmodel = "mock"\ndefault_args = { temprature = 1 }\n', "'temperature'"),
    ],
)
def test_a_model_or_preset_with_a_misspelt_name_in_a_manifest_is_refused(
    site: Path, names: Any, tables: str, told: str
) -> None:
    kernel = kernel_with(site, HEAD + TAIL + tables)
    with pytest.raises(PluginContractError, match=told):
        kernel.resolve(**names)
    assert kernel.resolve(model="mock").provider == "mock"


def test_a_misspelt_name_in_a_manifest_redirects_no_packaged_model(site: Path) -> None:
    kernel = kernel_with(site, HEAD + '[models.mistral-nemo]\nprovders = { acmex = "m" }\n[models.sonnet]\ndimm = 3\n')
    packaged = next(iter(discover(None).models))
    kernel.registry.inventory.check_slips(None, packaged, None)


def test_a_name_that_is_like_no_other_may_stand_in_a_manifest(site: Path) -> None:
    lines = 'a_key_of_tomorrow = 1\nknown_parameters = ["temprature"]\ndefault_args = { temprature = 1, zig = 2 }\n'
    spec = kernel_with(site, HEAD + lines + TAIL).resolve(model="acmex-1")
    assert (spec.args["temprature"], spec.args["zig"]) == (1, 2)


def test_a_misspelt_default_of_a_plugin_given_in_code_is_refused() -> None:
    kernel = make_kernel(plugins=(CodeProvider(default_args={"temprature": 1}),))
    with pytest.raises(UnknownNameError, match=r"did you mean 'temperature'.*it comes from provider acme"):
        kernel.resolve(model="m", provider="acme")


@pytest.mark.parametrize("table", [{"base_url_env": {"opnai": "A"}}, {"parameters": [{"gateways": ["opnai"]}]}])
def test_a_misspelt_gateway_is_found_by_the_check_of_a_manifest(table: dict[str, Any]) -> None:
    manifest = {"provider": {"name": "a", "gateway": "openai", "wire": "openai", **table}}
    assert any(
        "opnai: unknown gateway; did you mean 'openai'" in line for line in check_manifest(manifest, ("openai",))
    )


def test_gateways_that_are_installed_are_no_slips() -> None:
    rules = [{"gateways": ["openai2"], "drop": {"seed": "no"}}]
    manifest = {"provider": {"name": "a", "gateway": "openai2", "wire": "openai", "parameters": rules}}
    assert check_manifest(manifest, ("openai", "openai2")) == []
    (found,) = check_manifest(manifest, ("openai",))
    assert isinstance(found, Slip)


def test_a_manifest_whose_known_parameters_are_malformed_is_still_checked() -> None:
    provider = {"name": "a", "gateway": "g", "wire": "w", "known_parameters": 5, "default_args": {"temprature": 1}}
    assert len(check_manifest({"provider": provider})) == 2


def test_no_installed_manifest_has_a_misspelt_name() -> None:
    assert discover(None).slips == ()


@pytest.mark.parametrize("table", ["providers.acme", "models.m", "models.m.providers.acme"])
def test_a_misspelt_ability_in_the_configuration_is_refused(table: str) -> None:
    with pytest.raises(HBError, match=r"unknown key .*did you mean .*capabilities\.embeddings"):
        Config.from_dict({f"heavenbase.llm.{table}.capabilities": {"embedings": True}}, environ={})
