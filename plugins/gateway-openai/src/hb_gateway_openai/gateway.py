"""OpenAIGateway: the verbs of hb over the openai SDK's own door for requests, `client.post`.

The SDK keeps what it is good for (authentication, headers, its HTTP client); bodies are made and answers read by
`hb_wire_openai`, which costs a fraction of its conversions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_gateway_openai import client as clients
from hb_wire_openai import WireGateway

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_wire_openai import WireAttempt, WireBatches
    from heavenbase.spec import LLMSpec


class OpenAIGateway(WireGateway):
    """Chat, streams, embeddings and images on the OpenAI wire."""

    name = "openai"

    def attempt_class(self) -> type[WireAttempt]:
        """What reads the answers of a chat."""
        from hb_gateway_openai.attempt import OpenAIAttempt

        return OpenAIAttempt

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The SDK client for a spec and the arguments of a call."""
        return clients.client_of(spec, self.services, self.connections(), self, is_async=is_async)

    @property
    def batches(self) -> WireBatches:
        """The operations on batches."""
        from hb_wire_openai import WireBatches

        return WireBatches(self)

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """The `openai.OpenAI` that serves this spec; the same object for equal client keys."""
        return self.client(spec, spec.args, is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The `openai.AsyncOpenAI` that serves this spec: on the running event loop, or where none runs on any."""
        return self.client(spec, spec.args, is_async=True)

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Model and arguments for `client.chat.completions.create`."""
        from hb_gateway_openai.exports import create_arguments

        return {**create_arguments(spec, overrides), "model": self.model_id(spec)}
