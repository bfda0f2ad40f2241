"""OllamaGateway: chat, streams, embeddings and images on Ollama's own wire, through the ollama SDK's client."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_ollama import client as clients
from hb_provider_ollama.names import PARAMETERS
from hb_provider_ollama.parameters import chat_fields
from hb_provider_ollama.request import chat_body, embedding_body, image_body
from hb_provider_ollama.thinking import is_hidden
from heavenbase.call import Call, CallContext, WireRequest, split_options
from heavenbase.errors import MissingPackage
from heavenbase.http import HTTPGateway, merge_extra
from heavenbase.spec import Timeouts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_ollama.wire import OllamaAttempt
    from heavenbase.operations import Listing, ModelInfo
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Embedding, ImageResult

__all__ = ["OllamaGateway"]


class OllamaGateway(HTTPGateway["OllamaAttempt"]):
    """Chat, streams, embeddings and images on Ollama's wire."""

    name = "ollama"
    wire: ClassVar[str] = "ollama"
    vision: ClassVar[str] = "ollama"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS
    bytes_per_input: ClassVar[int] = 128 * 1024  # 4,096 numbers written out

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

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The SDK client for a spec; the arguments of a call change nothing about it."""
        return clients.client_of(spec, self.services, self.connections(), is_async=is_async)

    def attempt(self, call: Call, extra_bytes: int = 0) -> OllamaAttempt:
        """A fresh attempt of a call."""
        from hb_provider_ollama.wire import OllamaAttempt

        hidden = is_hidden(call.args, call.explicit)
        return OllamaAttempt(call, self.services.wall, extra_bytes, is_hidden=hidden)

    def embedding(self, attempt: OllamaAttempt, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        from hb_provider_ollama.responses import embedding

        return embedding(attempt.call, decoded)

    def images(self, attempt: OllamaAttempt, decoded: Any) -> ImageResult:
        """The image in a decoded answer."""
        from hb_provider_ollama.responses import images

        return images(attempt.call, decoded)

    # Operations

    async def models(self, call: Call) -> Listing[ModelInfo]:
        """The models that the server has."""
        from hb_provider_ollama.responses import model_page
        from heavenbase.operations import listed

        return await listed(self, call, lambda _: self._request(call, "api/tags", {}, "GET"), model_page)

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """The `ollama.Client` that serves this spec; the same object for equal client keys."""
        return self.client(spec, spec.args, is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The `ollama.AsyncClient` that serves this spec on the running event loop."""
        return self.client(spec, spec.args, is_async=True)

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

    def _request(self, call: Call, path: str, body: dict[str, Any], method: str = "POST") -> WireRequest:
        auth = "Authorization: Bearer" if call.spec.api_key is not None else None
        return self.request_to(call, f"{clients.base_url(call.spec)}/{path}", body, auth, method=method)
