"""The embedding flow: equal inputs once, batches of the provider's size, several at a time, order kept."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

from heavenbase.cache.middleware import CacheMiddleware
from heavenbase.call import Call
from heavenbase.colour.parallel import run_many
from heavenbase.errors import ResponseShapeError
from heavenbase.middleware import Next
from heavenbase.types import Embedding, Usage
from heavenbase.vector import Vector


async def embed_all(call: Call, chain: Next, cache: CacheMiddleware) -> Embedding:
    """One vector per `call.inputs`, in order; only those that the cache does not have are asked for."""
    unique = list(dict.fromkeys(call.inputs))
    kept = await cache.vectors(call, unique)
    misses = [text for text in unique if text not in kept.found] if kept is not None else unique
    size = call.spec.batch_size(len(unique), call.controls.get("embedding_batch_size"))
    batches = [misses[start : start + size] for start in range(0, len(misses), size)]
    workers = max(1, int(call.controls.get("embedding_max_workers") or 1))

    async def one(batch: list[str]) -> Embedding:
        # Batches run side by side: each notes for itself why its next request is made.
        answer: Embedding = await chain(call.replace(inputs=batch, context=replace(call.context)))
        if len(answer.vectors) != len(batch):
            raise ResponseShapeError(
                f"{call.target} answered {len(answer.vectors)} vectors for {len(batch)} inputs",
                provider=call.spec.provider,
                maybe_billed=True,
            )
        if kept is not None:
            await cache.keep_vectors(call, kept, batch, answer)
        return answer

    answers = await run_many(one, batches, workers=workers, is_async=call.is_async)
    vectors = dict(kept.found) if kept is not None else {}
    vectors |= {
        text: vector if isinstance(vector, Vector) else Vector(vector)
        for batch, a in zip(batches, answers, strict=True)
        for text, vector in zip(batch, a.vectors, strict=True)
    }
    ordered = [vectors[text] for text in call.inputs]
    if len(unique) < len(ordered):  # a repeated input gets a vector of its own: callers change what they are given
        ordered = [copy(vector) for vector in ordered]
    return Embedding(
        ordered,
        usage=Usage.total(*[answer.usage for answer in answers]),
        model=answers[0].model if answers else kept.model if kept is not None else None,
        raw={
            "cached": len(unique) - len(misses),
            "misses": len(misses),
            "embedding_batch_size": size,
            "embedding_max_workers": workers,
            "batches": len(batches),
        },
    )
