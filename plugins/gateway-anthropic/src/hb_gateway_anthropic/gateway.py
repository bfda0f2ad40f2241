"""AnthropicGateway: chat and streams over the anthropic SDK's own door for requests, `client.post`.

The SDK keeps what it is good for (authentication, headers, its HTTP client); bodies are made and answers read here,
which costs a fraction of its conversions.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from hb_gateway_anthropic import client as clients
from hb_gateway_anthropic.names import PARAMETERS
from hb_gateway_anthropic.parameters import headers_and_query
from hb_gateway_anthropic.request import count_body, message_body
from heavenbase.call import WireRequest
from heavenbase.errors import EmbeddingsNotSupported, ImageGenerationNotSupported, MissingPackage
from heavenbase.http import HTTPGateway, is_secret_header
from heavenbase.wires import thoughts_hidden

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_gateway_anthropic.attempt import MessageAttempt
    from hb_gateway_anthropic.batches import MessageBatches
    from hb_gateway_anthropic.files import AnthropicFiles
    from heavenbase.call import Call
    from heavenbase.errors import UnsupportedError
    from heavenbase.operations import FileUpload, Listing, ModelInfo, TokenCount
    from heavenbase.spec import LLMSpec

BLOCKS = frozenset(
    {
        *("tool_use", "tool_result", "thinking", "thinking.signature", "redacted_thinking", "server_tool_use"),
        *("compaction", "search_result", "document.content"),
    }
)
MESSAGES = "v1/messages"
COUNT = "v1/messages/count_tokens"


class AnthropicGateway(HTTPGateway["MessageAttempt"]):
    """Chat and streams on Anthropic's Messages wire."""

    name = "anthropic"
    wire: ClassVar[str] = "anthropic"
    vision: ClassVar[str] = "anthropic"
    blocks = BLOCKS
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS

    def check(self) -> None:
        """Raise MissingPackage when the SDK is not installed."""
        if find_spec("anthropic") is None:
            raise MissingPackage("the anthropic gateway needs the package anthropic: pip install 'anthropic>=0.120'")

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent; an error for what Claude does not do."""
        if call.verb != "complete":
            raise refusal(call)
        return self.request(call, MESSAGES, message_body(call))

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The SDK client for a spec; the arguments of a call change nothing about it."""
        return clients.client_of(spec, self.services, self.connections(), is_async=is_async)

    def attempt(self, call: Call, extra_bytes: int = 0) -> MessageAttempt:
        """A fresh attempt of a call."""
        from hb_gateway_anthropic.attempt import MessageAttempt

        is_hidden = thoughts_hidden(call.args, call.explicit, by_step=True)
        return MessageAttempt(call, self.services.wall, extra_bytes, is_hidden=is_hidden)

    # Operations

    async def count_tokens(self, call: Call) -> TokenCount:
        """How many input tokens a chat call would have, as the provider counts them. Free of charge."""
        from heavenbase.operations import counted

        request = self.request(call, COUNT, count_body(call))
        return await self.exchange(call, request, lambda _, found: counted(call, found, "input_tokens"))

    async def models(self, call: Call) -> Listing[ModelInfo]:
        """The models that the endpoint lists."""
        from hb_gateway_anthropic.files import PAGE, model_info, page_of
        from heavenbase.operations import listed

        def page(cursor: str | None) -> WireRequest:
            asked = {"limit": min(call.subject, PAGE), **({"after_id": cursor} if cursor else {})}
            return self.request(call, "v1/models", {}, "GET", asked)

        return await listed(self, call, page, lambda call, decoded: page_of(call, decoded, model_info))

    @property
    def files(self) -> AnthropicFiles:
        """The operations on files."""
        from hb_gateway_anthropic.files import AnthropicFiles

        return AnthropicFiles(self)

    @property
    def batches(self) -> MessageBatches:
        """The operations on batches."""
        from hb_gateway_anthropic.batches import MessageBatches

        return MessageBatches(self)

    # Exports

    def to_anthropic_client(self, spec: LLMSpec) -> Any:
        """The `anthropic.Anthropic` that serves this spec; the same object for equal client keys."""
        return self.client(spec, spec.args, is_async=False)

    def to_anthropic_aclient(self, spec: LLMSpec) -> Any:
        """The `anthropic.AsyncAnthropic` that serves this spec on the running event loop."""
        return self.client(spec, spec.args, is_async=True)

    # Shared

    def request(
        self,
        call: Call,
        path: str,
        body: dict[str, Any],
        method: str = "POST",
        asked: Mapping[str, Any] | None = None,
        file: FileUpload | None = None,
    ) -> WireRequest:
        """A request of this call to a path of its endpoint; `asked` is its query, `file` goes with it as a form."""
        spec = call.spec
        auth = "Authorization: Bearer" if clients.is_bearer(spec) else "x-api-key"
        url, added = f"{clients.base_url(spec)}/{path}", headers_and_query(call)
        return self.request_to(call, url, body, auth, method=method, asked=asked, added=added, file=file)

    def shown_headers(self, spec: LLMSpec) -> Mapping[str, str]:
        """As the base does; the version of the API is one of them."""
        return {name: value for name, value in clients.versioned(spec.headers).items() if not is_secret_header(name)}


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
