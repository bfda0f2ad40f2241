"""The bifrost gateway of hb: any provider through a Bifrost gateway."""

from __future__ import annotations

from hb_gateway_bifrost.gateway import BifrostGateway

__all__ = ["BifrostGateway"]
