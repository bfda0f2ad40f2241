"""What `pytest -p hb_testing --hb-plugin gateways:cohere` runs, where it differs from the kit's defaults."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from hb_testing import GatewayContract

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CohereContract"]


class CohereContract(GatewayContract):
    """Against the loopback server's own wire, with a made-up provider."""

    gateway = "cohere"
    openai_exports = False
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType({"images": False})
