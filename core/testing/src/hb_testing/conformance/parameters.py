"""A value for every parameter that callers pass, each unlike any default."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

NOTHING: Mapping[str, Any] = MappingProxyType({})

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
    "required": ["city", "degrees"],
    "additionalProperties": False,
}
JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA, "strict": True}}


def tool(name: str, **properties: Any) -> dict[str, Any]:
    """A function tool of the OpenAI shape, all its properties required."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": f"Calls {name}", "parameters": parameters}}


TOOLS = [tool("get_weather", city={"type": "string"}), tool("get_time", zone={"type": "string"}), tool("ring_bell")]
WITH_TOOLS: Mapping[str, Any] = MappingProxyType({"tools": TOOLS})


class Sample(NamedTuple):
    """One parameter, a value for it, and the others without which it has no meaning."""

    name: str
    value: Any
    others: Mapping[str, Any] = NOTHING

    @property
    def id(self) -> str:
        """How test ids show it."""
        return f"{self.name}={self.value}" if isinstance(self.value, str | int | float) else self.name


CHAT = (
    Sample("temperature", 0.5),
    Sample("temperature", 0),
    Sample("top_p", 0.25),
    Sample("top_k", 40),
    Sample("min_p", 0.05),
    Sample("max_tokens", 77),
    Sample("max_completion_tokens", 77),
    Sample("stop", ["\n\n"]),
    Sample("seed", 7),
    Sample("seed", 0),
    Sample("n", 2),
    Sample("presence_penalty", 0.5),
    Sample("frequency_penalty", 0.5),
    Sample("repetition_penalty", 1.5),
    Sample("logit_bias", {"50256": -100}),
    Sample("logprobs", True),
    Sample("top_logprobs", 2, {"logprobs": True}),
    Sample("tools", TOOLS),
    Sample("tool_choice", "required", WITH_TOOLS),
    Sample("tool_choice", {"type": "function", "function": {"name": "get_time"}}, WITH_TOOLS),
    Sample("parallel_tool_calls", False, WITH_TOOLS),
    Sample("response_format", JSON_SCHEMA),
    Sample("response_format", {"type": "json_object"}),
    Sample("think", True),
    Sample("think", False),
    # An effort means thinking, so the kernel adds it; here it is there without.
    Sample("reasoning_effort", "low", {"think": True}),
    Sample("reasoning_max_tokens", 256),
    Sample("reasoning_exclude", True),
    Sample("verbosity", "low"),
    Sample("user", "somebody"),
    Sample("metadata", {"purpose": "conformance"}),
    Sample("service_tier", "flex"),
    Sample("store", True),
    Sample("modalities", ["text"]),
    Sample("prediction", {"type": "content", "content": "hello"}),
    Sample("prompt_cache_key", "conformance"),
    Sample("safety_identifier", "somebody"),
    Sample("extra_body", {"x_conformance": 1}),
    Sample("extra_headers", {"x-conformance": "1"}),
    Sample("extra_query", {"conformance": "1"}),
    Sample("never_heard_of_it", 1, {"allow_unknown": True}),
)
EMBED = (
    Sample("dimensions", 8),
    Sample("encoding_format", "float"),
    Sample("user", "somebody"),
    Sample("extra_body", {"x_conformance": 1}),
    Sample("never_heard_of_it", 1, {"allow_unknown": True}),
)
IMAGEN = (
    Sample("n", 2),
    Sample("size", "256x256"),
    Sample("quality", "low"),
    Sample("style", "natural"),
    Sample("background", "transparent"),
    Sample("output_format", "webp"),
    Sample("user", "somebody"),
    Sample("extra_body", {"x_conformance": 1}),
    Sample("never_heard_of_it", 1, {"allow_unknown": True}),
)
EVERY = tuple(
    [("complete", sample) for sample in CHAT]
    + [("embed", sample) for sample in EMBED]
    + [("imagen", sample) for sample in IMAGEN]
)
