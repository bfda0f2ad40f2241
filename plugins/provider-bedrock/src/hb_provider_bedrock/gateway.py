"""BedrockGateway: chats over Converse, embeddings and images over InvokeModel, signed by boto3, carried by hb."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from hb_provider_bedrock import client as clients
from hb_provider_bedrock.embeddings import body_of_input, embedding_body, takes_many, vectors
from hb_provider_bedrock.images import image_body, image_result
from hb_provider_bedrock.request import chat_body
from hb_provider_bedrock.thinking import is_hidden
from hb_provider_bedrock.usage import header_usage
from heavenbase.call import WireRequest
from heavenbase.errors import MissingPackage
from heavenbase.http.extras import extras
from heavenbase.plugin import Gateway
from heavenbase.types import Embedding, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from hb_provider_bedrock.senders import Senders
    from hb_provider_bedrock.wire import Wire
    from heavenbase.call import Call
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion, ImageResult


class BedrockGateway(Gateway):
    """Chats, streams, embeddings and images on the Bedrock runtime's wire."""

    name = "bedrock"
    wire: ClassVar[str] = "bedrock"
    vision: ClassVar[str] = "bedrock"

    def __init__(self) -> None:
        self._senders: Senders | None = None

    def check(self) -> None:
        """Raise MissingPackage when boto3 is not installed."""
        from importlib.util import find_spec

        if find_spec("botocore") is None:
            raise MissingPackage("the bedrock gateway needs the package boto3: pip install 'boto3>=1.40'")

    def needs_image_bytes(self, call: Call) -> bool:
        """Reference images travel as bytes."""
        return True

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent; an error for what the model does not do."""
        if call.verb == "embed":
            return self._request(call, "invoke_model", embedding_body(call))
        if call.verb == "imagen":
            return self._request(call, "invoke_model", image_body(call))
        return self._request(call, _operation(call), chat_body(call))

    # Verbs

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One non-streamed answer."""
        wire = self._wire(call)
        return _completion(wire, wire.read(wire.send("converse", request.body, *_extras(call))))

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        wire = self._wire(call)
        answer = await wire.asend("converse", request.body, *_extras(call))
        return _completion(wire, await wire.aread(answer))

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of one streamed answer."""
        from hb_provider_bedrock.reader import stream

        wire = self._wire(call)
        yield from stream(wire, wire.send("converse_stream", request.body, *_extras(call)), _hides(call))

    async def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        from hb_provider_bedrock.reader import astream

        wire = self._wire(call)
        chunks = astream(wire, await wire.asend("converse_stream", request.body, *_extras(call)), _hides(call))
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await chunks.aclose()  # type: ignore[attr-defined]

    def embed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """One vector per input; where the model takes one alone, one request each."""
        found: list[list[float]] = []
        usage: Usage | None = None
        for body, wanted in _bodies(call, request.body):
            wire = self._wire(call)
            content = wire.read(wire.send("invoke_model", body, *_extras(call)))
            usage = _add(usage, _vectors(wire, content, wanted, found))
        return _embedding(call, found, usage)

    async def aembed_batch(self, call: Call, request: WireRequest) -> Embedding:
        """Async form of `embed_batch`."""
        found: list[list[float]] = []
        usage: Usage | None = None
        for body, wanted in _bodies(call, request.body):
            wire = self._wire(call)
            content = await wire.aread(await wire.asend("invoke_model", body, *_extras(call)))
            usage = _add(usage, _vectors(wire, content, wanted, found))
        return _embedding(call, found, usage)

    def generate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """The images for the prompt."""
        wire = self._wire(call)
        return _images(wire, wire.read(wire.send("invoke_model", request.body, *_extras(call))))

    async def agenerate_images(self, call: Call, request: WireRequest) -> ImageResult:
        """Async form of `generate_images`."""
        wire = self._wire(call)
        return _images(wire, await wire.aread(await wire.asend("invoke_model", request.body, *_extras(call))))

    # Exports

    def to_bedrock_client(self, spec: LLMSpec) -> Any:
        """The client of boto3 that serves this spec; the same object for equal client keys."""
        from heavenbase.call import Call, CallContext

        context = CallContext(self.services.clock, spec.timeouts, 0.0, 0.0, None)
        return self._shared().client(Call("complete", spec, context, args=spec.args)).boto()

    # Shared

    def _request(self, call: Call, operation: str, body: dict[str, Any]) -> WireRequest:
        spec = call.spec
        headers, query = extras(call)
        url = f"{_endpoint(call)}/model/{quote(spec.model_id, safe='-._~')}/{clients.OPERATIONS[operation]}"
        if query:
            url += f"?{urlencode(query)}"
        shown = {"content-type": "application/json", **spec.headers, **headers}
        return WireRequest("POST", url, body, shown, "Authorization: Bearer" if spec.api_key else _SIGNED)

    def _wire(self, call: Call) -> Wire:
        from hb_provider_bedrock.wire import Wire

        return Wire(call, self._shared())

    def _shared(self) -> Senders:
        if self._senders is None:
            from hb_provider_bedrock.senders import Senders

            self._senders = Senders(self.services)
        return self._senders


_SIGNED = "Authorization: AWS4-HMAC-SHA256"


def _endpoint(call: Call) -> str:
    """Where boto3 will send this, as far as that is known before it has read the user's profile."""
    spec = call.spec
    if spec.base_url:
        return spec.base_url.rstrip("/")
    place = clients.region(spec, call.args) or clients.fallback_region(spec)
    return clients.host_of(place)


def _operation(call: Call) -> str:
    return "converse_stream" if call.stream else "converse"


def _extras(call: Call) -> tuple[dict[str, str], dict[str, str]]:
    headers, query = extras(call)
    named = {"Content-Type": "application/json", **call.spec.headers, **headers}
    return named, {name: str(value) for name, value in query.items()}


def _hides(call: Call) -> bool:
    return is_hidden(call.args, call.explicit)


def _completion(wire: Wire, content: bytes) -> Completion:
    from hb_provider_bedrock.responses import completion

    decoded = wire.decoded(content)
    answer = wire.checked(lambda: completion(wire.call, decoded, _hides(wire.call)))
    answer.request_id = wire.request_id
    return answer


def _bodies(call: Call, body: Mapping[str, Any]) -> list[tuple[Mapping[str, Any], int]]:
    """The bodies of a batch, each with the number of its inputs."""
    if takes_many(call) or len(call.inputs) == 1:
        return [(body, len(call.inputs))]
    return [(body_of_input(body, text), 1) for text in call.inputs]


def _vectors(wire: Wire, content: bytes, wanted: int, found: list[list[float]]) -> Usage | None:
    decoded = wire.decoded(content)
    found += wire.checked(lambda: vectors(wire.call, decoded, wanted))
    usage = header_usage(wire.exchange.headers)
    counted = decoded.get("inputTextTokenCount")
    if usage is None and isinstance(counted, int):
        usage = Usage(counted)
    return usage


def _add(before: Usage | None, later: Usage | None) -> Usage | None:
    return later if before is None else before if later is None else before + later


def _embedding(call: Call, found: list[list[float]], usage: Usage | None) -> Embedding:
    return Embedding(
        found, usage=usage, provider=call.spec.provider, gateway=call.spec.gateway, report=call.context.report
    )


def _images(wire: Wire, content: bytes) -> ImageResult:
    decoded = wire.decoded(content)
    return wire.checked(lambda: image_result(wire.call, decoded))
