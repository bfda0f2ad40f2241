"""How answers are kept as bytes, and read again: JSON in lines, so that a hit reads no more of it than it needs.

The first byte is the kind. Texts have five lines: the text, the rest of the answer, the raw answer, the chunks of a
stream, the request. Images have three: answer, raw answer, request; vectors two, answer and request, and a buffer of
little-endian floats. Nothing but JSON and floats is ever read.
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import replace
from json.decoder import scanstring as _scan  # type: ignore[attr-defined]
from typing import Any

from heavenbase.details import Details
from heavenbase.gather import whole_chunk
from heavenbase.secrets import mapped
from heavenbase.types import (
    CHOICE_FIELDS,
    Choice,
    ChoiceDelta,
    Chunk,
    Completion,
    ImageResult,
    ParameterEntry,
    ParameterReport,
    Record,
    ToolCall,
    ToolCallDelta,
    Usage,
)
from heavenbase.vector import Vector

PLAIN, TEXT, IMAGES, VECTOR = b"1234"
"""PLAIN is a text whose chat is answered by its first line alone."""
BYTES = "$bytes"
CHUNK_FIELDS = ("text", "reasoning", "finish_reason", "raw_finish_reason", "id", "model", "reasoning_parts", "raw")
KINDS = {PLAIN: "text", TEXT: "text", IMAGES: "image", VECTOR: "embedding"}


class Recalled(Completion):
    """A completion from the cache: `raw` is read when it is asked for, as it is most of what was kept."""

    __slots__ = ("_kept", "_raw")
    _kept: bytes | None
    _raw: Any

    @property
    def raw(self) -> Any:
        """The decoded answer of the provider; a list of chunks for a stream."""
        if self._kept is not None:
            self._raw, self._kept = raw_of(self._kept), None
        return self._raw

    @raw.setter
    def raw(self, value: Any) -> None:
        self._kept = None
        self._raw = value


# Texts


def encode_completion(
    answer: Completion, chunks: Sequence[Chunk] | None, report: ParameterReport, request: dict[str, Any]
) -> bytes:
    """An answer, with the chunks of a stream and what became of its parameters."""
    head = {
        "reasoning": answer.reasoning or None,
        "tool_calls": [_call_row(call) for call in answer.tool_calls],
        "finish": [answer.finish_reason, answer.raw_finish_reason],
        "usage": _usage_row(answer.usage),
        "id": answer.id,
        "model": answer.model,
        "parts": answer.reasoning_parts,
        "images": [image.to_dict() for image in answer.images],
        "report": report_rows(report),
        "request_id": answer.request_id,
    }
    if answer.details is not None:
        head["details"] = _details_row(answer.details, _choice_row)
    head = {name: value for name, value in head.items() if value is not None and value != []}
    plain = not (answer.tool_calls or answer.images or report.lossy())
    raw = None if chunks is not None else answer.raw
    pieces = [_chunk_row(chunk) for chunk in chunks] if chunks is not None else None
    lines = [_line(answer.text), _line(head), _line(raw), _line(pieces), _line(request)]
    return bytes((PLAIN if plain else TEXT,)) + b"\n".join(lines)


def text_of(value: bytes) -> str | None:
    """The text of an answer that is nothing but text; None for any other."""
    if value[0] != PLAIN:
        return None
    return _scan(str(value[1 : value.index(b"\n")], "ascii"), 1)[0]  # type: ignore[no-any-return]


def completion_of(value: bytes) -> Completion:
    """The kept answer."""
    text, head_line, _ = _expect(value, PLAIN, TEXT).split(b"\n", 2)
    head = _load(head_line)
    finish, raw_finish = head["finish"]
    answer = Recalled(
        json.loads(text),
        reasoning=head.get("reasoning", ""),
        tool_calls=[_call(fields) for fields in head.get("tool_calls", ())],
        finish_reason=finish,
        raw_finish_reason=raw_finish,
        usage=Usage(**head["usage"]) if "usage" in head else None,
        id=head.get("id"),
        model=head.get("model"),
        reasoning_parts=head.get("parts", []),
        images=_images(head.get("images", ())),
        request_id=head.get("request_id"),
        cached=True,
        details=_details(head["details"], _choice) if "details" in head else None,
    )
    answer._kept = value
    return answer


def raw_of(value: bytes) -> Any:
    """The raw answer, made from the chunks where it was streamed."""
    _, _, raw, pieces, _ = value.split(b"\n", 4)
    if pieces == b"null":
        return _load(raw)
    return [piece["raw"] for piece in _load(pieces) if piece.get("raw") is not None]


def chunks_of(value: bytes) -> list[Chunk]:
    """The chunks of a kept answer; one that was not streamed is a single chunk."""
    _, _, _, pieces, _ = _expect(value, PLAIN, TEXT).split(b"\n", 4)
    if pieces != b"null":
        return [_chunk(row) for row in _load(pieces)]
    return [whole_chunk(completion_of(value))]


# Images and vectors


def encode_images(result: ImageResult, report: ParameterReport, request: dict[str, Any]) -> bytes:
    """The answer of an image generation."""
    data = [image.to_b64() for image in result.images]
    kept = [{"data": d, "revised_prompt": image.revised_prompt} for d, image in zip(data, result.images, strict=True)]
    head = {"usage": _usage_row(result.usage), "model": result.model, "report": report_rows(report), "images": kept}
    held = {text: place for place, text in enumerate(data)}
    return bytes((IMAGES,)) + b"\n".join([_line(head), _line(_without_images(result.raw, held)), _line(request)])


def images_of(value: bytes) -> ImageResult:
    """The kept images."""
    from heavenbase.image.image import LLMImage

    head_line, raw, _ = _expect(value, IMAGES).split(b"\n")
    head = _load(head_line)
    kept = head["images"]
    return ImageResult(
        [LLMImage(row["data"], revised_prompt=row["revised_prompt"]) for row in kept],
        usage=Usage(**head["usage"]) if head["usage"] is not None else None,
        model=head["model"],
        raw=_with_images(_load(raw), [row["data"] for row in kept]),
        cached=True,
    )


def encode_vector(vector: Vector, model: str | None, request: dict[str, Any]) -> bytes:
    """One embedding."""
    if sys.byteorder == "big":
        vector = vector.__copy__()
        vector.byteswap()
    head = {"type": vector.typecode, "length": len(vector), "model": model}
    return bytes((VECTOR,)) + b"\n".join([_line(head), _line(request), vector.tobytes()])


def vector_of(value: bytes) -> tuple[Vector, str | None]:
    """The kept embedding, and the model that made it."""
    head_line, _, buffer = _expect(value, VECTOR).split(b"\n", 2)
    head = _load(head_line)
    vector = Vector((), head["type"])
    vector.frombytes(buffer)
    if len(vector) != head["length"]:
        raise ValueError("the vector was cut off")
    if sys.byteorder == "big":
        vector.byteswap()
    return vector, head["model"]


# What all kinds share


def request_of(value: bytes) -> dict[str, Any]:
    """What the key of an entry was made from."""
    _expect(value, *KINDS)
    line = value.split(b"\n", 2)[1] if value[0] == VECTOR else value.rpartition(b"\n")[2]
    found: dict[str, Any] = _load(line)
    return found


def report_of(value: bytes) -> list[ParameterEntry]:
    """What became of each parameter of the request that was answered."""
    line = value[1:].split(b"\n", 2)[0 if value[0] == IMAGES else 1]
    return [ParameterEntry(*row) for row in _load(line).get("report", ())]


def report_rows(report: ParameterReport) -> list[list[Any]]:
    """The entries of a report as rows."""
    return [[entry.name, entry.outcome, entry.wire, entry.reason] for entry in report.entries.values()]


def _expect(value: bytes, *kinds: int) -> bytes:
    if not value or value[0] not in kinds:
        raise ValueError("this is no entry of that kind")
    return value[1:]


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), default=_plain).encode()


def _plain(value: Any) -> Any:
    """Opaque bytes of a provider as base64; an object of an SDK, which only `raw` can hold, as its text."""
    if isinstance(value, bytes | bytearray):
        return {BYTES: b64encode(value).decode()}
    for convert in ("model_dump", "to_dict", "tolist"):
        method = getattr(value, convert, None)
        if callable(method):
            return method()
    return str(value)


def _load(line: bytes) -> Any:
    # The hook costs time, and opaque bytes are rare.
    return json.loads(line, object_hook=_with_bytes) if BYTES.encode() in line else json.loads(line)


def _with_bytes(found: dict[str, Any]) -> Any:
    if len(found) == 1 and isinstance(found.get(BYTES), str):
        return b64decode(found[BYTES])
    return found


def _chunk_row(chunk: Chunk) -> dict[str, Any]:
    row = {name: value for name in CHUNK_FIELDS if (value := getattr(chunk, name))}
    if chunk.tool_calls:
        row["tool_calls"] = [
            [d.index, d.id, d.name, d.arguments, *([d.type] if d.type else ())] for d in chunk.tool_calls
        ]
    if chunk.usage is not None:
        row["usage"] = _usage_row(chunk.usage)
    if chunk.images:
        row["images"] = [image.to_dict() for image in chunk.images]
    if chunk.details is not None:
        row["details"] = _details_row(chunk.details, lambda piece: {**_chunk_row(piece), "index": piece.index})
    return row


def _chunk(row: dict[str, Any], kind: type[Chunk] = Chunk) -> Chunk:
    if "details" in row:
        row["details"] = _details(row["details"], lambda piece: _chunk(piece, ChoiceDelta))
    if "tool_calls" in row:
        row["tool_calls"] = [ToolCallDelta(*delta) for delta in row["tool_calls"]]
    if "usage" in row:
        row["usage"] = Usage(**row["usage"])
    if "images" in row:
        row["images"] = _images(row["images"])
    return kind(**row)


def _details_row(details: Details, write: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    row = replace(details, others=[]).to_dict()
    return {**row, "others": [write(other) for other in details.others]} if details.others else row


def _details(row: dict[str, Any], read: Callable[[dict[str, Any]], Any]) -> Details:
    return replace(Details.from_dict(row), others=[read(other) for other in row.get("others", ())])


def _choice_row(choice: Choice) -> dict[str, Any]:
    return {
        **{name: value for name in CHOICE_FIELDS if (value := getattr(choice, name))},
        "index": choice.index,
        "tool_calls": [_call_row(call) for call in choice.tool_calls],
        "images": [image.to_dict() for image in choice.images],
        "details": _details_row(choice.details or Details(), _choice_row),
    }


def _choice(row: dict[str, Any]) -> Choice:
    calls = [_call(fields) for fields in row["tool_calls"]]
    details = _details(row["details"], _choice) if row["details"] else None
    return Choice(**{**row, "tool_calls": calls, "images": _images(row["images"]), "details": details})


def _call_row(call: ToolCall) -> list[Any]:
    row = [call.id, call.name, call.arguments]
    # What a repair changed is not kept: it is done again for who asks for it.
    return row if call.type == "function" and call.reason is None else [*row, call.type, call.reason]


def _call(row: list[Any]) -> ToolCall:
    made = ToolCall(*row[:3])
    if len(row) > 3:
        made.type, made.reason = row[3:]
    return made


def _usage_row(usage: Usage | None) -> dict[str, Any] | None:
    return Record.to_dict(usage) if usage is not None else None


def _images(rows: Sequence[dict[str, Any]]) -> list[Any]:
    if not rows:
        return []
    from heavenbase.image.image import LLMImage

    return [LLMImage.from_provider_item(row) for row in rows]


def _without_images(raw: Any, held: dict[str, int]) -> Any:
    """The raw answer with places instead of the images that are kept beside it."""

    def placed(leaf: Any) -> Any:
        head, _, data = leaf.rpartition("base64,") if isinstance(leaf, str) else ("", "", None)
        return {"$image": [head, held[data]]} if data in held else leaf

    return mapped(raw, placed)


def _with_images(raw: Any, data: list[str]) -> Any:
    if isinstance(raw, dict):
        if len(raw) == 1 and "$image" in raw:
            head, place = raw["$image"]
            return f"{head}base64,{data[place]}" if head else data[place]
        return {name: _with_images(item, data) for name, item in raw.items()}
    return [_with_images(item, data) for item in raw] if isinstance(raw, list) else raw
