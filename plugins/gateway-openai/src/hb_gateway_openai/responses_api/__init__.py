"""The Responses wire of OpenAI (`POST /responses`), as the gateway `responses`."""

from __future__ import annotations

from hb_gateway_openai.responses_api.gateway import ResponsesGateway

__all__ = ["ResponsesGateway"]
