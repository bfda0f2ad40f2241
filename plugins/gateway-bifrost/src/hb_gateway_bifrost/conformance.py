"""What the conformance kit has to know of Bifrost. It comes with hb-testing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from hb_testing import GatewayContract

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BifrostContract"]


class BifrostContract(GatewayContract):
    """The contract of gateways for one that generates no images, though its wire does."""

    gateway: ClassVar[str] = "bifrost"
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType({"images": False})
