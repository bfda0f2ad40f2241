"""AnthropicGateway: chat and streams over the anthropic SDK's own door for requests, `client.post`.

The SDK keeps what it is good for (authentication, headers, its HTTP client); bodies are made and answers read here,
which costs a fraction of its conversions.
"""

from __future__ import annotations

from importlib.util import find_spec
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from hb_gateway_anthropic import client as clients
from hb_gateway_anthropic.parameters import MAX_TOKENS, extras
from hb_gateway_anthropic.request import count_body, message_body
from hb_gateway_anthropic.thinking import is_hidden
from heavenbase.call import WireRequest
from heavenbase.errors import EmbeddingsNotSupported, ImageGenerationNotSupported, MissingPackage
from heavenbase.http.client import with_call_proxies
from heavenbase.http.status import is_secret_header
from heavenbase.plugin import Gateway

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

    from hb_gateway_anthropic.attempt import MessageAttempt
    from heavenbase.call import Call
    from heavenbase.errors import UnsupportedError
    from heavenbase.http.connections import Connections
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Chunk, Completion

MESSAGES = "v1/messages"
COUNT = "v1/messages/count_tokens"


class AnthropicGateway(Gateway):
    """Chat and streams on Anthropic's Messages wire."""

    name = "anthropic"
    wire: ClassVar[str] = "anthropic"
    vision: ClassVar[str] = "anthropic"
    defaults: ClassVar[Mapping[str, Any]] = MappingProxyType({"default_args": {"max_tokens": MAX_TOKENS}})

    def __init__(self) -> None:
        self._connections: Connections | None = None

    def check(self) -> None:
        """Raise MissingPackage when the SDK is not installed."""
        if find_spec("anthropic") is None:
            raise MissingPackage("the anthropic gateway needs the package anthropic: pip install 'anthropic>=0.120'")

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent; an error for what Claude does not do."""
        if call.verb != "complete":
            raise refusal(call)
        return self._request(call, MESSAGES, message_body(call))

    # Verbs

    def chat(self, call: Call, request: WireRequest) -> Completion:
        """One non-streamed answer."""
        attempt = self._attempt(call)
        return attempt.answer(attempt.post(self._client(call), request))

    async def achat(self, call: Call, request: WireRequest) -> Completion:
        """Async form of `chat`."""
        attempt = self._attempt(call)
        return attempt.answer(await attempt.apost(self._client(call), request))

    def stream(self, call: Call, request: WireRequest) -> Iterator[Chunk]:
        """The chunks of one streamed answer."""
        return self._attempt(call).stream(self._client(call), request)

    def astream(self, call: Call, request: WireRequest) -> AsyncIterator[Chunk]:
        """Async form of `stream`."""
        return self._attempt(call).astream(self._client(call), request)

    # Counting

    def count_tokens(self, call: Call) -> int:
        """How many input tokens a chat call would have, as the provider counts them. Free of charge."""
        attempt = self._attempt(call)
        decoded = attempt.post(self._client(call), self._request(call, COUNT, count_body(call)))
        return attempt.read(lambda: _counted(call, decoded))

    async def acount_tokens(self, call: Call) -> int:
        """Async form of `count_tokens`."""
        attempt = self._attempt(call)
        decoded = await attempt.apost(self._client(call), self._request(call, COUNT, count_body(call)))
        return attempt.read(lambda: _counted(call, decoded))

    # Exports

    def to_anthropic_client(self, spec: LLMSpec) -> Any:
        """The `anthropic.Anthropic` that serves this spec; the same object for equal client keys."""
        return clients.client_of(spec, self.services, self._shared(), is_async=False)

    def to_anthropic_aclient(self, spec: LLMSpec) -> Any:
        """The `anthropic.AsyncAnthropic` that serves this spec on the running event loop."""
        return clients.client_of(spec, self.services, self._shared(), is_async=True)

    # Shared

    def close(self) -> None:
        """Close the connections that the clients left."""
        if self._connections is not None:
            self._connections.close()

    def _request(self, call: Call, path: str, body: dict[str, Any]) -> WireRequest:
        spec = call.spec
        headers, query = extras(call)
        url = f"{clients.base_url(spec)}/{path}"
        if query:
            url += f"?{urlencode(query, doseq=True)}"
        shown = {name: value for name, value in clients.versioned(spec.headers).items() if not is_secret_header(name)}
        auth = "Authorization: Bearer" if clients.is_bearer(spec) else "x-api-key"
        return WireRequest("POST", url, body, {"content-type": "application/json", **shown, **headers}, auth)

    def _client(self, call: Call) -> Any:
        spec = with_call_proxies(call)
        return clients.client_of(spec, self.services, self._shared(), is_async=call.is_async)

    def _attempt(self, call: Call) -> MessageAttempt:
        from hb_gateway_anthropic.attempt import MessageAttempt

        return MessageAttempt(call, is_hidden(call.args, call.explicit), self.services.wall)

    def _shared(self) -> Connections:
        if self._connections is None:
            from heavenbase.http.connections import Connections

            self._connections = Connections()
        return self._connections


def _counted(call: Call, decoded: Any) -> int:
    from hb_gateway_anthropic.responses import shape_error
    from hb_gateway_anthropic.usage import count

    found = count(decoded.get("input_tokens")) if isinstance(decoded, dict) else None
    if found is None:
        raise shape_error(call, "the answer has no `input_tokens`")
    return found


def refusal(call: Call) -> UnsupportedError:
    """The error for a verb that Claude does not have; it names the alternative."""
    facts: dict[str, Any] = {"provider": call.spec.provider, "model": call.spec.model_id}
    if call.verb == "embed":
        return EmbeddingsNotSupported(
            f"{call.target}: Claude Messages has no embeddings; use a provider that has, such as "
            'hb.LLM(preset="embed"), provider="openai" or provider="voyage"',
            **facts,
        )
    return ImageGenerationNotSupported(
        f"{call.target}: Claude Messages generates no images; use a provider that does, such as "
        'hb.LLM(preset="imagen") or provider="openai"',
        **facts,
    )
