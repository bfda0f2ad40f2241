"""multipart/form-data, read strictly enough for a test double."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message


@dataclass(frozen=True, slots=True)
class FormPart:
    """One part of a form: its field, the file name (None for a plain field), the media type and the bytes."""

    name: str
    filename: str | None
    content_type: str
    data: bytes


def parse_form(content_type: str, body: bytes) -> list[FormPart]:
    """Split a multipart/form-data body. Raises ValueError when it is none."""
    outer = Message()
    outer["content-type"] = content_type
    boundary = outer.get_param("boundary")
    if outer.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise ValueError(f"not multipart/form-data: {content_type!r}")
    delimiter = b"\r\n--" + boundary.encode("latin-1")
    # The first delimiter has no line break of its own before it.
    pieces = (b"\r\n" + body).split(delimiter)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise ValueError("the form has no final boundary")
    return [_part(piece) for piece in pieces[1:-1]]


def _part(piece: bytes) -> FormPart:
    head, blank, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not blank:
        raise ValueError("a part of the form has no headers")
    headers = Message()
    for line in head.decode("utf-8").split("\r\n"):
        header, _, value = line.partition(":")
        headers[header.strip()] = value.strip()
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise ValueError("a part of the form has no name")
    return FormPart(name, headers.get_filename(), headers.get_content_type(), data)
