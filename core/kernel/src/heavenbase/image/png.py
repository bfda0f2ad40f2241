"""PNG files made with the standard library alone: raw pixels as they are, or a small picture drawn from a seed."""

from __future__ import annotations

import struct
import zlib

from heavenbase.errors import InputError

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_CELLS = 8


def make_png(width: int, height: int, pixels: bytes | tuple[int, ...], *, level: int = 6) -> bytes:
    """An 8-bit PNG, the same bytes for the same input.

    `pixels` is one colour as a tuple (grey; grey, alpha; red, green, blue; red, green, blue, alpha; each 0 to 255), or
    the rows from the top as bytes, width * height * channels long. `level` is zlib's; 0 stores, so the file does not
    depend on the version of zlib. Raises InputError when sizes do not fit.
    """
    if width < 1 or height < 1:
        raise InputError(f"a PNG needs at least one pixel, not {width} x {height}")
    if isinstance(pixels, tuple):
        if any(not 0 <= value <= 255 for value in pixels):
            raise InputError("colour values go from 0 to 255")
        pixels = bytes(pixels) * (width * height)
    channels, rest = divmod(len(pixels), width * height)
    if rest or channels not in _COLOUR_TYPES:
        raise InputError(f"{len(pixels)} bytes are no {width} x {height} picture with 1 to 4 channels")
    row = width * channels
    lines = b"".join(b"\0" + pixels[start : start + row] for start in range(0, len(pixels), row))
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines, level)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, body) for kind, body in chunks)


def make_picture(seed: str, size: int = 32) -> bytes:
    """A real little PNG of size x size pixels whose colours and pattern follow from the seed text."""
    from hashlib import sha256

    noise = sha256(seed.encode("utf-8", "surrogatepass")).digest()
    colours = (noise[0:3], noise[3:6])
    # Only the left half is drawn from the seed; its mirror image makes different seeds easy to tell apart by eye.
    half = [[noise[6 + row] >> column & 1 for column in range(_CELLS // 2)] for row in range(_CELLS)]
    cells = [row + row[::-1] for row in half]
    scale = [at * _CELLS // size for at in range(size)] if size > 0 else []
    return make_png(size, size, b"".join(colours[cells[y][x]] for y in scale for x in scale), level=0)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
