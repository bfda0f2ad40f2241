"""What `pytest -p hb_testing --hb-plugin gateways:ollama` runs, where it differs from the kit's defaults."""

from __future__ import annotations

from typing import ClassVar

from hb_testing import GatewayContract
from hb_testing.vision import VisionContract

__all__ = ["OllamaContract", "OllamaVisionContract"]


class OllamaContract(GatewayContract):
    """Against the loopback server's own wire, with a made-up provider."""

    gateway = "ollama"
    image_urls = False
    openai_exports = False


class OllamaVisionContract(VisionContract):
    """Bytes alone, of the formats that Ollama reads."""

    format = "ollama"
    formats: ClassVar[frozenset[str]] = frozenset({"png", "jpeg", "webp"})
    urls = False
