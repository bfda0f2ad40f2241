"""HTTPGateway: a gateway whose every call is one `HTTPAttempt`, so that its verbs are written once for both colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from heavenbase.errors import EmbeddingsNotSupported, ImageGenerationNotSupported
from heavenbase.http.client import with_call_proxies
from heavenbase.plugin import Gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping

    from heavenbase.call import Call, WireRequest
    from heavenbase.http.attempt import HTTPAttempt
    from heavenbase.http.transport.connections import Connections
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion, Embedding, ImageResult

A = TypeVar("A", bound="HTTPAttempt")
T = TypeVar("T")


class HTTPGateway(Gateway, Generic[A]):
    """A gateway over an SDK's HTTP client, with hb's connections below it.

    Implement `prepare`, `client` and `attempt`; `embedding` and `images` where the wire has them. All readers are pure:
    they get a decoded answer that holds no error, and complain with a ResponseError.
    """

    bytes_per_input: ClassVar[int] = 0
    """Room for one vector in an answer, in bytes, above what any answer may have."""
    _connections: Connections | None = None

    # What a gateway brings

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The SDK client for a spec and the arguments of a call, the same for equal client keys; see `http.client`."""
        raise NotImplementedError

    def attempt(self, call: Call, extra_bytes: int = 0) -> A:
        """A fresh attempt of a call; its answer may be larger than others by so many bytes."""
        raise NotImplementedError

    def embedding(self, attempt: A, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        call = attempt.call
        raise EmbeddingsNotSupported(f"gateway {self.name!r} has no embeddings", provider=call.spec.provider)

    def images(self, attempt: A, decoded: Any) -> ImageResult:
        """The images in a decoded answer."""
        call = attempt.call
        raise ImageGenerationNotSupported(f"gateway {self.name!r} generates no images", provider=call.spec.provider)

    # Verbs

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One non-streamed answer."""
        return self.ask(self.attempt(call), request, _completion)

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        return await self.aask(self.attempt(call), request, _completion)

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of one streamed answer."""
        return self.attempt(call).stream(self._client(call), request)

    def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        return self.attempt(call).astream(self._client(call), request)

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per input."""
        return self.ask(self.attempt(call, self.bytes_per_input * len(call.inputs)), request, self.embedding)

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        return await self.aask(self.attempt(call, self.bytes_per_input * len(call.inputs)), request, self.embedding)

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """The images for the prompt."""
        return self.ask(self.attempt(call), request, self.images)

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Async form of `generate_images`."""
        return await self.aask(self.attempt(call), request, self.images)

    # Shared

    def ask(self, attempt: A, request: WireRequest, read: Callable[[A, Any], T]) -> T:
        """Send a request, of a verb or of the gateway's own, and read the whole answer."""
        decoded = attempt.post(self._client(attempt.call), request)
        return attempt.read(lambda: read(attempt, decoded))

    async def aask(self, attempt: A, request: WireRequest, read: Callable[[A, Any], T]) -> T:
        """Async form of `ask`."""
        decoded = await attempt.apost(self._client(attempt.call), request)
        return attempt.read(lambda: read(attempt, decoded))

    def connections(self) -> Connections:
        """The connections that all clients of this gateway share."""
        if self._connections is None:
            from heavenbase.http.transport.connections import Connections

            self._connections = Connections()
        return self._connections

    def close(self) -> None:
        """Close the connections that the clients left."""
        if self._connections is not None:
            self._connections.close()

    def _client(self, call: Call) -> Any:
        return self.client(with_call_proxies(call), call.args, is_async=call.is_async)


def _completion(attempt: HTTPAttempt, decoded: Any) -> Completion:
    answer = attempt.completion(decoded)
    answer.request_id = attempt.request_id
    return answer
