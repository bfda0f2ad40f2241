"""Content of messages as this wire's chunks. Pure."""

from __future__ import annotations

from typing import Any

from heavenbase.errors import InputError, UnsupportedError
from heavenbase.wires import Taken, content_parts, data_url, no_reference, part_fields, unencoded_image

OWN_PARTS = frozenset({"image_url", "document_url", "reference", "thinking", "tool_reference"})
"""Types of chunks that pass as they are."""


_NAMED = "files by file_id or https URL"
TAKEN = Taken(
    part_fields(
        *("text", "image_url", "image_file", "input_audio", "refusal", "file", "reference_ids"),
        document_url="document_name",
    ),
    documents=frozenset({"document_url"}),
)
"""What the wire takes beside contents."""


def content_of(content: Any, place: int) -> str | list[dict[str, Any]]:
    """Text, or chunks; empty text among chunks is left out."""
    if content is None or isinstance(content, str):
        return content or ""
    parts = [_part(part, place) for part in content_parts(content, place)]
    return [part for part in parts if part.get("text") != ""]


def _part(part: dict[str, Any], place: int) -> dict[str, Any]:
    kind = part.get("type")
    if kind == "text":
        return {"type": "text", "text": part["text"]}
    if kind == "image":
        raise unencoded_image(place)
    if kind == "refusal":
        return {"type": "text", "text": str(part.get("refusal") or "")}
    if kind == "input_audio":
        return {"type": kind, "input_audio": _audio(part.get("input_audio"), place)}
    if kind == "file":
        return _file(part, place)
    if kind == "image_file":
        if not part["image_file"].get("file_id"):
            raise no_reference(place, _NAMED)
        return {"type": "file", "file_id": part["image_file"]["file_id"]}
    if kind not in OWN_PARTS:
        raise UnsupportedError(
            f"message {place} has a part of the type {kind}; this wire takes text, images, audio and documents"
        )
    return dict(part)


def _audio(audio: Any, place: int) -> str:
    """Sound as base64 or as a URL, from OpenAI's shape or the wire's own."""
    found = audio.get("data") if isinstance(audio, dict) else audio
    if not isinstance(found, str) or not found:
        raise InputError(f"message {place} has an audio part without data")
    return found


def _file(part: dict[str, Any], place: int) -> dict[str, Any]:
    """A file of OpenAI's shape: by its id, by URL, or its bytes."""
    file = part.get("file")
    if not isinstance(file, dict):
        raise InputError(f"message {place} has a file part without a file")
    if isinstance(file.get("file_id"), str) and file["file_id"]:
        return {"type": "file", "file_id": file["file_id"]}
    data = file.get("file_data")
    if not isinstance(data, str) or not data:
        raise InputError(f"message {place} has a file without file_data or file_id")
    if data.startswith(("gs://", "s3://")):
        raise no_reference(place, _NAMED)
    data = data_url(file)
    name = file.get("filename")
    return {"type": "document_url", "document_url": data, **({"document_name": name} if name else {})}
