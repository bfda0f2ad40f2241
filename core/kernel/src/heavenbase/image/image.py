"""LLMImage: the one image type for chat inputs, reference images and generated images."""

from __future__ import annotations

import binascii
import os
from typing import TYPE_CHECKING, Any, TypedDict

from heavenbase.errors import ImageError, InputTypeError
from heavenbase.image import pixels, sources
from heavenbase.image.probe import MAX_PIXELS as MAX_PIXELS
from heavenbase.image.probe import Probe, probe

if TYPE_CHECKING:
    import asyncio
    import threading
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Unpack

    import PIL.Image

    from heavenbase.fetch.fetcher import Fetcher
    from heavenbase.image.sources import Found

IMAGE_URL_TIMEOUT = 120.0
"""Default of `heavenbase.llm.image_url_timeout`, in seconds for the whole fetch."""


class FetchOptions(TypedDict, total=False):
    """How a URL is fetched: `timeout` in seconds, further `allow_hosts`, or a ready `fetcher` that decides both."""

    timeout: float | None
    allow_hosts: Iterable[str]
    fetcher: Fetcher | None


class UrlOptions(FetchOptions, total=False):
    """What `from_url` takes beside URL and revised prompt: see LLMImage."""

    detail: str | None
    max_pixels: int


class ImageOptions(UrlOptions, total=False):
    """What every factory takes beside the image: see LLMImage."""

    revised_prompt: str | None


class LLMImage:
    """An image held as bytes, or named by a URL and fetched once, when its bytes are first needed.

    Immutable, hashable, equal by content and detail, safe to share between threads. `data` is base64 text, bytes, or a
    data URL; the format is read from the bytes (PNG, JPEG, GIF, WebP), whatever `format` and `media_type` claim.
    `detail` is the wire's fidelity hint (auto, low, high). A URL is fetched with `timeout` in seconds and
    `allow_hosts` as in heavenbase.fetch.Fetcher, or by a ready `fetcher`. Raises ImageError for bytes that are no
    complete image, FetchTooLarge above `max_pixels`.
    """

    __slots__ = ("_declared", "_digest", "_gate", "_lock", "_options", "_probe", "_raw", "_remote", "_url")

    def __init__(
        self,
        data: str | bytes | None = None,
        format: str | None = None,
        media_type: str | None = None,
        url: str | None = None,
        revised_prompt: str | None = None,
        *,
        detail: str | None = None,
        timeout: float | None = None,
        allow_hosts: Iterable[str] = (),
        fetcher: Fetcher | None = None,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        for name, text in (("url", url), ("revised_prompt", revised_prompt), ("detail", detail)):
            if text is not None and not isinstance(text, str):
                raise InputTypeError(f"the {name} of an image is a str, not {type(text).__name__}")
        if url is not None:
            url = url.strip()
            if sources.is_data_url(url):
                data, url = url if data is None else data, None
            else:
                sources.check_url(url)
        if data is None and url is None:
            raise ImageError("an image needs data or a url")
        self._url = url
        self._options: ImageOptions = {
            "detail": detail,
            "revised_prompt": revised_prompt,
            "timeout": timeout,
            "allow_hosts": (allow_hosts,) if isinstance(allow_hosts, str) else tuple(allow_hosts),
            "fetcher": fetcher,
            "max_pixels": max_pixels,
        }
        self._declared = sources.declared_format(media_type or format, url)
        self._remote = data is None
        self._raw: bytes | None = None
        self._probe: Probe | None = None
        self._digest: str | None = None
        self._lock: threading.Lock | None = None
        self._gate: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        if data is not None:
            self._keep(sources.decode_text(data) if isinstance(data, str) else bytes(data))
        else:
            from threading import Lock

            self._lock = Lock()

    # Factories

    @classmethod
    def from_any(cls, value: object, **options: Unpack[ImageOptions]) -> LLMImage:
        """An image from whatever holds one.

        LLMImage, http(s) URL, data URL, base64 text, path, bytes-like object, binary file, provider dict, PIL image or
        numpy array. Text that names an existing file is a path; other text must be base64 of an image. For text that
        strangers wrote use `from_url` or `from_b64`, which read no files.
        """
        if isinstance(value, LLMImage):
            return value._with(options)
        return cls._of(sources.read_any(value), options)

    @classmethod
    def from_bytes(
        cls, data: bytes | bytearray | memoryview, format: str | None = "png", **options: Unpack[ImageOptions]
    ) -> LLMImage:
        """An image from the bytes of a file; a `format` that they contradict is corrected."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise InputTypeError(f"from_bytes takes bytes, not {type(data).__name__}; from_any takes everything")
        return cls(bytes(data), format, **options)

    @classmethod
    def from_b64(cls, data: str, format: str | None = "png", **options: Unpack[ImageOptions]) -> LLMImage:
        """An image from base64 text or a data URL; a `format` that the bytes contradict is corrected."""
        if not isinstance(data, str):
            raise InputTypeError(f"base64 data is a str, not {type(data).__name__}")
        return cls(data, format, **options)

    @classmethod
    def from_url(cls, url: str, revised_prompt: str | None = None, **options: Unpack[UrlOptions]) -> LLMImage:
        """An image named by an http(s) URL, fetched only when its bytes are needed; data URLs are decoded at once."""
        return cls(url=url, revised_prompt=revised_prompt, **options)

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], **options: Unpack[ImageOptions]) -> LLMImage:
        """An image from a file's path, `~` expanded. Raises ImageFileNotFound when there is none."""
        if not isinstance(path, str | os.PathLike):
            raise InputTypeError(f"a path is a str or Path, not {type(path).__name__}")
        return cls(sources.read_path(path), **options)

    @classmethod
    def from_file(cls, file: Any, **options: Unpack[ImageOptions]) -> LLMImage:
        """An image from a binary file object, read from its position to its end, or from a path."""
        if isinstance(file, str | os.PathLike):
            return cls.from_path(file, **options)
        return cls(sources.read_file(file), **options)

    @classmethod
    def from_pil(cls, image: PIL.Image.Image, **options: Unpack[ImageOptions]) -> LLMImage:
        """A PNG of a PIL image."""
        return cls(pixels.encode_pil(image), **options)

    @classmethod
    def from_array(cls, array: Any, **options: Unpack[ImageOptions]) -> LLMImage:
        """A PNG of a numpy uint8 array of shape (height, width) or (height, width, 1 to 4 channels)."""
        return cls(pixels.encode_array(array), **options)

    @classmethod
    def from_provider_item(cls, item: Any, **options: Unpack[ImageOptions]) -> LLMImage:
        """An image from a provider's part or result: b64_json, url, image, image_url (also .url), data, source.

        Takes dictionaries, SDK objects with such attributes, and bare text (URL, data URL or base64); reads no files.
        """
        if isinstance(item, LLMImage):
            return item._with(options)
        return cls._of(sources.read_item(item), options)

    @classmethod
    def _of(cls, found: Found, options: ImageOptions) -> LLMImage:
        if found.detail is not None:
            options.setdefault("detail", found.detail)
        if found.revised_prompt is not None:
            options.setdefault("revised_prompt", found.revised_prompt)
        if found.image is not None:
            return cls.from_any(found.image, **options)
        return cls(found.data, url=found.url, **options)

    # Fields

    @property
    def data(self) -> str | None:
        """The bytes as base64 text; None for a URL that was not fetched yet."""
        return _encode(self._raw) if self._raw is not None else None

    @property
    def has_bytes(self) -> bool:
        """Whether the bytes are here: False for a URL that was not fetched yet."""
        return self._raw is not None

    @property
    def format(self) -> str | None:
        """png, jpeg, gif or webp; for a URL that was not fetched yet what its extension says, or None."""
        return self._probe.format if self._probe is not None else self._declared

    @property
    def media_type(self) -> str | None:
        """image/png, image/jpeg, image/gif or image/webp; None when the format is."""
        return f"image/{self.format}" if self.format is not None else None

    @property
    def url(self) -> str | None:
        """The http(s) URL that names the image, if one does."""
        return self._url

    @property
    def revised_prompt(self) -> str | None:
        """The prompt that a generator really used, if it said so."""
        return self._options["revised_prompt"]

    @property
    def detail(self) -> str | None:
        """The fidelity hint for models: auto, low, high, or None."""
        return self._options["detail"]

    @property
    def timeout(self) -> float | None:
        """Seconds that fetching the URL may take; None for what the configuration says."""
        return self._options["timeout"]

    @property
    def width(self) -> int | None:
        """Pixels; None for a URL that was not fetched yet."""
        return self._probe.width if self._probe is not None else None

    @property
    def height(self) -> int | None:
        """Pixels; None for a URL that was not fetched yet."""
        return self._probe.height if self._probe is not None else None

    # Converters

    def to_bytes(self, **options: Unpack[FetchOptions]) -> bytes:
        """The bytes of the file; fetches a URL on the first call. The options override the instance's."""
        if self._raw is None and self._lock is not None:
            with self._lock:
                if self._raw is None:
                    self._keep(self._fetcher_for(options).fetch(self._url or "").data)
        return self._raw or b""

    async def ato_bytes(self, **options: Unpack[FetchOptions]) -> bytes:
        """Async form of `to_bytes`; tasks of one loop share one fetch."""
        if self._raw is None:
            import asyncio

            loop = asyncio.get_running_loop()
            gate = self._gate
            if gate is None or gate[0] is not loop:
                gate = self._gate = (loop, asyncio.Lock())
            async with gate[1]:
                if self._raw is None:
                    self._keep((await self._fetcher_for(options).afetch(self._url or "")).data)
            self._gate = None
        return self._raw or b""

    def to_b64(self, **options: Unpack[FetchOptions]) -> str:
        """The bytes as base64 text; fetches a URL on first use."""
        return _encode(self.to_bytes(**options))

    def to_data_url(self, **options: Unpack[FetchOptions]) -> str:
        """The bytes as a data URL; fetches a URL on first use."""
        encoded = self.to_b64(**options)
        return f"data:{self.media_type};base64,{encoded}"

    async def ato_data_url(self, **options: Unpack[FetchOptions]) -> str:
        """Async form of `to_data_url`."""
        await self.ato_bytes(**options)
        return self.to_data_url()

    def to_dict(self) -> dict[str, Any]:
        """The image_url content part of OpenAI's chat wire: the URL if there is one, else a data URL. No network."""
        part = {"url": self._url if self._url is not None else self.to_data_url()}
        if self._options["detail"] is not None:
            part["detail"] = self._options["detail"]
        return {"type": "image_url", "image_url": part}

    def to_pil(self, **options: Unpack[FetchOptions]) -> PIL.Image.Image:
        """The decoded picture. Raises MissingPackage without Pillow, FetchTooLarge also above Pillow's own limit."""
        raw = self.to_bytes(**options)
        return pixels.decode_pil(raw, str(self.format), self._options["max_pixels"])

    def to_array(self, **options: Unpack[FetchOptions]) -> Any:
        """A numpy array of shape (height, width[, channels]); palettes and CMYK become RGB or RGBA."""
        return pixels.decode_array(self.to_pil(**options))

    def save(self, path: str | os.PathLike[str], **options: Unpack[FetchOptions]) -> Path:
        """Write the bytes as they are to a file, making its parent folders; returns the path."""
        from pathlib import Path

        target = Path(path).expanduser()
        data = self.to_bytes(**options)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        except OSError as error:
            raise ImageError(f"cannot write {str(target)!r}: {error.strerror}") from error
        return target

    def without_url(self) -> LLMImage:
        """The same image by its bytes alone; fetches a URL on first use."""
        return LLMImage(self.to_bytes(), **self._options)

    def digest(self) -> str:
        """SHA-256 in hexadecimal of the bytes, or of the URL's text when a URL names the image. Never fetches."""
        if self._digest is None:
            from hashlib import sha256

            self._digest = sha256((self._url or "").encode() if self._remote else self._raw or b"").hexdigest()
        return self._digest

    # Values

    def __eq__(self, other: object) -> bool:
        return self._content() == other._content() if isinstance(other, LLMImage) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._content())

    def __repr__(self) -> str:
        held = f"{self.format}, {self.width}x{self.height}, {len(self._raw)} bytes" if self._raw is not None else ""
        # A query often holds a signature that grants access.
        named = f"url={self._url.partition('?')[0].partition('#')[0]!r}" if self._url is not None else ""
        return f"LLMImage({', '.join(part for part in (held, named) if part)})"

    def __copy__(self) -> LLMImage:
        return self

    def __deepcopy__(self, memo: object) -> LLMImage:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        # The fetcher stays behind: it belongs to a process.
        fields = (None if self._remote else self._raw, self._url, {**self._options, "fetcher": None})
        return (_rebuild, fields)

    def _content(self) -> tuple[str | bytes | None, str | None]:
        # What a URL-backed image is does not change when it is fetched, so that hashes hold.
        return (self._url if self._remote else self._raw, self._options["detail"])

    def _with(self, options: ImageOptions) -> LLMImage:
        return _rebuild(None if self._remote else self._raw, self._url, self._options | options) if options else self

    def _keep(self, raw: bytes) -> None:
        self._probe = probe(raw, self._options["max_pixels"])  # first, for who sees bytes relies on it
        self._raw = raw

    def _fetcher_for(self, options: FetchOptions) -> Fetcher:
        from heavenbase.fetch.fetcher import Fetcher

        own = self._options
        fetcher = options.get("fetcher") or own["fetcher"]
        if fetcher is not None:
            return fetcher
        timeout = options.get("timeout") or own["timeout"] or configured("image_url_timeout", IMAGE_URL_TIMEOUT)
        hosts = options["allow_hosts"] if "allow_hosts" in options else configured("image_allow_hosts", ())
        return Fetcher(timeout, allow_hosts=(*own["allow_hosts"], *((hosts,) if isinstance(hosts, str) else hosts)))


def configured(name: str, default: Any) -> Any:
    """What the user's configuration says about images, outside of any kernel: a value of `heavenbase.llm`."""
    from heavenbase.config.config import Config

    return Config.load().get(f"heavenbase.llm.{name}", default)


def _rebuild(data: bytes | None, url: str | None, options: ImageOptions) -> LLMImage:
    return LLMImage(data, url=url, **options)


def _encode(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")
