"""What image bytes really are, read from their headers: format, width, height, completeness. Nothing is decoded.

Only PNG, JPEG, GIF and WebP pass; every loop is bounded, so hostile bytes cost milliseconds and no memory.
"""

from __future__ import annotations

import zlib
from struct import unpack_from
from typing import NamedTuple

from heavenbase.errors import FetchTooLarge, ImageError

MAX_PIXELS = 100_000_000
"""Default limit of width times height."""

MAX_TEXT_BYTES = 4 * 1024 * 1024
"""What the compressed text and colour profile chunks of one PNG may unpack to, together."""

_MAX_CHUNKS = 50_000
_MAX_SEGMENTS = 10_000
_SLICE = 4096
_PNG = b"\x89PNG\r\n\x1a\n"
# What other files begin with, in lower case.
_OTHERS: dict[str, bytes | tuple[bytes, ...]] = {
    "BMP": b"bm",
    "TIFF": (b"ii*\0", b"mm\0*"),
    "FITS": b"simple  =",
    "PDF": b"%pdf",
    "Photoshop": b"8bps",
    "ICO": b"\0\0\1\0",
    "JPEG XL": (b"\xff\x0a", b"\0\0\0\x0cjxl "),
    "JPEG 2000": b"\0\0\0\x0cjp  ",
    "SVG": b"<svg",
    "XML": b"<?xml",
    "an HTML page": (b"<html", b"<!doctype html"),
    "JSON": b"{",
}


class Probe(NamedTuple):
    """Format (png, jpeg, gif, webp) and size in pixels."""

    format: str
    width: int
    height: int


def sniff(data: bytes) -> str | None:
    """The format that the first bytes announce: png, jpeg, gif, webp, or None."""
    if data.startswith(_PNG):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def probe(data: bytes, max_pixels: int = MAX_PIXELS) -> Probe:
    """Format and size of complete image bytes.

    Raises ImageError for other formats and for broken or cut-off files, FetchTooLarge above `max_pixels` and for PNG
    text that unpacks without measure.
    """
    if not data:
        raise ImageError("the image is empty (0 bytes)")
    found = sniff(data)
    if found is None:
        raise ImageError(f"the bytes are {_guess(data)}, not PNG, JPEG, GIF or WebP; convert the image first")
    width, height = _READERS[found](data)
    if width == 0 or height == 0:
        raise ImageError(f"the {found} header gives a size of {width} x {height} pixels")
    if width * height > max_pixels:
        raise FetchTooLarge(
            f"the {found} header gives {width} x {height} pixels, above the limit of {max_pixels:,}; "
            "scale the image down"
        )
    if found == "png":
        _check_png(data)
    return Probe(found, width, height)


def _guess(data: bytes) -> str:
    if data[4:8] == b"ftyp":
        return "HEIC" if data[8:11] in (b"hei", b"mif") else "AVIF" if data[8:11] == b"avi" else "a video"
    start = data[:64].lstrip().lower()
    return next((name for name, begins in _OTHERS.items() if start.startswith(begins)), "of an unknown format")


def _cut(what: str) -> ImageError:
    return ImageError(f"the {what} data is cut off; read or download the whole file")


def _broken(what: str, why: str) -> ImageError:
    return ImageError(f"the {what} data is malformed: {why}")


def _png_size(data: bytes) -> tuple[int, int]:
    if len(data) < 33:
        raise _cut("png")
    if data[8:16] != b"\0\0\0\x0dIHDR":
        raise _broken("png", "it does not begin with its header chunk")
    width, height = unpack_from(">II", data, 16)
    if max(width, height) > 0x7FFFFFFF:
        raise _broken("png", "its size is out of range")
    return width, height


def _check_png(data: bytes) -> None:
    """Walk the chunks: each within the file, pixels and end present, compressed text within measure."""
    position, allowance, pixels = 33, MAX_TEXT_BYTES, False
    for _ in range(_MAX_CHUNKS):
        if position + 12 > len(data):
            raise _cut("png")
        length, kind = int.from_bytes(data[position : position + 4], "big"), data[position + 4 : position + 8]
        start, position = position + 8, position + 12 + length
        if length > 0x7FFFFFFF or not kind.isalpha():
            raise _broken("png", "a chunk has an impossible length or name")
        if position > len(data):
            raise _cut("png")
        if kind == b"IEND":
            if not pixels:
                raise _broken("png", "it holds no pixels")
            return
        pixels = pixels or kind == b"IDAT"
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            allowance -= _unpacked_size(data, kind, start, start + length, allowance)
            if allowance < 0:
                raise FetchTooLarge(f"the text in the png data unpacks to more than {MAX_TEXT_BYTES:,} bytes")
    raise _broken("png", f"it has more than {_MAX_CHUNKS:,} chunks")


def _unpacked_size(data: bytes, kind: bytes, start: int, end: int, allowance: int) -> int:
    """The size that a text or profile chunk unpacks to, counted in slices up to just above `allowance`."""
    start = data.find(b"\0", start, end) + 1  # the keyword's end; a method byte follows
    if start == 0:
        return 0
    if kind == b"iTXt":
        if data[start] != 1:  # not compressed
            return 0
        language = data.find(b"\0", start + 2, end) + 1
        start = data.find(b"\0", language, end) if language else -1
        if start < 0:
            return 0
    start += 1
    inflate, size = zlib.decompressobj(), 0
    for position in range(start, end, _SLICE):
        piece = data[position : min(position + _SLICE, end)]
        while piece:
            try:
                size += len(inflate.decompress(piece, 16 * _SLICE))
            except zlib.error:
                return size  # readers skip such a chunk, and so may we
            if size > allowance or inflate.eof:
                return size
            piece = inflate.unconsumed_tail
    return size


def _jpeg_size(data: bytes) -> tuple[int, int]:
    position, size = 2, None
    for _ in range(_MAX_SEGMENTS):
        if position + 4 > len(data):
            raise _cut("jpeg")
        if data[position] != 0xFF:
            raise _broken("jpeg", "a segment does not begin with a marker")
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:  # markers without a segment
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4], "big")
        if length < 2 or marker in (0xD8, 0xD9):
            raise _broken("jpeg", "its segments are out of order")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            if position + 9 > len(data):
                raise _cut("jpeg")
            height, width = unpack_from(">HH", data, position + 5)
            size = width, height
        position += 2 + length
        if marker == 0xDA:
            if size is None:
                raise _broken("jpeg", "it has no frame header")
            if data.rfind(b"\xff\xd9", position) < 0:
                raise _cut("jpeg")
            return size
    raise _broken("jpeg", f"it has more than {_MAX_SEGMENTS:,} segments")


def _gif_size(data: bytes) -> tuple[int, int]:
    # Some writers pad with zeros after the trailer; decoders ignore them.
    if len(data) < 14 or not data[-1024:].rstrip(b"\0").endswith(b";"):
        raise _cut("gif")
    width, height = unpack_from("<HH", data, 6)
    return width, height


def _webp_size(data: bytes) -> tuple[int, int]:
    if len(data) < 30 or int.from_bytes(data[4:8], "little") + 8 > len(data):
        raise _cut("webp")
    kind = data[12:16]
    if kind == b"VP8X":
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = int.from_bytes(data[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
    raise _broken("webp", "its first chunk is no picture")


_READERS = {"png": _png_size, "jpeg": _jpeg_size, "gif": _gif_size, "webp": _webp_size}
