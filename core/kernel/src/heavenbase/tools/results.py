"""What a tool gave back as the content of its message: text, and parts for the pictures and files that are in it."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from heavenbase.secrets import text_of

MESSAGE_LIMIT = 4_000


def result_content(value: Any) -> str | list[dict[str, Any]]:
    """A tool's result as the model gets it: a str as it is, pictures and files as parts, all else as JSON.

    A list keeps its order; pictures within other values stand behind the JSON, which has a mark in their place.
    """
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, BaseException):
        return failure_of(value)
    items = value if isinstance(value, list | tuple) else (value,)
    parts = [_part(item) for item in items]
    if any(parts):
        return [found for part, item in zip(parts, items, strict=True) for found in ([part] if part else _parts(item))]
    try:
        return whole_text(json.dumps(value, ensure_ascii=False, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return _mixed(value)


def whole_text(value: str) -> str:
    """The text with a mark for each half of a character, such as in names of files; providers refuse those."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return str.__str__(value)


def failure(kind: str, message: str) -> str:
    """The result of a call that failed, for the model to read."""
    error = {"type": kind, "message": message[:MESSAGE_LIMIT]}
    return whole_text(json.dumps({"ok": False, "error": error}, ensure_ascii=False))


def failure_of(error: BaseException) -> str:
    """The result of a call that raised; an error that cannot be put into words has its name alone."""
    return failure(type(error).__name__, text_of(error))


def _parts(item: Any) -> list[dict[str, Any]]:
    """The parts of one item of a list that has pictures or files in it."""
    is_text = isinstance(item, Mapping) and item.get("type") == "text" and isinstance(item.get("text"), str)
    content = item["text"] if is_text else result_content(item)
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
    if value is None or isinstance(value, str | int | float | list | tuple):
        return None
    if isinstance(value, Mapping):
        file = value.get("file") if value.get("type") == "file" else None
        if isinstance(file, Mapping):
            return dict(value) if any(isinstance(file.get(name), str) for name in ("file_data", "file_id")) else None
        return _image(value) if _holds_image(value) else None
    if isinstance(value, bytes | bytearray) and value.startswith(b"%PDF-"):
        return _file(b64encode(value).decode(), "application/pdf", "document.pdf")
    homes = (sys.modules.get("PIL.Image"), "Image"), (sys.modules.get("heavenbase.image.image"), "LLMImage")
    known = tuple(getattr(home, name) for home, name in homes if home is not None)
    is_mcp = getattr(value, "type", None) == "image" and isinstance(getattr(value, "data", None), str)
    if is_mcp or isinstance(value, (*known, bytes, bytearray)):
        return _image(value)
    resource = getattr(value, "resource", None)
    if not isinstance(blob := getattr(resource, "blob", None), str):
        return None
    media_type = str(getattr(resource, "mime_type", None) or getattr(resource, "mimeType", None) or "")
    found = _image({"data": blob}) if media_type.startswith("image/") else None
    return found or _file(blob, media_type, str(getattr(resource, "uri", "")).rpartition("/")[2])


def _holds_image(value: Mapping[str, Any]) -> bool:
    """Whether a mapping is a picture of a wire, and not data of the tool's own that looks like one."""
    if value.get("type") not in ("image", "image_url", "input_image"):
        return False
    source, link = value.get("source"), value.get("image_url")
    outer = source or link
    link = outer.get("url") if isinstance(outer, Mapping) else link
    is_typed = any(name in value for name in ("mimeType", "mime_type", "media_type", "source"))
    held = source.get("data") if isinstance(source, Mapping) else value.get("data")
    return (is_typed and isinstance(held, str)) or str(link).startswith(("http://", "https://", "data:"))


def _image(value: Any) -> dict[str, Any] | None:
    """The part of a picture; None where there is none in it. Of a mapping no file is read: it may be a stranger's."""
    from heavenbase.image.image import LLMImage

    is_own = not (isinstance(value, Mapping) or hasattr(value, "type"))
    try:
        return {"type": "image", "image": (LLMImage.from_any if is_own else LLMImage.from_provider_item)(value)}
    except ValueError:
        return None


def _file(encoded: str, media_type: str, name: str) -> dict[str, Any]:
    data = f"data:{media_type or 'application/octet-stream'};base64,{encoded}"
    return {"type": "file", "file": {"filename": name or "file", "file_data": data}}
