"""Everything an image can be given as, read into bytes or a URL: text, paths, files, arrays, provider items.

Items are of the shapes that wires and SDKs use for image parts and results:

{"type": "image_url", "image_url": "U" | {"url": "U", "detail": "high"}}     OpenAI chat
{"type": "input_image", "image_url": "U", "detail": "high"}                  OpenAI responses
{"b64_json": "…", "revised_prompt": "…"}, {"url": "U"}, {"result": "…"}      results of image generation
{"type": "image", "source": {"type": "base64", "media_type": "…", "data": "…"} | {"type": "url", "url": "U"}}
{"inline_data": {"mime_type": "…", "data": "…"}}, {"image": {"format": "png", "source": {"bytes": b"…"}}}
{"data": "…", "media_type": "…"}, {"image": "…"}
"""

from __future__ import annotations

import binascii
import os
import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from heavenbase.errors import FetchBlocked, ImageError, ImageFileNotFound, InputTypeError
from heavenbase.image.pixels import encode_array, encode_pil
from heavenbase.image.probe import probe, sniff

_FORMATS = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "jpe": "jpeg", "gif": "gif", "webp": "webp"}
_DATA = ("b64_json", "data", "bytes", "result")
_NESTED = ("image_url", "image", "source", "image_bytes", "inline_data", "inlineData")
_NOTES = ("detail", "revised_prompt")
_DEPTH = 4
_PATH_LIMIT = 4096
_NAME_LIMIT = 255
_URL = re.compile(r"(https?)://([^/?#\\\s]+)[^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class Found(NamedTuple):
    """The image of an item: `data` (bytes, base64 or data URL), or `url`, or both; or a ready `image` object."""

    data: str | bytes | None = None
    url: str | None = None
    image: Any = None
    detail: str | None = None
    revised_prompt: str | None = None


def read_any(value: Any) -> Found:
    """The source of an image in whatever form; InputTypeError for what cannot hold one."""
    if isinstance(value, str):
        return read_text(value)
    if isinstance(value, os.PathLike):
        return Found(read_path(value))
    if isinstance(value, bytes | bytearray | memoryview | Mapping):
        return read_item(value)
    if _is_a(value, "PIL.Image", "Image"):
        return Found(encode_pil(value))
    if _is_a(value, "numpy", "ndarray"):
        return Found(encode_array(value))
    if hasattr(value, "read"):
        return Found(read_file(value))
    try:
        return Found(bytes(memoryview(value)))
    except TypeError:
        raise InputTypeError(
            f"cannot make an image from {type(value).__name__}; pass bytes, a path, a URL, base64 text, a binary file, "
            "a provider dict, a PIL image or a numpy array"
        ) from None


def read_text(text: str) -> Found:
    """A URL, data URL, path of a file, or base64 text, in this order."""
    text = text.strip()
    if not text:
        raise ImageError("the image text is empty; pass a URL, a path, or base64 of an image")
    if is_data_url(text):
        return Found(text)
    if _SCHEME.match(text):
        return Found(url=text)
    # The file wins: the path "abcd" is valid base64 as well, but base64 of an image is hardly ever a file's name.
    if len(text) <= _PATH_LIMIT and os.path.isfile(os.path.expanduser(text)):
        return Found(read_path(text))
    try:
        data = decode_text(text)
    except ImageError:
        data = b""
    if sniff(data) is not None:
        return Found(data)
    if len(text) > _NAME_LIMIT:
        raise ImageError("the text is no path of a file and not base64 of a PNG, JPEG, GIF or WebP image")
    return Found(read_path(text))


def read_path(path: str | os.PathLike[str]) -> bytes:
    """The bytes of an image file, `~` expanded; ImageFileNotFound when there is none."""
    name = os.path.expanduser(os.fspath(path))
    if not os.path.isfile(name):
        if os.path.exists(name):
            raise ImageError(f"{name!r} is not a regular file")
        raise ImageFileNotFound(f"no image file at {name!r}, and it is not base64 of an image either")
    try:
        with open(name, "rb") as file:
            head = file.read(64)
            if sniff(head) is None:
                probe(head)  # raises, before a large file of another kind is read
            file.seek(0)
            return file.read()
    except OSError as error:
        raise ImageError(f"cannot read {name!r}: {error.strerror}") from error


def read_file(file: Any) -> bytes:
    """The rest of a binary file object."""
    data = file.read()
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputTypeError('the file gives text; open it in binary mode ("rb")')
    return bytes(data)


def decode_text(text: str) -> bytes:
    """The bytes of base64 text (white space allowed) or of a data URL; ImageError when it is neither."""
    if is_data_url(text):
        head, comma, text = text.partition(",")
        if not comma:
            raise ImageError("the data URL has no comma before its data")
        if "%" in text or not head.lower().endswith(";base64"):
            from urllib.parse import unquote_to_bytes

            raw = unquote_to_bytes(text)
            if not head.lower().endswith(";base64"):
                return raw
            text = raw.decode("latin-1")
    try:
        return binascii.a2b_base64("".join(text.split()), strict_mode=True)
    except ValueError:
        raise ImageError("the image data is not valid base64") from None


def is_data_url(text: str) -> bool:
    """Whether the text begins as a data URL."""
    return text[:5].lower() == "data:"


def check_url(url: str) -> None:
    """Refuse what is no http(s) URL, before it goes anywhere: other schemes and user names are FetchBlocked."""
    scheme = _SCHEME.match(url)
    if scheme is not None and scheme[1].lower() not in ("http", "https"):
        raise FetchBlocked(f"an image URL is http or https, not {scheme[1]!r}; pass the path or the bytes of a file")
    found = _URL.fullmatch(url)
    if found is None:
        raise ImageError("not a valid http(s) or data URL (spaces are written %20); use from_path for files")
    if "@" in found[2]:
        raise FetchBlocked("an image URL with a user name or password is refused; remove the part before '@'")


def declared_format(format: str | None, url: str | None) -> str | None:
    """The format that a name, media type or the URL's extension claims: png, jpeg, gif, webp, or None."""
    if url is not None:
        format = url.partition("?")[0].partition("#")[0].rpartition("/")[2].rpartition(".")[2] or format
    return _FORMATS.get(format.lower().removeprefix("image/")) if format else None


def _is_a(value: object, module: str, name: str) -> bool:
    # A value of a class whose module was never imported cannot exist, so nothing needs importing to ask.
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(value, getattr(loaded, name))


def read_item(item: Any, depth: int = _DEPTH, *, is_url: bool = False) -> Found:
    """The image of a provider's item, or bare text of one; reads no files, for providers' text is not trusted.

    The item is a mapping or an object with such attributes; ImageError when there is no image in it.
    """
    if isinstance(item, bytes | bytearray | memoryview):
        return Found(bytes(item))
    if isinstance(item, str):
        text = item.strip()
        return Found(url=text) if is_url or _SCHEME.match(text) else Found(text)
    if depth < 0:
        raise ImageError(f"the image item is nested more than {_DEPTH} levels deep")

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
        if _is_item(inner):
            return read_item(inner, depth - 1, is_url=key == "image_url")._replace(**notes)
        return Found(image=inner, **notes)
    raise ImageError(_absent(item))


def _is_item(value: object) -> bool:
    """Whether to look inside: text, bytes, mappings, plain SDK objects, but not images of any library or of our own."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        return True
    return not hasattr(value, "to_bytes") and any(isinstance(getattr(value, key, None), str) for key in ("url", *_DATA))


def _absent(item: object) -> str:
    keys = sorted(str(key)[:40] for key in item)[:12] if isinstance(item, Mapping) else []
    if "file_id" in keys:
        return "this image item names a file by its id, which only its provider can read; pass a URL or bytes"
    listed = f" (its keys: {', '.join(keys)})" if keys else ""
    return f"no image in this item{listed}; it needs one of b64_json, url, image, image_url, data, source"
