"""The contracts that every gateway and every image format keep, on Ollama's own wire."""

from __future__ import annotations

from hb_provider_ollama.conformance import OllamaContract, OllamaVisionContract


class TestOllamaGateway(OllamaContract):
    """Both colours, every fault of the wire."""


class TestOllamaVision(OllamaVisionContract):
    """Images as base64."""
