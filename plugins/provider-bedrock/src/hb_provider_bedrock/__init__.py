"""Amazon Bedrock for hb: the provider. Its gateway is `hb_provider_bedrock.gateway`, its images `.vision`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import Provider

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BedrockProvider", "plugin"]


class BedrockProvider(Provider):
    """The manifest, with the abilities of the model that is asked for: a name tells what a model on Bedrock can do."""

    def record(self, gateway: str, model_id: str) -> Mapping[str, Any]:
        """The provider's record for a model."""
        from hb_provider_bedrock.models import capabilities_of

        record = super().record(gateway, model_id)
        return {**record, "capabilities": {**record["capabilities"], **capabilities_of(model_id)}}


plugin = BedrockProvider(__name__, "bedrock")
