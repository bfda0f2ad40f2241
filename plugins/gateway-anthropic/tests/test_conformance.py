"""The gateway keeps the contract of every gateway, on Anthropic's wire."""

from __future__ import annotations

from typing import ClassVar

from hb_testing import GatewayContract


class TestAnthropic(GatewayContract):
    gateway: ClassVar[str] = "anthropic"
