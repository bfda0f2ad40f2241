"""Content parts of messages as parts of this wire. Pure."""

from __future__ import annotations

from mimetypes import guess_type
from typing import Any

from heavenbase.errors import InputError, UnsupportedError
from heavenbase.wires import Taken, content_parts, is_address, no_reference, part_fields, unencoded_image

OWN_PARTS = frozenset(
    {
        *("text", "inlineData", "fileData", "functionCall", "functionResponse", "executableCode"),
        *("toolCall", "toolResponse", "executable_code", "code_execution_result"),
        *("codeExecutionResult", "inline_data", "file_data", "function_call", "function_response"),
    }
)
"""The data that a part of the wire may hold; a part with one of these names passes."""
_OF_TEXT = ("thought", "thoughtSignature")
"""What a model wrote beside a text, in an answer of the wire's own shape."""
TAKEN = Taken(
    part_fields(
        *("image", "refusal", "image_file"),
        text=" ".join(_OF_TEXT),
        file="videoMetadata mediaResolution",
        input_audio="videoMetadata mediaResolution",
        video_url="videoMetadata mediaResolution",
    ),
)
"""What the wire takes beside contents; parts in its own shape are passed as they are, but for the marks of others."""
FILES = "https://generativelanguage.googleapis.com/v1beta/"
"""What stands before the name of a file in its address."""
_EXTRA = ("videoMetadata", "mediaResolution")
_AUDIO = {"mp3": "audio/mp3", "wav": "audio/wav", "flac": "audio/flac", "ogg": "audio/ogg", "aac": "audio/aac"}


def parts_of(content: Any, place: int) -> list[dict[str, Any]]:
    """The parts of a message's content, which is text, nothing or parts; empty text is left out."""
    found = [part_of(part, place) for part in content_parts(content, place)]
    return [part for part in found if part.get("text") != ""]


def part_of(part: dict[str, Any], place: int) -> dict[str, Any]:
    """One part; parts that are in the wire's own shape pass."""
    kind = part.get("type")
    if kind == "text":
        return {"text": part["text"], **{name: part[name] for name in _OF_TEXT if name in part}}
    if kind == "image":
        raise unencoded_image(place)
    extra = {name: part[name] for name in _EXTRA if name in part}
    if kind == "input_audio":
        return {**_audio(part, place), **extra}
    if kind == "file":
        return {**_file(part, place), **extra}
    if kind == "video_url":
        return {**_named(_url(part.get("video_url"), place), None, place), **extra}
    if kind == "image_file":
        image = part["image_file"]
        return _named(image.get("file_id") or image["uri"], image.get("mime_type"), place)
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
        # Messages want the address of a file, and all else of the Files API its name.
        uri = f"{FILES}{known}" if known.startswith("files/") else known
        return {"fileData": {"fileUri": uri, **_declared(file)}}
    data = file.get("file_data")
    if not isinstance(data, str) or not data:
        raise InputError(f"message {place} has a file without file_data or file_id")
    if is_address(data):
        return _named(data, _declared(file).get("mimeType"), place)
    head, comma, rest = data.partition(",")
    if not comma:
        return {"inlineData": {"mimeType": file.get("mime_type") or "application/pdf", "data": data}}
    media_type = head.removeprefix("data:").partition(";")[0].lower() or "text/plain"
    if head.endswith(";base64"):
        return {"inlineData": {"mimeType": media_type, "data": rest}}
    from base64 import b64encode
    from urllib.parse import unquote_to_bytes

    return {"inlineData": {"mimeType": media_type, "data": b64encode(unquote_to_bytes(rest)).decode()}}


def _named(uri: str, media_type: str | None, place: int) -> dict[str, Any]:
    if uri.startswith("s3://"):
        raise no_reference(place, "files and images by https, gs:// or the name that the Files API gave them")
    found = media_type or guess_type(uri)[0]
    return {"fileData": {"fileUri": uri, **({"mimeType": found} if found else {})}}


def _declared(file: dict[str, Any]) -> dict[str, str]:
    found = file.get("mime_type") or file.get("format")
    return {"mimeType": found} if isinstance(found, str) and "/" in found else {}


def _url(value: Any, place: int) -> str:
    found = value.get("url") if isinstance(value, dict) else value
    if not isinstance(found, str) or not found:
        raise InputError(f"message {place} has a video without a URL")
    return found
