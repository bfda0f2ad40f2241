"""Gateways that route: an address and a key of their own in front of the provider's address and key."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from heavenbase.cache.keys import Keys
from heavenbase.errors import ConfigError, InputError
from heavenbase.http.status import call_secrets
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

from ..support import CodeProvider, ScriptedGateway, make_kernel

GATE = "https://gate.test/v1"
PROVIDER = "https://acme.test/v1"


class Gate(ScriptedGateway):
    defaults: ClassVar[dict[str, Any]] = {
        "routes": True,
        "base_url": GATE,
        "base_url_env": "GATE_BASE_URL",
        "api_key_env": ["GATE_API_KEY"],
    }


def kernel_with_gate(config: dict[str, Any] | None = None, *plugins: Any, **environ: str) -> Kernel:
    return make_kernel(config=config, environ=environ, plugins=(Gate(name="gate"), *plugins))


def revealed(spec: Any) -> tuple[str | None, str | None]:
    return tuple(key.reveal() if key is not None else None for key in (spec.api_key, spec.gateway_key))  # type: ignore[return-value]


def test_both_addresses_and_both_keys_are_resolved_each_from_its_own_sources() -> None:
    spec = kernel_with_gate(GATE_API_KEY="sk-gate-000").resolve(gateway="gate")
    assert (spec.base_url, spec.provider_url) == (GATE, PROVIDER)
    assert revealed(spec) == ("sk-acme-000", "sk-gate-000")
    assert spec.origins["gateway_key"] == "environment GATE_API_KEY"
    assert spec.origins["api_key"] == "environment ACME_API_KEY"


def test_the_gateway_needs_no_key_to_be_resolved() -> None:
    assert revealed(kernel_with_gate().resolve(gateway="gate")) == ("sk-acme-000", None)


def test_arguments_and_variables_move_each_address_apart() -> None:
    acme = CodeProvider(base_url_env="ACME_BASE_URL")
    variables = {"GATE_BASE_URL": "https://moved.test/v1", "ACME_BASE_URL": "https://acme2.test/v1"}
    kernel = kernel_with_gate(None, acme, **variables)
    spec = kernel.resolve(gateway="gate")
    assert (spec.base_url, spec.provider_url) == ("https://moved.test/v1", "https://acme2.test/v1")
    spec = kernel.resolve(
        gateway="gate",
        base_url=GATE,
        provider_url=PROVIDER,
        api_key="sk-a-0000",
        gateway_key="sk-g-0000",
    )
    assert (spec.base_url, spec.provider_url) == (GATE, PROVIDER)
    assert revealed(spec) == ("sk-a-0000", "sk-g-0000")
    assert not {"base_url", "provider_url", "api_key", "gateway_key"} & spec.args.keys()


@pytest.mark.parametrize(("option", "instead"), [("gateway_key", "api_key"), ("provider_url", "base_url")])
def test_what_only_a_routing_gateway_has_is_refused_elsewhere(option: str, instead: str) -> None:
    with pytest.raises(InputError, match=f"{option} is for gateways that route.*pass {instead}="):
        make_kernel().resolve(**{option: "https://x.test/v1"})


def test_a_provider_without_an_address_needs_one_beyond_the_gateway() -> None:
    open_ended = CodeProvider(base_url=None, require_base_url=True)
    kernel = kernel_with_gate(None, open_ended)
    with pytest.raises(InputError, match="pass provider_url="):
        kernel.resolve(gateway="gate", base_url=GATE)
    spec = kernel.resolve(gateway="gate", provider_url="https://mine.test/v1")
    assert (spec.base_url, spec.provider_url) == (GATE, "https://mine.test/v1")


def test_neither_key_travels_in_clear_text_unless_the_gateway_allows_it() -> None:
    far = {"heavenbase.llm.gateways.gate.base_url": "http://far.test/v1"}
    with pytest.raises(ConfigError, match=r"gateways\.gate\.allow_http true"):
        kernel_with_gate(far).resolve(gateway="gate")
    allowed = {**far, "heavenbase.llm.gateways.gate.allow_http": True}
    assert kernel_with_gate(allowed).resolve(gateway="gate").base_url == "http://far.test/v1"
    # The gateway would take the key on to the provider.
    with pytest.raises(ConfigError, match=r"providers\.acme\.allow_http true"):
        kernel_with_gate().resolve(gateway="gate", provider_url="http://far.test/v1")


def test_one_call_may_change_any_part_of_the_connection() -> None:
    kernel = kernel_with_gate(GATE_API_KEY="sk-gate-000")
    llm = LLM(gateway="gate", kernel=kernel)
    llm.chat("x", gateway_key="sk-other-0", provider_url="https://acme3.test/v1")
    llm.chat("x", api_key="sk-mine-000")
    moved, keyed = (call.spec for call in kernel.registry.load("gateways", "gate").calls)
    assert (moved.base_url, moved.provider_url) == (GATE, "https://acme3.test/v1")
    assert revealed(moved) == ("sk-acme-000", "sk-other-0")
    assert (keyed.base_url, keyed.provider_url) == (GATE, PROVIDER)
    assert revealed(keyed) == ("sk-mine-000", "sk-gate-000")
    ask: Any = llm.chat
    for address in ("base_url", "provider_url"):
        with pytest.raises(ConfigError, match="clear text"):
            ask("x", **{address: "http://far.test/v1"})


def test_everything_that_changes_the_connection_changes_the_keys_of_the_spec() -> None:
    kernel = kernel_with_gate(GATE_API_KEY="sk-gate-000")
    base = kernel.resolve(gateway="gate")
    for options in ({"gateway_key": "sk-other-0"}, {"provider_url": "https://acme3.test/v1"}):
        other = kernel.resolve(gateway="gate", **options)
        assert other.client_key() != base.client_key()
        assert other.hash_key() != base.hash_key()
        assert other.target_key() != base.target_key()


def test_providers_behind_one_gateway_have_clients_of_their_own() -> None:
    twin = CodeProvider("twin", base_url=PROVIDER, api_key_env=["ACME_API_KEY"])
    kernel = kernel_with_gate(None, twin)
    specs = [kernel.resolve(gateway="gate", model="m", provider=name) for name in ("acme", "twin")]
    assert specs[0].provider_url == specs[1].provider_url
    assert specs[0].client_key() != specs[1].client_key()


def test_the_key_of_the_gateway_is_never_shown_and_always_redacted() -> None:
    spec = kernel_with_gate(GATE_API_KEY="sk-gate-000").resolve(gateway="gate")
    assert "sk-gate-000" not in repr(spec) + str(spec.to_dict())
    assert spec.to_dict()["gateway_key"] == "<redacted>"
    assert spec.gateway_key in call_secrets(spec)


def test_answers_are_not_shared_between_keys_of_the_gateway(tmp_path: Any) -> None:
    kernel = kernel_with_gate(GATE_API_KEY="sk-gate-000")
    specs = [kernel.resolve(gateway="gate", **o) for o in ({}, {"gateway_key": "sk-other-0"})]
    keys = Keys(kernel.registry, tmp_path)
    assert len({keys.credential(spec, None) for spec in specs}) == 2
