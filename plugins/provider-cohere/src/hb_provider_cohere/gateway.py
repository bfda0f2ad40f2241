"""CohereGateway: chat, streams, embeddings and rerank on Cohere's own wire.

The cohere SDK keeps what it is good for (credential, headers, its HTTP client); bodies are made and answers read here,
which costs a fraction of its conversions and loses nothing that it does not know yet.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_cohere import client as clients
from hb_provider_cohere.names import PARAMETERS
from hb_provider_cohere.request import chat_body
from heavenbase.call import WireRequest
from heavenbase.errors import ImageGenerationNotSupported, MissingPackage
from heavenbase.http import HTTPGateway
from heavenbase.wires import thoughts_hidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_cohere.wire import CohereAttempt
    from heavenbase.call import Call
    from heavenbase.operations import Listing, ModelInfo, Ranking
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Embedding

__all__ = ["CohereGateway"]

PAGE = 1_000
"""Most models of one page."""


class CohereGateway(HTTPGateway["CohereAttempt"]):
    """Chat, streams and embeddings on Cohere's wire."""

    name = "cohere"
    wire: ClassVar[str] = "cohere"
    blocks = frozenset({"thinking"})
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS
    bytes_per_input: ClassVar[int] = 128 * 1024  # 4,096 numbers written out

    def check(self) -> None:
        """Raise MissingPackage when the SDK is not installed."""
        if find_spec("cohere") is None:
            raise MissingPackage(clients.NEEDED)

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent."""
        if call.verb == "complete":
            return self.request(call, "chat", chat_body(call))
        if call.verb == "embed":
            from hb_provider_cohere.embeddings import embedding_body

            return self.request(call, "embed", embedding_body(call))
        raise ImageGenerationNotSupported(f"{call.target} generates no images", provider=call.spec.provider)

    def request(self, call: Call, operation: str, body: dict[str, Any]) -> WireRequest:
        """A request of this call for an operation of the API."""
        return self._at(call, f"{clients.base_url(call.spec)}/{operation}", body)

    def _at(
        self, call: Call, url: str, body: dict[str, Any], asked: Mapping[str, Any] | None = None, method: str = "POST"
    ) -> WireRequest:
        return self.request_to(call, url, body, _AUTH, method=method, asked=asked)

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The SDK client for a spec; the arguments of a call change nothing about it."""
        return clients.client_of(spec, self.services, self.connections(), is_async=is_async)

    def attempt(self, call: Call, extra_bytes: int = 0) -> CohereAttempt:
        """A fresh attempt of a call."""
        from hb_provider_cohere.wire import CohereAttempt

        is_hidden = thoughts_hidden(call.args, call.explicit)
        return CohereAttempt(call, self.services.wall, extra_bytes, is_hidden=is_hidden)

    def embedding(self, attempt: CohereAttempt, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        from hb_provider_cohere.embeddings import embedding

        return embedding(attempt.call, decoded)

    # Operations

    async def models(self, call: Call) -> Listing[ModelInfo]:
        """The models that the endpoint lists, which is one of version 1 of the API."""
        from hb_provider_cohere.lists import model_page
        from heavenbase.operations import listed

        def page(cursor: str | None) -> WireRequest:
            asked = {"page_size": min(call.subject, PAGE), **({"page_token": cursor} if cursor else {})}
            return self._at(call, f"{clients.place(call.spec)[0]}/v1/models", {}, asked, "GET")

        return await listed(self, call, page, model_page)

    async def rerank(self, call: Call) -> Ranking:
        """Documents by how well they answer a query."""
        from hb_provider_cohere.lists import read_ranking
        from heavenbase.operations import rerank_body

        body = {"model": call.spec.model_id, **rerank_body(call)}
        return await self.exchange(call, self.request(call, "rerank", body), lambda _, it: read_ranking(call, it))

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """The `cohere.ClientV2` that serves this spec; the same object for equal client keys."""
        return self.client(spec, spec.args, is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The `cohere.AsyncClientV2` that serves this spec on the running event loop."""
        return self.client(spec, spec.args, is_async=True)

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Model and fields for `client.chat`."""
        from hb_provider_cohere.exports import chat_arguments

        return chat_arguments(spec, overrides)


_AUTH = "Authorization: Bearer"
