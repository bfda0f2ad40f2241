"""The first bytes of a GGUF file: proof that it is one, and the few facts that the engine is set up by.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from heavenbase.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

MAGIC = b"GGUF"
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_LONGEST = 1 << 20
"""Bytes of a string and items of an array that a sane header stays below; more means a damaged file."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a model file says of itself: `context` in tokens, `dim` of its vectors, `pooling` as the format's number."""

    architecture: str = ""
    name: str = ""
    context: int | None = None
    dim: int | None = None
    pooling: int | None = None


def read_header(path: Path) -> Header:
    """The header of a model file; InputError when it is missing, no GGUF, or damaged."""
    try:
        with path.open("rb") as file:
            return _parse(file, path)
    except OSError as error:
        raise InputError(f"model file {path} cannot be read: {error.strerror or error}") from error
    except (struct.error, UnicodeDecodeError, KeyError, OverflowError) as error:
        raise InputError(f"model file {path} is damaged: its GGUF header cannot be read; fetch it again") from error


def _parse(file: BinaryIO, path: Path) -> Header:
    magic = file.read(4)
    if magic != MAGIC:
        raise InputError(f"{path} is no GGUF model (it begins with {magic!r}); llama.cpp reads only GGUF files")
    version, _tensors, count = _unpack(file, "<IQQ")
    if not 2 <= version <= 3:
        raise InputError(f"{path} is GGUF version {version} (or big-endian); versions 2 and 3 are supported")
    found: dict[str, Any] = {}
    for _ in range(count):
        key = _string(file)
        # The tokenizer's tables hold 100,000 strings and more, and every converter writes them after the facts.
        if key.startswith("tokenizer."):
            break
        found[key] = _value(file, _unpack(file, "<I")[0])
    architecture = str(found.get("general.architecture", ""))

    def number(name: str) -> int | None:
        value = found.get(f"{architecture}.{name}")
        return value if isinstance(value, int) else None

    return Header(
        architecture,
        str(found.get("general.name", "")),
        number("context_length"),
        number("embedding_length"),
        number("pooling_type"),
    )


def _unpack(file: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, file.read(struct.calcsize(layout)))


def _size(file: BinaryIO) -> int:
    (size,) = _unpack(file, "<Q")
    if size > _LONGEST:
        raise OverflowError(size)
    return int(size)


def _string(file: BinaryIO) -> str:
    return file.read(_size(file)).decode("utf-8")


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        (item,) = _unpack(file, "<I")
        return [_value(file, item) for _ in range(_size(file))]
    return _unpack(file, "<" + _NUMBERS[kind])[0]
