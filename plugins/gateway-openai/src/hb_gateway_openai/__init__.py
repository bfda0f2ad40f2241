"""The openai gateway of hb: the official openai SDK over the OpenAI wire; and `custom`, any endpoint that speaks it."""

from __future__ import annotations

from hb_gateway_openai.gateway import OpenAIGateway
from heavenbase.plugin import Provider

__all__ = ["OpenAIGateway", "custom"]

custom = Provider(__name__, "custom")
