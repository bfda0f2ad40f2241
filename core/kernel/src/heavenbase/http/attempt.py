"""One attempt of a call over HTTP, in both colours: send through an SDK, read, make every failure an error of hb.

A gateway subclasses `HTTPAttempt` with what only its SDK and its wire know: how a request is sent, what the SDK's own
errors mean, how a streamed answer is cut into events and what they say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from heavenbase.colour import drive
from heavenbase.errors import (
    BODY_EXCERPT,
    CallTimeout,
    HBError,
    InputError,
    ProtocolError,
    ProviderError,
    ResponseError,
    StreamError,
    StreamInterrupted,
    TransportClosed,
)
from heavenbase.gather import whole_chunk
from heavenbase.http.payload import decode_json, shape_error
from heavenbase.http.status import status_error
from heavenbase.http.transport.exchange import BODY_LIMIT, Exchange, request_id
from heavenbase.http.transport.transport import hb_error
from heavenbase.ledger.limits import rate_limits
from heavenbase.secrets import Unshown, redact, scrubbed, scrubber

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from heavenbase.call import Call, WireRequest
    from heavenbase.types import Chunk, Completion

T = TypeVar("T")
ECHO_LENGTH = 16
"""Characters from which on a credential is looked for in good answers too: nothing that long stands there by chance."""


class StreamState(Protocol):
    """What has come of one streamed answer.

    `is_fresh`: the last event brought something that the model produced; `showed`: any event did; `is_finished`: the
    end is proved; `is_done`: nothing more is to be read.
    """

    is_fresh: bool
    showed: bool
    is_finished: bool
    is_done: bool

    def feed(self, data: bytes) -> Chunk | None:
        """The chunk for the data of one event; None for one that says nothing to a caller."""

    def end(self) -> Chunk | None:
        """After the last byte: the closing chunk where one is due; StreamTruncated when the end was not proved."""


class EventSource(Protocol):
    """Cuts a streamed body into the data of its events."""

    def feed(self, piece: bytes) -> Iterable[bytes]:
        """The data of the events that these bytes complete."""

    def flush(self) -> Iterable[bytes]:
        """After the last byte: what the end of the body completes."""


class HTTPAttempt:
    """One attempt. `wall` gives epoch seconds, `extra_bytes` is added to the bound on the answer.

    `is_hidden` is for the gateway's own readers: whether thoughts are left out of the answer.
    """

    package: ClassVar[str]
    """The SDK's package, for messages."""

    def __init__(self, call: Call, wall: Callable[[], float], extra_bytes: int = 0, *, is_hidden: bool = False) -> None:
        self.call = call
        self.is_hidden = is_hidden
        self.wall = wall
        self.exchange = Exchange.of(call, body_limit=BODY_LIMIT + extra_bytes)
        self._body = b""

    # What a gateway brings

    def send(self, client: Any, request: WireRequest) -> None:
        """Send through the SDK, and return when the head of the answer is there; the body must not be read.

        An error status may be raised, for `explain`, or left for `refusal`.
        """
        raise NotImplementedError

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        raise NotImplementedError

    def explain(self, error: Exception) -> HBError:
        """The error of hb for what the SDK raised by itself, an error status above all."""
        exchange, name = self.exchange, type(error).__name__
        if exchange.status is not None and exchange.status >= 300:
            # What the SDK made of the refusal failed, not the refusal.
            said = error.object if isinstance(error, UnicodeDecodeError) else b""
            return self.refusal(exchange.status, said)
        if isinstance(error, ValueError | TypeError) and exchange.status is None:
            return InputError(f"{exchange.target}: the {self.package} package cannot send this request ({name})")
        return ProviderError(f"{exchange.target}: the {self.package} package failed ({name})", **exchange.facts())

    def refusal(self, status: int, body: bytes) -> HBError:
        """The error of hb for an error status that `send` left as it is."""
        return status_error(self.call, status, self.exchange.headers, body, wall=self.wall)

    def held(self, decoded: Any) -> HBError | None:
        """The error inside an answer that came with the status of a success; None where this wire knows none."""
        return None

    def events(self) -> EventSource:
        """What cuts a stream of this wire into events."""
        raise NotImplementedError

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        raise NotImplementedError

    def completion(self, decoded: Any) -> Completion:
        """The completion in a decoded answer that holds no error."""
        raise NotImplementedError

    def whole(self, decoded: Any) -> Iterable[Chunk]:
        """The chunks of an answer that was asked for as a stream, and came whole: one, where the wire has no other."""
        return [whole_chunk(self.completion(decoded))]

    def is_whole(self, content_type: bytes) -> bool:
        """Whether an answer of this (lower-case) type is one object or page in place of a stream."""
        return b"json" in content_type or b"html" in content_type

    # Reading

    @property
    def request_id(self) -> str | None:
        """The provider's name for the request."""
        found = request_id(self.exchange.named)
        return self.told(found) if found is not None else None

    def told(self, text: str) -> str:
        """A text of the server's, without the credentials that it has put into it."""
        secrets = self.call.own_secrets()
        return redact(text, secrets) if [secret for secret in secrets if secret in text] else text

    def unechoed(self, found: T) -> T:
        """What was read of an answer, its ids and raw data without the credentials that the server has put there."""
        return self._scrubbed(found) if _stands_in(self._body, self._sought()) else found

    def _sought(self) -> list[bytes]:
        """The credentials that are looked for."""
        return [key.encode("utf-8", "surrogatepass") for key in self.call.own_secrets() if len(key) >= ECHO_LENGTH]

    def _scrubbed(self, found: T) -> T:
        scrub = scrubber(self.call.own_secrets())
        for name in ("id", "model", "raw"):
            if getattr(found, name, None) is not None:
                setattr(found, name, scrubbed(getattr(found, name), scrub))
        return found

    def post(self, client: Any, request: WireRequest) -> Any:
        """Send a request; the whole answer, decoded, when it holds no error."""
        return drive.run(self._post(client, request, is_async=False))

    async def apost(self, client: Any, request: WireRequest) -> Any:
        """Async form of `post`."""
        return await self._post(client, request, is_async=True)

    async def exchanged(self, client: Any, request: WireRequest, *, is_json: bool = True, sink: Any = None) -> Any:
        """As `post`, in the colour of the call; or the bytes of the answer as they came; b"" where `sink` took them."""
        return await self._post(client, request, is_async=self.call.is_async, is_json=is_json, sink=sink)

    async def _post(
        self, client: Any, request: WireRequest, *, is_async: bool, is_json: bool = True, sink: Any = None
    ) -> Any:
        body = await self._open(client, request, is_async=is_async)
        try:
            # No local name for what was read: frames of errors are shown.
            asked = () if sink is None else (sink,)
            self._body = await body.read(*asked) if is_async else body.read(*asked)
        except HBError as error:
            failure = self.with_facts(error)
        else:
            if is_json and self.exchange.status == 204:  # a deletion may have nothing to say
                return {}
            return self.decoded(self._body) if is_json else self._body
        raise failure

    def decoded(self, body: bytes) -> Any:
        """The answer as data; the error that it holds, if it holds one."""
        self._body = body
        has_calls = self.call.verb not in ("embed", "imagen")  # vectors and pictures are vast, and have none
        decoded = self.read(lambda: decode_json(self._body, has_calls=has_calls))
        failure = self.read(lambda: self.held(decoded))
        if failure is None:
            return decoded
        body, decoded = b"", None  # a server may say back what it got, and tracebacks may show locals
        raise failure

    def read(self, reader: Callable[[], T]) -> T:
        """What the reader makes of the answer; its complaints get the facts of this attempt."""
        try:
            return reader()
        except ResponseError as error:
            failure = self.with_facts(error)
        except HBError:
            raise
        except Exception as error:
            failure = self.with_facts(self.unread(error))
        raise failure

    def unread(self, error: Exception) -> HBError:
        """The error of hb for an answer at which its reader failed, as that was not prepared for such a one."""
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        where = f" in {frame.tb_frame.f_code.co_name}" if frame is not None else ""
        return shape_error(self.call, f"the answer has a form that no reader knows ({type(error).__name__}{where})")

    def stream(self, client: Any, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of a streamed answer; closing the iterator closes the connection."""
        # Written out beside its async form: a driven source would cost a fifth more for each chunk.
        body = drive.run(self._open(client, request, is_async=False))
        reader = _Reader(self)
        try:
            if reader.is_whole:
                yield from reader.whole(body.read())
                return
            for piece in body:
                yield from reader.chunks(piece)
                if reader.state.is_done:
                    body.drain()
                    break
                if reader.state.is_finished:
                    self.exchange.settle()
            yield from reader.closing()
        except HBError as error:
            piece = b""  # see `decoded`
            reader.fail(error)
        finally:
            body.close()

    async def astream(self, client: Any, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        body = await self._open(client, request, is_async=True)
        reader = _Reader(self)
        try:
            if reader.is_whole:
                for chunk in reader.whole(await body.read()):
                    yield chunk
                return
            async for piece in body:
                for chunk in reader.chunks(piece):
                    yield chunk
                if reader.state.is_done:
                    await body.drain()
                    break
                if reader.state.is_finished:
                    self.exchange.settle()
            for chunk in reader.closing():
                yield chunk
        except HBError as error:
            piece = b""  # see `decoded`
            reader.fail(error)
        finally:
            await body.aclose()

    def with_facts(self, error: HBError) -> HBError:
        """The error with what this attempt knows, and without the frames and errors of the libraries below."""
        exchange = self.exchange
        error.__context__ = error.__traceback__ = None
        error.provider = error.provider or self.call.spec.provider
        error.model = error.model or self.call.spec.model_id
        error.status = error.status or exchange.status
        error.request_id = error.request_id or self.request_id
        if exchange.status is not None and exchange.status >= 400 and exchange.headers:
            error.rate_limits = rate_limits(exchange.headers, self.wall())
        if error.body is None:
            error.body = self._body[: 4 * BODY_EXCERPT].decode("utf-8", "replace")
        error.scrubbed(scrubber(self.call.secrets()))
        error.body = error.body[:BODY_EXCERPT]
        return error

    # Sending

    async def _open(self, client: Any, request: WireRequest, *, is_async: bool) -> Any:
        failure: HBError | None = None
        with self.exchange.active():
            try:
                await self.asend(client, request) if is_async else self.send(client, request)
                self.call.context.headers = Unshown(self.exchange.headers)
                if self.exchange.status is not None and not 200 <= self.exchange.status < 300:
                    failure = await self._refused(self.exchange.status, is_async=is_async)
                elif self.exchange.status == 204 and request.method != "DELETE":
                    failure = self.with_facts(self.exchange.broken("has the status 204, so there is no content"))
            except Exception as error:
                found = hb_error(error)
                failure = self.explain(error) if found is None else self.with_facts(found)
        self.exchange.secrets = None  # an idle connection knows its last exchange, and must not keep the call alive
        body = self.exchange.body
        if failure is None:
            assert body is not None
            return body
        if body is not None:
            await body.aclose() if is_async else body.close()
        # Raised out here, so that the SDK's error is not attached: it holds the request, and that the credential.
        raise failure

    async def _refused(self, status: int, *, is_async: bool) -> HBError:
        body = self.exchange.body
        try:
            said = await body.read() if is_async else body.read()
        except HBError:
            said = b""  # the status tells enough
        return self.with_facts(self.refusal(status, said))


def _stands_in(body: bytes, sought: Iterable[bytes]) -> bool:
    # In a function of its own, or the caller's frame would show a key; `find`, as `in` asks first whether it is a
    # number; and a loop, as a generator would cost each event more.
    for key in sought:  # noqa: SIM110
        if body.find(key) >= 0:
            return True
    return False


class _Reader:
    """The events of one answer as chunks."""

    def __init__(self, attempt: HTTPAttempt) -> None:
        self._attempt = attempt
        self._events = attempt.events()
        self.state = attempt.state()
        self._sought = attempt._sought()
        self.is_whole = attempt.is_whole(attempt.exchange.named.get(b"content-type", b"").lower())

    def chunks(self, piece: bytes) -> Iterator[Chunk]:
        """The chunks that these bytes complete."""
        return self._told(self._events.feed(piece))

    def closing(self) -> Iterator[Chunk]:
        """What is left to say after the last byte."""
        if not self.state.is_done:
            yield from self._told(self._events.flush())
        chunk = self.state.end()
        if chunk is not None:
            yield chunk

    def _told(self, events: Iterable[bytes]) -> Iterator[Chunk]:
        state, attempt = self.state, self._attempt
        feed, content = state.feed, attempt.exchange.content
        for data in events:
            attempt._body = data
            try:
                chunk = feed(data)
            except HBError:
                raise
            except Exception as error:
                raise attempt.unread(error) from None
            if state.is_fresh:
                content()
            if chunk is not None:
                if self._sought and _stands_in(data, self._sought):
                    attempt._scrubbed(chunk)
                yield chunk
            if state.is_done:
                return

    def whole(self, body: bytes) -> Iterable[Chunk]:
        """The chunks of an answer that was not streamed."""
        attempt = self._attempt
        decoded = attempt.decoded(body)
        return attempt.read(lambda: [attempt.unechoed(chunk) for chunk in attempt.whole(decoded)])

    def fail(self, error: HBError) -> None:
        """Raise what a failure is at this point of the stream; nothing where the answer was complete before it."""
        if self.state.is_finished and isinstance(error, TransportClosed | CallTimeout | ProtocolError):
            return
        self._attempt.with_facts(error)
        if not self.state.showed or isinstance(error, StreamError | CallTimeout | InputError):
            raise error
        told = f"{self._attempt.exchange.target}: the stream broke after content had come: {error}"
        raise StreamInterrupted.of(error, told, maybe_billed=True) from error
