"""The gateway keeps the contract of every gateway, as far as one without a wire can."""

from __future__ import annotations

from hb_gateway_mock.conformance import MockContract


class TestMock(MockContract):
    """As `pytest -p hb_testing --hb-plugin gateways:mock` runs it."""
