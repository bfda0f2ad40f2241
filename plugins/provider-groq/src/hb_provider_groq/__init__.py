"""Groq as a provider of hb: the endpoint is described in provider.toml, which of its models keep to a schema here."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["GroqProvider", "plugin"]


class GroqProvider(Provider):
    """The manifest, with the strongest form of answer that the model that is asked for keeps to."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The provider's record for a model."""
        record = super().record(gateway, model_id)
        if not any(fnmatchcase(model_id, pattern) for pattern in record["options"]["json_schema_models"]):
            return record
        return {**record, "capabilities": {**record["capabilities"], "structured": "json_schema"}}


plugin = GroqProvider(__name__, "groq")
