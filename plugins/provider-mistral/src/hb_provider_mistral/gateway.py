"""MistralGateway: chat, streams and embeddings on Mistral's own wire, which is near to OpenAI's.

The mistralai SDK keeps what it is good for (credential, user agent, its HTTP client); bodies are made and answers read
here, which costs a fraction of its conversions.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar

from hb_provider_mistral import client as clients
from hb_provider_mistral.messages import wire_messages
from hb_provider_mistral.models import traits_of
from hb_provider_mistral.names import PARAMETERS
from hb_provider_mistral.parameters import chat_fields, embedding_fields
from hb_wire_openai import WireGateway
from heavenbase.errors import ImageGenerationNotSupported, MissingPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_mistral.files import MistralFiles
    from hb_wire_openai import WireAttempt
    from heavenbase.call import Call, WireRequest
    from heavenbase.spec import LLMSpec

__all__ = ["MistralGateway"]


class MistralGateway(WireGateway):
    """Chat, streams and embeddings on Mistral's wire."""

    name = "mistral"
    wire: ClassVar[str] = "mistral"
    blocks = frozenset({"thinking"})
    vision: ClassVar[str] = "mistral"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS

    def check(self) -> None:
        """Raise MissingPackage when the SDK is not installed."""
        if find_spec("mistralai") is None:
            raise MissingPackage(clients.NEEDED)

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call, as it will be sent."""
        if call.verb == "complete":
            return self.chat_request(call)
        if call.verb == "embed":
            body = {"model": call.spec.model_id, "input": list(call.inputs), **embedding_fields(call)}
            return self.request(call, "embeddings", body)
        raise ImageGenerationNotSupported(f"{call.target} generates no images", provider=call.spec.provider)

    def chat_request(self, call: Call) -> WireRequest:
        """The request of a chat."""
        fields, instruction = chat_fields(call, traits_of(call.spec))
        body = {
            "model": call.spec.model_id,
            "messages": wire_messages(call, instruction),
            "stream": call.stream,
            **fields,
        }
        return self.request(call, "chat/completions", body)

    def attempt_class(self) -> type[WireAttempt]:
        """What sends requests and reads answers."""
        from hb_provider_mistral.wire import MistralAttempt

        return MistralAttempt

    def needs_image_bytes(self, call: Call) -> bool:
        """There are no images to be made."""
        return False

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Any:
        """The `Mistral` of a spec, for calls of this colour."""
        return clients.client_of(spec, self.services, self.connections(), self, is_async=is_async)

    @property
    def files(self) -> MistralFiles:
        """The operations on files."""
        from hb_provider_mistral.files import MistralFiles

        return MistralFiles(self)

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """The `Mistral` that serves sync calls of this spec; the same object for equal client keys."""
        return self.client(spec, spec.args, is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """The `Mistral` that serves async calls of this spec."""
        return self.client(spec, spec.args, is_async=True)

    def to_args(self, spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
        """Model and fields for `client.chat.complete`."""
        from hb_provider_mistral.exports import complete_arguments

        return complete_arguments(spec, overrides)
