"""The gateways keep the contract of every gateway, as far as the loopback server speaks their wires."""

from __future__ import annotations

from typing import ClassVar

from heavenbase.testing import GatewayContract


class TestAzure(GatewayContract):
    """As `pytest -p heavenbase.testing --hb-plugin gateways:azure` runs it."""

    gateway: ClassVar[str] = "azure"


class TestAzureResponses(GatewayContract):
    """As `pytest -p heavenbase.testing --hb-plugin gateways:azure_responses` runs it."""

    gateway: ClassVar[str] = "azure_responses"
