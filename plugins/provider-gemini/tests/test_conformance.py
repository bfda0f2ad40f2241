"""The contracts that every gateway and every image format keep, on Gemini's own wire."""

from __future__ import annotations

from hb_provider_gemini.conformance import GeminiContract, GeminiVisionContract


class TestGeminiGateway(GeminiContract):
    """Both colours, every fault of the wire."""


class TestGeminiVision(GeminiVisionContract):
    """Images as inline data."""
