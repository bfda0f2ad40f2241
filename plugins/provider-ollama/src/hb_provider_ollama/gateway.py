"""OllamaGateway: chat, streams, embeddings and images on Ollama's own wire, through the ollama SDK's client."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from hb_provider_ollama import client as clients
from hb_provider_ollama.parameters import chat_fields, extras, merge_extra
from hb_provider_ollama.request import chat_body, embedding_body, image_body
from hb_provider_ollama.thinking import is_hidden
from heavenbase.call import Call, CallContext, WireRequest, split_options
from heavenbase.errors import MissingPackage
from heavenbase.http.client import with_call_proxies
from heavenbase.http.status import is_secret_header
from heavenbase.plugin import Gateway
from heavenbase.spec import Timeouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from hb_provider_ollama.wire import OllamaAttempt
    from heavenbase.http.connections import Connections
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion, Embedding, ImageResult

__all__ = ["OllamaGateway"]

BYTES_PER_INPUT = 128 * 1024
"""Room for one vector of 4,096 numbers written out."""


class OllamaGateway(Gateway):
    """Chat, streams, embeddings and images on Ollama's wire."""

    name = "ollama"
    wire: ClassVar[str] = "ollama"
    vision: ClassVar[str] = "ollama"

    def __init__(self) -> None:
        self._connections: Connections | None = None

    def check(self) -> None:
        """Raise MissingPackage when the SDK is not installed."""
        if find_spec("ollama") is None:
            raise MissingPackage(clients.NEEDED)

    def needs_image_bytes(self, call: Call) -> bool:
        """Reference images travel as bytes."""
        return True

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent."""
        if call.verb == "complete":
            return self._request(call, "api/chat", chat_body(call))
        if call.verb == "embed":
            return self._request(call, "api/embed", embedding_body(call))
        return self._request(call, "api/generate", image_body(call))

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
        attempt = self._attempt(call, len(call.inputs) * BYTES_PER_INPUT)
        return self._embedding(attempt, attempt.post(self._client(call), request))

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        attempt = self._attempt(call, len(call.inputs) * BYTES_PER_INPUT)
        return self._embedding(attempt, await attempt.apost(self._client(call), request))

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """The image for the prompt."""
        attempt = self._attempt(call)
        return self._images(attempt, attempt.post(self._client(call), request))

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Async form of `generate_images`."""
        attempt = self._attempt(call)
        return self._images(attempt, await attempt.apost(self._client(call), request))

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """The `ollama.Client` that serves this spec; the same object for equal client keys."""
        return clients.client_of(spec, self.services, self._shared(), is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The `ollama.AsyncClient` that serves this spec on the running event loop."""
        return clients.client_of(spec, self.services, self._shared(), is_async=True)

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Model and arguments for `client.chat`."""
        args, controls = split_options({**spec.args, **overrides})
        context = CallContext(lambda: 0.0, Timeouts(), 0.0, 0.0, None)
        explicit = spec.explicit | overrides.keys()
        call = Call("complete", spec, context, args=args, controls=controls, explicit=explicit)
        fields, _ = chat_fields(call)
        merge_extra(fields, args, context.report)
        return {"model": spec.model_id, **fields}

    # Shared

    def _request(self, call: Call, path: str, body: dict[str, Any]) -> WireRequest:
        spec = call.spec
        headers, query = extras(call)
        url = f"{clients.base_url(spec)}/{path}"
        if query:
            url += f"?{urlencode(query, doseq=True)}"
        shown = {name: value for name, value in spec.headers.items() if not is_secret_header(name)}
        auth = "Authorization: Bearer" if spec.api_key is not None else None
        return WireRequest("POST", url, body, {"content-type": "application/json", **shown, **headers}, auth)

    def _client(self, call: Call) -> Any:
        spec = with_call_proxies(call)
        return clients.client_of(spec, self.services, self._shared(), is_async=call.is_async)

    def _attempt(self, call: Call, extra_bytes: int = 0) -> OllamaAttempt:
        from hb_provider_ollama.wire import OllamaAttempt

        return OllamaAttempt(call, self.services.wall, is_hidden(call.args, call.explicit), extra_bytes)

    @staticmethod
    def _completion(attempt: OllamaAttempt, decoded: Any) -> Completion:
        from hb_provider_ollama.responses import completion

        answer = attempt.read(lambda: completion(attempt.call, decoded, attempt.is_hidden))
        answer.request_id = attempt.request_id
        return answer

    @staticmethod
    def _embedding(attempt: OllamaAttempt, decoded: Any) -> Embedding:
        from hb_provider_ollama.responses import embedding

        return attempt.read(lambda: embedding(attempt.call, decoded))

    @staticmethod
    def _images(attempt: OllamaAttempt, decoded: Any) -> ImageResult:
        from hb_provider_ollama.responses import images

        return attempt.read(lambda: images(attempt.call, decoded))

    def _shared(self) -> Connections:
        if self._connections is None:
            from heavenbase.http.connections import Connections

            self._connections = Connections()
        return self._connections
