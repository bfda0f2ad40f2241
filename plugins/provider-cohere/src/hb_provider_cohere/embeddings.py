"""Embedding requests and answers of this wire. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_cohere.models import traits_of
from hb_provider_cohere.parameters import arguments
from hb_provider_cohere.usage import meta_usage
from hb_provider_cohere.vectors import vector
from heavenbase.http import kind_of, merge_extra, shape_error
from heavenbase.types import Embedding
from heavenbase.wires import read_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call

DEFAULT_TYPE = "search_document"
"""What `input_type` is where nobody says it; the wire wants one."""
_TASKS: Mapping[str, str] = {
    "retrieval_query": "search_query",
    "query": "search_query",
    "retrieval_document": "search_document",
    "document": "search_document",
    "semantic_similarity": "clustering",
}
"""What other wires call the values of `input_type`."""
_TYPES = frozenset({"float", "int8", "uint8", "binary", "ubinary", "base64"})
_PASSED = frozenset({"max_tokens", "priority"})


def embedding_body(call: Call) -> dict[str, Any]:
    """The body of a batch. Our own defaults for chats are left out."""
    report = call.context.report
    body: dict[str, Any] = {
        "model": call.spec.model_id,
        "texts": list(call.inputs),
        "input_type": DEFAULT_TYPE,
        "embedding_types": ["float"],
    }
    for name, value in arguments(call).items():
        if name in ("input_type", "task_type"):
            said = str(value).lower()
            body["input_type"] = _TASKS.get(said, said)
            report.renamed(name, "input_type") if name == "task_type" else report.sent(name)
        elif name in ("dimensions", "output_dimension"):
            if traits_of(call.spec).has_dimensions:
                body["output_dimension"] = value
                report.renamed(name, "output_dimension")
            else:
                report.dropped(name, "vectors of this model have one length; embed-v4.0 has several")
        elif name == "truncate":
            body["truncate"] = _cut(value)
            report.sent(name)
        elif name in ("encoding_format", "embedding_types"):
            _encode(name, value, body, call)
        elif name in _PASSED and name in call.explicit:
            body[name] = value
            report.sent(name)
        else:
            report.dropped(name, "embeddings have no such parameter")
    merge_extra(body, call.args, report)
    return body


def embedding(call: Call, decoded: Any) -> Embedding:
    """One vector per input, in order; ResponseShapeError when the answer has others."""
    found = decoded.get("embeddings") if isinstance(decoded, dict) else None
    kind = "float"
    if isinstance(found, dict):
        # One type was asked for; `extra_body` may ask for more.
        kind = next((name for name in found if isinstance(found[name], list) and found[name]), kind)
        found = found.get(kind)
    if not isinstance(found, list):
        raise shape_error(call, f"`embeddings` is {kind_of(found)}, not a list of vectors")
    vectors = read_vectors(call, found, "embeddings", lambda item, place: vector(call, item, kind, place))
    return Embedding(
        vectors,
        usage=meta_usage(decoded.get("meta")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
    )


def _cut(value: Any) -> Any:
    if isinstance(value, bool):
        return "END" if value else "NONE"
    return value.upper() if isinstance(value, str) else value


def _encode(name: str, value: Any, body: dict[str, Any], call: Call) -> None:
    report = call.context.report
    listed = [value] if isinstance(value, str) else list(value)
    if not listed or listed[0] not in _TYPES:
        report.dropped(name, f"embeddings come as {', '.join(sorted(_TYPES))}")
        return
    body["embedding_types"] = listed[:1]
    if listed == ["float"] and name == "encoding_format":
        report.emulated(name, "hb asks for floats where nothing is said")
    elif name == "encoding_format":
        report.renamed(name, "embedding_types")
    else:
        report.sent(name)
    if len(listed) > 1:
        report.clamped(name, f"an embedding of hb has one vector for each text; {listed[0]} is asked for")
