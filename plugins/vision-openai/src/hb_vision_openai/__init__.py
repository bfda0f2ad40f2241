"""Image parts as the OpenAI wire wants them, for hb"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import VisionFormat

if TYPE_CHECKING:
    from heavenbase.image import LLMImage
    from heavenbase.spec import LLMSpec

__all__ = ["OpenAIVision", "encode"]


def encode(image: LLMImage, *, detail: bool = True) -> dict[str, Any]:
    """The `image_url` content part of an image: an https URL as it is, bytes as a data URL, the `detail` hint kept.

    A plain http URL is sent only when it is all there is. Never fetches.
    """
    url = image.url
    if url is None or (image.has_bytes and not url.lower().startswith("https://")):
        url = image.to_data_url()
    part = {"url": url}
    if detail and image.detail is not None:
        part["detail"] = image.detail
    return {"type": "image_url", "image_url": part}


class OpenAIVision(VisionFormat):
    """The image format of OpenAI's chat wire, which most other vendors speak too."""

    name = "openai"

    def part(self, image: LLMImage, spec: LLMSpec) -> dict[str, Any]:
        """See `encode`; an endpoint without the capability `image_detail` gets no hint."""
        return encode(image, detail=spec.capability("image_detail") is not False)
