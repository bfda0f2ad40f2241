"""What `pytest -p hb_testing --hb-plugin gateways:gemini` runs, where it differs from the kit's defaults."""

from __future__ import annotations

from typing import ClassVar

from hb_testing import GatewayContract
from hb_testing.vision import VisionContract

__all__ = ["GeminiContract", "GeminiVisionContract"]


class GeminiContract(GatewayContract):
    """Against the loopback server's own wire, with a made-up provider."""

    gateway = "gemini"
    image_urls = False
    openai_exports = False


class GeminiVisionContract(VisionContract):
    """Parts of content: bytes alone, of the formats that Gemini reads."""

    format = "gemini"
    formats: ClassVar[frozenset[str]] = frozenset({"png", "jpeg", "webp"})
    urls = False
