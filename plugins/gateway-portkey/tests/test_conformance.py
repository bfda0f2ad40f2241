"""The gateway keeps the contract of every gateway, on the OpenAI wire."""

from __future__ import annotations

from typing import ClassVar

from heavenbase.testing import GatewayContract


class TestPortkey(GatewayContract):
    """As `pytest -p heavenbase.testing --hb-plugin gateways:portkey` runs it."""

    gateway: ClassVar[str] = "portkey"
