"""Documents in the shapes of several wires as hb's `file` parts; images and files that are named and not held. Pure.

{"type": "file", "file": {"file_id" or "file_data": …, "filename", "mime_type"}}: data is base64, a data URL, an address
{"type": "image_file", "image_file": {"file_id" or "uri": …, "mime_type", "detail"}}: an image at the provider's
"""

from __future__ import annotations

from base64 import b64encode
from mimetypes import guess_type
from typing import TYPE_CHECKING, Any

from heavenbase.errors import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PDF = "application/pdf"
_ADDRESSES = frozenset({"file_id", "file_data", "file_url", "fileUri", "file_uri", "uri", "url"})
_READ = frozenset({"source", "title", "file_id", "filename", "file_data", "file_url", "document_url", "document_name"})


def as_file(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """A document in the shape of some wire as a `file` part, with what else it says; None for anything else."""
    kind, source, url = part.get("type"), part.get("source"), part.get("document_url")
    if kind == "document" and isinstance(source, dict) and source.get("type") in ("file", "url", "base64", "text"):
        data = source.get("url") or source.get("data")
        if source["type"] in ("base64", "text"):
            data = f"data:{source.get('media_type') or _PDF}{';base64' if source['type'] == 'base64' else ''},{data}"
        found = {"file_id": source.get("file_id"), "file_data": data, "filename": part.get("title")}
    elif kind == "document_url" or kind == "input_file" or (kind == "file" and "file" not in part):
        data = part.get("file_data") or part.get("file_url") or (url.get("url") if isinstance(url, dict) else url)
        name = part.get("filename") or part.get("document_name")
        found = {"file_id": part.get("file_id"), "file_data": data, "filename": name}
    else:
        return None
    rest = {name: value for name, value in part.items() if name not in _READ}
    return {**rest, "type": "file", "file": {name: value for name, value in found.items() if value is not None}}


def is_address(data: str) -> bool:
    """Whether the `file_data` of a file says where it lies, and does not hold it."""
    return data.startswith(("https://", "http://", "gs://", "s3://"))


def data_url(file: Mapping[str, Any]) -> str | None:
    """The `file_data` of a file: bare base64 as a data URL, an address as it is; None without any."""
    data = file.get("file_data")
    data = b64encode(data).decode() if isinstance(data, bytes) else data
    if not isinstance(data, str) or not data or data.startswith("data:") or is_address(data):
        return data or None
    return f"data:{file.get('mime_type') or guess_type(str(file.get('filename') or ''))[0] or _PDF};base64,{data}"


def reference_of(part: Mapping[str, Any]) -> str | None:
    """How a part names a file that it does not hold: id, https, gs or s3; None for one that it holds."""
    for name, value in part.items():
        if name == "file_id" and value and not is_address(str(value)):
            return "id"
        if isinstance(value, dict):
            if found := reference_of(value):
                return found
        elif isinstance(value, str) and name in _ADDRESSES and is_address(value):
            scheme = value.partition(":")[0]
            return "https" if scheme == "http" else scheme
    return None


def no_reference(place: int, takes: str) -> UnsupportedError:
    """The error for a file or an image that is named in a way which the wire does not know."""
    return UnsupportedError(f"message {place} names a file by what this wire does not read; it takes {takes}")
