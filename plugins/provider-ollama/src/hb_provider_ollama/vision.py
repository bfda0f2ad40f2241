"""Image parts as Ollama's wire wants them, for hb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import VisionNotSupported
from heavenbase.plugin import VisionFormat

if TYPE_CHECKING:
    from heavenbase.image import LLMImage
    from heavenbase.spec import LLMSpec

__all__ = ["FORMATS", "OllamaVision", "encode"]

FORMATS = frozenset({"jpeg", "png", "webp"})


def encode(image: LLMImage) -> dict[str, Any]:
    """The part of an image: its bytes as base64. The gateway moves `data` into the message's list `images`."""
    encoded = image.to_b64()
    if image.format not in FORMATS:
        raise VisionNotSupported(
            f"Ollama takes {', '.join(sorted(FORMATS))} images, not {image.format}; convert it, say with image.to_pil()"
        )
    return {"type": "image", "mime_type": image.media_type, "data": encoded}


class OllamaVision(VisionFormat):
    """The image format of Ollama's wire."""

    name = "ollama"

    def needs_bytes(self, image: LLMImage, spec: LLMSpec) -> bool:
        """Every URL: the wire carries bytes alone."""
        return True

    def part(self, image: LLMImage, spec: LLMSpec) -> dict[str, Any]:
        """See `encode`; the spec changes nothing."""
        return encode(image)
