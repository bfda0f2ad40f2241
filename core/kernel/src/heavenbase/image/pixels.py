"""Between image files and pixels in memory: PIL images, numpy arrays, raw pixels, a picture drawn from a seed.

Pillow and numpy are imported on use; a PNG of raw pixels needs neither.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

from heavenbase.errors import FetchTooLarge, ImageError, InputError, InputTypeError, MissingPackage

if TYPE_CHECKING:
    import PIL.Image

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_CELLS = 8


def encode_pil(image: Any) -> bytes:
    """A PNG of a PIL image; modes that PNG lacks become RGB, 32-bit grey becomes 16-bit grey."""
    from io import BytesIO

    if not hasattr(image, "mode"):
        raise InputTypeError(f"from_pil takes a PIL image, not {type(image).__name__}")
    buffer = BytesIO()
    try:
        if image.mode not in _PNG_MODES:
            image = image.convert("I;16" if image.mode == "I" else "RGB")
        image.save(buffer, format="PNG")
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageError(f"Pillow cannot write this {image.mode} image as PNG; convert it to RGB first") from error
    return buffer.getvalue()


def encode_array(array: Any) -> bytes:
    """A PNG of a uint8 array of shape (height, width) or (height, width, 1 to 4 channels)."""
    kind, shape = str(getattr(array, "dtype", type(array).__name__)), tuple(getattr(array, "shape", ()))
    if kind != "uint8" or len(shape) not in (2, 3) or 0 in shape or (len(shape) == 3 and shape[2] > 4):
        raise InputTypeError(
            f"an image array has dtype uint8 and shape (height, width) or (height, width, 1 to 4), not {kind} {shape}; "
            "scale values to 0..255 and use .astype('uint8')"
        )
    return make_png(int(shape[1]), int(shape[0]), array.tobytes())


def decode_pil(data: bytes, format: str, max_pixels: int) -> PIL.Image.Image:
    """The decoded first frame of image bytes whose header was checked.

    Raises MissingPackage without Pillow, FetchTooLarge above `max_pixels` or Pillow's own limit, ImageError for data
    that does not decode.
    """
    from io import BytesIO

    try:
        from PIL import Image
    except ImportError:
        raise MissingPackage('to_pil needs Pillow: pip install "hb-kernel[images]"') from None
    try:
        picture = Image.open(BytesIO(data), formats=[format.upper()])
        # Pillow only warns between its limit and twice its limit; here that is an error, whatever the warning filters.
        limit = min(max_pixels, Image.MAX_IMAGE_PIXELS or max_pixels)
        if picture.width * picture.height > limit:
            raise FetchTooLarge(f"{picture.width} x {picture.height} pixels are above the limit of {limit:,}")
        picture.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FetchTooLarge("Pillow refuses to decode so many pixels") from error
    except ImageError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ImageError(f"the {format} data cannot be decoded") from error
    return picture


def decode_array(picture: PIL.Image.Image) -> Any:
    """The pixels of a PIL image as a numpy array (height, width[, channels]); palettes and CMYK become RGB or RGBA."""
    from importlib import import_module

    try:
        numpy = import_module("numpy")
    except ImportError:
        raise MissingPackage("to_array needs numpy: pip install numpy") from None
    mode = picture.mode
    if mode in ("P", "PA"):
        picture = picture.convert("RGBA" if mode == "PA" or "transparency" in picture.info else "RGB")
    elif mode in ("1", "CMYK", "YCbCr"):
        picture = picture.convert("L" if mode == "1" else "RGB")
    return numpy.asarray(picture)


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
