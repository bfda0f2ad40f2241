"""Mistral AI as a provider of hb; the gateway that speaks its own wire is `hb_provider_mistral.gateway`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MistralProvider", "plugin"]


class MistralProvider(Provider):
    """The manifest, with what the model can do."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The provider's record for a model: whether it sees is told from its name."""
        from hb_provider_mistral.models import traits_of_name

        record = super().record(gateway, model_id)
        if traits_of_name(model_id).sees:
            return record
        return {**record, "capabilities": {**record.get("capabilities", {}), "vision": False}}


plugin = MistralProvider(__name__, "mistral")
