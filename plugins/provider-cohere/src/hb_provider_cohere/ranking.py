"""Documents sorted by how well they answer a query, on Cohere's endpoint for it.

from hb_provider_cohere import rerank

llm = hb.LLM(model="rerank-v3.5", provider="cohere")
[best, *_] = rerank(llm, "Who wrote it?", documents, top_n=3)
print(documents[best.index], best.score)
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, UnsupportedError
from heavenbase.http import kind_of, shape_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hb_provider_cohere.gateway import CohereGateway
    from heavenbase.call import Call, WireRequest
    from heavenbase.llm import LLM

__all__ = ["Ranked", "arerank", "rerank"]


@dataclass(frozen=True, slots=True)
class Ranked:
    """One document: its place among those that were given, and how relevant it is, from 0 to 1."""

    index: int
    score: float


def rerank(llm: LLM, query: str, documents: Sequence[str], **options: Any) -> list[Ranked]:
    """The most relevant documents first.

    `options` are those of a call (`api_key`, `timeout` ...) and of the endpoint: `top_n`, `max_tokens_per_doc`,
    `priority`. One attempt is made; errors are those of chats. UnsupportedError behind other gateways.
    """
    gateway, call, request = _prepared(llm, query, documents, options, is_async=False)
    return gateway.ask(gateway.attempt(call), request, lambda _, decoded: _ranked(call, decoded, len(documents)))


async def arerank(llm: LLM, query: str, documents: Sequence[str], **options: Any) -> list[Ranked]:
    """Async form of `rerank`."""
    gateway, call, request = _prepared(llm, query, documents, options, is_async=True)
    return await gateway.aask(gateway.attempt(call), request, lambda _, decoded: _ranked(call, decoded, len(documents)))


_FIELDS = ("top_n", "max_tokens_per_doc", "priority")


def _prepared(
    llm: LLM, query: str, documents: Sequence[str], options: dict[str, Any], *, is_async: bool
) -> tuple[CohereGateway, Call, WireRequest]:
    if isinstance(documents, str) or not documents or not all(isinstance(text, str) for text in documents):
        raise InputError("documents must be a list of texts, with one at least")
    fields = {name: options.pop(name) for name in _FIELDS if name in options}
    spec = llm.spec
    gateway: Any = llm.kernel.gateway(spec)
    if gateway.wire != "cohere":
        raise UnsupportedError(f"gateway {spec.gateway!r} cannot rerank; use gateway='cohere'", provider=spec.provider)
    call = llm.kernel.call("complete", spec, options, is_async=is_async)
    body: dict[str, Any] = {"model": spec.model_id, "query": query, "documents": list(documents)}
    body.update((name, value) for name, value in fields.items() if value is not None)
    return gateway, call, gateway.request(call, "rerank", body)


def _ranked(call: Call, decoded: Any, size: int) -> list[Ranked]:
    found = decoded.get("results") if isinstance(decoded, dict) else None
    if not isinstance(found, list):
        raise shape_error(call, f"`results` is {kind_of(found)}, not a list")
    ranked = [_one(call, item, size) for item in found]
    return sorted(ranked, key=lambda item: -item.score)


def _one(call: Call, item: Any, size: int) -> Ranked:
    index = item.get("index") if isinstance(item, dict) else None
    score = item.get("relevance_score") if isinstance(item, dict) else None
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < size:
        raise shape_error(call, "a result names no document that was given")
    if not isinstance(score, int | float) or isinstance(score, bool) or not isfinite(score):
        raise shape_error(call, "a result has no `relevance_score`")
    return Ranked(index, float(score))
