"""Embedding requests and answers of this wire. Pure."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from hb_provider_gemini.parameters import merge_extra
from hb_provider_gemini.request import model_path
from hb_provider_gemini.usage import content_usage
from heavenbase.http.extras import EXTRAS
from heavenbase.http.rules import apply_rules
from heavenbase.http.shapes import kind_of, shape_error
from heavenbase.types import Embedding

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.call import Call

_FIELDS: Mapping[str, str] = {
    "task_type": "taskType",
    "title": "title",
    "dimensions": "outputDimensionality",
    "output_dimensionality": "outputDimensionality",
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
    report = call.context.report
    named = {name: value for name, value in call.args.items() if name not in EXTRAS and value is not None}
    apply_rules(call.spec, named, report)
    fields: dict[str, Any] = {}
    for name, value in named.items():
        if name in _FIELDS:
            fields[_FIELDS[name]] = value.upper() if name == "task_type" and isinstance(value, str) else value
            report.renamed(name, f"requests.{_FIELDS[name]}")
        elif name == "input_type" and value in _TASKS:
            fields.setdefault("taskType", _TASKS[value])
            report.renamed(name, "requests.taskType")
        elif name == "encoding_format" and value == "float":
            report.emulated(name, "the wire gives floats")
        else:
            report.dropped(name, "embeddings have no such parameter")
    model = model_path(call.spec.model_id)
    body: dict[str, Any] = {
        "requests": [{"model": model, "content": {"parts": [{"text": text}]}, **fields} for text in call.inputs]
    }
    merge_extra(body, call.args, report)
    return body


def embedding(call: Call, decoded: Any) -> Embedding:
    """One vector per input, in order; ResponseShapeError when the answer has others."""
    found = decoded.get("embeddings") if isinstance(decoded, dict) else None
    if not isinstance(found, list):
        raise shape_error(call, f"`embeddings` is {kind_of(found)}, not a list")
    if len(found) != len(call.inputs):
        raise shape_error(call, f"{len(call.inputs)} inputs got {len(found)} vectors")
    vectors = [_vector(call, item, place) for place, item in enumerate(found)]
    if len({len(vector) for vector in vectors}) > 1:
        raise shape_error(call, "the vectors differ in length")
    return Embedding(
        vectors,
        usage=content_usage(decoded.get("usageMetadata")),
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
    )


def _vector(call: Call, item: Any, place: int) -> list[float]:
    values = item.get("values") if isinstance(item, dict) else None
    if not isinstance(values, list) or not values:
        raise shape_error(call, f"`embeddings[{place}].values` is {kind_of(values)}, not a list of numbers")
    if not all(type(number) is float for number in values):
        if not all(isinstance(number, int | float) and not isinstance(number, bool) for number in values):
            raise shape_error(call, f"`embeddings[{place}].values` holds something else than numbers")
        values = [float(number) for number in values]
    # The sum is not finite when any number is not, and is had sooner than a look at each.
    if not isfinite(sum(values)):
        raise shape_error(call, f"`embeddings[{place}].values` has a number that is not finite")
    return values
