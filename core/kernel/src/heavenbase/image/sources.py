"""Everything an image can be given as, read into bytes or a URL: text, paths, files, arrays, provider items."""

from __future__ import annotations

import binascii
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

from heavenbase.errors import FetchBlocked, ImageError, ImageFileNotFound, InputTypeError
from heavenbase.image.items import Found, find_image
from heavenbase.image.pixels import encode_array, encode_pil
from heavenbase.image.probe import probe, sniff

_FORMATS = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "jpe": "jpeg", "gif": "gif", "webp": "webp"}
_PATH_LIMIT = 4096
_NAME_LIMIT = 255
_URL = re.compile(r"(https?)://([^/?#\\\s]+)[^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


def read_any(value: Any) -> Found:
    """The source of an image in whatever form; InputTypeError for what cannot hold one."""
    if isinstance(value, str):
        return read_text(value)
    if isinstance(value, os.PathLike):
        return Found(read_path(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return Found(bytes(value))
    if isinstance(value, Mapping):
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
        pass
    raise InputTypeError(
        f"cannot make an image from {type(value).__name__}; pass bytes, a path, a URL, base64 text, a binary file, "
        "a provider dict, a PIL image or a numpy array"
    )


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


def read_item(item: Any) -> Found:
    """The image of a provider's item, or bare text of one; reads no files, for providers' text is not trusted."""
    if isinstance(item, bytes | bytearray | memoryview):
        return Found(bytes(item))
    if isinstance(item, str):
        text = item.strip()
        return Found(url=text) if _SCHEME.match(text) else Found(text)
    return find_image(item)


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
