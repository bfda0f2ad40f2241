"""The portkey gateway of hb: any provider through a Portkey gateway, hosted or of one's own."""

from __future__ import annotations

from hb_gateway_portkey.gateway import PortkeyGateway

__all__ = ["PortkeyGateway"]
