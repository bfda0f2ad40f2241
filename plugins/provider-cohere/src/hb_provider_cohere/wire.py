"""One attempt on Cohere's wire, through the HTTP client of the cohere SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_cohere.failures import cohere_error, held_error
from hb_provider_cohere.responses import completion
from hb_provider_cohere.streams import ChatStream
from heavenbase.errors import HBError
from heavenbase.http import TEXT_EVENT_LIMIT, HTTPAttempt, ServerEvents, request_content

if TYPE_CHECKING:
    from heavenbase.call import WireRequest
    from heavenbase.http import EventSource, StreamState
    from heavenbase.types import Completion


class CohereAttempt(HTTPAttempt):
    """One attempt of a call. `is_hidden` leaves thoughts out of the answer."""

    package: ClassVar[str] = "cohere"

    def send(self, client: Any, request: WireRequest) -> None:
        """Send with the SDK's headers and HTTP client, past its retries."""
        http, built = _built(client, request)
        http.send(built, stream=True)

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        http, built = _built(client, request)
        await http.send(built, stream=True)

    def refusal(self, status: int, body: bytes) -> HBError:
        """The error of hb for an error status."""
        return cohere_error(self.call, status, self.exchange.headers, body, wall=self.wall)

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


def _built(client: Any, request: WireRequest) -> tuple[Any, Any]:
    """(the SDK's HTTP client, the request with the SDK's credential and headers, and hb's address and body)."""
    wrapper = client._client_wrapper
    http = wrapper.httpx_client.httpx_client
    # Names are told apart by their spelling until they are on the wire; what the caller says comes last.
    headers: dict[str, tuple[str, str]] = {}
    for found in (wrapper.get_headers(), wrapper._headers or {}, request.headers):
        headers.update({name.lower(): (name, value) for name, value in found.items()})
    content = request_content(request)
    return http, http.build_request(request.method, request.url, content=content, headers=list(headers.values()))
