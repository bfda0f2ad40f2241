"""Rerank: what is asked, checked before anything is sent, and the answers of the wires that have it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from heavenbase.details import Usage
from heavenbase.errors import InputError, InputTypeError
from heavenbase.http.payload import as_list, as_object, number_or_none, shape_error, whole_or_none
from heavenbase.http.rules import EXTRAS, apply_rules, merge_extra
from heavenbase.messages import to_texts
from heavenbase.operations.results import Ranked, Ranking

if TYPE_CHECKING:
    from heavenbase.call import Call

_SCORES = ("relevance_score", "score", "relevanceScore")


@dataclass(frozen=True, slots=True)
class Rerank:
    """What is asked: documents to be sorted by how well they answer the query, the best `top_n` of them back."""

    query: str
    documents: tuple[str, ...]
    top_n: int | None = None


def to_rerank(query: Any, documents: Any, top_n: Any) -> Rerank:
    """The question, of a text and an iterable of texts; InputError and InputTypeError say what is wrong with them."""
    if not isinstance(query, str):
        raise InputTypeError(f"query must be a str, not {type(query).__name__}")
    if not query.strip():
        raise InputError("the query is empty")
    texts = tuple(to_texts(documents, "documents"))
    if not texts:
        raise InputError("there are no documents to rerank")
    if top_n is not None and (isinstance(top_n, bool) or not isinstance(top_n, int)):
        raise InputTypeError(f"top_n must be a whole number, not {type(top_n).__name__}")
    if top_n is not None and top_n < 1:
        raise InputError(f"top_n must be at least 1, not {top_n}")
    return Rerank(query, texts, top_n)


def rerank_body(call: Call, **fixed: Any) -> dict[str, Any]:
    """The body that most wires have: model, query, documents, top_n; what the caller gives beside, and the rules."""
    asked: Rerank = call.subject
    fields: dict[str, Any] = {}
    if asked.top_n is not None:
        fields["top_n"] = asked.top_n
    for name in sorted(call.explicit - call.spec.explicit - EXTRAS):
        if name in call.args:
            fields[name] = call.args[name]
            call.context.report.sent(name)
    apply_rules(call.spec, fields, call.context.report)
    body = {"query": asked.query, "documents": list(asked.documents), **fields, **fixed}
    merge_extra(body, call.args, call.context.report)
    return body


def ranking(call: Call, decoded: Any, tokens: int | None = None, units: int | None = None) -> Ranking:
    """The ranking in a decoded answer, best first; ResponseShapeError for anything else.

    `tokens` and `units` are what it is billed by, as the wire tells them.
    """
    page = as_object(call, decoded, "the answer")
    field = "results" if "results" in page else "data"
    rows = as_list(call, page.get(field), f"`{field}`")
    found = sorted((_ranked(call, row) for row in rows), key=lambda one: -one.score)
    if len({one.index for one in found}) < len(found):
        raise shape_error(call, "a document is ranked twice")
    return Ranking(found, usage=Usage(tokens) if tokens is not None else None, search_units=units, raw=decoded)


def _ranked(call: Call, row: Any) -> Ranked:
    documents = call.subject.documents
    row = as_object(call, row, "a result")
    place = whole_or_none(row.get("index"))
    score = number_or_none(next((row[name] for name in _SCORES if name in row), None))
    if place is None or not 0 <= place < len(documents):
        raise shape_error(call, "a result names no document that was given")
    if score is None:
        raise shape_error(call, "a result has no `relevance_score`")
    return Ranked(place, score, documents[place])
