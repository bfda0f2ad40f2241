"""One attempt on Bedrock's wire: signed by boto3, carried by hb's connections, read in frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.client import sdk
from hb_provider_bedrock.failures import answer_error, event_error, sdk_error
from hb_provider_bedrock.frames import Events
from hb_provider_bedrock.responses import completion
from hb_provider_bedrock.streams import ConverseStream
from heavenbase.http import HTTPAttempt, request_content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hb_provider_bedrock.outgoing import Outgoing
    from hb_provider_bedrock.senders import Sender
    from heavenbase.call import Call, WireRequest
    from heavenbase.errors import HBError
    from heavenbase.http import EventSource, StreamState
    from heavenbase.types import Completion

ACCEPT_ENCODING = ("Accept-Encoding", "identity")


class BedrockAttempt(HTTPAttempt):
    """One attempt of a call. `path` is the request's below the endpoint; `is_hidden` leaves thoughts out."""

    def __init__(self, call: Call, wall: Callable[[], float], path: str, is_hidden: bool) -> None:
        super().__init__(call, wall, is_hidden=is_hidden)
        self._path = path

    def send(self, client: Sender, request: WireRequest) -> None:
        """Sign and send; the address is boto3's to say."""
        signed = self._signed(client, request)
        client.to(signed.url, is_async=False).send(self.exchange, signed)

    async def asend(self, client: Sender, request: WireRequest) -> None:
        """Async form of `send`. boto3 has none, so what may wait in it waits in a thread."""
        if client.may_wait:
            from heavenbase.colour import call_in_thread

            signed = await call_in_thread(self._signed, client, request)
        else:
            signed = self._signed(client, request)
        await client.to(signed.url, is_async=True).send(self.exchange, signed)

    def _signed(self, client: Sender, request: WireRequest) -> Outgoing:
        signed = client.signer().sign(self._path, request_content(request) or b"", request.headers, request.method)
        self.call.context.remaining()
        signed.headers.multi_items().append(ACCEPT_ENCODING)
        return signed

    def explain(self, error: Exception) -> HBError:
        """The error of hb for what boto3 raised before anything was sent."""
        return sdk_error(self.call, error, sdk().exceptions)

    def refusal(self, status: int, body: bytes) -> HBError:
        """The error of hb for an error status."""
        return answer_error(self.call, status, self.exchange.headers, body, wall=self.wall)

    def events(self) -> EventSource:
        """Frames of Amazon's event streams."""
        return Events(self._event_error)

    def _event_error(self, headers: Mapping[str, str], payload: bytes) -> HBError:
        return event_error(self.call, headers, payload, self.exchange.headers, wall=self.wall)

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        return ConverseStream(self.call, self.is_hidden, self.held)

    def is_whole(self, content_type: bytes) -> bool:
        """Whether an answer is one object or page in place of a stream."""
        return super().is_whole(content_type) or b"text/plain" in content_type

    def completion(self, decoded: Any) -> Completion:
        """The completion in a decoded answer."""
        return completion(self.call, decoded, self.is_hidden)
