"""Image parts as Anthropic's wire wants them, for hb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.plugin import VisionFormat

if TYPE_CHECKING:
    from heavenbase.image import LLMImage
    from heavenbase.spec import LLMSpec

__all__ = ["AnthropicVision", "encode"]


def encode(image: LLMImage) -> dict[str, Any]:
    """The `image` content block of an image: an https URL as it is, bytes as base64 with their true media type.

    A plain http URL, which Anthropic refuses, is sent only when it is all there is. The wire has no detail hint. Never
    fetches.
    """
    url = image.url
    if url is not None and (_is_https(url) or not image.has_bytes):
        return {"type": "image", "source": {"type": "url", "url": url}}
    source = {"type": "base64", "media_type": image.media_type, "data": image.to_b64()}
    return {"type": "image", "source": source}


class AnthropicVision(VisionFormat):
    """The image format of Anthropic's Messages wire."""

    name = "anthropic"

    def needs_bytes(self, image: LLMImage, spec: LLMSpec) -> bool:
        """Whether the image has a plain http URL, which Anthropic refuses."""
        return image.url is not None and not _is_https(image.url)

    def part(self, image: LLMImage, spec: LLMSpec) -> dict[str, Any]:
        """See `encode`; the spec changes nothing."""
        return encode(image)


def _is_https(url: str) -> bool:
    return url.lower().startswith("https://")
