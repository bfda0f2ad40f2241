"""The gateway keeps the contract of every gateway, on the OpenAI wire."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from heavenbase.testing import GatewayContract


class TestBifrost(GatewayContract):
    """As `pytest -p heavenbase.testing --hb-plugin gateways:bifrost` runs it, but for the images that it has not."""

    gateway: ClassVar[str] = "bifrost"
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType({"images": False})
