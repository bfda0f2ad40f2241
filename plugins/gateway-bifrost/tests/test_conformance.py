"""The gateway keeps the contract of every gateway, on the OpenAI wire."""

from __future__ import annotations

from hb_gateway_bifrost.conformance import BifrostContract


class TestBifrost(BifrostContract):
    """As `pytest -p heavenbase.testing --hb-plugin gateways:bifrost` runs it."""
