"""BedrockGateway: chats over Converse, embeddings and images over InvokeModel, signed by boto3, carried by hb."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from hb_provider_bedrock import client as clients
from hb_provider_bedrock.embeddings import body_of_input, embedding, embedding_body, joined, takes_many
from hb_provider_bedrock.images import image_body, image_result
from hb_provider_bedrock.models import base_model, model_page
from hb_provider_bedrock.names import PARAMETERS
from hb_provider_bedrock.request import chat_body
from heavenbase.call import WireRequest
from heavenbase.errors import MissingPackage, RequestRejected, UnsupportedError
from heavenbase.http import HTTPGateway, added_parts
from heavenbase.wires import thoughts_hidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_bedrock.senders import Sender
    from hb_provider_bedrock.wire import BedrockAttempt
    from heavenbase.call import Call
    from heavenbase.operations import Listing, ModelInfo, Ranking, TokenCount
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Embedding, ImageResult


MODELS = "/foundation-models"
_NO_COUNT = re.compile(r"support.{0,40}\bcount", re.IGNORECASE)
"""How it says that a model's tokens cannot be counted."""
COUNTED = ("messages", "system", "toolConfig", "additionalModelRequestFields")
"""What a request to count tokens may hold of a chat."""


class BedrockGateway(HTTPGateway["BedrockAttempt"]):
    """Chats, streams, embeddings and images on the Bedrock runtime's wire."""

    name = "bedrock"
    wire: ClassVar[str] = "bedrock"
    vision: ClassVar[str] = "bedrock"
    blocks = frozenset({"toolUse", "toolResult", "reasoningContent", "searchResult", "document.format"})
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS

    def __init__(self) -> None:
        self._known: set[int] = set()

    def check(self) -> None:
        """Raise MissingPackage when botocore is not installed."""
        from importlib.util import find_spec

        if find_spec("botocore") is None:
            raise MissingPackage("the bedrock gateway needs botocore: pip install 'botocore>=1.40'")

    def needs_image_bytes(self, call: Call) -> bool:
        """Reference images travel as bytes."""
        return True

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent; an error for what the model does not do."""
        make = {"embed": embedding_body, "imagen": image_body}.get(call.verb, chat_body)
        headers = {"content-type": "application/json", **call.spec.headers, **added_parts(call)[0]}
        return WireRequest(
            "POST",
            f"{_endpoint(call, self.services.environ)}{_path(call)}",
            make(call),
            headers,
            self._auth(call),
        )

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Sender:
        """What signs and sends for a spec and the arguments of a call."""
        from hb_provider_bedrock.senders import Sender

        return Sender(spec, args, self.services, self.connections(), self._known)

    def attempt(self, call: Call, extra_bytes: int = 0) -> BedrockAttempt:
        """A fresh attempt of a call."""
        from hb_provider_bedrock.wire import BedrockAttempt

        is_hidden = thoughts_hidden(call.args, call.explicit, by_step=True)
        return BedrockAttempt(call, self.services.wall, _path(call), is_hidden)

    # Verbs

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per input; where the model takes one alone, one request each."""
        return joined(call, [self.ask(self.attempt(call), one, self.embedding) for one in _requests(call, request)])

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        found = [await self.aask(self.attempt(call), one, self.embedding) for one in _requests(call, request)]
        return joined(call, found)

    def embedding(self, attempt: BedrockAttempt, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        return embedding(attempt.call, decoded, attempt.exchange.headers)

    def images(self, attempt: BedrockAttempt, decoded: Any) -> ImageResult:
        """The images in a decoded answer."""
        return image_result(attempt.call, decoded)

    # Operations

    async def count_tokens(self, call: Call) -> TokenCount:
        """How many input tokens a chat call would have, as the provider counts them. Free of charge."""
        from heavenbase.operations import countable, counted

        request = self.prepare(call)
        request = replace(request, body={"input": {"converse": countable(call, request.body, COUNTED)}})
        try:
            return await self.exchange(call, request, lambda _, found: counted(call, found, "inputTokens"))
        except RequestRejected as error:
            if not _NO_COUNT.search(str(error)):
                raise
            failure = UnsupportedError(f"Bedrock counts no tokens for this model: {error}", provider=error.provider)
        raise failure

    async def models(self, call: Call) -> Listing[ModelInfo]:
        """The foundation models of the region, which the control plane lists."""
        from heavenbase.operations import listed

        place = _endpoint(call, self.services.environ).replace("bedrock-runtime", "bedrock", 1)
        headers = {**call.spec.headers, **added_parts(call)[0]}
        request = WireRequest("GET", f"{place}{_path(call)}", {}, headers, self._auth(call))
        return await listed(self, call, lambda _: request, model_page)

    async def rerank(self, call: Call) -> Ranking:
        """Documents by how well they answer a query, by a model of Cohere's or Amazon's for that."""
        from heavenbase.operations import ranking, rerank_body

        # The version is a field of Cohere's models there, which no other has.
        fixed = {"api_version": 2} if "cohere." in call.spec.model_id else {}
        body = {name: value for name, value in rerank_body(call, **fixed).items() if name not in clients.PLACES}
        request = WireRequest("POST", f"{_endpoint(call, self.services.environ)}{_path(call)}", body,
                              {"content-type": "application/json", **call.spec.headers, **added_parts(call)[0]},
                              self._auth(call))  # fmt: skip
        return await self.exchange(call, request, lambda _, found: ranking(call, found))

    def _auth(self, call: Call) -> str:
        return f"Authorization: {'Bearer' if call.spec.api_key else 'AWS4-HMAC-SHA256'}"

    # Exports

    def to_bedrock_client(self, spec: LLMSpec) -> Any:
        """The client of boto3 that serves this spec; the same object for equal client keys."""
        return clients.client_of(spec, spec.args, self.services).boto()


def _endpoint(call: Call, environ: Mapping[str, str]) -> str:
    """Where boto3 will send this, as far as that is known before it has read the user's profile."""
    spec = call.spec
    if spec.base_url:
        return spec.base_url.rstrip("/")
    place = clients.region(call.args, environ) or clients.fallback_region(spec)
    return clients.host_of(place)


def _path(call: Call) -> str:
    """The path below the endpoint, with the query that the caller adds."""
    chat = "converse-stream" if call.stream else "converse"
    operation = {"complete": chat, "count_tokens": "count-tokens"}.get(call.verb, "invoke")
    query = added_parts(call)[1]
    # Tokens are counted for models themselves, and not for profiles of them.
    model = base_model(call.spec.model_id) if call.verb == "count_tokens" else call.spec.model_id
    path = f"/model/{quote(model, safe='-._~')}/{operation}" if call.verb != "models" else MODELS
    return f"{path}?{urlencode(query, doseq=True)}" if query else path


def _requests(call: Call, request: WireRequest) -> list[WireRequest]:
    """The requests of a batch: one, or one for each input."""
    if takes_many(call) or len(call.inputs) == 1:
        return [request]
    return [replace(request, body=body_of_input(request.body, text)) for text in call.inputs]
