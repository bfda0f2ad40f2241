"""One attempt at Vertex AI: hb's own request on the HTTP client, under a key or a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.wire import GeminiAttempt
from heavenbase.http import request_content

if TYPE_CHECKING:
    from hb_provider_vertex.client import Client
    from heavenbase.call import WireRequest
    from heavenbase.errors import HBError


class VertexAttempt(GeminiAttempt):
    """One attempt of a call."""

    def send(self, client: Client, request: WireRequest) -> None:
        """Send under a token that is fresh."""
        client.http.send(_built(client.http, client.headers(), request), stream=True)

    async def asend(self, client: Client, request: WireRequest) -> None:
        """Async form of `send`. google-auth has none, so what may wait in it waits in a thread."""
        if client.may_wait:
            from heavenbase.colour import call_in_thread

            shown = await call_in_thread(client.headers)
        else:
            shown = client.headers()
        await client.http.send(_built(client.http, shown, request), stream=True)

    def refusal(self, status: int, body: bytes) -> HBError:
        """The error of hb for an error status."""
        from hb_provider_gemini.failures import google_error

        return google_error(self.call, status, self.exchange.headers, body, wall=self.wall)


def _built(http: Any, shown: dict[str, str], request: WireRequest) -> Any:
    named: dict[str, tuple[str, str]] = {}
    for found in (shown, request.headers):
        named.update({name.lower(): (name, value) for name, value in found.items()})
    content = request_content(request)
    return http.build_request(request.method, request.url, content=content, headers=list(named.values()))
