"""Between image files and pixels in memory: PIL images and numpy arrays. Pillow and numpy are imported on use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import FetchTooLarge, ImageError, InputTypeError, MissingPackage

if TYPE_CHECKING:
    import PIL.Image

_PNG_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


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
    from heavenbase.image.png import make_png

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
