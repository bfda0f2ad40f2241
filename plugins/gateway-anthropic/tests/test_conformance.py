"""The contract that every gateway keeps, on Anthropic's wire."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

from heavenbase.testing import GatewayContract
from heavenbase.types import FinishReason


class TestAnthropic(GatewayContract):
    """Against the loopback server's own wire, with a made-up provider."""

    gateway = "anthropic"
    finish_reasons: ClassVar[Mapping[str, FinishReason]] = MappingProxyType(
        {
            "end_turn": "stop",
            "stop_sequence": "stop",
            "max_tokens": "length",
            "tool_use": "tool_calls",
            "pause_turn": "pause",
            "refusal": "refusal",
            "model_context_window_exceeded": "context_overflow",
        }
    )
