"""The response cache: calls that were answered before are answered from the store. Whatever it does, calls go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from heavenbase import colour
from heavenbase.cache import rows as rows
from heavenbase.cache.keys import Keys, messages_of
from heavenbase.cache.settings import NAMESPACES, ROOT, CacheSettings, SettingsReader, is_complete, is_of
from heavenbase.cache.stores import Guard, Stores
from heavenbase.call import Call, split_options
from heavenbase.config.config import Config
from heavenbase.details import Details
from heavenbase.errors import HBError, InputTypeError, StructuredOutputError
from heavenbase.middleware import Next
from heavenbase.options import PREPARED
from heavenbase.plugin import enforce_report
from heavenbase.registry import Registry
from heavenbase.spec import LLMSpec
from heavenbase.types import Chunk, Embedding, Message
from heavenbase.vector import Vector

REMEMBERED = 512
AT_ONCE = 8
"""More keys than this are looked up in a thread by async calls."""
NOTHING: tuple[None, None] = (None, None)


class Place(NamedTuple):
    """Where the answer of one call is kept."""

    guard: Guard
    namespace: str
    key: bytes
    settings: CacheSettings


class Vectors(NamedTuple):
    """What is kept for one embedding call: vectors by input and who made them, and where new ones go."""

    found: dict[str, Vector]
    model: str | None
    guard: Guard
    settings: CacheSettings
    keys: dict[str, bytes]


class CacheMiddleware:
    """Answers chats, streams and image generations from the store, and keeps the answers that are complete."""

    def __init__(
        self, config: Config, registry: Registry, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.stores = Stores(config, registry, clock, wall)
        folder, table = config.paths().data_dir, config.section(ROOT)
        if folder is None and table["path"] is not None:
            folder = Path(table["path"]).parent
        elif folder is None and not any(_is_given(config, name) for name in ("enabled", "backend")):
            table["enabled"] = False  # an embedded kernel writes nowhere that it was not told of
        self.keys = Keys(registry, folder, config.environ)
        self.settings = SettingsReader(table)
        self._on_lossy: Any = config.get("heavenbase.llm.on_lossy")
        self._starts: dict[int, tuple[LLMSpec, Any, Callable[[str, bytes], bytes | None] | None]] = {}

    def __call__(self, call: Call, next: Next) -> Any:
        """The kept answer, or the next one, which is kept when it is complete."""
        # Not async itself: a call that is not cached gets through without a coroutine of its own.
        if call.verb not in ("complete", "imagen"):
            return next(call)  # inputs of an embedding were looked up one by one: see `vectors`
        settings = self.settings.read(call.controls)
        return self._answer(call, next, settings) if _allows(settings, call) else next(call)

    def allows(self, call: Call) -> bool:
        """Whether a call is looked up, and its answer kept."""
        return call.verb in NAMESPACES and _allows(self.settings.read(call.controls), call)

    async def recall(self, call: Call) -> tuple[Any, Call]:
        """What is kept for a call, or None; and the call that need not be looked up again."""
        settings = self.settings.read(call.controls)
        if call.verb not in ("complete", "imagen") or not _allows(settings, call):
            return None, call
        place = await self._place(call, settings)
        if place is None or place.key == call.missed:
            return None, call
        found, _ = await self._read(call, place)
        return found, call if found is not None else call.replace(missed=place.key)

    async def _answer(self, call: Call, next: Next, settings: CacheSettings) -> Any:
        place = await self._place(call, settings)
        if place is None:
            return await next(call)
        if place.key != call.missed:
            found, asked = await self._read(call, place)
            if found is not None:
                return found
            if not asked:
                return await next(call)
        if call.stream:
            return self._record(call, await next(call), place)
        answer = await next(call)
        if is_complete(call, answer):
            await self._keep(call, place, answer)
        return answer

    async def _record(self, call: Call, source: Any, place: Place) -> AsyncIterator[Chunk]:
        chunks: list[Chunk] = []
        end: Chunk | None = None
        moved = False
        try:
            async for chunk in source:
                if chunk.kind == "delta":
                    chunks.append(chunk)
                elif chunk.kind == "end":
                    end = chunk
                    continue
                elif chunk.kind == "restart":
                    chunks.clear()
                elif chunk.kind == "continue":
                    moved = True
                yield chunk
        finally:
            await source.aclose()
        if end is None:
            return
        if not moved and is_complete(call, end.completion):
            await self._keep(call, place, end.completion, chunks)
        yield end

    # Plain chats

    def text(self, spec: LLMSpec, messages: list[Message]) -> tuple[str | None, bytes | None]:
        """The text that is kept for a chat with nothing but the defaults of its spec, or the key that has none.

        It is for callers who want the text alone, at a tenth of the cost. Both are None where only a call can tell.
        """
        found = self._starts.get(id(spec))
        if found is None or found[0] is not spec:
            found = self._start(spec)
        _, start, get = found
        if get is None:
            return NOTHING
        try:
            hasher = start.copy()
            hasher.update(messages_of(messages))
            key = hasher.digest()
            value = get("text", key)
            return (rows.text_of(value), None) if value is not None else (None, key)
        except Exception:
            return NOTHING  # the call itself will see it, and say it

    def _start(self, spec: LLMSpec) -> tuple[LLMSpec, Any, Callable[[str, bytes], bytes | None] | None]:
        """What `text` needs to know of a spec: the hash up to its messages, and the store to ask, if any."""
        args, controls = split_options(spec.args)
        start, get = None, None
        try:
            settings = self.settings.read(controls)
            if args.keys().isdisjoint(PREPARED) and settings.allows("complete", args, controls, has_tools=False):
                guard = self.stores.known(settings)
                if guard is None:
                    return spec, None, None  # the first call opens it
                if guard.store.instant:
                    start, get = self.keys.with_args(spec, args, settings.shared, "complete", controls), guard.store.get
        except HBError:
            pass  # the call itself will raise it
        if len(self._starts) >= REMEMBERED:
            self._starts.clear()
        self._starts[id(spec)] = (spec, start, get)
        return self._starts[id(spec)]

    # Embeddings

    async def vectors(self, call: Call, texts: Sequence[str]) -> Vectors | None:
        """What is kept for the inputs of an embedding; None when it is not cached."""
        settings = self.settings.read(call.controls)
        guard = await self._guard(call, settings) if _allows(settings, call) else None
        if guard is None:
            return None
        try:
            keys = dict(zip(texts, self.keys.of_inputs(call, texts, settings.shared), strict=True))
        except HBError as error:
            self._no_key(error)
            return None
        store = guard.store
        try:
            values = await _run(call, store.get_many, store.aget_many, "embedding", list(keys.values()))
        except Exception as error:
            self.stores.failed(guard, "cannot be read", error)
            return None
        guard.succeeded()
        found, model = {}, None
        for text, key in keys.items():
            if (value := values.get(key)) is not None:
                try:
                    found[text], model = rows.vector_of(value)
                except Exception as error:
                    self.stores.tell("holds a damaged entry", error)
        return Vectors(found, model, guard, settings, keys)

    async def keep_vectors(self, call: Call, kept: Vectors, texts: Sequence[str], answer: Embedding) -> None:
        """Keep the vectors of one answered batch."""
        if not is_of(call, answer):
            return
        guard, settings, keys = kept.guard, kept.settings, kept.keys
        store, ttl = guard.store, settings.ttl("embedding")
        try:
            about = self.keys.description(call, settings.shared)
            values = {
                keys[text]: rows.encode_vector(_vector(vector), answer.model, {**about, "input": text})
                for text, vector in zip(texts, answer.vectors, strict=True)
                if len(vector)
            }
            await _run(call, store.set_many, store.aset_many, "embedding", values, ttl=ttl)
        except Exception as error:
            self.stores.failed(guard, "cannot be written", error)

    # Reading and writing

    async def _guard(self, call: Call, settings: CacheSettings) -> Guard | None:
        guard = self.stores.known(settings)
        if guard is None and not self.stores.refused(settings):
            if call.is_async:
                guard = await colour.call_in_thread(self.stores.open, settings)  # it imports, and opens files
            else:
                guard = self.stores.open(settings)
        return guard if guard is not None and guard.ready() else None

    async def _place(self, call: Call, settings: CacheSettings) -> Place | None:
        guard = await self._guard(call, settings)
        if guard is None:
            return None
        try:
            return Place(guard, NAMESPACES[call.verb], self.keys.of(call, settings.shared), settings)
        except HBError as error:
            self._no_key(error)
            return None

    def _no_key(self, error: HBError) -> None:
        if not isinstance(error, InputTypeError):  # an argument without a canonical form is no failure
            self.stores.tell("has no key", error)

    async def _read(self, call: Call, place: Place) -> tuple[Any, bool]:
        """The kept answer or None, and whether the store could be asked at all."""
        guard, namespace, key, _ = place
        try:
            store = guard.store
            value = await store.aget(namespace, key) if call.is_async else store.get(namespace, key)
        except Exception as error:
            self.stores.failed(guard, "cannot be read", error)
            return None, False
        guard.succeeded()
        if value is None:
            return None, True
        try:
            found = self._decode(call, value)
        except StructuredOutputError:
            return None, True  # it fitted another type with the same schema, say one with fewer validators
        except Exception as error:
            self.stores.tell("holds a damaged entry", error)
            return None, True
        if call.context.report.lossy():
            enforce_report(call, self._on_lossy)
        return found, True

    def _decode(self, call: Call, value: bytes) -> Any:
        found: Any
        if call.verb == "imagen":
            found = rows.images_of(value)
        else:
            found = rows.completion_of(value)
            if call.format is not None:
                found.structured = call.format.value_of(found)
            if call.stream:
                found = _replay([*rows.chunks_of(value), Chunk(kind="end", completion=found)])
        call.context.report.entries.update((entry.name, entry) for entry in rows.report_of(value))
        call.context.cached = True
        return found

    async def _keep(self, call: Call, place: Place, answer: Any, chunks: Sequence[Chunk] | None = None) -> None:
        guard, namespace, key, settings = place
        report = call.context.report
        try:
            request = self.keys.description(call, settings.shared)
            if call.verb == "imagen":
                value = rows.encode_images(answer, report, request)
            else:
                told = replace(answer, details=Details.limited(answer.details, call.context.limits()))
                value = rows.encode_completion(told, chunks, report, request)
        except Exception as error:
            self.stores.tell("cannot keep an answer", error)
            return
        ttl = settings.ttl(namespace)
        try:
            if call.is_async:
                await guard.store.aset(namespace, key, value, ttl=ttl)
            else:
                guard.store.set(namespace, key, value, ttl=ttl)
        except Exception as error:
            self.stores.failed(guard, "cannot be written", error)

    def close(self) -> None:
        """Close the stores."""
        self._starts.clear()
        self.keys.forget()
        self.stores.close()


def _is_given(config: Config, name: str) -> bool:
    origin = config.origin(f"{ROOT}.{name}")
    return origin is not None and origin.layer != "default"


def _allows(settings: CacheSettings, call: Call) -> bool:
    return settings.allows(call.verb, call.args, call.controls, has_tools=bool(call.tools))


async def _replay(chunks: Sequence[Chunk]) -> AsyncIterator[Chunk]:
    for chunk in chunks:
        yield chunk


async def _run(call: Call, sync: Any, twin: Any, namespace: str, many: Any, **options: Any) -> Any:
    """Read or write many entries in the colour of the call."""
    if not call.is_async:
        return sync(namespace, many, **options)
    if len(many) <= AT_ONCE:
        return await twin(namespace, many, **options)
    return await colour.call_in_thread(sync, namespace, many, **options)  # many small reads would hold up the loop


def _vector(values: Any) -> Vector:
    return values if isinstance(values, Vector) else Vector(values)
