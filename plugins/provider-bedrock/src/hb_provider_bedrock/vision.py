"""Image parts as Converse wants them: the bytes, with their true format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import UnsupportedError
from heavenbase.plugin import VisionFormat

if TYPE_CHECKING:
    from heavenbase.image import LLMImage
    from heavenbase.spec import LLMSpec

__all__ = ["BedrockVision", "encode"]

FORMATS = ("png", "jpeg", "gif", "webp")


def encode(image: LLMImage) -> dict[str, Any]:
    """The part of an image: `{"type": "image", "image": {format, source: {bytes}}}`, the bytes as base64.

    A URL image must have been fetched. The wire has no detail hint.
    """
    data = image.to_b64()
    if image.format not in FORMATS:
        raise UnsupportedError(f"Bedrock takes images as {', '.join(FORMATS)}, not {image.format}")
    return {"type": "image", "image": {"format": image.format, "source": {"bytes": data}}}


class BedrockVision(VisionFormat):
    """The image format of Bedrock's Converse wire."""

    name = "bedrock"

    def needs_bytes(self, image: LLMImage, spec: LLMSpec) -> bool:
        """Always: the wire carries no addresses but those of S3."""
        return True

    def part(self, image: LLMImage, spec: LLMSpec) -> dict[str, Any]:
        """See `encode`; the spec changes nothing."""
        return encode(image)
