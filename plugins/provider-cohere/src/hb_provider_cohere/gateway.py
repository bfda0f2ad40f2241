"""CohereGateway: chat, streams, embeddings and rerank on Cohere's own wire.

The cohere SDK keeps what it is good for (credential, headers, its HTTP client); bodies are made and answers read here,
which costs a fraction of its conversions and loses nothing that it does not know yet.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from hb_provider_cohere import client as clients
from hb_provider_cohere.parameters import extras
from hb_provider_cohere.request import chat_body
from hb_provider_cohere.thinking import is_hidden
from heavenbase.call import WireRequest
from heavenbase.errors import ImageGenerationNotSupported, MissingPackage
from heavenbase.http.client import with_call_proxies
from heavenbase.http.status import is_secret_header
from heavenbase.plugin import Gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from hb_provider_cohere.wire import CohereAttempt
    from heavenbase.call import Call
    from heavenbase.http.connections import Connections
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion, Embedding

__all__ = ["CohereGateway"]


class CohereGateway(Gateway):
    """Chat, streams and embeddings on Cohere's wire."""

    name = "cohere"
    wire: ClassVar[str] = "cohere"

    def __init__(self) -> None:
        self._connections: Connections | None = None

    def check(self) -> None:
        """Raise MissingPackage when the SDK is not installed."""
        if find_spec("cohere") is None:
            raise MissingPackage(clients.NEEDED)

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent."""
        if call.verb == "complete":
            return self._request(call, "chat", chat_body(call))
        if call.verb == "embed":
            from hb_provider_cohere.embeddings import embedding_body

            return self._request(call, "embed", embedding_body(call))
        raise ImageGenerationNotSupported(f"{call.target} generates no images", provider=call.spec.provider)

    # Verbs

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One non-streamed answer."""
        attempt = self._attempt(call)
        return self._completion(attempt, attempt.post(self._client(call), request))

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        attempt = self._attempt(call)
        return self._completion(attempt, await attempt.apost(self._client(call), request))

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of one streamed answer."""
        return self._attempt(call).stream(self._client(call), request)

    def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        return self._attempt(call).astream(self._client(call), request)

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per input."""
        attempt = self._embedding_attempt(call)
        return self._embedding(attempt, attempt.post(self._client(call), request))

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        attempt = self._embedding_attempt(call)
        return self._embedding(attempt, await attempt.apost(self._client(call), request))

    # What only this wire has

    def post(self, call: Call, operation: str, body: dict[str, Any]) -> Any:
        """The decoded answer of another operation of the API, such as rerank."""
        return self._attempt(call).post(self._client(call), self._request(call, operation, body))

    async def apost(self, call: Call, operation: str, body: dict[str, Any]) -> Any:
        """Async form of `post`."""
        return await self._attempt(call).apost(self._client(call), self._request(call, operation, body))

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """The `cohere.ClientV2` that serves this spec; the same object for equal client keys."""
        return clients.client_of(spec, self.services, self._shared(), is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The `cohere.AsyncClientV2` that serves this spec on the running event loop."""
        return clients.client_of(spec, self.services, self._shared(), is_async=True)

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Model and fields for `client.chat`."""
        from hb_provider_cohere.exports import chat_arguments

        return chat_arguments(spec, overrides)

    # Shared

    def close(self) -> None:
        """Close the connections that the clients left."""
        if self._connections is not None:
            self._connections.close()

    def _request(self, call: Call, operation: str, body: dict[str, Any]) -> WireRequest:
        spec = call.spec
        headers, query = extras(call)
        url = f"{clients.base_url(spec)}/{operation}"
        if query:
            url += f"?{urlencode(query, doseq=True)}"
        shown = {name: value for name, value in spec.headers.items() if not is_secret_header(name)}
        return WireRequest("POST", url, body, {"content-type": "application/json", **shown, **headers}, _AUTH)

    def _client(self, call: Call) -> Any:
        return clients.client_of(with_call_proxies(call), self.services, self._shared(), is_async=call.is_async)

    def _attempt(self, call: Call, extra_bytes: int = 0) -> CohereAttempt:
        from hb_provider_cohere.wire import CohereAttempt

        return CohereAttempt(call, self.services.wall, is_hidden(call.args, call.explicit), extra_bytes)

    def _embedding_attempt(self, call: Call) -> CohereAttempt:
        from hb_provider_cohere.embeddings import BYTES_PER_INPUT

        return self._attempt(call, len(call.inputs) * BYTES_PER_INPUT)

    @staticmethod
    def _completion(attempt: CohereAttempt, decoded: Any) -> Completion:
        from hb_provider_cohere.responses import completion

        answer = attempt.read(lambda: completion(attempt.call, decoded, attempt.is_hidden))
        answer.request_id = attempt.request_id
        return answer

    @staticmethod
    def _embedding(attempt: CohereAttempt, decoded: Any) -> Embedding:
        from hb_provider_cohere.embeddings import embedding

        return attempt.read(lambda: embedding(attempt.call, decoded))

    def _shared(self) -> Connections:
        if self._connections is None:
            from heavenbase.http.connections import Connections

            self._connections = Connections()
        return self._connections


_AUTH = "Authorization: Bearer"
