"""The bytes of a streamed answer as chunks: frames, events, failures; in both colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.client import sdk
from hb_provider_bedrock.failures import event_error
from hb_provider_bedrock.responses import completion
from hb_provider_bedrock.streams import ConverseStream, whole_chunk
from heavenbase.errors import (
    CallTimeout,
    EventTooLarge,
    HBError,
    InputError,
    ResponseDecodeError,
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
    """The frames of one answer as chunks; boto3's own buffer checks lengths and checksums."""

    def __init__(self, wire: Wire, is_hidden: bool) -> None:
        self._wire = wire
        self._is_hidden = is_hidden
        self._buffer = sdk().event_buffer()
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
        self._buffer.add_data(piece)
        state, wire = self._state, self._wire
        while True:
            try:
                frame = self._buffer.next()
            except StopIteration:
                return
            except (sdk().event_error, ValueError, KeyError, IndexError) as error:
                failure = self._broken(error)
            else:
                chunk = self._event(frame)
                if state.is_fresh:
                    wire.exchange.content()
                if chunk is not None:
                    yield chunk
                if state.is_done:
                    return
                continue
            raise failure

    def _event(self, frame: Any) -> Chunk | None:
        headers, payload = frame.headers, frame.payload
        self._wire.note_body(payload)
        if headers.get(":message-type", "event") != "event":
            wire = self._wire
            raise event_error(wire.call, headers, payload, wire.exchange.headers, wall=wire.wall)
        kind = headers.get(":event-type")
        return self._state.feed(kind if isinstance(kind, str) else "", payload)

    def _broken(self, error: Exception) -> HBError:
        reason = str(error)[:200]
        if "length" in type(error).__name__.lower():
            return EventTooLarge(f"{self._wire.call.target}: {reason}", maybe_billed=True)
        return ResponseDecodeError(f"{self._wire.call.target}: the stream is broken: {reason}", maybe_billed=True)

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
