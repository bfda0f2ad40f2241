"""The rules of HTTP/1.1 for what comes on one connection, the same above every library's parser; no I/O.

Libraries read what breaks the rules each in its own way: what one refuses, another takes for a stranger's answer. So
they are given whole heads that keep them, and no byte behind the end of an answer. And since their parsers take more
time for each chunk of the chunked coding than all of hb does, chunks that come together are passed on as one; of the
line before a chunk they see its size alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from heavenbase.errors import HBError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from heavenbase.http.transport.exchange import Exchange

    _State: TypeAlias = Callable[["Framing", bytes, int], int]

HEAD_LIMIT = 64 * 1024
"""Bytes of the heads of one answer, those of informational answers among them."""

FIELD_LIMIT = 128
"""Header fields of one head; providers send up to forty."""

_LINE_LIMIT = 4096
_TRAILER_LIMIT = 16
_END = re.compile(rb"\n\r?\n")
_TEXT = rb"[^\x00-\x08\x0a-\x1f\x7f]*\r?\n"
_FIELD = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:" + _TEXT
_HEAD = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: " + _TEXT + rb"|\r?\n)(?:" + _FIELD + rb")*\r?\n")
_TRAILER = re.compile(_FIELD + rb"|\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] [0-9]{3}(?: |\r?\n)")
_FRAME = re.compile(rb"\n(content-length|transfer-encoding):[ \t]*([^\r\n]*)")
_SIZE = rb"([0-9A-Fa-f]{1,15})(?:[ \t]{0,4000}|;[^\x00-\x08\x0a-\x1f\x7f]{0,4000})\r\n"
_CHUNK, _NEXT_CHUNK = re.compile(_SIZE), re.compile(rb"\r\n" + _SIZE)


class Framing:
    """Follows the bytes of one connection, answer after answer.

    `is_spent`: bytes came behind the end of an answer; to which request others would belong can no longer be told.
    `failure`: what broke HTTP, a ProtocolError; what came before it has been passed on.
    """

    __slots__ = (
        *("_exchange", "_held", "_is_bare", "_kept", "_left", "_made", "_room", "_state", "_then"),
        *("failure", "is_spent"),
    )

    def __init__(self) -> None:
        self.is_spent = False
        self.failure: HBError | None = None
        self._state: _State = Framing._surplus
        self._then: _State = Framing._surplus
        self._held = bytearray()
        self._left = 0
        self._made: list[bytes] = []
        """What takes the place of the bytes that are being fed, up to `_kept`."""
        self._kept = 0

    def begin(self, exchange: Exchange, *, is_bare: bool = False) -> None:
        """A request is sent; `is_bare` when its answer has no body, whatever its head says (HEAD)."""
        self._exchange = exchange
        self._is_bare = is_bare
        self._room = HEAD_LIMIT
        self._held.clear()
        self._state = Framing._head

    def feed(self, data: bytes) -> bytes:
        """What a parser may have of these bytes: heads when they are complete, nothing behind the end of the answer.

        Chunks of the chunked coding are joined.
        """
        # By far the most pieces of a long answer.
        if self._state is Framing._counted and len(data) < self._left:
            self._left -= len(data)
            return data
        place, made = 0, self._made
        self._kept = 0
        try:
            while place < len(data):
                if self._state is Framing._surplus:
                    self.is_spent = True
                    break
                if self._state is Framing._head:
                    held, known = self._held, len(self._held)
                    end = self._head(data, place)
                    if self._held is held:
                        break
                    if known:
                        made.append(bytes(held[:known]))
                    place = end
                else:
                    place = self._state(self, data, place)
        except HBError as error:
            self.failure, self._state = error, Framing._surplus
        if not made:
            return data[:place]  # which is the same object where that is all
        made.append(data[self._kept : place])
        data = b"".join(made)
        made.clear()
        return data

    # States: each takes bytes from a place on, and returns the place behind them.

    def _head(self, data: bytes, place: int) -> int:
        """Holds back a head that is not complete; a new `_held` says that it is."""
        known = len(self._held)
        # Most heads come whole.
        found = None if known else _END.search(data, place, place + self._room)
        if found is not None:
            head = data[place : found.end()]
            self._room -= len(head)
            self._held = bytearray()
        elif not (head := self._gathered(data, place)):
            return place + len(self._held) - known
        size = len(head)
        matched = _HEAD.fullmatch(head)
        if matched is None:
            raise self._exchange.broken(_what_is_wrong(head))
        if head.count(b"\n") - 2 > FIELD_LIMIT:
            raise self._exchange.broken(f"has more than {FIELD_LIMIT} headers")
        status = int(matched[2])
        if status == 101:
            raise self._exchange.broken("switches to a protocol that nobody asked for")
        if status >= 200:
            self._frame(head, is_old=matched[1] == b"0", has_none=self._is_bare or status in (204, 304))
        return place + size - known

    def _gathered(self, data: bytes, place: int) -> bytes:
        """A head that comes in pieces; b"" while it is not complete."""
        held = self._held
        known = len(held)
        held += data[place : place + self._room + 1 - known]
        if not b"HTTP/1.".startswith(held[:7]):
            raise self._exchange.broken("is not HTTP/1.1")
        found = _END.search(held, max(known - 2, 0))
        size = len(held) if found is None else found.end()
        if found is None and size <= self._room:
            return b""
        self._room -= size
        if self._room < 0:
            raise self._exchange.broken(f"has more than {HEAD_LIMIT:,} bytes of headers")
        self._held = bytearray()
        return bytes(held[:size])

    def _frame(self, head: bytes, *, is_old: bool, has_none: bool) -> None:
        """How the body ends, which two parsers must not be able to see differently."""
        fields = _FRAME.findall(head.lower())
        if len(fields) > 1:
            raise self._exchange.broken("says in more than one way how long it is")
        name, value = fields[0] if fields else (b"", b"")
        value = value.strip()
        if name == b"transfer-encoding" and (value != b"chunked" or is_old):
            raise self._exchange.broken("has a transfer encoding that was not asked for")
        if name == b"content-length" and not (value.isdigit() and len(value) < 20):
            raise self._exchange.broken("has a Content-Length that is no number")
        if has_none:
            self._state = Framing._surplus
        elif name == b"transfer-encoding":
            self._state = Framing._chunk
        elif name == b"content-length":
            self._left = int(value)
            self._state = Framing._counted if self._left else Framing._surplus
            self._then = Framing._surplus
        else:
            self._state = Framing._rest

    def _counted(self, data: bytes, place: int) -> int:
        end = place + self._left
        if end > len(data):
            self._left = end - len(data)
            return len(data)
        self._state = self._then
        return end

    def _rest(self, data: bytes, place: int) -> int:
        return len(data)

    def _chunk(self, data: bytes, place: int) -> int:
        if not self._held and (end := self._joined(data, place)) > place:
            return end
        line, end = self._line(data, place)
        self._made.append(data[self._kept : place])
        self._kept = end  # held back until it is complete
        if line:
            matched = _CHUNK.fullmatch(line)
            if matched is None:
                raise self._exchange.broken("has a chunk without a valid size")
            self._left = int(matched[1], 16)
            self._made.append(b"%x\r\n" % self._left)
            self._state = Framing._counted if self._left else Framing._trailers
            self._then = Framing._chunk_end
        return end

    def _joined(self, data: bytes, place: int) -> int:
        """Passes on the chunks that are here from the first to the last byte as one; the place behind them."""
        whole: list[bytes] = []
        first, match = place, _NEXT_CHUNK.match
        matched = _CHUNK.match(data, place)
        while matched is not None and (size := int(matched[1], 16)):
            begin = matched.end()
            end = begin + size
            matched = match(data, end)
            if matched is not None or data[end : end + 2] == b"\r\n":
                whole.append(data[begin:end])
                place = end + 2
        if whole:
            line = b"%x\r\n" % sum(map(len, whole))
            if len(whole) > 1 or not data.startswith(line, first):
                self._made += (data[self._kept : first], line, *whole, b"\r\n")
                self._kept = place
        return place

    def _chunk_end(self, data: bytes, place: int) -> int:
        line, place = self._line(data, place)
        if line:
            if line != b"\r\n":
                raise self._exchange.broken("has a chunk that is longer than its size")
            self._state = Framing._chunk
        return place

    def _trailers(self, data: bytes, place: int) -> int:
        line, place = self._line(data, place)
        if line:
            if _TRAILER.fullmatch(line) is None:
                raise self._exchange.broken("has a trailer that is no header field")
            self._left += 1
            if self._left > _TRAILER_LIMIT:
                raise self._exchange.broken(f"has more than {_TRAILER_LIMIT} trailers")
            if not line.strip():
                self._state = Framing._surplus
        return place

    def _surplus(self, data: bytes, place: int) -> int:
        raise NotImplementedError("`feed` looks for it")

    # What they share

    def _line(self, data: bytes, place: int) -> tuple[bytes, int]:
        """One line; b"" when its end is not there yet."""
        end = data.find(b"\n", place, place + _LINE_LIMIT) + 1
        stop = end or len(data)
        held = self._held
        held += data[place : min(stop, place + _LINE_LIMIT)]
        if len(held) >= _LINE_LIMIT:
            raise self._exchange.broken("has a line between its chunks that is too long")
        if not end:
            return b"", stop
        line = bytes(held)
        held.clear()
        return line, stop


def _what_is_wrong(head: bytes) -> str:
    first, *lines = head.split(b"\n")
    if not _STATUS_LINE.match(first + b"\n"):
        return "is not HTTP/1.1"
    if not 100 <= int(first[9:12]) < 600:
        return f"has the status {int(first[9:12])}, which HTTP does not know"
    is_folded = any(line.startswith((b" ", b"\t")) for line in lines)
    return "has a header over several lines" if is_folded else "has a header with characters that none may have"
