"""The mock gateway of hb: deterministic answers, streams, vectors, images and failures without a network."""

from __future__ import annotations

from hb_gateway_mock.gateway import MockGateway
from heavenbase.plugin import Provider

__all__ = ["MockGateway", "provider"]

provider = Provider(__name__, "mock")
