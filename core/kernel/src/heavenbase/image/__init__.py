"""LLMImage, the one image type, and how it reads whatever holds an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from heavenbase._lazy import front

if TYPE_CHECKING:
    from heavenbase.image.image import (
        IMAGE_URL_TIMEOUT as IMAGE_URL_TIMEOUT,
    )
    from heavenbase.image.image import (
        MAX_PIXELS as MAX_PIXELS,
    )
    from heavenbase.image.image import (
        FetchOptions as FetchOptions,
    )
    from heavenbase.image.image import (
        ImageOptions as ImageOptions,
    )
    from heavenbase.image.image import (
        LLMImage as LLMImage,
    )
    from heavenbase.image.image import (
        UrlOptions as UrlOptions,
    )

__getattr__, __dir__ = front(
    __name__,
    {
        "IMAGE_URL_TIMEOUT": "image",
        "MAX_PIXELS": "image",
        "FetchOptions": "image",
        "ImageOptions": "image",
        "LLMImage": "image",
        "UrlOptions": "image",
    },
)
