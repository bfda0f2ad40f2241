"""One attempt on a wire of OpenAI's, through the openai SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_openai.client import sdk
from hb_wire_openai import WireAttempt
from heavenbase.errors import HBError
from heavenbase.http import UNTOLD, content_of, request_content, status_error
from heavenbase.operations import FileUpload

if TYPE_CHECKING:
    from hb_wire_openai import Files
    from heavenbase.call import WireRequest

_SDK_HEADERS = ("Accept", "Authorization", "Content-Type", "OpenAI-Organization", "OpenAI-Project", "User-Agent")


class OpenAIAttempt(WireAttempt):
    """One attempt of a call on the chat wire, and on those of embeddings and images."""

    package: ClassVar[str] = "openai"

    def send(self, client: Any, request: WireRequest) -> None:
        """Send through the SDK's own door, past its models and retries."""
        if request.method != "POST":
            client.request(sdk().response_type, _bodiless(client, request), stream=True)
            return
        client.post(request.url, cast_to=sdk().response_type, stream=True, **_arguments(client, request, self.files))

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        if request.method != "POST":
            await client.request(sdk().response_type, _bodiless(client, request), stream=True)
            return
        arguments = _arguments(client, request, self.files)
        await client.post(request.url, cast_to=sdk().response_type, stream=True, **arguments)

    def explain(self, error: Exception) -> HBError:
        """The error of hb for what the SDK raised by itself."""
        exchange, openai = self.exchange, sdk().module
        if isinstance(error, openai.APIStatusError):
            body = content_of(error.response)
            return status_error(self.call, error.response.status_code, exchange.headers, body, wall=self.wall)
        return super().explain(error)


ChatAttempt = OpenAIAttempt
"""Its name in the first release."""


def _arguments(client: Any, request: WireRequest, files: Files) -> dict[str, Any]:
    """What `client.post` takes beside path and types."""
    is_plain = len(request.headers) == 1 and not files and request.content is None
    headers = sdk().untold if is_plain else _headers(client, request)
    options: dict[str, Any] = {"max_retries": 0, "headers": headers}
    if files:
        named = {name for name, _, _ in files}
        fields = {name: value for name, value in request.body.items() if name not in named}
        parts = [
            (name, (f"{name.strip('[]')}{place}.{image.format}", data, image.media_type))
            for place, (name, image, data) in enumerate(files)
        ]
        return {"body": fields, "files": parts, "options": options}
    if isinstance(request.content, FileUpload):
        file = request.content
        return {
            "body": dict(request.body),
            "files": {"file": (file.name, file.data, file.media_type)},
            "options": options,
        }
    content = request_content(request)
    # Older releases of major 2 take bytes as the body; newer ones have a parameter of their own, and warn.
    return {"content" if sdk().takes_content else "body": content, "options": options}


def _bodiless(client: Any, request: WireRequest) -> Any:
    """A request without a body, as the SDK writes one."""
    return sdk().request_options.construct(
        method=request.method.lower(), url=request.url, headers=_headers(client, request), max_retries=0
    )


def _headers(client: Any, request: WireRequest) -> dict[str, Any]:
    # The SDK tells the header of a client from that of a request by its exact spelling, and would send both.
    spelling = {name.lower(): name for name in (*_SDK_HEADERS, *UNTOLD, *client._custom_headers)}
    given = {spelling.get(name.lower(), name): value for name, value in request.headers.items()}
    return sdk().untold | given
