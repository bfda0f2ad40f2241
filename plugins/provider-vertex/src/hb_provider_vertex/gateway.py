"""VertexGateway: Gemini's wire at a project and a location of Google Cloud."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote

from hb_provider_gemini.gateway import GeminiGateway
from hb_provider_gemini.names import PARAMETERS
from hb_provider_vertex.place import is_key, model_path, place_of, root_of
from heavenbase.errors import MissingPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_provider_gemini.wire import GeminiAttempt
    from hb_provider_vertex.client import Client
    from heavenbase.call import Call, WireRequest
    from heavenbase.spec import LLMSpec
    from heavenbase.types import Embedding

__all__ = ["VertexGateway"]

OWN = ("project", "location", "credentials")
"""Arguments that are for the client and not for the body."""


class VertexGateway(GeminiGateway):
    """Chat, streams, embeddings and images of Gemini models at Vertex AI."""

    name = "vertex"
    wire: ClassVar[str] = "vertex"
    vision: ClassVar[str] = "gemini"
    parameters: ClassVar[frozenset[str] | None] = PARAMETERS | frozenset(OWN)

    def check(self) -> None:
        """Raise MissingPackage when an SDK is not installed."""
        super().check()
        if find_spec("google.auth") is None:
            raise MissingPackage("Vertex AI needs google-auth: pip install 'google-auth[requests]'")

    def prepare(self, call: Call) -> WireRequest:
        """The request of this call at its place."""
        if not call.args.keys() & OWN:
            return super().prepare(call)
        rest = {name: value for name, value in call.args.items() if name not in OWN}
        own = {name: call.args[name] for name in OWN if name in call.args}
        request = super().prepare(call.replace(args=rest, spec=call.spec.with_args(**own)))
        for name in own:
            call.context.report.renamed(name, "Authorization" if name == "credentials" else "the address")
        return request

    def place(self, spec: LLMSpec) -> str:
        """The address of the model, without the method."""
        where = place_of(spec, spec.args)
        return f"{root_of(spec, where)}/{quote(model_path(spec.model_id, where), safe='/')}"

    def auth(self, spec: LLMSpec) -> str:
        """Where the credential goes, for people to read."""
        return "x-goog-api-key" if is_key(spec) else "Authorization: Bearer"

    def client(self, spec: LLMSpec, args: Mapping[str, Any], *, is_async: bool) -> Client:
        """What sends for a spec and the arguments of a call."""
        from hb_provider_vertex.client import client_of

        return client_of(spec, {**spec.args, **args}, self.services, self.connections(), is_async=is_async)

    def attempt(self, call: Call, extra_bytes: int = 0) -> GeminiAttempt:
        """A fresh attempt of a call."""
        from hb_provider_vertex.wire import VertexAttempt
        from heavenbase.wires import thoughts_hidden

        is_hidden = thoughts_hidden(call.args, call.explicit)
        return VertexAttempt(call, self.services.wall, extra_bytes, is_hidden=is_hidden)

    # Embeddings have a shape of their own here

    def embedding_request(self, call: Call) -> WireRequest:
        """The request for vectors."""
        from hb_provider_vertex.embeddings import embedding_body

        return self._request(call, "predict", embedding_body(call))

    def embedding(self, attempt: GeminiAttempt, decoded: Any) -> Embedding:
        """The vectors in a decoded answer."""
        from hb_provider_vertex.embeddings import embedding

        return embedding(attempt.call, decoded)

    def counted_body(self, call: Call) -> dict[str, Any]:
        """The body of a request to count tokens."""
        from hb_provider_gemini.request import content_body
        from heavenbase.operations import countable

        return countable(call, content_body(call), ("contents", "systemInstruction", "tools"))

    def model_list(self, spec: LLMSpec) -> tuple[str, str]:
        """(the address of the list of Google's models, the field of its models); the beta alone has it."""
        root = root_of(spec, place_of(spec, spec.args)).rpartition("/")[0]
        return f"{root}/v1beta1/publishers/google/models", "publisherModels"

    def at(self, call: Call, *given: Any) -> WireRequest:
        """A request of this call to an address of its place."""
        own = {name: call.args[name] for name in OWN if name in call.args}
        return super().at(call.replace(spec=call.spec.with_args(**own)) if own else call, *given)

    # Exports

    def to_client(self, spec: LLMSpec) -> Any:
        """A `google.genai.Client` in Vertex mode for this spec."""
        from hb_provider_vertex.client import exported

        return exported(spec, self.services, self.connections(), is_async=False)

    def to_aclient(self, spec: LLMSpec) -> Any:
        """A `google.genai.client.AsyncClient` in Vertex mode for this spec, on the running event loop."""
        from hb_provider_vertex.client import exported

        return exported(spec, self.services, self.connections(), is_async=True)
