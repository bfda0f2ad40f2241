"""One attempt on the wire, in both colours: send, read, and make every failure an error of hb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from hb_gateway_openai.client import sdk
from hb_gateway_openai.responses import Thinking, completion
from hb_gateway_openai.streams import ChatStream, whole_chunk
from heavenbase.errors import (
    BODY_EXCERPT,
    CallTimeout,
    HBError,
    InputError,
    ProviderError,
    ResponseError,
    StreamError,
    StreamInterrupted,
    TransportClosed,
)
from heavenbase.http.exchange import BODY_LIMIT, Exchange, request_id
from heavenbase.http.payload import decode_json, encode_json
from heavenbase.http.sse import IMAGE_EVENT_LIMIT, TEXT_EVENT_LIMIT, EventParser
from heavenbase.http.status import call_secrets, embedded_error, status_error
from heavenbase.http.transport import hb_error
from heavenbase.secrets import redact

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from heavenbase.call import Call, WireRequest
    from heavenbase.image import LLMImage
    from heavenbase.types import Chunk

    Files = Sequence[tuple[LLMImage, bytes]]

T = TypeVar("T")
_SDK_HEADERS = ("Accept", "Authorization", "Content-Type", "OpenAI-Organization", "OpenAI-Project", "User-Agent")


class Wire:
    """One attempt of a call. `wall` gives epoch seconds, `extra_bytes` is added to the bound on the answer."""

    __slots__ = ("_body", "_call", "_exchange", "_wall", "thinking")

    def __init__(self, call: Call, thinking: Thinking, wall: Callable[[], float], extra_bytes: int = 0) -> None:
        self.thinking = thinking
        self._call = call
        self._wall = wall
        self._exchange = Exchange.of(call, body_limit=BODY_LIMIT + extra_bytes)
        self._body = b""

    @property
    def request_id(self) -> str | None:
        """The provider's name for the request."""
        return request_id(self._exchange.headers)

    # Sending

    def post(self, client: Any, request: WireRequest, files: Files = ()) -> bytes:
        """Send a request and read the whole answer."""
        self._open(client, request, files)
        body = self._exchange.body
        assert body is not None
        try:
            self._body = body.read()
        except HBError as error:
            failure = self._with_facts(error)
        else:
            return self._body
        raise failure

    async def apost(self, client: Any, request: WireRequest, files: Files = ()) -> bytes:
        """Async form of `post`."""
        await self._aopen(client, request, files)
        body = self._exchange.abody
        assert body is not None
        try:
            self._body = await body.read()
        except HBError as error:
            failure = self._with_facts(error)
        else:
            return self._body
        raise failure

    def _open(self, client: Any, request: WireRequest, files: Files = ()) -> None:
        arguments = _arguments(client, request, files)
        failure: HBError
        with self._exchange.active():
            try:
                client.post(request.url, cast_to=sdk().response_type, stream=True, **arguments)
                return
            except Exception as error:
                failure = self._failure(error)
        # Raised out here, so that the SDK's error is not attached: it holds the request, and that the credential.
        raise failure

    async def _aopen(self, client: Any, request: WireRequest, files: Files = ()) -> None:
        arguments = _arguments(client, request, files)
        failure: HBError
        with self._exchange.active():
            try:
                await client.post(request.url, cast_to=sdk().response_type, stream=True, **arguments)
                return
            except Exception as error:
                failure = self._failure(error)
        raise failure

    # Reading

    def decoded(self, body: bytes) -> Any:
        """The answer as data; the error that it holds, if it holds one."""
        decoded = self.read(lambda: decode_json(body))
        if isinstance(decoded, dict) and (decoded.get("error") or decoded.get("object") == "error"):
            raise self._embedded(decoded.get("error") or decoded)
        return decoded

    def read(self, reader: Callable[[], T]) -> T:
        """What the reader makes of the answer; its complaints get the facts of this attempt."""
        try:
            return reader()
        except ResponseError as error:
            failure = self._with_facts(error)
        raise failure

    def stream(self, client: Any, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of a streamed answer; closing the iterator closes the connection."""
        self._open(client, request)
        body = self._exchange.body
        assert body is not None
        reader = _Reader(self)
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
            yield from reader.closing()
        except HBError as error:
            failure = reader.failure(error)
        finally:
            body.close()
        if failure is not None:
            raise failure from failure.__cause__

    async def astream(self, client: Any, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        await self._aopen(client, request)
        body = self._exchange.abody
        assert body is not None
        reader = _Reader(self)
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
            for chunk in reader.closing():
                yield chunk
        except HBError as error:
            failure = reader.failure(error)
        finally:
            await body.aclose()
        if failure is not None:
            raise failure from failure.__cause__

    # Failures

    def _failure(self, error: Exception) -> HBError:
        """The error of hb for what the SDK raised."""
        found = hb_error(error)
        if found is not None:
            return self._with_facts(found)
        exchange, openai = self._exchange, sdk().module
        if isinstance(error, openai.APIStatusError):
            return status_error(
                self._call, error.response.status_code, exchange.headers, _content(error.response), wall=self._wall
            )
        if isinstance(error, ValueError | TypeError):
            return InputError(f"{exchange.target}: the openai package cannot send this request ({_name(error)})")
        return ProviderError(f"{exchange.target}: the openai package failed ({_name(error)})", **exchange.facts())

    def _embedded(self, error: Any) -> HBError:
        return embedded_error(self._call, error, self._exchange.headers, wall=self._wall)

    def _with_facts(self, error: HBError) -> HBError:
        """The error with what this attempt knows, and without the frames and errors of the libraries below."""
        exchange = self._exchange
        error.__context__ = error.__traceback__ = None
        error.provider = error.provider or self._call.spec.provider
        error.model = error.model or self._call.spec.model_id
        error.status = error.status or exchange.status
        error.request_id = error.request_id or self.request_id
        if error.body is None:
            text = self._body[: 4 * BODY_EXCERPT].decode("utf-8", "replace")
            error.body = redact(text, call_secrets(self._call.spec))[:BODY_EXCERPT]
        return error


class _Reader:
    """The events of one answer as chunks."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._exchange = exchange = wire._exchange
        spec = wire._call.spec
        images = spec.provider_value("image_endpoint") == "chat"
        self._parser = EventParser(IMAGE_EVENT_LIMIT if images else TEXT_EVENT_LIMIT)
        self._state = ChatStream(wire._call, wire.thinking, wire._embedded)
        named = {name.lower(): value.lower() for name, value in exchange.headers}
        kind = named.get(b"content-type", b"")
        self.is_whole = b"json" in kind or b"html" in kind
        """Whether the server answered with one object (or page) in place of a stream."""

    @property
    def is_done(self) -> bool:
        """Whether the terminal marker came."""
        return self._state.is_done

    def chunks(self, piece: bytes) -> Iterator[Chunk]:
        """The chunks that these bytes complete."""
        state, exchange = self._state, self._exchange
        for event in self._parser.feed(piece):
            self._wire._body = event.data
            chunk = state.feed(event.data)
            if chunk is None:
                return
            if state.is_fresh:
                exchange.content()
            yield chunk

    def closing(self) -> Iterator[Chunk]:
        """What is left to say after the last event."""
        chunk = self._state.end()
        if chunk is not None:
            yield chunk

    def whole(self, body: bytes) -> Chunk:
        """The one chunk of an answer that was not streamed."""
        wire = self._wire
        wire._body = body
        decoded = wire.decoded(body)
        return whole_chunk(wire.read(lambda: completion(wire._call, decoded, wire.thinking)))

    def failure(self, error: HBError) -> HBError | None:
        """What a failure is at this point of the stream; None where the answer was complete before it."""
        if self._state.is_finished and isinstance(error, TransportClosed | CallTimeout):
            return None
        self._wire._with_facts(error)
        if not self._state.showed or isinstance(error, StreamError | CallTimeout | InputError):
            return error
        broken = StreamInterrupted(
            f"{self._exchange.target}: the stream broke after content had come: {error}",
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


def _arguments(client: Any, request: WireRequest, files: Files) -> dict[str, Any]:
    """What `client.post` takes beside path and types."""
    options: dict[str, Any] = {"max_retries": 0}
    if len(request.headers) > 1 or files:
        options["headers"] = _headers(client, request)
    if files:
        fields = {name: value for name, value in request.body.items() if name != "image"}
        # Several images go under one name, which then has brackets.
        name = "image[]" if len(files) > 1 else "image"
        parts = [
            (name, (f"image{place}.{image.format}", data, image.media_type))
            for place, (image, data) in enumerate(files)
        ]
        return {"body": fields, "files": parts, "options": options}
    content = encode_json(request.body)
    # Older releases of major 2 take bytes as the body; newer ones have a parameter of their own, and warn.
    return {"content" if sdk().takes_content else "body": content, "options": options}


def _headers(client: Any, request: WireRequest) -> dict[str, str]:
    # The SDK tells the header of a client from that of a request by its exact spelling, and would send both.
    spelling = {name.lower(): name for name in (*_SDK_HEADERS, *client._custom_headers)}
    return {spelling.get(name.lower(), name): value for name, value in request.headers.items()}


def _content(response: Any) -> bytes:
    try:
        return bytes(response.content)
    except Exception:  # the ResponseNotRead of whichever httpx this is
        return b""


def _name(error: Exception) -> str:
    return type(error).__name__
