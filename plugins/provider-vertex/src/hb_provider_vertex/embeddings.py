"""Vectors of Vertex AI's models: instances of a prediction out, their embeddings back. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.embeddings import embedding_fields
from hb_provider_gemini.parameters import merge_extra
from heavenbase.types import Embedding, Usage
from heavenbase.wires import count, read_vector, read_vectors

if TYPE_CHECKING:
    from heavenbase.call import Call

_OF_ALL = ("outputDimensionality", "autoTruncate")
_OF_EACH = {"taskType": "task_type", "title": "title"}


def embedding_body(call: Call) -> dict[str, Any]:
    """The body of a batch."""
    fields = embedding_fields(call, {"auto_truncate": "autoTruncate", "autoTruncate": "autoTruncate"})
    each = {_OF_EACH[name]: value for name, value in fields.items() if name in _OF_EACH}
    body: dict[str, Any] = {"instances": [{"content": text, **each} for text in call.inputs]}
    parameters = {name: value for name, value in fields.items() if name in _OF_ALL}
    if parameters:
        body["parameters"] = parameters
    merge_extra(body, call.args, call.context.report)
    return body


def embedding(call: Call, decoded: Any) -> Embedding:
    """One vector per input, in order; ResponseShapeError when the answer has others."""
    found = decoded.get("predictions") if isinstance(decoded, dict) else None
    vectors = read_vectors(call, found, "predictions", lambda item, place: _vector(call, item, place))
    counts = [_tokens(item) for item in found or ()]
    tokens = None if None in counts else sum(each or 0 for each in counts)
    return Embedding(
        vectors,
        usage=Usage(input=tokens) if tokens is not None else None,
        provider=call.spec.provider,
        gateway=call.spec.gateway,
        report=call.context.report,
    )


def _vector(call: Call, item: Any, place: int) -> list[float]:
    inner = item.get("embeddings") if isinstance(item, dict) else None
    values = inner.get("values") if isinstance(inner, dict) else None
    return read_vector(call, values, f"`predictions[{place}].embeddings.values`")


def _tokens(item: Any) -> int | None:
    statistics = item["embeddings"].get("statistics")
    return count(statistics.get("token_count")) if isinstance(statistics, dict) else None
