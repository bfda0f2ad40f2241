"""The kept vectors of one embedding call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.cache import rows as rows
from heavenbase.cache.settings import is_of
from heavenbase.vector import Vector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from heavenbase.cache.stores import Guard, Stores
    from heavenbase.call import Call
    from heavenbase.types import Embedding

AT_ONCE = 8
"""More keys than this are looked up in a thread by async calls."""


class Vectors:
    """The kept vectors of one embedding call: `found` by input, and a place for those that are made now."""

    def __init__(
        self,
        stores: Stores,
        call: Call,
        guard: Guard,
        keys: Mapping[str, bytes],
        *,
        describe: Callable[[], dict[str, Any]],
        ttl: float | None,
    ) -> None:
        self.found: dict[str, Vector] = {}
        self.model: str | None = None
        self._stores = stores
        self._call = call
        self._guard = guard
        self._ttl = ttl
        self._keys = keys
        self._describe = describe
        self._answers = False

    async def look(self) -> None:
        """Find what is kept."""
        stores, store = self._stores, self._guard.store
        keys = list(self._keys.values())
        try:
            values = await self._run(len(keys), store.get_many, store.aget_many, "embedding", keys)
        except Exception as error:
            stores.failed(self._guard, "cannot be read", error)
            return
        self._guard.succeeded()
        self._answers = True
        for text, key in self._keys.items():
            value = values.get(key)
            if value is not None:
                try:
                    self.found[text], self.model = rows.vector_of(value)
                except Exception as error:
                    stores.tell("holds a damaged entry", error)

    async def keep(self, texts: Sequence[str], answer: Embedding) -> None:
        """Keep the vectors of one answered batch."""
        if not self._answers or not is_of(self._call, answer):
            return
        store = self._guard.store
        try:
            about = self._describe()
            values = {
                self._keys[text]: rows.encode_vector(_vector(vector), answer.model, {**about, "input": text})
                for text, vector in zip(texts, answer.vectors, strict=True)
                if len(vector)
            }
            await self._run(len(values), store.set_many, store.aset_many, "embedding", values, ttl=self._ttl)
        except Exception as error:
            self._stores.failed(self._guard, "cannot be written", error)

    async def _run(self, count: int, sync: Any, twin: Any, *args: Any, **options: Any) -> Any:
        if not self._call.is_async:
            return sync(*args, **options)
        if count <= AT_ONCE:
            return await twin(*args, **options)
        from heavenbase.colour.threads import call_in_thread

        return await call_in_thread(sync, *args, **options)  # so that the loop is not held up by many small reads


def _vector(values: Any) -> Vector:
    return values if isinstance(values, Vector) else Vector(values)
