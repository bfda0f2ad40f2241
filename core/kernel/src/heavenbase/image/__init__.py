"""LLMImage, the one image type, and how it reads whatever holds an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.image.image import IMAGE_URL_TIMEOUT as IMAGE_URL_TIMEOUT, MAX_PIXELS as MAX_PIXELS
    from heavenbase.image.image import FetchOptions as FetchOptions, ImageOptions as ImageOptions
    from heavenbase.image.image import LLMImage as LLMImage, UrlOptions as UrlOptions
    from heavenbase.image.pixels import make_picture as make_picture

__getattr__, __dir__ = front(
    __name__,
    {"image": "IMAGE_URL_TIMEOUT MAX_PIXELS FetchOptions ImageOptions LLMImage UrlOptions", "pixels": "make_picture"},
)
