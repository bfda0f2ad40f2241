"""Image parts as Mistral's wire wants them, for hb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import VisionFormat

if TYPE_CHECKING:
    from heavenbase.image import LLMImage
    from heavenbase.spec import LLMSpec

__all__ = ["MistralVision", "encode"]


def encode(image: LLMImage) -> dict[str, Any]:
    """The `image_url` part of an image, whose URL is plain text: an https URL as it is, bytes as a data URL.

    A plain http URL is sent only when it is all there is. Never fetches.
    """
    url = image.url
    if url is None or (image.has_bytes and not url.lower().startswith("https://")):
        url = image.to_data_url()
    return {"type": "image_url", "image_url": url if image.detail is None else {"url": url, "detail": image.detail}}


class MistralVision(VisionFormat):
    """The image format of Mistral's wire."""

    name = "mistral"

    def part(self, image: LLMImage, spec: LLMSpec) -> dict[str, Any]:
        """See `encode`; the spec changes nothing."""
        return encode(image)
