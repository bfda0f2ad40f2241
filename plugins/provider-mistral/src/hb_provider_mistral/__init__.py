"""Mistral AI as a provider of hb; the gateway that speaks its own wire is `hb_provider_mistral.gateway`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MistralProvider", "plugin"]


class MistralProvider(Provider):
    """The manifest, with what the model can do; rules for the openai gateway are no rules of Mistral's own."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The provider's record for a model: whether it sees, and the rules about parameters for other gateways."""
        from hb_provider_mistral.models import traits_of_name

        record = dict(super().record(gateway, model_id))
        if not traits_of_name(model_id).sees:
            record["capabilities"] = {**record.get("capabilities", {}), "vision": False}
        if gateway != self.name:
            record["parameters"] = record["options"]["compatible_parameters"]
        return record


plugin = MistralProvider(__name__, "mistral")
