"""Content parts of messages as parts of this wire. Pure."""

from __future__ import annotations

from typing import Any

from heavenbase.errors import InputError, UnsupportedError
from heavenbase.wires import content_parts, unencoded_image

OWN_PARTS = frozenset(
    {
        *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode"),
        *("codeExecutionResult", "inline_data", "file_data", "function_call", "function_response"),
    }
)
"""The data that a part of the wire may hold; a part with one of these names passes."""
_AUDIO = {"mp3": "audio/mp3", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "aac": "audio/aac"}


def parts_of(content: Any, place: int) -> list[dict[str, Any]]:
    """The parts of a message's content, which is text, nothing or parts; empty text is left out."""
    found = [part_of(part, place) for part in content_parts(content, place)]
    return [part for part in found if part.get("text") != ""]


def part_of(part: dict[str, Any], place: int) -> dict[str, Any]:
    """One part; parts that are in the wire's own shape pass."""
    kind = part.get("type")
    if kind == "text":
        return {"text": part["text"]}
    if kind == "image":
        raise unencoded_image(place)
    if kind == "input_audio":
        return _audio(part, place)
    if kind == "file":
        return _file(part, place)
    if kind == "video_url":
        return {"fileData": {"fileUri": _url(part.get("video_url"), place)}}
    if kind == "refusal":
        return {"text": str(part.get("refusal") or "")}
    if OWN_PARTS.isdisjoint(part):
        raise UnsupportedError(
            f"message {place} has a part of the type {kind}; this wire takes text, images, audio, video and files"
        )
    return {name: value for name, value in part.items() if name != "type"}


def _audio(part: dict[str, Any], place: int) -> dict[str, Any]:
    audio = part.get("input_audio")
    if not isinstance(audio, dict) or not isinstance(audio.get("data"), str):
        raise InputError(f"message {place} has an audio part without data")
    named = str(audio.get("format") or "wav").lower()
    return {"inlineData": {"mimeType": _AUDIO.get(named, f"audio/{named}"), "data": audio["data"]}}


def _file(part: dict[str, Any], place: int) -> dict[str, Any]:
    """A file of OpenAI's shape: by the id that the Files API gave it, by URL, or its bytes."""
    file = part.get("file")
    if not isinstance(file, dict):
        raise InputError(f"message {place} has a file part without a file")
    known = file.get("file_id")
    if isinstance(known, str) and known:
        return {"fileData": {"fileUri": known, **_declared(file)}}
    data = file.get("file_data")
    if not isinstance(data, str) or not data:
        raise InputError(f"message {place} has a file without file_data or file_id")
    if data.startswith(("https://", "gs://")):
        return {"fileData": {"fileUri": data, **_declared(file)}}
    head, comma, rest = data.partition(",")
    if not comma:
        return {"inlineData": {"mimeType": file.get("mime_type") or "application/pdf", "data": data}}
    media_type = head.removeprefix("data:").partition(";")[0].lower() or "text/plain"
    if head.endswith(";base64"):
        return {"inlineData": {"mimeType": media_type, "data": rest}}
    from base64 import b64encode
    from urllib.parse import unquote_to_bytes

    return {"inlineData": {"mimeType": media_type, "data": b64encode(unquote_to_bytes(rest)).decode()}}


def _declared(file: dict[str, Any]) -> dict[str, str]:
    found = file.get("mime_type") or file.get("format")
    return {"mimeType": found} if isinstance(found, str) and "/" in found else {}


def _url(value: Any, place: int) -> str:
    found = value.get("url") if isinstance(value, dict) else value
    if not isinstance(found, str) or not found:
        raise InputError(f"message {place} has a video without a URL")
    return found
