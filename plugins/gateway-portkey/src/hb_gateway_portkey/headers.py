"""What a Portkey gateway is told in headers: who asks, which provider is meant, and where it is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase.resolution import is_loopback, origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec

KEY = "x-portkey-api-key"
PROVIDER = "x-portkey-provider"
CUSTOM_HOST = "x-portkey-custom-host"
ROUTED = frozenset({PROVIDER, "x-portkey-config", "x-portkey-virtual-key"})
"""Headers of the caller's by which Portkey knows the provider, and has its key."""
WIRE = "openai"
"""The wire, and Portkey's name for what speaks it."""


def told(spec: LLMSpec) -> dict[str, str]:
    """The headers without a secret that Portkey is told with every request. What the caller says counts instead."""
    given = names(spec.headers)
    headers = {"x-portkey-strict-open-ai-compliance": "false"}
    if not given & ROUTED:
        headers.update(_provider(spec))
    return {name: value for name, value in headers.items() if name not in given}


def names(headers: Mapping[str, str]) -> set[str]:
    """The names of headers, as they are compared."""
    return {name.lower() for name in headers}


def _provider(spec: LLMSpec) -> dict[str, str]:
    if not is_elsewhere(spec):
        return {PROVIDER: spec.provider_backend()}
    # Portkey's own adapters add other paths than a base URL of hb ends with; that for OpenAI adds none.
    speaks = spec.provider_record.get("wire", WIRE) == WIRE
    return {
        PROVIDER: WIRE if speaks else spec.provider_backend(),
        CUSTOM_HOST: str(spec.provider_url),
        "x-portkey-forward-headers": "Authorization",
    }


def is_elsewhere(spec: LLMSpec) -> bool:
    """Whether Portkey does not know where the provider is: by its manifest, or because somebody moved it."""
    if not spec.provider_url:
        return False
    moved = spec.origins.get("provider_url") != f"provider {spec.provider}"
    # Endpoints that call themselves OpenAI's wire in general, such as servers of one's own.
    borrowed = spec.provider_backend() == WIRE != spec.provider
    return bool(spec.provider_value("portkey_custom_host")) or moved or borrowed or is_loopback(spec.provider_url)


def is_hosted(spec: LLMSpec, default_url: str) -> bool:
    """Whether requests go to Portkey's own service, which asks for a key."""
    return origin_of(spec.base_url) == origin_of(default_url)
