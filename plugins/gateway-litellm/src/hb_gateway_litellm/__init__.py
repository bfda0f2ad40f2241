"""The litellm gateway of hb: any provider through LiteLLM's Python SDK."""

from __future__ import annotations

from hb_gateway_litellm.gateway import LiteLLMGateway

__all__ = ["LiteLLMGateway"]
