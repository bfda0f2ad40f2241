"""One attempt on Gemini's wire, through the google-genai SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_gemini.client import sdk
from hb_provider_gemini.failures import error_status, google_error
from hb_provider_gemini.responses import completion
from hb_provider_gemini.streams import ContentStream
from heavenbase.errors import HBError
from heavenbase.http import IMAGE_EVENT_LIMIT, HTTPAttempt, ServerEvents, content_of, encode_json, request_content

if TYPE_CHECKING:
    from collections.abc import Iterable

    from heavenbase.call import WireRequest
    from heavenbase.http import EventSource, StreamState
    from heavenbase.types import Chunk, Completion


class GeminiAttempt(HTTPAttempt):
    """One attempt of a call. `is_hidden` leaves thoughts out of the answer."""

    package: ClassVar[str] = "google-genai"

    def send(self, client: Any, request: WireRequest) -> None:
        """Send through the SDK's own door, past its retries."""
        inside = client._api_client
        inside._request_once(_prepared(inside, request), stream=True)

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        inside = client._api_client
        await inside._async_request_once(_prepared(inside, request), stream=True)

    def explain(self, error: Exception) -> HBError:
        """The error of hb for what the SDK raised by itself."""
        exchange = self.exchange
        if isinstance(error, sdk().api_error) and exchange.status is not None:
            if exchange.status < 300:  # the SDK takes every status but 200 for an error
                return self.with_facts(exchange.broken(f"has the status {exchange.status}, which Gemini has not"))
            return self.refusal(exchange.status, content_of(getattr(error, "response", None)))
        return super().explain(error)

    def refusal(self, status: int, body: bytes) -> HBError:
        """The error of hb for an error status."""
        return google_error(self.call, status, self.exchange.headers, body, wall=self.wall)

    def held(self, decoded: Any) -> HBError | None:
        """The error in an answer or event; in an array of them, that of the first."""
        found = decoded[0] if isinstance(decoded, list) and decoded else decoded
        if not isinstance(found, dict) or not found.get("error"):
            return None
        error = found["error"]
        shape = found if isinstance(error, dict) else {"error": {"message": str(error)}}
        body = encode_json(shape)[: 64 * 1024]
        return google_error(
            self.call, error_status(shape["error"]), self.exchange.headers, body, wall=self.wall, decoded=shape
        )

    def events(self) -> EventSource:
        """Server-sent events, large enough for images."""
        return ServerEvents(IMAGE_EVENT_LIMIT)

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        return ContentStream(self.call, self.is_hidden, self.held)

    def completion(self, decoded: Any) -> Completion:
        """The completion in a decoded answer."""
        return completion(self.call, decoded, self.is_hidden)

    def whole(self, decoded: Any) -> Iterable[Chunk]:
        """The chunks of an answer that came whole: an object, or the array that servers send without `alt=sse`."""
        if not isinstance(decoded, list):
            return super().whole(decoded)
        state = ContentStream(self.call, self.is_hidden, self.held)
        chunks = [state.take(item) for item in decoded]
        return [chunk for chunk in [*chunks, state.end()] if chunk is not None]


def _prepared(inside: Any, request: WireRequest) -> Any:
    """The SDK's request, with its credential and headers, and hb's address and body."""
    made = inside._build_request(request.method.lower(), "models", {}, None)
    made.url = request.url
    made.data = request_content(request)
    made.timeout = None
    spelling = {name.lower(): name for name in made.headers}
    made.headers.update({spelling.get(name.lower(), name): value for name, value in request.headers.items()})
    return made
