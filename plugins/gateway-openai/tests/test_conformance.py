"""The gateways keep the contract of every gateway, as far as the loopback server speaks their wires."""

from __future__ import annotations

from typing import ClassVar

from hb_testing import GatewayContract


class TestOpenAI(GatewayContract):
    """As `pytest -p hb_testing --hb-plugin gateways:openai` runs it."""

    gateway: ClassVar[str] = "openai"


class TestResponses(GatewayContract):
    """As `pytest -p hb_testing --hb-plugin gateways:responses` runs it."""

    gateway: ClassVar[str] = "responses"
