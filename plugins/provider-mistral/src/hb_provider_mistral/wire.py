"""One attempt on Mistral's wire, through the HTTP client of the mistralai SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_mistral.responses import MistralStream, completion
from hb_wire_openai import WireAttempt
from heavenbase.errors import HBError
from heavenbase.http import request_content
from heavenbase.operations import FileUpload

if TYPE_CHECKING:
    from heavenbase.call import WireRequest
    from heavenbase.http import StreamState
    from heavenbase.types import Completion

REQUEST_ID = b"mistral-correlation-id"


class MistralAttempt(WireAttempt):
    """One attempt of a call."""

    package: ClassVar[str] = "mistralai"

    def send(self, client: Any, request: WireRequest) -> None:
        """Send with the SDK's credential and HTTP client, past its retries."""
        config = client.sdk_configuration
        config.client.send(_built(config, config.client, request), stream=True)

    async def asend(self, client: Any, request: WireRequest) -> None:
        """Async form of `send`."""
        config = client.sdk_configuration
        await config.async_client.send(_built(config, config.async_client, request), stream=True)

    @property
    def request_id(self) -> str | None:
        """The provider's name for the request."""
        found = self.exchange.named.get(REQUEST_ID)
        return self.told(found.decode("latin-1")[:200]) if found else super().request_id

    def refusal(self, status: int, body: bytes) -> HBError:
        """The error of hb for an error status, under the provider's own name for the request."""
        found = super().refusal(status, body)
        found.request_id = self.request_id
        return found

    def completion(self, decoded: Any) -> Completion:
        """The answer in a decoded body."""
        return completion(self.call, decoded, self.thinking)

    def state(self) -> StreamState:
        """A fresh state for one stream."""
        return MistralStream(self.call, self.thinking, self.embedded)


def _built(config: Any, http: Any, request: WireRequest) -> Any:
    """The request with the SDK's credential and user agent, and hb's address and body."""
    headers: dict[str, tuple[str, str]] = {}
    own = {"Authorization": f"Bearer {config.security.api_key}", "User-Agent": config.user_agent}
    for found in (own, request.headers):
        headers.update({name.lower(): (name, value) for name, value in found.items()})
    if isinstance(request.content, FileUpload):
        file = request.content
        headers.pop("content-type", None)  # the library says where the parts of the form are
        return http.build_request(
            request.method,
            request.url,
            data=dict(request.body),
            files={"file": (file.name, file.data, file.media_type)},
            headers=list(headers.values()),
        )
    content = request_content(request)
    return http.build_request(request.method, request.url, content=content, headers=list(headers.values()))
