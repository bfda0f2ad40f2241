"""The gateways keep the contract of every gateway, as far as the loopback server speaks their wires."""

from __future__ import annotations

from typing import ClassVar

from hb_provider_azure.conformance import AzureResponsesContract
from hb_testing import GatewayContract


class TestAzure(GatewayContract):
    """As `pytest -p hb_testing --hb-plugin gateways:azure` runs it."""

    gateway: ClassVar[str] = "azure"


class TestAzureResponses(AzureResponsesContract):
    """As `pytest -p hb_testing --hb-plugin gateways:azure_responses` runs it."""
