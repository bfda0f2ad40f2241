"""What a tool gave back as the content of its message: text, and parts for the pictures and files that are in it."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from heavenbase.errors import HBError

MESSAGE_LIMIT = 4_000
_IMAGE_TYPES = ("image", "image_url", "input_image")
_LINKS = ("http://", "https://", "data:")


def result_content(value: Any) -> str | list[dict[str, Any]]:
    """A tool's result as the model gets it: a str as it is, pictures and files as parts, all else as JSON.

    A list keeps its order; pictures within other values stand behind the JSON, which has a mark in their place.
    """
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, BaseException):
        return failure_of(value)
    part = _part(value)
    if part is not None:
        return [part]
    if isinstance(value, list | tuple):
        parts = [_part(item) for item in value]
        if any(parts):
            pairs = zip(parts, value, strict=True)
            return [found for part, item in pairs for found in ([part] if part is not None else _parts(item))]
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return _mixed(value)


def failure(kind: str, message: str) -> str:
    """The result of a call that failed, for the model to read."""
    error = {"type": kind, "message": message[:MESSAGE_LIMIT]}
    return json.dumps({"ok": False, "error": error}, ensure_ascii=False)


def failure_of(error: BaseException) -> str:
    """The result of a call that raised; an error that cannot be put into words has its name alone."""
    try:
        message = str(error)
    except Exception as second:
        message = f"the error has no text: its __str__ raised {type(second).__name__}"
    return failure(type(error).__name__, message)


def _parts(item: Any) -> list[dict[str, Any]]:
    """The parts of one item of a list that has pictures or files in it."""
    if isinstance(item, Mapping) and item.get("type") == "text" and isinstance(item.get("text"), str):
        return [{"type": "text", "text": item["text"]}]
    content = result_content(item)
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _mixed(value: Any) -> str | list[dict[str, Any]]:
    """The text, or the text and the pictures, of a value that is not JSON by itself."""
    from pydantic_core import to_json  # knows models, dataclasses, dates, decimals, sets, generators …

    found: list[dict[str, Any]] = []

    def other(item: Any) -> str:
        part = _part(item)
        if part is None:
            return str(item)
        found.append(part)
        return f"[{part['type']} {len(found)}]"

    try:
        text = to_json(value, fallback=other, inf_nan_mode="strings").decode()
    except Exception as error:
        return failure(type(error).__name__, f"the {type(value).__name__} that came back is no JSON: {error}")
    return [{"type": "text", "text": text}, *found] if found else text


def _part(value: Any) -> dict[str, Any] | None:
    """The part for a picture or a file; None for any other value."""
    if value is None or isinstance(value, str | int | float):
        return None
    if isinstance(value, Mapping):
        kind = value.get("type")
        if kind == "file":
            file = value.get("file")
            names = ("file_data", "file_id")
            is_file = isinstance(file, Mapping) and any(isinstance(file.get(name), str) for name in names)
            return dict(value) if is_file else None
        return _image(value) if kind in _IMAGE_TYPES and _holds_image(value) else None
    if isinstance(value, bytes | bytearray):
        return _of_bytes(bytes(value))
    if "heavenbase.image.image" in sys.modules:
        from heavenbase.image.image import LLMImage

        if isinstance(value, LLMImage):
            return {"type": "image", "image": value}
    if _is_picture(value) or (
        getattr(value, "type", None) == "image" and isinstance(getattr(value, "data", None), str)
    ):
        return _image(value)
    resource = getattr(value, "resource", None)
    if resource is not None and isinstance(blob := getattr(resource, "blob", None), str):
        kind = str(getattr(resource, "mime_type", None) or getattr(resource, "mimeType", None) or "")
        name = str(getattr(resource, "uri", "")).rpartition("/")[2]
        return _image({"type": "image", "data": blob}) if kind.startswith("image/") else _file(blob, kind, name)
    return None


def _holds_image(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is a picture of a wire, and not data of the tool's own that looks like one."""
    source = value.get("source")
    if isinstance(source, Mapping):
        return isinstance(source.get("data"), str) or str(source.get("url", "")).startswith(_LINKS)
    if isinstance(value.get("data"), str):
        return any(name in value for name in ("mimeType", "mime_type", "media_type"))
    link = value.get("image_url")
    link = link.get("url") if isinstance(link, Mapping) else link
    return isinstance(link, str) and link.startswith(_LINKS)


def _is_picture(value: Any) -> bool:
    loaded = sys.modules.get("PIL.Image")
    return loaded is not None and isinstance(value, loaded.Image)


def _image(value: Any) -> dict[str, Any] | None:
    from heavenbase.image.image import LLMImage

    try:
        # Of a mapping no file is read: a tool may hand on what it was sent.
        image = LLMImage.from_any(value) if _is_picture(value) else LLMImage.from_provider_item(value)
    except (HBError, ValueError):
        return None
    return {"type": "image", "image": image}


def _of_bytes(data: bytes) -> dict[str, Any] | None:
    from heavenbase.image.probe import sniff

    if data.startswith(b"%PDF-"):
        from base64 import b64encode

        return _file(b64encode(data).decode(), "application/pdf", "document.pdf")
    if sniff(data) is None:
        return None
    from heavenbase.image.image import LLMImage

    try:
        return {"type": "image", "image": LLMImage.from_bytes(data)}
    except HBError:
        return None


def _file(encoded: str, kind: str, name: str) -> dict[str, Any]:
    data = f"data:{kind or 'application/octet-stream'};base64,{encoded}"
    return {"type": "file", "file": {"filename": name or "file", "file_data": data}}
