"""Anthropic as a provider of hb: the endpoint is described in provider.toml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heavenbase.plugin import Provider

__all__ = ["AnthropicProvider", "plugin"]


class AnthropicProvider(Provider):
    """Anthropic speaks two wires, and the OpenAI-compatible one ignores much; `options.openai` says what."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The manifest's record; behind the openai gateway with the rules and abilities of that endpoint."""
        found = super().record(gateway, model_id)
        special = found["options"].get(gateway)
        if special is None:
            return found
        return {
            **found,
            "parameters": special["parameters"],
            "capabilities": {**found["capabilities"], **special["capabilities"]},
        }


plugin = AnthropicProvider(__name__, "anthropic")
