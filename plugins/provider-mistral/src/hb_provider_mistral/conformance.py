"""What `pytest -p hb_testing --hb-plugin gateways:mistral` runs, where it differs from the kit's defaults."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from hb_testing import GatewayContract
from hb_testing.vision import VisionContract

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MistralContract", "MistralVisionContract"]


class MistralContract(GatewayContract):
    """Against the loopback server's own wire, with a made-up provider."""

    gateway = "mistral"
    openai_exports = False
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType(
        {"images": False, "count_tokens": False, "rerank": False}
    )


class MistralVisionContract(VisionContract):
    """URLs as plain text."""

    format = "mistral"
