"""Image parts as Gemini's wire wants them, for hb."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from heavenbase.errors import VisionNotSupported
from heavenbase.plugin import VisionFormat

if TYPE_CHECKING:
    from heavenbase.image import LLMImage
    from heavenbase.spec import LLMSpec

__all__ = ["GeminiVision", "encode"]

FORMATS = frozenset({"jpeg", "png", "webp"})
_OWN = re.compile(r"https?://[^/]+/(?:v\d[a-z0-9]*/)?files/[^/?#]+$", re.IGNORECASE)


def encode(image: LLMImage) -> dict[str, Any]:
    """The part of an image: bytes as `inlineData` with their true media type, a file that Google keeps as `fileData`.

    The wire has no hint about detail.
    """
    url = image.url
    if url is not None and is_kept_by_google(url):
        return {"fileData": {"fileUri": url}}
    encoded = image.to_b64()
    if image.format not in FORMATS:
        raise VisionNotSupported(
            f"Gemini takes {', '.join(sorted(FORMATS))} images, not {image.format}; convert it, say with image.to_pil()"
        )
    return {"inlineData": {"mimeType": image.media_type, "data": encoded}}


def is_kept_by_google(url: str) -> bool:
    """Whether a URL names a file of the Files API, which the model reads by itself."""
    return _OWN.match(url) is not None and "googleapis.com" in url


class GeminiVision(VisionFormat):
    """The image format of Gemini's wire."""

    name = "gemini"

    def needs_bytes(self, image: LLMImage, spec: LLMSpec) -> bool:
        """Every URL but those of Google's own files."""
        return image.url is not None and not is_kept_by_google(image.url)

    def part(self, image: LLMImage, spec: LLMSpec) -> dict[str, Any]:
        """See `encode`; the spec changes nothing."""
        return encode(image)
