"""The contracts that every gateway and every image format keep, on Gemini's own wire."""

from __future__ import annotations

from typing import ClassVar

from heavenbase.testing import GatewayContract
from heavenbase.testing.vision import VisionContract


class TestGeminiGateway(GatewayContract):
    """Against the loopback server's own wire, with a made-up provider."""

    gateway = "gemini"
    image_urls = False
    openai_exports = False


class TestGeminiVision(VisionContract):
    """Parts of content."""

    format = "gemini"
    formats: ClassVar[frozenset[str]] = frozenset({"png", "jpeg", "webp"})
    urls = False
