"""A signed request in the shape that hb's connections send: what they read of a request of httpx, and no more."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


class Address:
    """An absolute URL, cut as HTTP wants it."""

    __slots__ = ("_text", "host", "port", "raw_host", "raw_path", "raw_scheme", "scheme")

    def __init__(self, text: str) -> None:
        parts: SplitResult = urlsplit(text)
        self._text = text
        self.scheme = parts.scheme
        self.host = parts.hostname or ""
        self.port = parts.port
        self.raw_scheme = self.scheme.encode("ascii")
        self.raw_host = self.host.encode("ascii")
        path = parts.path or "/"
        self.raw_path = (f"{path}?{parts.query}" if parts.query else path).encode("ascii")

    @property
    def netloc(self) -> str:
        """Host and port as the Host header has them, and as signatures count them: a standard port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}.get(self.scheme)
        return host if self.port in (None, usual) else f"{host}:{self.port}"

    def __str__(self) -> str:
        return self._text


class HeaderList:
    """Headers in their order."""

    __slots__ = ("_items",)

    def __init__(self, items: list[tuple[str, str]]) -> None:
        self._items = items

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        """The headers as bytes."""
        return [(name.encode("ascii"), value.encode("latin-1")) for name, value in self._items]

    def multi_items(self) -> list[tuple[str, str]]:
        """The headers as text."""
        return self._items


class Outgoing:
    """One signed request; the credential is among its headers."""

    __slots__ = ("content", "headers", "method", "url")

    def __init__(self, method: str, url: str, headers: list[tuple[str, str]], content: bytes) -> None:
        self.method = method
        self.url = Address(url)
        self.headers = HeaderList([("Host", self.url.netloc), *headers])
        self.content = content

    @property
    def stream(self) -> bytes:
        """The body, which httpcore2 takes in one piece."""
        return self.content

    def read(self) -> bytes:
        """The body."""
        return self.content

    async def aread(self) -> bytes:
        """The body."""
        return self.content
