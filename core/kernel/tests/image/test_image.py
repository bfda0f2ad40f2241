"""LLMImage: every source and every conversion, true formats, hostile files, URLs that are fetched once."""

from __future__ import annotations

import array
import asyncio
import base64
import copy
import hashlib
import io
import pickle
import struct
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heavenbase.errors import (
    FetchBlocked,
    FetchTooLarge,
    ImageError,
    ImageFileNotFound,
    InputError,
    InputTypeError,
    MissingPackage,
)
from heavenbase.fetch.fetcher import Fetched, Fetcher
from heavenbase.image.image import MAX_PIXELS, LLMImage
from heavenbase.image.pixels import make_picture, make_png
from heavenbase.image.probe import MAX_TEXT_BYTES, probe

if TYPE_CHECKING:
    from collections.abc import Iterator


def encoded(format: str, size: tuple[int, int] = (5, 7), mode: str = "RGB", **options: Any) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.effect_noise(size, 40).convert(mode).save(buffer, format=format, **options)
    return buffer.getvalue()


PNG = make_png(5, 7, (10, 20, 30))
FILES = {"png": PNG, "jpeg": encoded("JPEG"), "gif": encoded("GIF", mode="P"), "webp": encoded("WEBP")}
B64 = {name: base64.b64encode(data).decode() for name, data in FILES.items()}
every_format = pytest.mark.parametrize("format", list(FILES))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(*chunks: bytes, width: int = 5, height: int = 7) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks)


PIXELS, END = chunk(b"IDAT", zlib.compress(bytes(7 * 16))), chunk(b"IEND", b"")


class FakeFetcher:
    """Answers every URL with the same bytes and counts."""

    def __init__(self, data: bytes = PNG) -> None:
        self.urls: list[str] = []
        self.data = data

    def fetch(self, url: str) -> Fetched:
        self.urls.append(url)
        return Fetched(self.data, "text/plain", url)

    async def afetch(self, url: str) -> Fetched:
        self.urls.append(url)
        await asyncio.sleep(0)
        return Fetched(self.data, "text/plain", url)


def remote(fake: FakeFetcher, url: str = "https://example.com/a.png", **options: Any) -> LLMImage:
    return LLMImage.from_url(url, fetcher=cast("Fetcher", fake), **options)


# Formats are read from the bytes


@every_format
def test_format_media_type_and_size_come_from_the_bytes(format: str) -> None:
    image = LLMImage.from_bytes(FILES[format])
    assert (image.format, image.media_type) == (format, f"image/{format}")
    assert (image.width, image.height) == (5, 7)
    assert image.to_bytes() == FILES[format]
    assert image.has_bytes


@pytest.mark.parametrize("declared", ["png", "jpg", "image/gif", "tiff", "", None])
@every_format
def test_a_declared_format_that_the_bytes_contradict_is_corrected(format: str, declared: str | None) -> None:
    assert LLMImage.from_bytes(FILES[format], format=declared).format == format
    assert LLMImage.from_b64(B64[format], format=declared).media_type == f"image/{format}"
    assert LLMImage.from_b64(f"data:{declared};base64,{B64[format]}").format == format


@pytest.mark.parametrize(
    ("options", "format"),
    [
        ({"lossless": True}, "webp"),
        ({"lossless": True, "mode": "RGBA"}, "webp"),
        ({"mode": "RGBA", "exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}, "webp"),
        ({"progressive": True}, "jpeg"),
        ({"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0" + bytes(60_000)}, "jpeg"),
        ({"mode": "CMYK"}, "jpeg"),
        ({"mode": "L"}, "png"),
    ],
)
def test_sizes_are_read_from_every_flavour_of_a_format(options: dict[str, Any], format: str) -> None:
    image = LLMImage.from_bytes(encoded(format.upper(), (301, 45), **options))
    assert (image.format, image.width, image.height) == (format, 301, 45)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (encoded("BMP"), "BMP"),
        (encoded("TIFF"), "TIFF"),
        (b"SIMPLE  =                    T" + bytes(3000), "FITS"),
        (b"%PDF-1.7", "PDF"),
        (b"  <SVG xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"<!DOCTYPE html><html>", "HTML"),
        (b'{"error": "expired"}', "JSON"),
        (b"\0\0\0\x1cftypavif", "AVIF"),
        (b"\0\0\0\x1cftypheic", "HEIC"),
        (b"RIFF\0\0\0\0WAVE", "unknown"),
        (b"plain text", "unknown"),
        (b"\x00", "unknown"),
    ],
)
def test_other_formats_are_refused_by_name(data: bytes, name: str) -> None:
    with pytest.raises(ImageError, match=name):
        LLMImage.from_bytes(data)
    with pytest.raises(ImageError, match=name):
        LLMImage.from_b64("data:image/png;base64," + base64.b64encode(data).decode())


def test_empty_data_is_a_value_error() -> None:
    for make, nothing in ((LLMImage.from_bytes, b""), (LLMImage.from_b64, ""), (LLMImage.from_any, " ")):
        with pytest.raises(ImageError, match="empty") as caught:
            cast("Any", make)(nothing)
        assert isinstance(caught.value, ValueError)


# Hostile and broken files


@every_format
def test_a_truncated_file_is_an_image_error(format: str) -> None:
    data = FILES[format]
    for length in (*range(1, 40), len(data) // 2, len(data) - 2, len(data) - 1):
        with pytest.raises(ImageError):
            LLMImage.from_bytes(data[:length])


def test_a_jpeg_cut_after_its_thumbnail_is_an_image_error() -> None:
    thumbnail = encoded("JPEG", (2, 2))
    data = encoded("JPEG", (50, 50), exif=b"Exif\0\0" + thumbnail)
    assert LLMImage.from_bytes(data).width == 50
    with pytest.raises(ImageError, match="cut off"):
        LLMImage.from_bytes(data[:-2])


@every_format
def test_bytes_after_the_end_are_accepted(format: str) -> None:
    assert LLMImage.from_bytes(FILES[format] + bytes(10)).format == format


@pytest.mark.parametrize(
    "data",
    [
        png_of(END),
        png_of(PIXELS, END, width=0),
        png_of(PIXELS, END, width=1 << 31),
        png_of(PIXELS, struct.pack(">I", 1 << 31) + b"tEXt", END),
        png_of(PIXELS, struct.pack(">I", 500) + b"tEXt" + bytes(20), END),
        png_of(PIXELS, chunk(b"\0\1\2\3", b""), END),
        png_of(*[chunk(b"tEXt", b"")] * 60_000, PIXELS, END),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", bytes(40)) + END,
        b"\xff\xd8" + b"\xff" * 20_000,
        b"\xff\xd8\xff\xe0\0\0" + bytes(40),
        b"\xff\xd8\xff\xe0\0\2nomarker" + bytes(40),
        b"\xff\xd8\xff\xda\0\2\xff\xd9" + bytes(40),
        b"\xff\xd8\xff\xd9\xff\xd9" + bytes(40),
        b"RIFF\x20\0\0\0WEBPVP8 " + bytes(60),
        b"RIFF\xff\xff\0\0WEBPVP8X" + bytes(60),
        b"GIF89a\0\0\0\0\0\0\0;",
    ],
)
def test_malformed_files_are_image_errors(data: bytes) -> None:
    with pytest.raises(ImageError):
        LLMImage.from_bytes(data)


def test_a_picture_of_50000_by_50000_pixels_is_refused_by_its_header_in_no_memory() -> None:
    data = png_of(chunk(b"IDAT", bytes(100_000)), END, width=50_000, height=50_000)
    tracemalloc.start()
    try:
        with pytest.raises(FetchTooLarge, match="50000 x 50000"):
            LLMImage.from_bytes(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("format", ["JPEG", "GIF", "WEBP"])
def test_the_pixel_limit_holds_for_every_format(format: str) -> None:
    data = encoded(format, (101, 100), mode="P" if format == "GIF" else "RGB")
    assert LLMImage.from_bytes(data, max_pixels=10_100).width == 101
    with pytest.raises(FetchTooLarge, match="10,099"):
        LLMImage.from_bytes(data, max_pixels=10_099)


BOMB = zlib.compress(bytes(4 * MAX_TEXT_BYTES), 9)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param([chunk(b"zTXt", b"Comment\0\0" + BOMB)], id="zTXt"),
        pytest.param([chunk(b"iTXt", b"Comment\0\1\0en\0word\0" + BOMB)], id="iTXt"),
        pytest.param([chunk(b"iCCP", b"profile\0\0" + BOMB)], id="iCCP"),
        pytest.param([chunk(b"zTXt", b"A\0\0" + zlib.compress(bytes(MAX_TEXT_BYTES // 8)))] * 9, id="many small"),
    ],
)
def test_compressed_text_that_unpacks_without_measure_is_refused_in_little_memory(bomb: list[bytes]) -> None:
    data = png_of(*bomb, PIXELS, END)
    tracemalloc.start()
    try:
        with pytest.raises(FetchTooLarge, match="unpacks"):
            LLMImage.from_bytes(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize(
    "text",
    [
        chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"hello")),
        chunk(b"zTXt", b"no end of the keyword"),
        chunk(b"zTXt", b"Comment\0\0not compressed"),
        chunk(b"iTXt", b"Comment\0\0\0en\0word\0plain"),
        chunk(b"iTXt", b"Comment\0\1\0en"),
        chunk(b"iTXt", b"Comment\0"),
        chunk(b"iCCP", b""),
    ],
)
def test_harmless_text_chunks_pass(text: bytes) -> None:
    assert LLMImage.from_bytes(png_of(text, PIXELS, END)).format == "png"


def test_hostile_megabytes_cost_little_time() -> None:
    hostile = [
        b"\xff\xd8" + b"\xff\xe0\0\2" * 3_000_000,
        png_of(*[chunk(b"tEXt", b"")] * 500_000, PIXELS, END),
        b"\xff\xd8" + b"\xff" * 10_000_000,
        b"GIF89a" + b"\5\0\5\0" + bytes(10_000_000),
    ]
    start = time.process_time()
    for data in hostile:
        with pytest.raises(ImageError):
            probe(data)
    assert time.process_time() - start < 1


@settings(max_examples=200)
@given(st.sampled_from(list(FILES.values())), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8))
def test_any_damage_is_either_harmless_or_an_image_error(data: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(data)
    for position, value in changes:
        damaged[position % len(damaged)] = value
    try:
        image = LLMImage.from_bytes(damaged)
    except ImageError:
        return
    assert 0 < (image.width or 0) * (image.height or 0) <= MAX_PIXELS


# Sources

DATA_URL = f"data:image/png;base64,{B64['png']}"
TEXTS = {
    "data url": DATA_URL,
    "data url in capitals": "DATA:image/PNG;charset=x;BASE64," + B64["png"],
    "data url, percent-encoded base64": "data:image/png;base64," + B64["png"].replace("/", "%2F").replace("=", "%3D"),
    "data url without base64": "data:image/png," + "".join(f"%{byte:02x}" for byte in PNG),
    "base64": B64["png"],
    "base64 in lines": base64.encodebytes(PNG).decode(),
}
BUFFERS = {
    "bytes": PNG,
    "bytearray": bytearray(PNG),
    "memoryview": memoryview(PNG),
    "array": array.array("B", PNG),
}
ITEMS: dict[str, dict[str, Any]] = {
    "image_url part": {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "high"}},
    "image_url text": {"type": "image_url", "image_url": DATA_URL},
    "input_image": {"type": "input_image", "image_url": DATA_URL, "detail": "high"},
    "b64_json": {"b64_json": B64["png"], "url": None, "revised_prompt": "a cat"},
    "b64_json data url": {"b64_json": DATA_URL},
    "url": {"url": DATA_URL},
    "data": {"data": B64["png"], "media_type": "image/jpeg"},
    "data bytes": {"data": bytearray(PNG), "mime_type": "image/png"},
    "image": {"image": B64["png"]},
    "image data url": {"image": DATA_URL},
    "image bytes": {"image": PNG},
    "image object": {"type": "image", "image": LLMImage.from_bytes(PNG)},
    "image file": {"image": io.BytesIO(PNG)},
    "anthropic": {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": B64["png"]}},
    "anthropic source": {"type": "base64", "media_type": "image/png", "data": B64["png"]},
    "bedrock": {"image": {"format": "png", "source": {"bytes": PNG}}},
    "gemini": {"inlineData": {"mimeType": "image/png", "data": B64["png"]}},
    "image_bytes": {"type": "image_bytes", "image_bytes": {"data": B64["png"], "mime_type": "image/png"}},
    "responses result": {"type": "image_generation_call", "result": B64["png"]},
}


@pytest.mark.parametrize("name", [name for name in (TEXTS | BUFFERS | ITEMS) if name != "image file"])
def test_from_any_takes(name: str) -> None:
    image = LLMImage.from_any((TEXTS | BUFFERS | ITEMS)[name])
    assert image.to_bytes() == PNG
    assert (image.format, image.url) == ("png", None)


def test_from_any_takes_files_paths_and_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "picture.of.something"
    path.write_bytes(FILES["jpeg"])
    monkeypatch.setenv("HOME", str(tmp_path))
    with path.open("rb") as file:
        found = [LLMImage.from_any(source) for source in (path, str(path), f" {path} ", f"~/{path.name}", file)]
    assert [image.to_bytes() for image in found] == [FILES["jpeg"]] * 5
    assert LLMImage.from_any(found[0]) is found[0]
    assert LLMImage.from_any(found[0], detail="low").detail == "low"
    assert LLMImage.from_any(ITEMS["image file"]).to_bytes() == PNG


def test_from_any_takes_pil_images_and_arrays() -> None:
    picture = PIL.Image.open(io.BytesIO(FILES["png"]))
    assert LLMImage.from_any(picture).to_pil().tobytes() == picture.tobytes()
    pixels = numpy.arange(2 * 3 * 3, dtype="uint8").reshape(2, 3, 3)
    assert (LLMImage.from_any(pixels).to_array() == pixels).all()


@pytest.mark.parametrize("value", [None, 5, object(), ["a.png"], {1, 2}, (PNG,)])
def test_from_any_refuses_other_types(value: object) -> None:
    with pytest.raises(InputTypeError, match="cannot make an image") as caught:
        LLMImage.from_any(value)
    assert isinstance(caught.value, TypeError)


def test_text_that_is_no_file_and_no_image_is_a_missing_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in ("abcd", "missing.png", str(tmp_path / "nothing"), base64.b64encode(b"no image").decode()):
        with pytest.raises(ImageFileNotFound) as caught:
            LLMImage.from_any(text)
        assert isinstance(caught.value, FileNotFoundError)
    (tmp_path / "abcd").write_bytes(PNG)
    assert LLMImage.from_any("abcd").to_bytes() == PNG


def test_an_existing_file_wins_over_base64(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "iVBORw0KGgo="  # base64 of the PNG signature
    (tmp_path / name).write_bytes(FILES["gif"])
    assert LLMImage.from_any(name).format == "gif"


@pytest.mark.parametrize("text", ["x" * 300, "A" * 5000, "a\nb" * 200, "\0" * 300])
def test_long_text_that_is_no_image_is_an_image_error_without_the_text(text: str) -> None:
    with pytest.raises(ImageError) as caught:
        LLMImage.from_any(text)
    assert not isinstance(caught.value, ImageFileNotFound)
    assert text not in str(caught.value)


def test_paths_that_are_no_image_files_are_image_errors(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="not a regular file"):
        LLMImage.from_path(tmp_path)
    if sys.platform == "linux":
        with pytest.raises(ImageError, match="not a regular file"):
            LLMImage.from_any("/dev/zero")
    text = tmp_path / "notes.txt"
    text.write_text("hello, this is no image")
    with pytest.raises(ImageError, match="unknown format"):
        LLMImage.from_path(str(text))
    with pytest.raises(ImageFileNotFound):
        LLMImage.from_file(tmp_path / "missing.png")
    with text.open() as file, pytest.raises(InputTypeError, match="rb"):
        LLMImage.from_file(file)


@pytest.mark.parametrize("text", ["not base64!", "iVBORw0KGgo", "iVBORw0KGgo=extra", "data:image/png;base64", "ü" * 8])
def test_bad_base64_is_an_image_error(text: str) -> None:
    with pytest.raises(ImageError, match=r"base64|comma"):
        LLMImage.from_b64(text)


def test_factories_refuse_wrong_types() -> None:
    wrong: Any = 5
    for make in (LLMImage.from_bytes, LLMImage.from_b64, LLMImage.from_url, LLMImage.from_path, LLMImage.from_array):
        with pytest.raises(InputTypeError):
            make(wrong)
    with pytest.raises(InputTypeError):
        LLMImage.from_pil(wrong)
    with pytest.raises(InputTypeError, match="detail"):
        LLMImage.from_bytes(PNG, detail=wrong)
    with pytest.raises(ImageError, match="data or a url"):
        LLMImage()


def test_the_constructor_takes_the_fields_of_a_provider_result() -> None:
    image = LLMImage(data=B64["jpeg"], format="png", media_type="image/png", revised_prompt="a cat")
    assert (image.format, image.media_type, image.revised_prompt) == ("jpeg", "image/jpeg", "a cat")
    assert image.data == B64["jpeg"]


# Provider items


@pytest.mark.parametrize("name", list(ITEMS))
def test_provider_items_keep_their_notes(name: str) -> None:
    item = ITEMS[name] | ({"image": io.BytesIO(PNG)} if name == "image file" else {})
    image = LLMImage.from_provider_item(item)
    assert image.to_bytes() == PNG
    assert image.detail == ("high" if "detail" in str(item) else None)
    assert image.revised_prompt == item.get("revised_prompt")


def test_provider_items_may_be_sdk_objects() -> None:
    result = SimpleNamespace(b64_json=B64["png"], url=None, revised_prompt="a cat")
    assert LLMImage.from_provider_item(result).revised_prompt == "a cat"
    part = SimpleNamespace(type="image_url", image_url=SimpleNamespace(url="https://example.com/a.png", detail="low"))
    image = LLMImage.from_provider_item(part)
    assert (image.url, image.detail) == ("https://example.com/a.png", "low")


def test_provider_items_may_be_urls_that_stay_urls() -> None:
    url = "https://example.com/a.webp?x=1"
    for item in (
        url,
        {"url": url},
        {"image_url": url},
        {"image_url": {"url": url}},
        {"image": url},
        {"source": {"url": url}},
    ):
        image = LLMImage.from_provider_item(item)
        assert (image.url, image.has_bytes, image.format) == (url, False, "webp")


def test_ready_images_inside_items_are_taken_as_they_are() -> None:
    fake = FakeFetcher()
    image = remote(fake)
    assert LLMImage.from_any({"type": "image", "image": image}) is image
    noted = LLMImage.from_any({"type": "image", "image": image, "detail": "low"})
    assert (noted.detail, noted.to_bytes(), len(fake.urls)) == ("low", PNG, 1)
    assert LLMImage.from_any({"image": numpy.zeros((7, 5, 3), "uint8")}).width == 5
    assert LLMImage.from_any({"image": PIL.Image.new("RGB", (5, 7))}).height == 7


def test_data_beside_a_url_is_kept_with_it() -> None:
    image = LLMImage.from_provider_item({"b64_json": B64["gif"], "url": "https://example.com/a.png"})
    assert (image.url, image.format, image.data) == ("https://example.com/a.png", "gif", B64["gif"])
    assert image.digest() == hashlib.sha256(FILES["gif"]).hexdigest()


def test_provider_items_read_no_files(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.write_bytes(PNG)
    for item in (str(path), {"url": str(path)}, {"image": str(path)}, {"image_url": {"url": f"file://{path}"}}):
        with pytest.raises(ImageError):
            LLMImage.from_provider_item(item)


@pytest.mark.parametrize("item", [{}, {"type": "image"}, {"text": "hi"}, {"image_url": {}}, {"image_url": {"url": ""}}])
def test_items_without_an_image_are_image_errors(item: dict[str, Any]) -> None:
    with pytest.raises(ImageError, match="no image in this item"):
        LLMImage.from_any(item)


def test_items_with_a_file_id_or_wrong_types_are_refused_clearly() -> None:
    with pytest.raises(ImageError, match="only its provider can read"):
        LLMImage.from_any({"type": "input_image", "file_id": "file-1"})
    for item in ({"url": 5}, {"data": 5}, {"image": 5}):
        with pytest.raises(InputTypeError):
            LLMImage.from_any(item)


def test_endlessly_nested_items_are_refused() -> None:
    item: dict[str, Any] = {}
    item["image"] = item
    with pytest.raises(ImageError, match="nested"):
        LLMImage.from_any(item)


# Conversions


@every_format
def test_converters_give_the_same_bytes(format: str, tmp_path: Path) -> None:
    image = LLMImage.from_bytes(FILES[format])
    assert image.to_b64() == image.data == B64[format]
    assert image.to_data_url() == f"data:image/{format};base64,{B64[format]}"
    assert image.to_dict() == {"type": "image_url", "image_url": {"url": image.to_data_url()}}
    assert LLMImage.from_any(image.to_dict()) == image
    saved = image.save(tmp_path / "new" / "folder" / "picture.png")
    assert isinstance(saved, Path)
    assert saved.read_bytes() == FILES[format]
    picture = image.to_pil()
    assert (picture.format, picture.size) == (format.upper(), (5, 7))
    assert image.to_array().shape[:2] == (7, 5)
    assert asyncio.run(image.ato_bytes()) == FILES[format]
    assert asyncio.run(image.ato_data_url()) == image.to_data_url()


def test_the_part_keeps_url_and_detail() -> None:
    image = LLMImage.from_url("https://example.com/a.png", detail="low")
    assert image.to_dict() == {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "low"}}


def test_saving_where_nothing_can_be_written_is_an_image_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path, tmp_path / "file" / "a.png"):
        with pytest.raises(ImageError, match="cannot write"):
            LLMImage.from_bytes(PNG).save(path)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "F", "I", "I;16"])
def test_pil_images_of_every_mode_become_png(mode: str) -> None:
    picture = PIL.Image.effect_noise((6, 4), 30).convert("L")
    picture = picture.convert("I").convert(mode) if mode == "I;16" else picture.convert("RGB").convert(mode)
    image = LLMImage.from_pil(picture)
    assert (image.format, image.width, image.height) == ("png", 6, 4)
    if mode in ("RGB", "RGBA", "L", "LA", "1"):
        assert image.to_pil().tobytes() == picture.tobytes()


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 2), (4, 6, 3), (4, 6, 4)])
def test_arrays_of_one_to_four_channels_come_back(shape: tuple[int, ...]) -> None:
    pixels = numpy.random.default_rng(1).integers(0, 256, shape, dtype="uint8")
    image = LLMImage.from_array(pixels)
    assert (image.width, image.height) == (6, 4)
    assert (image.to_array() == (pixels[:, :, 0] if shape == (4, 6, 1) else pixels)).all()
    assert LLMImage.from_array(pixels[::-1, ::2]).width == 3


@pytest.mark.parametrize(
    "pixels",
    [numpy.zeros((4, 6)), numpy.zeros((4,), "uint8"), numpy.zeros((0, 4), "uint8"), numpy.zeros((2, 2, 5), "uint8")],
)
def test_arrays_of_another_kind_are_refused_with_advice(pixels: Any) -> None:
    with pytest.raises(InputTypeError, match="uint8"):
        LLMImage.from_array(pixels)


def test_palettes_and_cmyk_become_colours_in_arrays() -> None:
    assert LLMImage.from_bytes(FILES["gif"]).to_array().shape == (7, 5, 3)
    assert LLMImage.from_bytes(encoded("JPEG", mode="CMYK")).to_array().shape == (7, 5, 3)
    see_through = encoded("PNG", mode="P", transparency=0)
    assert LLMImage.from_bytes(see_through).to_array().shape == (7, 5, 4)


def test_data_that_does_not_decode_is_an_image_error() -> None:
    image = LLMImage.from_bytes(png_of(chunk(b"IDAT", b"not pixels"), END))
    with pytest.raises(ImageError, match="cannot be decoded"):
        image.to_pil()


def test_pillows_own_limit_raises_instead_of_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    image = LLMImage.from_bytes(make_png(40, 40, (1, 2, 3)))
    for limit in (1000, 100):  # between the limit and twice the limit Pillow only warns
        monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(FetchTooLarge):
            image.to_pil()
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", None)
    assert image.to_pil().size == (40, 40)


@pytest.mark.parametrize(
    ("package", "method", "line"), [("PIL", "to_pil", "hb-kernel"), ("numpy", "to_array", "numpy")]
)
def test_a_missing_package_is_an_error_with_the_pip_line(
    package: str, method: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = LLMImage.from_bytes(PNG)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingPackage, match=f"pip install .*{line}") as caught:
        getattr(image, method)()
    assert isinstance(caught.value, ImportError)


# URLs


def test_a_url_is_fetched_once_and_only_when_its_bytes_are_needed() -> None:
    fake = FakeFetcher(FILES["jpeg"])
    image = remote(fake, revised_prompt="a cat")
    assert (image.format, image.media_type, image.width, image.height, image.data) == ("png", "image/png", *[None] * 3)
    assert image.to_dict()["image_url"]["url"] == image.url
    digest, before = image.digest(), hash(image)
    assert (repr(image), fake.urls) == ("LLMImage(url='https://example.com/a.png')", [])

    assert image.to_bytes() == image.to_bytes() == asyncio.run(image.ato_bytes()) == FILES["jpeg"]
    assert image.to_pil().size == (5, 7)
    assert fake.urls == ["https://example.com/a.png"]
    assert (image.format, image.width, image.height, image.data) == ("jpeg", 5, 7, B64["jpeg"])
    assert (image.digest(), hash(image)) == (digest, before)
    assert image == remote(FakeFetcher())
    assert image.revised_prompt == "a cat"


def test_threads_share_one_fetch() -> None:
    class Slow(FakeFetcher):
        def fetch(self, url: str) -> Fetched:
            time.sleep(0.02)
            return super().fetch(url)

    fake, found = Slow(), []
    image = remote(fake)
    threads = [threading.Thread(target=lambda: found.append(image.to_bytes())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [PNG] * 8
    assert len(fake.urls) == 1


def test_tasks_share_one_fetch_and_a_cancelled_one_hands_over() -> None:
    fake = FakeFetcher()
    image = remote(fake)

    async def main() -> list[bytes]:
        first = asyncio.create_task(image.ato_bytes())
        others = [asyncio.create_task(image.ato_bytes()) for _ in range(9)]
        await asyncio.sleep(0)
        first.cancel()
        return await asyncio.gather(*others)

    assert asyncio.run(main()) == [PNG] * 9
    assert len(fake.urls) == 2  # the cancelled one and the one for all others


def test_an_image_may_be_fetched_in_successive_loops() -> None:
    class Broken(FakeFetcher):
        async def afetch(self, url: str) -> Fetched:
            await super().afetch(url)
            if len(self.urls) == 1:
                raise ImageError("no luck", retryable=True)
            return Fetched(PNG, "", url)

    image = remote(Broken())
    with pytest.raises(ImageError, match="no luck"):
        asyncio.run(image.ato_bytes())
    assert asyncio.run(image.ato_bytes()) == PNG


def test_fetched_bytes_that_are_no_image_are_refused_each_time() -> None:
    image = remote(FakeFetcher(b"<html>login</html>"))
    for _ in range(2):
        with pytest.raises(ImageError, match="HTML"):
            image.to_bytes()
    with pytest.raises(ImageError, match="HTML"):
        asyncio.run(image.ato_bytes())
    assert not image.has_bytes


def test_the_pixel_limit_holds_for_fetched_images() -> None:
    with pytest.raises(FetchTooLarge):
        remote(FakeFetcher(), max_pixels=34).to_bytes()


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("file:///etc/passwd", FetchBlocked),
        ("ftp://example.com/a.png", FetchBlocked),
        ("javascript://x", FetchBlocked),
        ("https://user:pass@example.com/a.png", FetchBlocked),
        ("http://", ImageError),
        ("https:///a.png", ImageError),
        ("http://exa mple.com/", ImageError),
        ("https://example.com/a\nb", ImageError),
        ("example.com/a.png", ImageError),
        ("", ImageError),
    ],
)
def test_urls_that_must_not_be_fetched_are_refused_at_once(url: str, error: type[ImageError]) -> None:
    with pytest.raises(error) as caught:
        LLMImage.from_url(url)
    assert "pass@" not in str(caught.value)


def test_a_data_url_given_as_url_is_decoded() -> None:
    image = LLMImage.from_url(DATA_URL, "a cat")
    assert (image.to_bytes(), image.url, image.revised_prompt) == (PNG, None, "a cat")


class Pictures(BaseHTTPRequestHandler):
    """Serves one JPEG as text/html and counts."""

    seen = 0

    def do_GET(self) -> None:
        type(self).seen += 1
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(FILES["jpeg"])

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""


@pytest.fixture
def pictures() -> Iterator[tuple[str, type[Pictures]]]:
    handler = type("Handler", (Pictures,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/a.png", handler
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_a_real_fetch_takes_the_hosts_that_are_allowed(pictures: tuple[str, type[Pictures]], colour: str) -> None:
    url, handler = pictures

    def pull(image: LLMImage, **options: Any) -> bytes:
        return image.to_bytes(**options) if colour == "sync" else asyncio.run(image.ato_bytes(**options))

    image = LLMImage.from_url(url)
    with pytest.raises(FetchBlocked):
        pull(image)
    assert handler.seen == 0
    assert pull(image, allow_hosts=["127.0.0.1"], timeout=5) == FILES["jpeg"]
    assert pull(image) == FILES["jpeg"]
    assert pull(LLMImage.from_any(url, allow_hosts="127.0.0.1")) == FILES["jpeg"]
    assert pull(LLMImage.from_url(url), fetcher=Fetcher(allow_hosts=["127.0.0.1"])) == FILES["jpeg"]
    assert (image.format, handler.seen) == ("jpeg", 3)


# Values


def test_images_are_equal_by_content_and_detail() -> None:
    assert LLMImage.from_bytes(PNG) == LLMImage.from_b64(B64["png"], revised_prompt="a cat")
    assert LLMImage.from_bytes(PNG) != LLMImage.from_bytes(PNG, detail="low")
    assert LLMImage.from_bytes(PNG) != LLMImage.from_bytes(FILES["gif"])
    assert LLMImage.from_bytes(PNG) != PNG
    urls = ("https://example.com/a", "https://example.com/a", "https://example.com/b")
    assert len({LLMImage.from_url(url) for url in urls}) == 2


def test_images_cannot_be_changed() -> None:
    image: Any = LLMImage.from_bytes(PNG)
    for name in ("data", "format", "media_type", "url", "revised_prompt", "detail", "width", "height", "other"):
        with pytest.raises(AttributeError):
            setattr(image, name, "x")
    buffer = bytearray(PNG)
    kept = LLMImage.from_bytes(buffer)
    buffer[:] = bytes(len(buffer))
    assert kept.to_bytes() == PNG


def test_repr_shows_neither_data_nor_query() -> None:
    assert repr(LLMImage.from_bytes(PNG)) == f"LLMImage(png, 5x7, {len(PNG)} bytes)"
    assert repr(LLMImage.from_url("https://h.example/a?sig=secret#x")) == "LLMImage(url='https://h.example/a')"


def test_copies_and_pickles_keep_the_value() -> None:
    image = LLMImage.from_bytes(PNG, detail="low", revised_prompt="a cat")
    assert copy.copy(image) is copy.deepcopy(image) is image
    restored = pickle.loads(pickle.dumps(image))  # noqa: S301  our own bytes
    assert (restored, restored.revised_prompt, restored.width) == (image, "a cat", 5)
    named = remote(FakeFetcher(), timeout=3.0)
    assert pickle.loads(pickle.dumps(named)) == named  # noqa: S301  our own bytes


def test_the_digest_is_of_the_bytes_or_of_the_url_text() -> None:
    assert LLMImage.from_bytes(PNG).digest() == hashlib.sha256(PNG).hexdigest()
    url = "https://example.com/a.png?q=ü"
    assert LLMImage.from_url(url).digest() == hashlib.sha256(url.encode()).hexdigest()


# Made pictures


@pytest.mark.parametrize(("colour", "mode"), [((7,), "L"), ((7, 8), "LA"), ((7, 8, 9), "RGB"), ((7, 8, 9, 10), "RGBA")])
@pytest.mark.parametrize("level", [0, 6])
def test_make_png_writes_real_pictures(colour: tuple[int, ...], mode: str, level: int) -> None:
    data = make_png(4, 3, colour, level=level)
    with PIL.Image.open(io.BytesIO(data)) as picture:
        picture.load()
        assert (picture.mode, picture.size) == (mode, (4, 3))
        assert picture.tobytes() == bytes(colour) * 12
    assert make_png(4, 3, bytes(colour) * 12, level=level) == data


@pytest.mark.parametrize(
    ("width", "height", "pixels"), [(0, 1, b""), (1, -1, b"x"), (2, 2, b"12345"), (1, 1, b"12345")]
)
def test_make_png_refuses_what_does_not_fit(width: int, height: int, pixels: bytes) -> None:
    with pytest.raises(InputError):
        make_png(width, height, pixels)
    with pytest.raises(InputError):
        make_png(1, 1, (256, 0, 0))


def test_make_picture_follows_from_its_seed() -> None:
    assert make_picture("a cat") == make_picture("a cat")
    assert len({make_picture(seed) for seed in ("a cat", "a dog", "", "ü\ud800")}) == 4
    image = LLMImage.from_bytes(make_picture("a cat", 48))
    assert image.to_pil().size == (48, 48)
    with pytest.raises(InputError):
        make_picture("a cat", 0)


def test_importing_the_image_type_loads_no_heavy_module() -> None:
    heavy = "asyncio ssl socket pathlib hashlib base64 urllib.parse dataclasses ipaddress httpx2 PIL numpy pydantic"
    script = (
        f"import sys, heavenbase.image, heavenbase.fetch; print([m for m in {heavy.split()!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
