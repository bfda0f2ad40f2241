"""One attempt on Ollama's wire, through the HTTP client of the ollama SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_ollama.responses import completion
from hb_provider_ollama.streams import ChatStream
from heavenbase.errors import ConnectError, HBError
from heavenbase.http import HTTPAttempt, Lines, embedded_error, request_content

if TYPE_CHECKING:
    from heavenbase.call import WireRequest
    from heavenbase.http import EventSource, StreamState
    from heavenbase.types import Completion

NOT_RUNNING = "is Ollama running? Start it with: ollama serve; or set OLLAMA_HOST to where it runs"


class OllamaAttempt(HTTPAttempt):
    """One attempt of a call. `is_hidden` leaves thoughts out of the answer."""

    package: ClassVar[str] = "ollama"

    def send(self, client: Any, request: WireRequest) -> None:
        """Send with the SDK's HTTP client."""
        http = client._client
        http.send(_built(http, request), stream=True)

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        http = client._client
        await http.send(_built(http, request), stream=True)

    def held(self, decoded: Any) -> HBError | None:
        """The error in an answer or line."""
        if not isinstance(decoded, dict) or not decoded.get("error"):
            return None
        return embedded_error(self.call, decoded["error"], self.exchange.headers, wall=self.wall)

    def with_facts(self, error: HBError) -> HBError:
        """As the base does; a server that is not there gets a word about how to start it."""
        if isinstance(error, ConnectError) and NOT_RUNNING not in error.message:
            error.message = f"{error.message}; {NOT_RUNNING}"
        return super().with_facts(error)

    def events(self) -> EventSource:
        """Lines of JSON."""
        return Lines()

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        return ChatStream(self.call, self.is_hidden, self.held)

    def is_whole(self, content_type: bytes) -> bool:
        """Whether an answer is a page; one object is a stream of one line, whatever type it is given."""
        return b"html" in content_type

    def completion(self, decoded: Any) -> Completion:
        """The completion in a decoded answer."""
        return completion(self.call, decoded, self.is_hidden)


def _built(http: Any, request: WireRequest) -> Any:
    return http.build_request(
        request.method, request.url, content=request_content(request), headers=dict(request.headers)
    )
