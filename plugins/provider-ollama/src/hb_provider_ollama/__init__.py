"""Ollama as a provider of hb: natively through the ollama SDK, and on its OpenAI-compatible endpoint.

The gateway that speaks Ollama's own wire is `hb_provider_ollama.gateway`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["OllamaProvider", "plugin"]


class OllamaProvider(Provider):
    """The manifest; what the compatible endpoint refuses is no rule for Ollama's own wire."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The provider's record, with the rules about parameters of the compatible endpoint for other gateways."""
        record = super().record(gateway, model_id)
        if gateway == self.name:
            return record
        return {**record, "parameters": record["options"]["compatible_parameters"]}


plugin = OllamaProvider(__name__, "ollama")
