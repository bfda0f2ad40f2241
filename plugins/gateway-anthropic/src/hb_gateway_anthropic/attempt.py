"""One attempt on Anthropic's wire, through the anthropic SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_anthropic.client import sdk, spelled
from hb_gateway_anthropic.failures import with_reset
from hb_gateway_anthropic.responses import completion
from hb_gateway_anthropic.streams import MessageStream
from heavenbase.errors import HBError
from heavenbase.http import UNTOLD, HTTPAttempt, ServerEvents, content_of, embedded_error, request_content, status_error
from heavenbase.operations import FileUpload

if TYPE_CHECKING:
    from heavenbase.call import WireRequest
    from heavenbase.http import EventSource, StreamState
    from heavenbase.types import Completion


class MessageAttempt(HTTPAttempt):
    """One attempt of a call; `is_hidden` leaves thoughts out of the answer."""

    package: ClassVar[str] = "anthropic"

    # Sending

    def send(self, client: Any, request: WireRequest) -> None:
        """Send through the SDK's own door, past its models and retries."""
        if request.method != "POST":
            client.request(sdk().response_type, _bodiless(client, request), stream=True)
            return
        client.post(request.url, cast_to=sdk().response_type, stream=True, **_arguments(client, request))

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        if request.method != "POST":
            await client.request(sdk().response_type, _bodiless(client, request), stream=True)
            return
        await client.post(request.url, cast_to=sdk().response_type, stream=True, **_arguments(client, request))

    # Reading

    def completion(self, decoded: Any) -> Completion:
        """The completion in a decoded answer."""
        return completion(self.call, decoded, self.is_hidden)

    def events(self) -> EventSource:
        """Server-sent events; what they are stands in their data, so their names do not matter."""
        return ServerEvents()

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        return MessageStream(self.call, self.is_hidden, self.held)

    # Failures

    def explain(self, error: Exception) -> HBError:
        """The error of hb for what the SDK raised by itself."""
        exchange, anthropic = self.exchange, sdk().module
        if isinstance(error, anthropic.APIStatusError):
            status, headers, body = error.response.status_code, exchange.headers, content_of(error.response)
            return with_reset(status_error(self.call, status, headers, body, wall=self.wall), headers, self.wall)
        return super().explain(error)

    def held(self, decoded: Any) -> HBError | None:
        """The error in an answer that came with the status of a success."""
        if isinstance(decoded, dict) and (decoded.get("error") or decoded.get("type") == "error"):
            return self._embedded(decoded.get("error") or decoded)
        return None

    def _embedded(self, error: Any) -> HBError:
        return embedded_error(self.call, error, self.exchange.headers, wall=self.wall)


def _bodiless(client: Any, request: WireRequest) -> Any:
    """A request without a body, as the SDK writes one."""
    return sdk().request_options.construct(
        method=request.method.lower(), url=request.url, headers=_headers(client, request), max_retries=0
    )


def _headers(client: Any, request: WireRequest) -> dict[str, Any]:
    return sdk().untold | spelled(request.headers, (*UNTOLD, *client._custom_headers))


def _arguments(client: Any, request: WireRequest) -> dict[str, Any]:
    """What `client.post` takes beside path and types. Bytes, which the SDK passes on without looking into them."""
    options: dict[str, Any] = {"headers": _headers(client, request), "max_retries": 0}
    if isinstance(request.content, FileUpload):
        file = request.content
        return {
            "body": dict(request.body),
            "files": {"file": (file.name, file.data, file.media_type)},
            "options": options,
        }
    return {"content": request_content(request), "options": options}
