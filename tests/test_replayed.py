"""What a caller gives in a vendor's own shape is sent as it is, or the report tells what became of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hb_testing.conformance.rig import environment
from heavenbase.config.config import Config
from heavenbase.errors import ServerError
from heavenbase.http.transport.protocol import HTTPRequest, HTTPResponse
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.messages import to_messages
from tests.replayed import REQUESTS, Native, differences
from tests.told import KEYS, SETTINGS, Given

pytestmark = pytest.mark.filterwarnings("ignore::heavenbase.errors.HBWarning")


def config() -> Config:
    """Settings without retries, and a key for each provider."""
    return Config.from_dict(SETTINGS, environ=environment(**KEYS))


class Noted(Given):
    """A transport that keeps the last body, and answers with an error."""

    body: Any = None

    def send(self, request: HTTPRequest) -> HTTPResponse:
        self.body = json.loads(request.body)
        return super().send(request)


@pytest.mark.parametrize("native", REQUESTS, ids=lambda it: it.name)
def test_a8_a_native_request_is_sent_as_it_is(native: Native) -> None:
    messages, options = native.given()
    noted = Noted()
    with Kernel(config(), transport=noted) as kernel:
        spec = LLM(model=native.model, provider=native.provider, kernel=kernel, **native.options).spec
        content = {"messages": to_messages(messages)}
        call = kernel.call("complete", spec, options, is_async=False, stream=native.stream, **content)
        with pytest.raises(ServerError):
            [*kernel.iterate(call)] if native.stream else kernel.run(call)
    asked = json.loads(json.dumps(native.body))
    found = {place for place in differences(asked, noted.body) if not place.startswith((".model", ".stream"))}
    report = call.context.report
    lost = {it.name: it.reason for it in report.entries.values() if it.outcome in ("dropped", "clamped")}
    assert (found, lost.keys()) == (native.differs, set(native.told)), report.to_dict()


EMBEDDINGS: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("openai", "text-embedding-3-small", {"dimensions": 256, "encoding_format": "float", "user": "u"}, {}),
    ("openai", "text-embedding-3-small", {"encoding_format": "base64"}, {}),
    ("mistral", "mistral-embed", {"output_dimension": 5, "output_dtype": "int8", "metadata": {"a": "b"}}, {}),
    ("ollama", "m", {"truncate": True, "dimensions": 5, "keep_alive": "5m", "options": {"num_ctx": 5}}, {}),
    ("cohere", "embed-v4.0", {"input_type": "search_query", "truncate": "END", "output_dimension": 256}, {}),
    (
        "gemini",
        "gemini-embedding-001",
        {"taskType": "RETRIEVAL_QUERY", "title": "t", "outputDimensionality": 256},
        {"requests": ["taskType", "title", "outputDimensionality"]},
    ),
    (
        "vertex",
        "gemini-embedding-001",
        {"outputDimensionality": 256, "autoTruncate": False},
        {"parameters": ["outputDimensionality", "autoTruncate"]},
    ),
    (
        "bedrock",
        "amazon.titan-embed-text-v2:0",
        {"dimensions": 256, "normalize": True, "embeddingTypes": ["float"]},
        {},
    ),
    (
        "bedrock",
        "amazon.nova-2-multimodal-embeddings-v1:0",
        {"embeddingPurpose": "TEXT_RETRIEVAL", "embeddingDimension": 256},
        {"singleEmbeddingParams": ["embeddingPurpose", "embeddingDimension"]},
    ),
]


@pytest.mark.parametrize(("provider", "model", "asked", "places"), EMBEDDINGS, ids=lambda it: str(it)[:40])
def test_a8_native_parameters_of_embeddings_are_sent_in_their_place(
    provider: str, model: str, asked: dict[str, Any], places: dict[str, list[str]]
) -> None:
    noted = Noted()
    kernel = Kernel(config(), transport=noted)
    with kernel, pytest.raises(ServerError):
        LLM(model=model, provider=provider, kernel=kernel).embed(["a"], **asked)
    held = {name: outer for outer, names in places.items() for name in names}
    for name, value in asked.items():
        body = noted.body[held[name]] if name in held else noted.body
        assert (body[0] if isinstance(body, list) else body)[name] == value
