"""The schemas of requests: sound, and with no field that the provider does not publish."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Collection, Iterator, Mapping
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from hb_testing.server.schema import RequestSchema

WIRES = ("anthropic", "bedrock", "cohere", "gemini", "mistral", "ollama", "openai", "responses")
# What the types of an SDK do not name, though the wire takes it.
UNNAMED: Mapping[str, set[str]] = {
    "CreateMessageParams": {"temperature", "top_k", "top_p"},  # gone from the last version of the API
    "ChatCompletionRequestAssistantMessage": {"annotations"},  # in answers, which go back as they are
    "ChatCompletionRequestToolMessage": {"name"},
    "CreateImageEditRequest": {"image[]"},  # several images in one form
    "GenerationConfig": {"imageConfig"},
}
CHAT = {f"ChatCompletionRequest{role}Message": role for role in ("System", "Developer", "User", "Assistant", "Tool")}


def fields(wire: str) -> dict[str, Collection[str]]:
    """The fields of each definition of a wire that names any."""
    defs: dict[str, Any] = RequestSchema(wire).document["$defs"]
    return {name: found["properties"].keys() for name, found in defs.items() if "properties" in found}


@pytest.mark.parametrize("wire", WIRES)
def test_a_schema_is_one_of_draft_2020_12_and_its_references_lead_somewhere(wire: str) -> None:
    schema = RequestSchema(wire)
    jsonschema_rs.meta.validate(schema.document)
    wanted = set(re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(schema.document)))
    assert wanted <= schema.document["$defs"].keys()
    assert schema.document["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_schema_belongs_to_a_wire() -> None:
    found = (files("hb_testing.server") / "schemas").iterdir()
    assert sorted(path.name.removesuffix(".schema.json") for path in found) == sorted(WIRES)


def published() -> Iterator[tuple[str, str, Collection[str]]]:
    """(wire, definition, fields that the provider's SDK publishes for it), for the SDKs that are installed."""
    for module, wire, names in (
        ("openai.types.chat", "openai", {name: f"ChatCompletion{role}MessageParam" for name, role in CHAT.items()}),
        ("openai.types.chat.completion_create_params", "openai", {"CreateChatCompletionRequest": "CompletionCreate"}),
        ("openai.types.embedding_create_params", "openai", {"CreateEmbeddingRequest": "EmbeddingCreateParams"}),
        ("openai.types.image_generate_params", "openai", {"CreateImageRequest": "ImageGenerate"}),
        ("openai.types.image_edit_params", "openai", {"CreateImageEditRequest": "ImageEdit"}),
        ("openai.types.responses.response_create_params", "responses", {"CreateResponse": "ResponseCreate"}),
        ("anthropic.types.message_create_params", "anthropic", {"CreateMessageParams": "MessageCreate"}),
        ("anthropic.types", "anthropic", {name: name for name in fields("anthropic")}),
        ("google.genai.types", "gemini", {name: name for name in fields("gemini")}),
    ):
        try:
            types = import_module(module)
        except ImportError:
            continue
        for name, named in names.items():
            kinds = [getattr(types, f"{named}{end}", None) for end in ("Param", "ParamsNonStreaming", "")]
            kind: Any = next((kind for kind in kinds if kind is not None), None)
            if hasattr(kind, "__optional_keys__"):
                yield wire, name, kind.__required_keys__ | kind.__optional_keys__
            elif wire == "gemini" and hasattr(kind, "model_fields"):
                yield wire, name, {re.sub(r"_(\w)", lambda letter: letter[1].upper(), f) for f in kind.model_fields}


def test_no_schema_has_a_field_that_the_provider_does_not_publish() -> None:
    unknown = {}
    for wire, name, theirs in published():
        ours = set(fields(wire)[name]) - UNNAMED.get(name, set())
        if ours - set(theirs):
            unknown[name] = sorted(ours - set(theirs))
    assert not unknown


def test_bedrocks_shapes_have_the_members_that_amazon_publishes() -> None:
    botocore = pytest.importorskip("botocore")
    (packed,) = Path(botocore.__file__).parent.glob("data/bedrock-runtime/*/service-2.json.gz")
    shapes = json.loads(gzip.decompress(packed.read_bytes()))["shapes"]
    shapes["Converse"] = shapes["ConverseRequest"]
    compared = 0
    for name, ours in fields("bedrock").items():
        members = shapes[name]["members"].keys() - ({"modelId"} if name == "Converse" else set())
        assert set(ours) - {"type"} <= members, name
        compared += 1
    assert compared >= 15
