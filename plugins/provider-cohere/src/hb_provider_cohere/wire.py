"""One attempt on Cohere's wire, through the HTTP client of the cohere SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_cohere.failures import cohere_error, held_error
from hb_provider_cohere.responses import completion
from hb_provider_cohere.streams import ChatStream
from heavenbase.errors import HBError, InputError, ProviderError
from heavenbase.http.attempt import HTTPAttempt
from heavenbase.http.events import ServerEvents
from heavenbase.http.payload import encode_json
from heavenbase.http.sse import TEXT_EVENT_LIMIT

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.call import Call, WireRequest
    from heavenbase.http.attempt import EventSource, StreamState
    from heavenbase.types import Completion


class CohereAttempt(HTTPAttempt):
    """One attempt of a call. `is_hidden` leaves thoughts out of the answer."""

    def __init__(self, call: Call, wall: Callable[[], float], is_hidden: bool = False, extra_bytes: int = 0) -> None:
        super().__init__(call, wall, extra_bytes)
        self.is_hidden = is_hidden

    def send(self, client: Any, request: WireRequest) -> None:
        """Send with the SDK's headers and HTTP client, past its retries; an error status is read and raised."""
        http, built = _built(client, request)
        http.send(built, stream=True)
        body = self.exchange.body
        if self._is_refused and body is not None:
            raise self._refusal(body.read())

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        http, built = _built(client, request)
        await http.send(built, stream=True)
        body = self.exchange.abody
        if self._is_refused and body is not None:
            raise self._refusal(await body.read())

    def explain(self, error: Exception) -> HBError:
        """The error of hb for what the SDK raised by itself."""
        name, exchange = type(error).__name__, self.exchange
        if isinstance(error, ValueError | TypeError) and exchange.status is None:
            return InputError(f"{exchange.target}: the cohere package cannot send this request ({name})")
        return ProviderError(f"{exchange.target}: the cohere package failed ({name})", **exchange.facts())

    def held(self, decoded: Any) -> HBError | None:
        """The error in an answer or event."""
        return held_error(self.call, decoded, self.exchange.headers, wall=self.wall)

    def events(self) -> EventSource:
        """Server-sent events."""
        return ServerEvents(TEXT_EVENT_LIMIT)

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        return ChatStream(self.call, self.is_hidden, self.held)

    def completion(self, decoded: Any) -> Completion:
        """The completion in a decoded answer."""
        return completion(self.call, decoded, self.is_hidden)

    @property
    def _is_refused(self) -> bool:
        return self.exchange.status is not None and not 200 <= self.exchange.status < 300

    def _refusal(self, body: bytes) -> HBError:
        exchange = self.exchange
        assert exchange.status is not None
        return cohere_error(self.call, exchange.status, exchange.headers, body, wall=self.wall)


def _built(client: Any, request: WireRequest) -> tuple[Any, Any]:
    """(the SDK's HTTP client, the request with the SDK's credential and headers, and hb's address and body)."""
    wrapper = client._client_wrapper
    http = wrapper.httpx_client.httpx_client
    # Names are told apart by their spelling until they are on the wire; what the caller says comes last.
    headers: dict[str, tuple[str, str]] = {}
    for found in (wrapper.get_headers(), wrapper._headers or {}, request.headers):
        headers.update({name.lower(): (name, value) for name, value in found.items()})
    content = encode_json(request.body)
    return http, http.build_request("POST", request.url, content=content, headers=list(headers.values()))
