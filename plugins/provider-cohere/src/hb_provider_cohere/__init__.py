"""Cohere as a provider of hb: natively through the cohere SDK, and on its OpenAI-compatible endpoint.

The gateway that speaks Cohere's own wire is `hb_provider_cohere.gateway`; `rerank` and `arerank` sort documents by how
well they answer a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_cohere.ranking import Ranked, arerank, rerank

__all__ = ["CohereProvider", "Ranked", "arerank", "plugin", "rerank"]


class CohereProvider(Provider):
    """The manifest, with what the model can do."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The provider's record for a model behind a gateway: whether it sees is told from its name."""
        from hb_provider_cohere.models import traits_of_name

        record = super().record(gateway, model_id)
        lacking = [] if traits_of_name(model_id).sees else ["vision"]
        if gateway == "openai":
            lacking.append("rerank")  # the compatible endpoint stands beside that
        if not lacking:
            return record
        return {**record, "capabilities": {**record.get("capabilities", {}), **dict.fromkeys(lacking, False)}}


plugin = CohereProvider(__name__, "cohere")


def __getattr__(name: str) -> Any:
    if name in ("Ranked", "arerank", "rerank"):
        # Not needed to find the provider, so not loaded for it.
        from hb_provider_cohere import ranking

        return getattr(ranking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
