"""The anthropic gateway of hb: the official anthropic SDK over Anthropic's Messages wire."""

from __future__ import annotations

from hb_gateway_anthropic.gateway import AnthropicGateway

__all__ = ["AnthropicGateway"]
