"""GeminiGateway: chat, streams, embeddings and images on Gemini's own wire.

The google-genai SDK keeps what it is good for (credential, headers, its HTTP client); bodies are made and answers read
here, which costs a fraction of its conversions and loses nothing that it does not know yet.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from hb_provider_gemini import client as clients
from hb_provider_gemini.models import purpose_of
from hb_provider_gemini.names import PARAMETERS
from hb_provider_gemini.request import content_body, model_path
from heavenbase.call import WireRequest
from heavenbase.errors import (
    EmbeddingsNotSupported,
    ImageGenerationNotSupported,
    MissingPackage,
    UnsupportedError,
)
from heavenbase.http import HTTPGateway
from heavenbase.wires import thoughts_hidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_gemini.files import GeminiFiles
    from hb_provider_gemini.wire import GeminiAttempt
    from heavenbase.call import Call
    from heavenbase.operations import Listing, ModelInfo, TokenCount
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Embedding, ImageResult

__all__ = ["GeminiGateway"]


class GeminiGateway(HTTPGateway["GeminiAttempt"]):
    """Chat, streams, embeddings and images on Gemini's wire."""

    name = "gemini"
    wire: ClassVar[str] = "gemini"
    vision: ClassVar[str] = "gemini"
    blocks = frozenset({"fileData", "file_data", "inlineData", "inline_data"})
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS
    bytes_per_input: ClassVar[int] = 128 * 1024

    def check(self) -> None:
        """Raise MissingPackage when the SDK is not installed."""
        if find_spec("google") is None or find_spec("google.genai") is None:
            raise MissingPackage(clients.NEEDED)

    def needs_image_bytes(self, call: Call) -> bool:
        """Reference images travel as bytes."""
        return True

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent; an error for what the model is not for."""
        _check_purpose(call)
        if call.verb == "complete":
            method = "streamGenerateContent" if call.stream else "generateContent"
            return self._request(call, method, content_body(call), {"alt": "sse"} if call.stream else {})
        if call.verb == "embed":
            return self.embedding_request(call)
        from hb_provider_gemini import images
        from hb_provider_gemini.models import traits_of

        if images.by_prediction(call):
            return self._request(call, "predict", images.prediction_body(call))
        return self._request(call, "generateContent", images.chat_body(call, traits_of(call.spec)))

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The SDK client for a spec; the arguments of a call change nothing about it."""
        return clients.client_of(spec, self.services, self.connections(), is_async=is_async)

    def attempt(self, call: Call, extra_bytes: int = 0) -> GeminiAttempt:
        """A fresh attempt of a call."""
        from hb_provider_gemini.wire import GeminiAttempt

        is_hidden = thoughts_hidden(call.args, call.explicit)
        return GeminiAttempt(call, self.services.wall, extra_bytes, is_hidden=is_hidden)

    def embedding(self, attempt: GeminiAttempt, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        from hb_provider_gemini.embeddings import embedding

        return embedding(attempt.call, decoded)

    def images(self, attempt: GeminiAttempt, decoded: Any) -> ImageResult:
        """The images in a decoded answer."""
        from hb_provider_gemini import images

        reader = images.images_of_prediction if images.by_prediction(attempt.call) else images.images_of_chat
        return reader(attempt.call, decoded)

    # What differs where the same wire is spoken elsewhere

    def place(self, spec: LLMSpec) -> str:
        """The address of the model, without the method."""
        return f"{clients.base_url(spec)}/{quote(model_path(spec.model_id), safe='/')}"

    def auth(self, spec: LLMSpec) -> str:
        """Where the credential goes, for people to read."""
        return "x-goog-api-key"

    def embedding_request(self, call: Call) -> WireRequest:
        """The request for vectors."""
        from hb_provider_gemini.embeddings import embedding_body

        return self._request(call, "batchEmbedContents", embedding_body(call))

    def counted_body(self, call: Call) -> dict[str, Any]:
        """The body of a request to count tokens."""
        return {"generateContentRequest": {"model": model_path(call.spec.model_id), **content_body(call)}}

    @property
    def files(self) -> GeminiFiles:
        """The operations on files."""
        from hb_provider_gemini.files import GeminiFiles

        return GeminiFiles(self)

    def model_list(self, spec: LLMSpec) -> tuple[str, str]:
        """(the address of the list of models, the field of its models)."""
        return f"{clients.base_url(spec)}/models", "models"

    # Operations

    async def count_tokens(self, call: Call) -> TokenCount:
        """How many input tokens a chat call would have, as the provider counts them. Free of charge."""
        from heavenbase.operations import counted

        request = self._request(call, "countTokens", self.counted_body(call))
        return await self.exchange(call, request, lambda _, found: counted(call, found, "totalTokens"))

    async def models(self, call: Call) -> Listing[ModelInfo]:
        """The models that the endpoint lists."""
        from hb_provider_gemini.files import PAGE, model_info, page_of
        from heavenbase.operations import listed

        def page(cursor: str | None) -> WireRequest:
            asked = {"pageSize": min(call.subject, PAGE), **({"pageToken": cursor} if cursor else {})}
            return self.at(call, address, {}, asked, "GET")

        address, field = self.model_list(call.spec)
        return await listed(self, call, page, lambda call, it: page_of(call, it, field, model_info))

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """The `google.genai.Client` that serves this spec; the same object for equal client keys."""
        return self.client(spec, spec.args, is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The `google.genai.client.AsyncClient` that serves this spec on the running event loop."""
        return self.client(spec, spec.args, is_async=True)

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Model and config for `client.models.generate_content`."""
        from hb_provider_gemini.exports import generate_arguments

        return generate_arguments(spec, overrides)

    # Shared

    def _request(
        self, call: Call, method: str, body: dict[str, Any], query: Mapping[str, Any] | None = None
    ) -> WireRequest:
        return self.at(call, f"{self.place(call.spec)}:{method}", body, query)

    def at(
        self, call: Call, url: str, body: dict[str, Any], query: Mapping[str, Any] | None, method: str = "POST"
    ) -> WireRequest:
        """A request of this call to an address of its endpoint."""
        return self.request_to(call, url, body, self.auth(call.spec), method=method, asked=query)


_REFUSALS: Mapping[str, tuple[type[UnsupportedError], str, str]] = {
    "complete": (UnsupportedError, "chat", "a model such as gemini-2.5-flash"),
    "embed": (EmbeddingsNotSupported, "embeddings", "a model such as gemini-embedding-001"),
    "imagen": (ImageGenerationNotSupported, "images", "a model such as gemini-2.5-flash-image"),
}


def _check_purpose(call: Call) -> None:
    purpose = purpose_of(call.spec.model_id)
    if purpose == "content" or (call.verb, purpose) in (("embed", "vectors"), ("imagen", "images")):
        return
    kind, missing, other = _REFUSALS[call.verb]
    raise kind(
        f"{call.target} makes {purpose} alone and has no {missing}; use {other}",
        provider=call.spec.provider,
        model=call.spec.model_id,
    )
