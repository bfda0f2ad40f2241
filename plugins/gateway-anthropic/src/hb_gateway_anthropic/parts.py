"""Content parts of messages as blocks of this wire. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, UnsupportedError
from heavenbase.wires import MARK, Taken, content_parts, is_address, no_reference, unencoded_image

if TYPE_CHECKING:
    from collections.abc import Iterable

_DOCUMENT = frozenset({"citations", "context", "title"})
TAKEN = Taken(
    {
        "text": frozenset({"type", "text", "citations"}),
        "image": frozenset({"type", "source", "transformations"}),
        "image_file": frozenset({"type", "image_file"}),
        "document": _DOCUMENT | {"type", "source"},
        "file": _DOCUMENT | {"type", "file"},
        "refusal": frozenset({"type", "refusal"}),
    },
    tools=frozenset({"input_examples", "defer_loading", "eager_input_streaming", "allowed_callers"}),
    marks=True,
    documents=frozenset({"document"}),
)
"""What the wire takes beside contents."""
_TEXT_FIELDS = (MARK, "citations")
LATE_FIELDS = frozenset({"clear_at", "output_config"})
"""What a system message between others may say beside its content."""
TOOL_CHANGES = frozenset({"tool_addition", "tool_removal"})
"""Blocks of such a message that are no text."""

_NAMED = "files and images by file_id or https URL"


def text_block(text: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": text}


def blocks_of(content: Any, place: int) -> list[dict[str, Any]]:
    """The blocks of a message's content, which is text, nothing or parts; blank text is left out."""
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    return without_blanks([block_of(part, place) for part in content_parts(content, place)])


def without_blanks(blocks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The blocks without blank text, which the wire refuses; its mark of the cache goes to the block before it."""
    found: list[dict[str, Any]] = []
    for block in blocks:
        if block.get("type") != "text" or block["text"].strip():
            found.append(block)
        elif MARK in block and found and found[-1].get("type") not in ("thinking", "redacted_thinking"):
            found[-1] = {MARK: block[MARK], **found[-1]}
    return found


def block_of(part: dict[str, Any], place: int) -> dict[str, Any]:
    """One part as a block; parts that are in the wire's own shape pass."""
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part["text"], **{n: part[n] for n in _TEXT_FIELDS if part.get(n) is not None}}
    if kind == "image":
        if "source" not in part:
            raise unencoded_image(place)
        return part
    if kind == "file":
        return _file(part, place)
    if kind in ("input_audio", "audio", "video_url"):
        raise UnsupportedError(
            f"message {place} has a part of the type {kind}; this wire takes text, images, documents"
        )
    if kind == "refusal":
        return text_block(str(part.get("refusal") or ""))
    if kind == "image_file":
        known = part["image_file"].get("file_id")
        if not known:
            raise no_reference(place, _NAMED)
        mark = {MARK: part[MARK]} if MARK in part else {}
        return {"type": "image", "source": {"type": "file", "file_id": known}, **mark}
    if kind is None:
        raise UnsupportedError(f"message {place} has a part without a type, which this wire does not know")
    return part


def _file(part: dict[str, Any], place: int) -> dict[str, Any]:
    """A file of OpenAI's shape as a document."""
    file = part.get("file")
    if not isinstance(file, dict):
        raise InputError(f"message {place} has a file part without a file")
    name = file.get("filename")
    extras = {"title": name} if isinstance(name, str) and name else {}
    extras.update((name, part[name]) for name in (*_DOCUMENT, MARK) if part.get(name) is not None)
    if file.get("file_id"):
        return {"type": "document", "source": {"type": "file", "file_id": file["file_id"]}, **extras}
    data = file.get("file_data")
    if not isinstance(data, str) or not data:
        raise InputError(f"message {place} has a file without file_data or file_id")
    return {"type": "document", "source": _source(data, place), **extras}


def _source(data: str, place: int) -> dict[str, Any]:
    if data.startswith("https://"):
        return {"type": "url", "url": data}
    if is_address(data):
        raise no_reference(place, _NAMED)
    head, comma, rest = data.partition(",")
    media_type = head.removeprefix("data:").partition(";")[0].lower() if comma else "application/pdf"
    encoded = rest if comma else data
    if media_type == "application/pdf":
        return {"type": "base64", "media_type": media_type, "data": encoded}
    if media_type.startswith("text/") or media_type == "application/json":
        return {"type": "text", "media_type": "text/plain", "data": _decoded(head, encoded, place)}
    raise InputError(f"message {place} has a file of the type {media_type!r}; this wire takes PDF and text")


def _decoded(head: str, encoded: str, place: int) -> str:
    if not head.endswith(";base64"):
        from urllib.parse import unquote

        return unquote(encoded)
    from base64 import b64decode

    try:
        return b64decode(encoded, validate=True).decode("utf-8")
    except ValueError as error:
        raise InputError(f"message {place} has a file whose data is no base64 of UTF-8 text") from error
