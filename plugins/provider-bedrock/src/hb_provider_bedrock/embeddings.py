"""Embedding requests and answers of InvokeModel: each family of models has a body of its own. Pure.

cohere.embed                 texts (up to 96), input_type, truncate, embedding_types; v4: output_dimension
amazon.titan-embed-text      inputText; v2: dimensions, normalize
amazon.titan-embed-image     inputText, embeddingConfig.outputEmbeddingLength
amazon.nova-2-multimodal     singleEmbeddingParams
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.client import PLACES
from hb_provider_bedrock.models import traits_of
from hb_provider_bedrock.usage import header_usage
from heavenbase.errors import EmbeddingsNotSupported
from heavenbase.http import EXTRAS, apply_rules, as_object, merge_extra, shape_error
from heavenbase.options import KNOWN
from heavenbase.types import Embedding, Usage
from heavenbase.wires import read_vector, read_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from heavenbase.call import Call

# hb's name of an option, and the place of it in the body.
_NAMES: Mapping[str, Mapping[str, str]] = {
    "cohere": {"input_type": "input_type", "truncate": "truncate", "embedding_types": "embedding_types"},
    "titan-1": {},
    "titan-2": {"dimensions": "dimensions", "normalize": "normalize", "embedding_types": "embeddingTypes"},
    "titan-image": {"dimensions": "embeddingConfig.outputEmbeddingLength"},
    "nova-embed": {
        "embeddingDimension": "singleEmbeddingParams.embeddingDimension",
        "embeddingPurpose": "singleEmbeddingParams.embeddingPurpose",
        "truncationMode": "singleEmbeddingParams.text.truncationMode",
        "dimensions": "singleEmbeddingParams.embeddingDimension",
        "input_type": "singleEmbeddingParams.embeddingPurpose",
        "truncate": "singleEmbeddingParams.text.truncationMode",
    },
}
_FAMILIES = {**_NAMES, "cohere-4": {**_NAMES["cohere"], "dimensions": "output_dimension"}}
_PURPOSES = {"search_document": "GENERIC_INDEX", "search_query": "GENERIC_RETRIEVAL"}
_PURPOSES |= {"classification": "CLASSIFICATION", "clustering": "CLUSTERING"}
# Which end of a long text is left out: v4 has other words than v3.
_ENDS = {"cohere": {"LEFT": "START", "RIGHT": "END"}, "cohere-4": {"START": "LEFT", "END": "RIGHT"}}
_TASKS = {"RETRIEVAL_DOCUMENT": "search_document", "RETRIEVAL_QUERY": "search_query"}


def takes_many(call: Call) -> bool:
    """Whether one request carries several inputs."""
    return traits_of(call.spec).family.startswith("cohere")


def embedding_body(call: Call) -> dict[str, Any]:
    """The body for a call's inputs, or for the first of them where a request carries one alone."""
    family = traits_of(call.spec).family
    names = _FAMILIES.get(family)
    if names is None:
        raise EmbeddingsNotSupported(
            f"{call.target} is no model for embeddings that hb knows; use amazon.titan-embed-text-v2:0, "
            "cohere.embed-v4:0 or amazon.nova-2-multimodal-embeddings-v1:0",
            provider=call.spec.provider,
            model=call.spec.model_id,
        )
    body = _base(family, call.inputs)
    _fill(body, family, names, call)
    merge_extra(body, call.args, call.context.report)
    return body


def body_of_input(body: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The body of a family that takes one input, for another one."""
    if "singleEmbeddingParams" in body:
        params = body["singleEmbeddingParams"]
        return {**body, "singleEmbeddingParams": {**params, "text": {**params["text"], "value": text}}}
    return {**body, "inputText": text}


def _base(family: str, inputs: Sequence[str]) -> dict[str, Any]:
    first = inputs[0] if inputs else ""
    if family.startswith("cohere"):
        return {"texts": list(inputs), "input_type": "search_document", "embedding_types": ["float"]}
    if family == "nova-embed":
        params = {"embeddingPurpose": "GENERIC_INDEX", "text": {"truncationMode": "END", "value": first}}
        return {"taskType": "SINGLE_EMBEDDING", "singleEmbeddingParams": params}
    return {"inputText": first}


def _fill(body: dict[str, Any], family: str, names: Mapping[str, str], call: Call) -> None:
    report = call.context.report
    named = {name: value for name, value in call.args.items() if name not in EXTRAS}
    apply_rules(call.spec, named, report)
    for name, value in named.items():
        if name in PLACES:
            report.emulated(name, "chooses where the request goes, and as whom")
            continue
        known, value = _translated(family, name, value)
        path = names.get(known)
        if path is not None:
            _put(body, path, value)
            report.renamed(name, path)
        elif name == "encoding_format":
            report.emulated(name, "numbers are what the wire sends")
        elif name in call.explicit and name not in KNOWN:
            body[name] = value
            report.sent(name)
        else:
            report.dropped(name, "the model's embeddings have no such parameter")


def _translated(family: str, name: str, value: Any) -> tuple[str, Any]:
    """An option as the family has it: Google's task_type is Cohere's input_type, Nova has words of its own."""
    if name == "task_type" and isinstance(value, str):
        name, value = "input_type", _TASKS.get(value.upper(), value.lower())
    if family == "nova-embed" and isinstance(value, str):
        value = _PURPOSES.get(value.lower(), value.upper()) if name == "input_type" else value.upper()
    elif name == "truncate" and family in _ENDS and isinstance(value, str):
        value = _ENDS[family].get(value.upper(), value.upper())
    return name, value


def _put(body: dict[str, Any], path: str, value: Any) -> None:
    *outer, last = path.split(".")
    for name in outer:
        body[name] = dict(body.get(name) or {})
        body = body[name]
    body[last] = value


def embedding(call: Call, decoded: Any, headers: Any) -> Embedding:
    """The vectors and the usage in one answer, which may have its usage in headers alone."""
    found = vectors(call, decoded, len(call.inputs) if takes_many(call) else 1)
    counted = decoded.get("inputTextTokenCount")
    usage = header_usage(headers) or (Usage(counted) if isinstance(counted, int) else None)
    return _embedding(call, found, usage)


def joined(call: Call, parts: Sequence[Embedding]) -> Embedding:
    """The answers to the parts of a batch, as one."""
    if len(parts) == 1:
        return parts[0]
    counted = [part.usage for part in parts if part.usage is not None]
    usage = sum(counted[1:], counted[0]) if counted else None
    return _embedding(call, [vector for part in parts for vector in part.vectors], usage)


def _embedding(call: Call, found: Any, usage: Usage | None) -> Embedding:
    spec = call.spec
    return Embedding(found, usage=usage, provider=spec.provider, gateway=spec.gateway, report=call.context.report)


def vectors(call: Call, decoded: Any, wanted: int) -> list[list[float]]:
    """One vector per input, in order; ResponseShapeError when the answer has others."""
    found = _rows(as_object(call, decoded, "the answer"))
    if not isinstance(found, list):
        raise shape_error(call, "the answer has no embeddings")
    return read_vectors(
        call, found, "embeddings", lambda row, place: read_vector(call, row, f"embedding {place}"), wanted
    )


def _rows(decoded: dict[str, Any]) -> Any:
    by_type = decoded.get("embeddingsByType")
    if isinstance(decoded.get("embedding"), list):
        return [decoded["embedding"]]
    if isinstance(by_type, dict):  # Titan, when it was asked for a type
        return [next(iter(by_type.values()), None)]
    rows = decoded.get("embeddings")
    if isinstance(rows, dict):  # Cohere: by type
        return rows.get("float", next(iter(rows.values()), None))
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):  # Nova
        return [row.get("embedding") for row in rows if isinstance(row, dict)]
    return rows
