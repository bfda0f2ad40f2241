"""Where the image is inside a provider's item: the shapes that wires and SDKs use for image parts and results.

{"type": "image_url", "image_url": "U" | {"url": "U", "detail": "high"}}     OpenAI chat
{"type": "input_image", "image_url": "U", "detail": "high"}                  OpenAI responses
{"b64_json": "…", "revised_prompt": "…"}, {"url": "U"}, {"result": "…"}      results of image generation
{"type": "image", "source": {"type": "base64", "media_type": "…", "data": "…"} | {"type": "url", "url": "U"}}
{"inline_data": {"mime_type": "…", "data": "…"}}, {"image": {"format": "png", "source": {"bytes": b"…"}}}
{"data": "…", "media_type": "…"}, {"image": "…"}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from heavenbase.errors import ImageError, InputTypeError

_DATA = ("b64_json", "data", "bytes", "result")
_NESTED = ("image_url", "image", "source", "image_bytes", "inline_data", "inlineData")
_NOTES = ("detail", "revised_prompt")
_DEPTH = 4


class Found(NamedTuple):
    """The image of an item: `data` (bytes, base64 or data URL), or `url`, or both; or a ready `image` object."""

    data: str | bytes | None = None
    url: str | None = None
    image: Any = None
    detail: str | None = None
    revised_prompt: str | None = None


def find_image(item: object, depth: int = _DEPTH) -> Found:
    """Find the image in a mapping or in an object with such attributes; ImageError when there is none."""

    def get(key: str) -> Any:
        return item.get(key) if isinstance(item, Mapping) else getattr(item, key, None)

    notes = {key: value for key in _NOTES if isinstance(value := get(key), str)}
    url = get("url")
    if url is not None and not isinstance(url, str):
        raise InputTypeError(f"the url of an image item is a str, not {type(url).__name__}")
    data = next((value for key in _DATA if (value := get(key))), None)
    if data is not None:
        if not isinstance(data, str | bytes | bytearray | memoryview):
            raise InputTypeError(f"the data of an image item is base64 text or bytes, not {type(data).__name__}")
        return Found(data if isinstance(data, str) else bytes(data), url, **notes)
    if url:
        return Found(None, url, **notes)
    for key in _NESTED:
        inner = get(key)
        if inner is None or (isinstance(inner, str | bytes) and not inner):
            continue
        if isinstance(inner, str):
            is_url = key == "image_url" or "://" in inner[:12] or inner[:5].lower() == "data:"
            return Found(None, inner, **notes) if is_url else Found(inner, **notes)
        if isinstance(inner, bytes | bytearray | memoryview):
            return Found(bytes(inner), **notes)
        if _is_item(inner):
            if not depth:
                raise ImageError(f"the image item is nested more than {_DEPTH} levels deep")
            return find_image(inner, depth - 1)._replace(**notes)
        return Found(image=inner, **notes)
    raise ImageError(_absent(item))


def _is_item(value: object) -> bool:
    """Whether to look inside: mappings and plain SDK objects, but not images of any library or of our own."""
    if isinstance(value, Mapping):
        return True
    return not hasattr(value, "to_bytes") and any(isinstance(getattr(value, key, None), str) for key in ("url", *_DATA))


def _absent(item: object) -> str:
    keys = sorted(str(key)[:40] for key in item)[:12] if isinstance(item, Mapping) else []
    if "file_id" in keys:
        return "this image item names a file by its id, which only its provider can read; pass a URL or bytes"
    listed = f" (its keys: {', '.join(keys)})" if keys else ""
    return f"no image in this item{listed}; it needs one of b64_json, url, image, image_url, data, source"
