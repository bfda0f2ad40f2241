"""How the conformance kit reaches Vertex AI. It comes with hb-testing."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from hb_testing import GatewayContract
from hb_testing.server import Answer, Exchange, GeminiWire, Reply, route

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hb_testing.server import Wire

__all__ = ["VertexContract", "VertexWire"]

PROJECT, LOCATION = "loopback", "europe-west4"
_MODELS = f"/projects/{PROJECT}/locations/{LOCATION}/publishers/google/models/{{model}}"


class VertexWire(GeminiWire):
    """Gemini's wire as Vertex AI has it: at a project and a location, or of an API key."""

    name = "vertex"
    base = "/v1"
    family = "gemini"

    @route("POST", f"{_MODELS}:generateContent")
    def generate_there(self, exchange: Exchange) -> Answer:
        """Answer with whole content."""
        return self.generate(exchange)

    @route("POST", f"{_MODELS}:streamGenerateContent")
    def stream_there(self, exchange: Exchange) -> Answer:
        """Answer with content in events."""
        return self.generate_stream(exchange)

    @route("POST", f"{_MODELS}:predict")
    def predict_there(self, exchange: Exchange) -> Answer:
        """Answer with vectors, or images."""
        return self._vectors(exchange) or self.predict(exchange)

    @route("GET", "/v1beta1/publishers/google/models")
    def publisher_models(self, exchange: Exchange) -> Answer:
        """The models of Google, as the beta alone lists them."""
        rows = [{"name": f"publishers/google/models/{name}"} for name in ("gemini-2.5-flash", "gemini-2.5-pro")]
        return exchange.reply(Reply(body={"publisherModels": rows}))

    @route("POST", "/publishers/google/models/{model}:generateContent")
    def generate_by_key(self, exchange: Exchange) -> Answer:
        """Answer with whole content."""
        return self.generate(exchange)

    @route("POST", "/publishers/google/models/{model}:streamGenerateContent")
    def stream_by_key(self, exchange: Exchange) -> Answer:
        """Answer with content in events."""
        return self.generate_stream(exchange)

    @route("POST", "/publishers/google/models/{model}:predict")
    def predict_by_key(self, exchange: Exchange) -> Answer:
        """Answer with vectors, or images."""
        return self._vectors(exchange) or self.predict(exchange)

    @route("POST", f"{_MODELS}:countTokens")
    def count_there(self, exchange: Exchange) -> Answer:
        """Answer how many words the request has."""
        return self.count(exchange)

    @staticmethod
    def _vectors(exchange: Exchange) -> Answer | None:
        from hb_testing.server.synthesis import count_tokens, vector

        instances: Any = exchange.json().get("instances") or [{}]
        if "content" not in instances[0]:
            return None
        reply = exchange.reply()
        if reply.raw:
            return reply
        rows = [
            {
                "values": vector(each["content"], 8).tolist(),
                "statistics": {"token_count": count_tokens(each["content"])},
            }
            for each in instances
        ]
        for row, given in zip(rows, reply.embeddings or (), strict=False):
            row["values"] = list(given)
        return Reply(body={"predictions": [{"embeddings": row} for row in rows]}, headers=reply.headers)


class VertexContract(GatewayContract):
    """Against the loopback server's wire, with a made-up provider and an API key."""

    gateway: ClassVar[str] = "vertex"
    image_urls = False
    openai_exports = False
    capabilities: ClassVar[Mapping[str, bool]] = MappingProxyType({"files": False})

    def wires(self) -> Iterable[Wire]:
        """The wire, where Vertex AI has it."""
        return (VertexWire(),)

    def options(self, base_url: str) -> Mapping[str, Any]:
        """The options that lead to the server."""
        return {**super().options(base_url), "project": PROJECT, "location": LOCATION}
