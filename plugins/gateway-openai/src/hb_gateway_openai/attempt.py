"""One attempt on a wire of OpenAI's, through the openai SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_openai.client import sdk
from heavenbase.errors import HBError
from heavenbase.http.attempt import HTTPAttempt
from heavenbase.http.client import content_of
from heavenbase.http.events import ServerEvents
from heavenbase.http.payload import encode_json
from heavenbase.http.sse import IMAGE_EVENT_LIMIT, TEXT_EVENT_LIMIT
from heavenbase.http.status import embedded_error, status_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hb_wire_openai import Thinking
    from heavenbase.call import Call, WireRequest
    from heavenbase.http.attempt import EventSource, StreamState
    from heavenbase.image.image import LLMImage
    from heavenbase.types import Completion

    Files = Sequence[tuple[str, LLMImage, bytes]]
    """The fields of a form that are images, with their bytes."""

_SDK_HEADERS = ("Accept", "Authorization", "Content-Type", "OpenAI-Organization", "OpenAI-Project", "User-Agent")


class OpenAIAttempt(HTTPAttempt):
    """One attempt of a call; a wire adds how its answers and streams are read. `files` are sent as a form."""

    package: ClassVar[str] = "openai"

    def __init__(
        self,
        call: Call,
        thinking: Thinking,
        wall: Callable[[], float],
        extra_bytes: int = 0,
        files: Files = (),
    ) -> None:
        super().__init__(call, wall, extra_bytes)
        self.thinking = thinking
        self._files = files

    # Sending

    def send(self, client: Any, request: WireRequest) -> None:
        """Send through the SDK's own door, past its models and retries."""
        client.post(request.url, cast_to=sdk().response_type, stream=True, **_arguments(client, request, self._files))

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        arguments = _arguments(client, request, self._files)
        await client.post(request.url, cast_to=sdk().response_type, stream=True, **arguments)

    # Reading

    def events(self) -> EventSource:
        """Server-sent events."""
        images = self.call.spec.provider_value("image_endpoint") == "chat"
        return ServerEvents(IMAGE_EVENT_LIMIT if images else TEXT_EVENT_LIMIT)

    # Failures

    def explain(self, error: Exception) -> HBError:
        """The error of hb for what the SDK raised by itself."""
        exchange, openai = self.exchange, sdk().module
        if isinstance(error, openai.APIStatusError):
            body = content_of(error.response)
            return status_error(self.call, error.response.status_code, exchange.headers, body, wall=self.wall)
        return super().explain(error)

    def held(self, decoded: Any) -> HBError | None:
        """The error in an answer that came with the status of a success."""
        if isinstance(decoded, dict) and (decoded.get("error") or decoded.get("object") == "error"):
            return self.embedded(decoded.get("error") or decoded)
        return None

    def embedded(self, error: Any) -> HBError:
        """The error of hb for an error object."""
        return embedded_error(self.call, error, self.exchange.headers, wall=self.wall)


class ChatAttempt(OpenAIAttempt):
    """One attempt on the chat wire, and on those of embeddings and images."""

    def completion(self, decoded: Any) -> Completion:
        """The answer in a decoded body."""
        from hb_wire_openai import completion

        return completion(self.call, decoded, self.thinking)

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        from hb_wire_openai import ChatStream

        return ChatStream(self.call, self.thinking, self.embedded)


def _arguments(client: Any, request: WireRequest, files: Files) -> dict[str, Any]:
    """What `client.post` takes beside path and types."""
    options: dict[str, Any] = {"max_retries": 0}
    if len(request.headers) > 1 or files:
        options["headers"] = _headers(client, request)
    if files:
        named = {name for name, _, _ in files}
        fields = {name: value for name, value in request.body.items() if name not in named}
        parts = [
            (name, (f"{name.strip('[]')}{place}.{image.format}", data, image.media_type))
            for place, (name, image, data) in enumerate(files)
        ]
        return {"body": fields, "files": parts, "options": options}
    content = encode_json(request.body)
    # Older releases of major 2 take bytes as the body; newer ones have a parameter of their own, and warn.
    return {"content" if sdk().takes_content else "body": content, "options": options}


def _headers(client: Any, request: WireRequest) -> dict[str, str]:
    # The SDK tells the header of a client from that of a request by its exact spelling, and would send both.
    spelling = {name.lower(): name for name in (*_SDK_HEADERS, *client._custom_headers)}
    return {spelling.get(name.lower(), name): value for name, value in request.headers.items()}
