"""Addresses of Azure resources and versions of their API. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import ConfigError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec

VERSION = "2024-10-21"
"""The newest version of the API that is not a preview."""


def root_of(spec: LLMSpec) -> str:
    """The resource's address, or that of its v1 API. ConfigError without one: nothing takes its place."""
    if not spec.base_url:
        raise ConfigError(
            "Azure OpenAI needs the endpoint of your resource: set AZURE_OPENAI_ENDPOINT "
            "(https://NAME.openai.azure.com), or pass base_url="
        )
    root = spec.base_url.rstrip("/")
    # Tools disagree on how much of the path is the endpoint.
    return root.partition("/openai/deployments/")[0].removesuffix("/openai")


def is_v1(root: str) -> bool:
    """Whether the address is of the v1 API, which has no deployments and no versions."""
    return root.endswith("/openai/v1")


def version_of(spec: LLMSpec, args: Mapping[str, Any]) -> str:
    """The version of the API: the call's, else the provider's option, else the default."""
    found = args.get("api_version") or spec.provider_record.get("options", {}).get("api_version") or VERSION
    if not isinstance(found, str):
        raise InputTypeError(f"api_version is a str, not {type(found).__name__}")
    return found
