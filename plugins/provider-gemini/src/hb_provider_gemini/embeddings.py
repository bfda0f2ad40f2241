"""Embedding requests and answers of this wire. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.parameters import merge_extra
from hb_provider_gemini.request import model_path
from hb_provider_gemini.usage import content_usage
from heavenbase.http import EXTRAS, apply_rules
from heavenbase.spec import EMPTY
from heavenbase.types import Embedding
from heavenbase.wires import read_vector, read_vectors

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call

_FIELDS: Mapping[str, str] = {
    "task_type": "taskType",
    "title": "title",
    "dimensions": "outputDimensionality",
    "output_dimensionality": "outputDimensionality",
    **{name: name for name in ("taskType", "outputDimensionality")},
}
_TASKS: Mapping[str, str] = {
    "search_query": "RETRIEVAL_QUERY",
    "query": "RETRIEVAL_QUERY",
    "search_document": "RETRIEVAL_DOCUMENT",
    "document": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
}
"""What other wires call `input_type`."""


def embedding_body(call: Call) -> dict[str, Any]:
    """The body of a batch. Our own defaults for chats are left out."""
    fields = embedding_fields(call)
    model = model_path(call.spec.model_id)
    body: dict[str, Any] = {
        "requests": [{"model": model, "content": {"parts": [{"text": text}]}, **fields} for text in call.inputs]
    }
    merge_extra(body, call.args, call.context.report)
    return body


def embedding_fields(call: Call, more: Mapping[str, str] = EMPTY) -> dict[str, Any]:
    """The fields of each text beside itself; `more` are further arguments that the server takes, and their fields."""
    report = call.context.report
    named = {name: value for name, value in call.args.items() if name not in EXTRAS and value is not None}
    apply_rules(call.spec, named, report)
    fields: dict[str, Any] = {}
    for name, value in named.items():
        field = _FIELDS.get(name) or more.get(name)
        if field is not None:
            fields[field] = value.upper() if field == "taskType" and isinstance(value, str) else value
            report.renamed(name, f"requests.{field}")
        elif name == "input_type" and value in _TASKS:
            fields.setdefault("taskType", _TASKS[value])
            report.renamed(name, "requests.taskType")
        elif name == "encoding_format" and value == "float":
            report.emulated(name, "the wire gives floats")
        else:
            report.dropped(name, "embeddings have no such parameter")
    return fields


def embedding(call: Call, decoded: Any) -> Embedding:
    """One vector per input, in order; ResponseShapeError when the answer has others."""
    found = decoded.get("embeddings") if isinstance(decoded, dict) else None
    vectors = read_vectors(call, found, "embeddings", lambda item, place: _vector(call, item, place))
    return Embedding(
        vectors,
        usage=content_usage(decoded.get("usageMetadata")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
    )


def _vector(call: Call, item: Any, place: int) -> list[float]:
    values = item.get("values") if isinstance(item, dict) else None
    return read_vector(call, values, f"`embeddings[{place}].values`")
