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
_MOST_BYTES = 16 << 20
_MOST_VALUES = 1 << 16
_DEEPEST = 4
"""Bytes, values and arrays within arrays that a sane header stays below; more means a damaged file."""


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
    reader = _Reader(file)
    version, _tensors, count = reader.unpack("<IQQ")
    if not 2 <= version <= 3:
        raise InputError(f"{path} is GGUF version {version} (or big-endian); versions 2 and 3 are supported")
    found: dict[str, Any] = {}
    for _ in range(reader.counted(count)):
        key = reader.text()
        # The tokenizer's tables hold 100,000 strings and more, and every converter writes them after the facts.
        if key.startswith("tokenizer."):
            break
        found[key] = reader.value(reader.unpack("<I")[0])
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


class _Reader:
    """The values of one header, in bounded space; OverflowError beyond the bounds, struct.error at the file's end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._bytes = _MOST_BYTES
        self._values = _MOST_VALUES

    def unpack(self, layout: str) -> tuple[Any, ...]:
        """Values of a fixed size."""
        return struct.unpack(layout, self._read(struct.calcsize(layout)))

    def text(self) -> str:
        """A string."""
        return self._read(self.unpack("<Q")[0]).decode("utf-8")

    def value(self, kind: int, depth: int = 0) -> Any:
        """A value of this type; None for an array, of which nothing is needed."""
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.unpack("<" + _NUMBERS[kind])[0]
        if depth >= _DEEPEST:
            raise OverflowError(depth)
        item, count = self.unpack("<IQ")
        if item in _NUMBERS:
            self._read(count * struct.calcsize(_NUMBERS[item]))
        else:
            for _ in range(self.counted(count)):
                self.value(item, depth + 1)
        return None

    def counted(self, count: int) -> int:
        """A number of values that are to be read one by one."""
        self._values -= count
        if self._values < 0:
            raise OverflowError(count)
        return count

    def _read(self, size: int) -> bytes:
        self._bytes -= size
        if self._bytes < 0:
            raise OverflowError(size)
        data = self._file.read(size)
        if len(data) < size:
            raise struct.error("the file ends")
        return data
