"""The bytes of a streamed answer as chunks: frames, events, failures; in both colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.failures import event_error
from hb_provider_bedrock.frames import FrameReader
from hb_provider_bedrock.responses import completion
from hb_provider_bedrock.streams import ConverseStream, whole_chunk
from heavenbase.errors import (
    CallTimeout,
    HBError,
    InputError,
    StreamError,
    StreamInterrupted,
    TransportClosed,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from hb_provider_bedrock.wire import Wire
    from heavenbase.types import Chunk


def stream(wire: Wire, body: Any, is_hidden: bool) -> Iterator[Chunk]:
    """The chunks of an answer; closing the iterator closes the connection."""
    reader = Reader(wire, is_hidden)
    failure: HBError | None = None
    try:
        if reader.is_whole:
            yield reader.whole(body.read())
            return
        for piece in body:
            yield from reader.chunks(piece)
            if reader.is_done:
                body.drain()
                break
        reader.end()
    except HBError as error:
        failure = reader.failure(error)
    finally:
        body.close()
    if failure is not None:
        raise failure from failure.__cause__


async def astream(wire: Wire, body: Any, is_hidden: bool) -> AsyncIterator[Chunk]:
    """Async form of `stream`."""
    reader = Reader(wire, is_hidden)
    failure: HBError | None = None
    try:
        if reader.is_whole:
            yield reader.whole(await body.read())
            return
        async for piece in body:
            for chunk in reader.chunks(piece):
                yield chunk
            if reader.is_done:
                await body.drain()
                break
        reader.end()
    except HBError as error:
        failure = reader.failure(error)
    finally:
        await body.aclose()
    if failure is not None:
        raise failure from failure.__cause__


class Reader:
    """The frames of one answer as chunks."""

    def __init__(self, wire: Wire, is_hidden: bool) -> None:
        self._wire = wire
        self._is_hidden = is_hidden
        self._frames = FrameReader()
        self._state = ConverseStream(wire.call, is_hidden)
        named = {name.lower(): value.lower() for name, value in wire.exchange.headers}
        kind = named.get(b"content-type", b"")
        self.is_whole = b"json" in kind or b"html" in kind or b"text/plain" in kind
        """Whether the server answered with one object (or page) in place of a stream."""

    @property
    def is_done(self) -> bool:
        """Whether nothing more is to come."""
        return self._state.is_done

    def chunks(self, piece: bytes) -> Iterator[Chunk]:
        """The chunks that these bytes complete."""
        state, exchange = self._state, self._wire.exchange
        for headers, payload in self._frames.feed(piece):
            self._wire.note_body(payload)
            if headers.get(":message-type", "event") != "event":
                raise event_error(self._wire.call, headers, payload, exchange.headers, wall=self._wire.wall)
            chunk = state.feed(headers.get(":event-type", ""), payload)
            if state.is_fresh:
                exchange.content()
            if chunk is not None:
                yield chunk
            if state.is_done:
                return

    def end(self) -> None:
        """After the last byte: an error unless the end was proved."""
        self._state.end()

    def whole(self, body: bytes) -> Chunk:
        """The one chunk of an answer that was not streamed."""
        wire = self._wire
        wire.note_body(body)
        decoded = wire.decoded(body)
        return whole_chunk(wire.checked(lambda: completion(wire.call, decoded, self._is_hidden)))

    def failure(self, error: HBError) -> HBError | None:
        """What a failure is at this point of the stream; None where the answer was complete before it."""
        if self._state.is_complete and isinstance(error, TransportClosed | CallTimeout):
            return None
        wire = self._wire
        wire.with_facts(error)
        if not self._state.showed or isinstance(error, StreamError | CallTimeout | InputError):
            return error
        broken = StreamInterrupted(
            f"{wire.call.target}: the stream broke after content had come: {error}",
            provider=error.provider,
            model=error.model,
            status=error.status,
            code=error.code,
            request_id=error.request_id,
            retry_after=error.retry_after,
            body=error.body,
            maybe_billed=True,
        )
        broken.__cause__ = error
        return broken
