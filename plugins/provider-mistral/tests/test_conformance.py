"""The contracts that every gateway and every image format keep, on Mistral's own wire."""

from __future__ import annotations

from hb_provider_mistral.conformance import MistralContract, MistralVisionContract


class TestMistralGateway(MistralContract):
    """Both colours, every fault of the wire."""


class TestMistralVision(MistralVisionContract):
    """Images as a URL, which may hold their bytes."""
