"""Vectors of every native provider that has them: order, batches, parameters; and who has none."""

from __future__ import annotations

from typing import Any

import pytest

from hb_testing.server import LoopbackServer
from heavenbase.errors import ConfigError, EmbeddingsNotSupported
from heavenbase.llm import LLM
from tests.matrix import EMBEDDING, INSTALLED, OPENROUTER, Bench, Row, addresses, credentials, make_kernel, wires

LIMITS = {"openai": 2048, "azure": 2048, "gemini": 100, "cohere": 96, "bedrock": 96, "mistral": 128}
"""Inputs that a request may have, where the provider says it."""
PARAMETERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "openai": ({"dimensions": 8, "user": "me"}, {"dimensions": 8, "user": "me"}),
    "azure": ({"dimensions": 8, "user": "me"}, {"dimensions": 8, "user": "me"}),
    "gemini": (
        {"dimensions": 8, "task_type": "RETRIEVAL_DOCUMENT", "title": "T"},
        {"outputDimensionality": 8, "taskType": "RETRIEVAL_DOCUMENT", "title": "T"},
    ),
    "cohere": (
        {"dimensions": 256, "input_type": "search_query", "truncate": "END"},
        {"output_dimension": 256, "input_type": "search_query", "truncate": "END", "embedding_types": ["float"]},
    ),
    "bedrock": (
        {"dimensions": 256, "input_type": "search_query", "truncate": "END"},
        {"output_dimension": 256, "input_type": "search_query", "truncate": "RIGHT"},
    ),
    "ollama": ({"dimensions": 8, "truncate": "false"}, {"dimensions": 8, "truncate": False}),
    "mistral": (
        {"dimensions": 8, "encoding_format": "float", "output_dtype": "float"},
        {"output_dimension": 8, "encoding_format": "float", "output_dtype": "float"},
    ),
}
"""What a caller says, and what the wire calls it, by provider."""


def inputs_in(row: Row, body: dict[str, Any]) -> list[str]:
    """The texts of a request."""
    if row.name == "gemini":
        return [request["content"]["parts"][0]["text"] for request in body["requests"]]
    if row.name == "mistral" and "inputs" in body:
        return list(body["inputs"])
    return list(body.get("texts") or body["input"])


def flat(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a request; where each input has its own, those of the first."""
    return dict(body["requests"][0]) if "requests" in body else body


@EMBEDDING
def test_g11_one_text_is_one_vector_and_a_list_keeps_its_order(bench: Bench) -> None:
    texts = ["alpha", "beta", "gamma", "beta"]
    vectors = bench.embed(texts)
    assert len(bench.server.requests) == 1
    alone = [bench.embed([text])[0] for text in texts]
    assert [list(vector) for vector in vectors] == [pytest.approx(list(vector)) for vector in alone]
    one = bench.colour.run(
        lambda: bench.llm(bench.row.embedding).embed("alpha"), lambda: bench.llm(bench.row.embedding).aembed("alpha")
    )
    assert list(one) == pytest.approx(list(alone[0]))


@EMBEDDING
def test_g11_one_request_up_to_the_providers_limit_and_several_above_it(bench: Bench) -> None:
    limit = LIMITS.get(bench.row.name, 300)
    texts = [f"t{number}" for number in range(limit)]
    options: dict[str, Any] = {"embedding_batch_size": 100_000}
    if bench.row.name in ("openai", "azure", "ollama"):
        options["dimensions"] = 2  # so that thousands of them are quickly read
    assert len(bench.embed(texts, **options)) == limit
    assert len(bench.server.requests) == 1
    if bench.row.name in LIMITS:
        bench.server.clear()
        assert len(bench.embed([*texts, "one more"], **options)) == limit + 1
        sizes = [len(inputs_in(bench.row, request.json)) for request in bench.server.requests]
        assert sorted(sizes) == [1, limit]


@EMBEDDING
def test_g11_every_parameter_lands_on_its_name(bench: Bench) -> None:
    said, wanted = PARAMETERS[bench.row.name]
    bench.embed(["text"], **said)
    body = flat(bench.sent)
    assert {name: body.get(name) for name in wanted} == wanted


@pytest.mark.parametrize("row", [row for row in INSTALLED if not row.embedding], ids=lambda row: row.name)
def test_g12_who_has_no_vectors_says_so_and_sends_nothing(bench: Bench) -> None:
    assert bench.row.name in ("anthropic", "groq")
    llm = bench.llm("an-embedding-model")
    with pytest.raises(EmbeddingsNotSupported, match=bench.row.name):
        bench.colour.run(lambda: llm.embed("text"), lambda: llm.aembed("text"))
    assert bench.server.requests == []


@EMBEDDING
def test_g12_a_request_goes_to_its_own_path_with_its_own_key_alone(bench: Bench) -> None:
    bench.embed(["text"])
    [request] = bench.server.requests
    paths = {
        "openai": "/openai/v1/embeddings",
        "azure": "/azure/openai/deployments/vectors/embeddings",
        "gemini": "/gemini/v1beta/models/gemini-embedding-001:batchEmbedContents",
        "mistral": "/mistral/v1/embeddings",
        "cohere": "/cohere/v2/embed",
        "bedrock": "/bedrock/model/cohere.embed-v4%3A0/invoke",
        "ollama": "/ollama/api/embed",
    }
    assert request.path.partition("?")[0] == paths[bench.row.name]
    keys = [value for value in request.headers.values() if "key-of-" in value]
    assert [value.removeprefix("Bearer ") for value in keys] == [bench.row.key]


@pytest.mark.parametrize("row", [row for row in INSTALLED if row.name in ("openai", "azure")], ids=lambda row: row.name)
def test_g12_vectors_travel_as_base64_and_arrive_as_numbers(bench: Bench) -> None:
    for said in ({}, {"encoding_format": "base64"}, {"encoding_format": "float"}):
        bench.server.clear()
        bench.reply(embeddings=[[0.5, -0.25, 1.0]])
        [vector] = bench.embed(["text"], **said)
        assert list(vector) == [0.5, -0.25, 1.0]
        assert bench.sent["encoding_format"] == said.get("encoding_format", "base64")


def test_g12_without_its_endpoint_azure_sends_neither_key_nor_text_to_anyone() -> None:
    azure = next(row for row in INSTALLED if row.name == "azure")
    others = [row for row in (*INSTALLED, OPENROUTER) if row is not azure]
    with LoopbackServer(wires=wires()) as server:
        with make_kernel({**addresses(server, *others), **credentials()}) as kernel:
            llm = LLM(model="azure/vectors", kernel=kernel)
            with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
                llm.embed("text")
            with pytest.raises(ConfigError, match="AZURE_OPENAI_ENDPOINT"):
                llm.chat("text")
        assert server.requests == []


def test_the_parameters_of_every_provider_with_vectors_are_listed() -> None:
    assert {row.name for row in INSTALLED if row.embedding} <= PARAMETERS.keys()
