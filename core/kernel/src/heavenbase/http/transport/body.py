"""The body of an answer: unpacked, counted, read under the clocks of its exchange; in both colours.

Bodies raise errors of hb. Closing one twice does no harm; it frees the connection, whatever had been read, and lets the
exchange go of the body: else each call would leave a cycle to the garbage collector, with all that it knows.
"""

from __future__ import annotations

import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from heavenbase.errors import HBError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from heavenbase.http.transport.exchange import Exchange

ACCEPT_ENCODING = "gzip"
"""What bodies unpack; transports send it."""

_PIECE = 1024 * 1024
_REFUSAL_LIMIT = 1024 * 1024


class _Answer:
    """What bodies of both colours do alike: count bytes, and unpack gzip in pieces of at most 1 MiB.

    `source` are the pieces on the wire, `close` frees it. Of an answer that `is_refusal` the status tells what it is:
    its body is what came of it, however it ends.
    """

    __slots__ = ("_close", "_endless", "_exchange", "_explain", "_left", "_packed", "_source", "_stream", "is_refusal")

    def __init__(
        self,
        exchange: Exchange,
        source: Any,
        close: Callable[[], Any],
        translate: Callable[[Exchange, Exception], HBError],
    ) -> None:
        self._exchange = exchange
        self._source = source
        self._close: Callable[[], Any] | None = close
        self._explain = translate
        self.is_refusal = exchange.status is not None and exchange.status >= 300
        self._left = self._packed = exchange.body_limit
        if self.is_refusal:
            exchange.refused()
            self._left = self._packed = min(exchange.body_limit, _REFUSAL_LIMIT)
        named = exchange.named
        # Events of a stream are bounded one by one by their parser; the stream itself may be endless.
        is_stream = named.get(b"content-type", b"").strip().lower().startswith(b"text/event-stream")
        self._endless = is_stream and exchange.status == 200 and exchange.may_stream
        self._stream = None
        coding = named.get(b"content-encoding", b"").strip().lower()
        if coding in (b"gzip", b"x-gzip"):
            self._stream = _gzip()
        elif coding not in (b"", b"identity"):
            if not self.is_refusal:
                raise exchange.unreadable("has a content encoding that was not asked for")
            self._left = 0
        length = named.get(b"content-length", b"").strip()
        is_bounded = not (self._endless or self.is_refusal) and self._stream is None
        if is_bounded and length.isdigit() and int(length[:20]) > self._left:
            raise exchange.too_large()

    @property
    def is_plain(self) -> bool:
        """Whether the body travels as it is."""
        return self._stream is None

    @property
    def is_complete(self) -> bool:
        """Whether a packed body has come to its end."""
        return self._stream is None or self._stream.eof

    def _let_go(self) -> Callable[[], Any] | None:
        if self._exchange.body is self:
            self._exchange.body = None
        close, self._close = self._close, None
        return close

    def _count(self, data: bytes) -> bytes:
        if not self._endless:
            self._left -= len(data)
            if self._left < 0:
                raise self._exchange.too_large()
        return data

    def _unpack(self, data: bytes) -> Iterator[bytes]:
        stream = self._stream
        assert stream is not None
        # Packed data can be endless and unpack to nothing.
        self._packed -= len(data)
        if self._packed < 0 and not self._endless:
            raise self._exchange.too_large()
        try:
            while data:
                if stream.eof:
                    if not data.startswith(b"\x1f"):
                        break  # padding, as gzip itself passes over
                    stream = self._stream = _gzip()
                piece = stream.decompress(data, _PIECE)
                if piece:
                    yield self._count(piece)
                data = stream.unused_data if stream.eof else stream.unconsumed_tail
        except zlib.error:
            raise self._exchange.unreadable("is not the gzip data that it claims to be") from None


def _gzip() -> Any:
    """Unpacks one member of a gzip file, of which a body may have many."""
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


class Body(_Answer):
    """Iterate for the pieces; `read` for all of them. Apart from `AsyncBody`, as streams have many pieces."""

    __slots__ = ("_pieces",)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._pieces = self._generate()

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def _generate(self) -> Iterator[bytes]:
        exchange = self._exchange
        is_plain = self.is_plain
        try:
            for data in self._source:
                exchange.has_body = True
                if is_plain:
                    yield self._count(data)
                else:
                    yield from self._unpack(data)
            return
        except HBError:
            if not self.is_refusal:
                raise
            return
        except Exception as error:
            if self.is_refusal:
                return
            failure = self._explain(exchange, error)
        finally:
            self.close()
        # Raised out here, so that the library's error is not attached: it may hold the request.
        raise failure

    def read(self, sink: Callable[[bytes], Any] | None = None) -> bytes:
        """The whole body, or nothing where `sink` takes it; any byte that is no white space counts as content."""
        pieces: list[bytes] = []
        take = sink or pieces.append
        for piece in self._pieces:
            take(piece)
            if not piece.isspace():
                self._exchange.content()
        return b"".join(pieces)

    def drain(self) -> None:
        """Read to the end if that comes at once, so that the connection can serve again; then close."""
        if self._close is None:
            return
        self._exchange.linger()
        with suppress(HBError):
            for _ in self._pieces:
                pass
        self.close()

    def close(self) -> None:
        """Free the connection."""
        close = self._let_go()
        if close is not None:
            close()


class AsyncBody(_Answer):
    """Async form of `Body`; no generator, as every call would pay for one of these on its loop."""

    __slots__ = ("_unpacked",)

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._unpacked: Iterator[bytes] = iter(())

    def __aiter__(self) -> AsyncBody:
        return self

    async def __anext__(self) -> bytes:
        exchange = self._exchange
        try:
            if self.is_plain:
                data: bytes = await anext(self._source)
                exchange.has_body = True
                return self._count(data)
            while (piece := next(self._unpacked, None)) is None:
                self._unpacked = self._unpack(await anext(self._source))
                exchange.has_body = True
            return piece
        except BaseException as error:
            await self.aclose()
            if not isinstance(error, Exception) or isinstance(error, StopAsyncIteration):
                raise
            if self.is_refusal:
                raise StopAsyncIteration from None
            if isinstance(error, HBError):
                raise
            failure = self._explain(exchange, error)
        raise failure

    async def read(self, sink: Callable[[bytes], Any] | None = None) -> bytes:
        """The whole body, or nothing where `sink` takes it; any byte that is no white space counts as content."""
        pieces: list[bytes] = []
        take = sink or pieces.append
        async for piece in self:
            take(piece)
            if not piece.isspace():
                self._exchange.content()
        return b"".join(pieces)

    async def drain(self) -> None:
        """Read to the end if that comes at once, so that the connection can serve again; then close."""
        if self._close is None:
            return
        self._exchange.linger()
        with suppress(HBError):
            async for _ in self:
                pass
        await self.aclose()

    async def aclose(self) -> None:
        """Free the connection."""
        close = self._let_go()
        if close is not None:
            await close()
