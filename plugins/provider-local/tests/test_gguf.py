"""The header of model files."""

from __future__ import annotations

import struct
import tracemalloc
from pathlib import Path

import pytest

from hb_provider_local.gguf import read_header
from heavenbase.errors import InputError


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def header(*pairs: tuple[str, int, bytes], version: int = 3) -> bytes:
    body = b"".join(text(key) + struct.pack("<I", kind) + value for key, kind, value in pairs)
    return struct.pack("<4sIQQ", b"GGUF", version, 0, len(pairs)) + body


def test_the_facts_of_the_real_model_are_read(model_path: Path) -> None:
    found = read_header(model_path)
    assert (found.architecture, found.context, found.dim, found.pooling) == ("llama", 8192, 576, None)


def test_a_pooling_kind_and_lists_before_it_are_read(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(
        header(
            ("general.architecture", 8, text("bert")),
            ("general.languages", 9, struct.pack("<IQ", 8, 2) + text("en") + text("fr")),
            ("bert.pooling_type", 4, struct.pack("<I", 2)),
        )
    )
    assert (read_header(path).architecture, read_header(path).pooling) == ("bert", 2)


def test_the_tables_of_the_tokenizer_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(header(("general.architecture", 8, text("x")), ("tokenizer.ggml.tokens", 99, b"")))
    assert read_header(path).architecture == "x"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PK\x03\x04 a zip", "no GGUF model"),
        (b"", "no GGUF model"),
        (b"GGUF\x03\x00", "damaged"),
        (header(version=1), "version 1"),
        (header(("a", 8, struct.pack("<Q", 1 << 40))), "damaged"),
        (header(("a", 77, b"")), "damaged"),
    ],
)
def test_what_is_no_model_is_a_clear_error(tmp_path: Path, data: bytes, word: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(InputError, match=word):
        read_header(path)


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_header(tmp_path / "none.gguf")


def nested(depth: int, count: int = 1) -> bytes:
    """An array of arrays."""
    return struct.pack("<IQ", 9, count) * depth + struct.pack("<IQ", 4, 0)


def test_h8_an_array_within_arrays_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(header(("a", 9, nested(3)), ("general.architecture", 8, text("bert"))))
    assert read_header(path).architecture == "bert"


@pytest.mark.parametrize(
    "data",
    [
        header(("a", 9, nested(100_000))),
        header(("a", 9, struct.pack("<IQ", 9, 1 << 20) + struct.pack("<IQ", 4, 0) * (1 << 20))),
        header(("a", 9, struct.pack("<IQ", 9, 60_000) + (struct.pack("<IQ", 0, 1000) + bytes(1000)) * 60_000)),
        header(("a", 9, struct.pack("<IQ", 0, 100 << 20) + bytes(100 << 20))),
        header(("a", 9, struct.pack("<IQ", 12, 1 << 60))),
        header(("a", 9, struct.pack("<IQ", 8, 1 << 63))),
        struct.pack("<4sIQQ", b"GGUF", 3, 0, 1 << 40) + (text("k") + struct.pack("<IB", 0, 1)) * 1_000_000,
    ],
    ids=["deep", "wide", "wide and long", "long", "longer than files", "endless", "many"],
)
def test_h8_a_header_that_would_not_end_is_damaged(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    del data
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match="damaged"):
            read_header(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 << 20
