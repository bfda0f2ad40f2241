"""Content parts of messages as blocks of this wire. Pure.

text, image, file (PDF and other documents), input_audio, video_url; parts in the wire's own shape, named by their type
(`{"type": "document", "document": {...}}`), pass as they are. Bytes travel as base64.
"""

from __future__ import annotations

import re
from binascii import a2b_base64, b2a_base64
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError, UnsupportedError
from heavenbase.wires import (
    MARK,
    Taken,
    content_parts,
    is_address,
    no_reference,
    part_fields,
    unencoded_image,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

Block = dict[str, Any]

OWN = frozenset(
    {
        *("image", "document", "video", "audio", "guardContent", "cachePoint", "searchResult", "citationsContent"),
        *("toolAddition", "toolRemoval", "toolUse", "toolResult", "reasoningContent"),
    }
)
"""Blocks that a caller may give in the wire's own shape."""
TAKEN = Taken(
    {
        **part_fields("text", "file", "image_file", "input_audio", "audio", "video_url", "input_video", "refusal"),
        **{kind: frozenset({"type", kind}) for kind in OWN},
    },
    marks=True,
)
"""What the wire takes beside contents."""
CACHE_POINT: Block = {"cachePoint": {"type": "default"}}
_DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_VIDEOS = {"quicktime": "mov", "x-matroska": "mkv", "x-flv": "flv", "x-ms-wmv": "wmv", "3gpp": "three_gp"}
_NO_NAME = re.compile(r"[^a-zA-Z0-9\s()\[\]-]+")
_SPACES = re.compile(r"\s+")


_NAMED = "files and images in S3 (s3://) or as bytes"


def text_block(text: str) -> Block:
    """A block of text."""
    return {"text": text}


def blocks_of(content: Any, place: int) -> list[Block]:
    """The blocks of a message's content, which is text, nothing or parts; blank text is left out."""
    if isinstance(content, str):
        return [text_block(content)] if content.strip() else []
    return without_blanks(block for part in content_parts(content, place) for block in blocks_of_part(part, place))


def without_blanks(blocks: Iterable[Block]) -> list[Block]:
    """The blocks without blank text, which the wire refuses, and without marks of the cache for it alone."""
    given = list(blocks)
    found = [block for block in given if block.get("text") is None or block["text"].strip()]
    return found if len(found) == len(given) or any("cachePoint" not in block for block in found) else []


def blocks_of_part(part: dict[str, Any], place: int) -> list[Block]:
    """The block of one part, and a cache point behind it where the part asks for one."""
    block = _block(part, place)
    control = part.get(MARK)
    if control is None:
        return [block]
    return [block, cache_point(control.get("ttl") if hasattr(control, "get") else None)]


def cache_point(ttl: Any = None) -> Block:
    """A cache point; `ttl` is "5m", "1h" or None for the wire's default."""
    return {"cachePoint": {"type": "default", "ttl": ttl}} if ttl else dict(CACHE_POINT)


def _block(part: dict[str, Any], place: int) -> Block:
    kind = part.get("type")
    if kind is None:  # a block of the wire's own
        kind = next((name for name in part if name in OWN), None)
    if kind == "text":
        return text_block(part["text"])
    if kind in OWN:
        own = part.get(kind)
        if not isinstance(own, dict):
            if kind == "image":
                raise unencoded_image(place)
            raise InputTypeError(f"message {place} has a part of the type {kind} without a mapping {kind!r}")
        return {kind: encoded(own)}
    if kind == "file":
        return _file(part, place)
    if kind == "image_file":
        return _image(part["image_file"], place)
    if kind in ("input_audio", "audio"):
        return _audio(part, place)
    if kind in ("video_url", "input_video"):
        return _video(part, place)
    if kind == "refusal":
        return text_block(str(part.get("refusal") or ""))
    raise UnsupportedError(
        f"message {place} has a part of the type {kind!r}; this wire takes text, images, files, audio and video"
    )


def _image(reference: dict[str, Any], place: int) -> Block:
    """An image that lies in S3."""
    uri = str(reference.get("uri") or "")
    if not uri.startswith("s3://"):
        raise no_reference(place, _NAMED)
    kind = str(reference.get("mime_type") or "").rpartition("/")[2] or _ending(uri, place)
    source = {"s3Location": {name: reference[name] for name in ("uri", "bucketOwner") if name in reference}}
    return {"image": {"format": "jpeg" if kind == "jpg" else kind, "source": source}}


def encoded(value: Any) -> Any:
    """The value with all bytes in it as base64 text, as JSON carries them."""
    if isinstance(value, bytes | bytearray):
        return b2a_base64(bytes(value), newline=False).decode("ascii")
    if isinstance(value, dict):
        return {name: encoded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [encoded(inner) for inner in value]
    return value


def _file(part: dict[str, Any], place: int) -> Block:
    """A file of OpenAI's shape as a document."""
    file = part.get("file")
    if not isinstance(file, dict):
        raise InputError(f"message {place} has a file part without a file")
    name = file.get("filename")
    named = name if isinstance(name, str) else ""
    data = file.get("file_data")
    if isinstance(data, bytes):
        data = encoded(data)
    if not isinstance(data, str) or not data:
        raise InputError(f"message {place} has a file without file_data; this wire knows no files by their ids")
    stem, _, ending = named.rpartition(".")
    document: Block = {"format": "pdf", "name": stem or ending}
    if data.startswith("s3://"):
        document["format"] = _ending(data, place)
        document["source"] = {"s3Location": {"uri": data}}
        return {"document": document}
    if is_address(data):
        raise no_reference(place, _NAMED)
    media_type, base64 = _data_url(data, place)
    known = _DOCUMENTS.get(media_type) if media_type else None
    if known is None and ending.lower() in _DOCUMENTS.values():
        known = ending.lower()
    if known is None and media_type:
        raise InputError(
            f"message {place} has a file of the type {media_type!r}; this wire takes {', '.join(_DOCUMENTS.values())}"
        )
    document["format"] = known or "pdf"
    document["source"] = {"bytes": base64}
    return {"document": document}


def _audio(part: dict[str, Any], place: int) -> Block:
    audio = part.get("input_audio") or part.get("audio")
    data = audio.get("data") if isinstance(audio, dict) else None
    if isinstance(data, bytes):
        data = encoded(data)
    if not isinstance(data, str) or not data:
        raise InputError(f"message {place} has audio without data")
    media_type, base64 = _data_url(data, place)
    assert isinstance(audio, dict)
    kind = audio.get("format") or media_type.rpartition("/")[2] or "wav"
    return {"audio": {"format": kind, "source": {"bytes": base64}}}


def _video(part: dict[str, Any], place: int) -> Block:
    video = part.get("video_url") or part.get("input_video")
    url = video.get("url") if isinstance(video, dict) else video
    if not isinstance(url, str) or not url:
        raise InputError(f"message {place} has a video without an address")
    if url.startswith("s3://"):
        return {"video": {"format": _ending(url, place), "source": {"s3Location": {"uri": url}}}}
    if not url.startswith("data:"):
        raise UnsupportedError(f"message {place} has a video by URL; this wire takes bytes (a data: URL) or s3://")
    media_type, base64 = _data_url(url, place)
    kind = media_type.rpartition("/")[2]
    return {"video": {"format": _VIDEOS.get(kind, kind), "source": {"bytes": base64}}}


def _ending(uri: str, place: int) -> str:
    stem, dot, ending = uri.rpartition("/")[2].rpartition(".")
    if not dot or not stem:
        raise InputError(f"message {place} has an address without a file ending, which says what the file is: {uri!r}")
    return ending.lower()


def title_of(name: object) -> str:
    """A name as the wire takes it: letters, digits, single spaces, hyphens, brackets."""
    return _SPACES.sub(" ", _NO_NAME.sub(" ", name if isinstance(name, str) else "")).strip()[:200] or "document"


def _data_url(data: str, place: int) -> tuple[str, str]:
    """(media type, base64) of a data URL or of bare base64, checked."""
    head, comma, rest = data.partition(",") if data.startswith("data:") else ("", "", data)
    media_type = head.removeprefix("data:").partition(";")[0].strip().lower()
    if comma and not head.endswith(";base64"):
        from urllib.parse import unquote_to_bytes

        return media_type, b2a_base64(unquote_to_bytes(rest), newline=False).decode("ascii")
    try:
        a2b_base64(rest, strict_mode=True)
    except ValueError as error:
        raise InputError(f"message {place} has a file whose data is no base64") from error
    return media_type, rest
