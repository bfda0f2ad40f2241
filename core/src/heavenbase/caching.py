"""The response cache: which calls may be answered from it, under which key, and how answers are stored and replayed."""

from __future__ import annotations

import json
import os
import threading
import warnings
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heavenbase.call import MOCKS
from heavenbase.errors import CacheWarning, HBError, InputError, UnknownNameError
from heavenbase.middleware import Middleware
from heavenbase.types import Chunk, Completion, ToolCall, ToolCallDelta, Usage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from heavenbase.call import Call
    from heavenbase.kernel import Kernel
    from heavenbase.middleware import Next
    from heavenbase.plugin import CacheStore
    from heavenbase.spec import LLMSpec

ROOT = "heavenbase.llm.cache"
NAMESPACES = {"complete": "text", "embed": "embedding", "imagen": "image"}
POLICIES = ("deterministic", "force", "always", "off", "none", "false")
KEY_FORMAT = 1
UNFINISHED = frozenset({"length", "content_filter", "refusal", "pause", "context_overflow", "other"})
WARN_EVERY = 60.0
CHUNK_FIELDS = ("text", "reasoning", "finish_reason", "raw_finish_reason", "id", "model", "reasoning_parts", "raw")


class CacheMiddleware(Middleware):
    """Answers repeated deterministic chats from the store. Whatever the store does, the call goes on."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._store: CacheStore | None = None
        self._settings: dict[str, Any] | None = None
        self._broken_until = 0.0
        self._lock = threading.Lock()

    async def __call__(self, call: Call, next: Next) -> Any:
        """The stored answer, or the next one, which is stored when it is complete."""
        settings = self._settings_of(call)
        if call.verb != "complete" or not cacheable(call, settings):
            return await next(call)
        store = self._open(settings)
        if store is None:
            return await next(call)
        namespace = NAMESPACES[call.verb]
        key = cache_key(call, credential_of(call.spec, settings, self._kernel.config.paths().data_dir))
        stored = await self._read(store, call, namespace, key)
        if stored is not None:
            return _replay(stored) if call.stream else _completion(stored)
        ttl = settings["namespaces"][namespace].get("ttl_seconds")
        if call.stream:
            return self._record(call, await next(call), store, namespace, key, ttl)
        answer = await next(call)
        if answer.finish_reason not in UNFINISHED:
            await self._write(store, call, namespace, key, _row(answer), ttl)
        return answer

    async def _record(
        self, call: Call, source: Any, store: CacheStore, namespace: str, key: bytes, ttl: float | None
    ) -> AsyncIterator[Chunk]:
        from heavenbase.gather import Gathering

        gathering = Gathering()
        try:
            async for chunk in source:
                gathering.feed(chunk)
                yield chunk
        finally:
            await source.aclose()
        if gathering.finished and gathering.last.finish_reason not in UNFINISHED:
            row = _row(gathering.completion(call))
            row["chunks"] = [_chunk_row(chunk) for chunk in gathering.chunks]
            await self._write(store, call, namespace, key, row, ttl)

    def _settings_of(self, call: Call) -> dict[str, Any]:
        if self._settings is None:
            self._settings = self._kernel.config.section(ROOT)
        return settings_for(call, self._settings)

    def close(self) -> None:
        """Close the store, if one was opened."""
        store, self._store = self._store, None
        if store is not None:
            store.close()

    def _open(self, settings: Mapping[str, Any]) -> CacheStore | None:
        if self._store is None and self._kernel.clock() >= self._broken_until:
            with self._lock:
                if self._store is None:
                    self._open_store(settings)
        return self._store

    def _open_store(self, settings: Mapping[str, Any]) -> None:
        backend = settings["backend"]
        options = {**settings, "data_dir": str(self._kernel.config.paths().data_dir), "clock": self._kernel.wall}
        try:
            self._kernel.registry.load("caches", backend)
            self._store = self._kernel.registry.hook.cache(backend=backend, settings=options)
        except Exception as error:
            self._fail("open", error)

    async def _read(self, store: CacheStore, call: Call, namespace: str, key: bytes) -> dict[str, Any] | None:
        try:
            found = await store.aget(namespace, key) if call.is_async else store.get(namespace, key)
            return json.loads(found) if found is not None else None
        except Exception as error:
            self._fail("read", error)
            return None

    async def _write(
        self, store: CacheStore, call: Call, namespace: str, key: bytes, row: dict[str, Any], ttl: float | None
    ) -> None:
        try:
            data = json.dumps(row, separators=(",", ":")).encode()
            if call.is_async:
                await store.aset(namespace, key, data, ttl=ttl)
            else:
                store.set(namespace, key, data, ttl=ttl)
        except Exception as error:
            self._fail("write", error)

    def _fail(self, what: str, error: Exception) -> None:
        now = self._kernel.clock()
        if now >= self._broken_until:
            self._broken_until = now + WARN_EVERY
            warnings.warn(f"response cache: {what} failed, calls go on without it: {error}", CacheWarning, stacklevel=2)


def settings_for(call: Call, configured: dict[str, Any]) -> dict[str, Any]:
    """The settings of the cache with what this call says about it over them; errors for what no setting is."""
    settings = configured
    option = call.controls.get("cache")
    if isinstance(option, dict):
        from heavenbase.catalog import merge

        unknown = next((name for name in option if name not in settings), None)
        if unknown is not None:
            raise UnknownNameError("cache setting", unknown, settings)
        settings = merge(settings, {"enabled": True}, option)
    elif option is not None:
        if not isinstance(option, bool):
            raise InputError(f"cache must be True, False or a mapping of settings, not {type(option).__name__}")
        settings = {**settings, "enabled": option}
    policy = call.controls.get("cache_policy")
    if policy is not None:
        settings = {**settings, "policy": policy}
    if settings["policy"] not in POLICIES:
        raise UnknownNameError("cache policy", settings["policy"], POLICIES)
    return settings


def credential_of(spec: LLMSpec, settings: Mapping[str, Any], data_dir: Path) -> str:
    """Who may share entries: the name that the settings give, else a fingerprint of the keys (made in `data_dir`)."""
    shared = settings.get("namespace")
    if shared:
        return f"shared:{shared}"
    keys = [key for key in (spec.api_key, spec.gateway_key) if key is not None]
    return "+".join(key.fingerprint(installation_key(data_dir)) for key in keys) or "none"


def cacheable(call: Call, settings: Mapping[str, Any]) -> bool:
    """Whether a call may be read from and written to the cache under these settings."""
    if call.tools or not MOCKS.isdisjoint(call.controls):
        return False
    namespace = NAMESPACES[call.verb]
    if not settings["enabled"] or not settings["namespaces"][namespace]["enabled"]:
        return False
    policy = settings["policy"]
    if policy in ("off", "none", "false"):
        return False
    if policy in ("force", "always"):
        return True
    args = call.args
    if call.verb == "embed":
        return True
    if args.get("seed") is None and (call.verb == "imagen" or args.get("temperature") != 0):
        return False
    return all(args.get(name) in (None, 0, 1) for name in ("top_p", "top_k"))


def cache_key(call: Call, credential: str) -> bytes:
    """SHA-256 over everything that can change the answer, and the credential namespace."""
    spec = call.spec
    material = {
        "format": KEY_FORMAT,
        "verb": call.verb,
        "provider": spec.provider,
        "gateway": spec.gateway,
        "model": spec.model_id,
        "base_url": spec.base_url,
        "provider_url": spec.provider_url,
        "headers": dict(spec.headers),
        "messages": call.messages,
        "prompt": call.prompt,
        "images": call.images,
        "args": dict(call.args),
        "credential": credential,
    }
    text = json.dumps(material, sort_keys=True, separators=(",", ":"), default=_canonical)
    return sha256(text.encode("utf-8", "surrogatepass")).digest()


def _canonical(value: Any) -> Any:
    digest = getattr(value, "digest", None)
    if callable(digest):
        return f"image:{digest()}"
    if hasattr(value, "model_json_schema"):
        return value.model_json_schema()
    if hasattr(value, "keys"):
        return dict(value)
    return repr(value)


def installation_key(folder: Path) -> bytes:
    """32 random bytes that belong to this installation, made on first use, readable by its user only."""
    path = folder / "cache.key"
    try:
        return path.read_bytes()
    except FileNotFoundError:
        pass
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(os.urandom(32))
    except FileExistsError:
        pass  # another process was faster
    except OSError as error:
        raise HBError(f"cannot keep the cache key in {folder}: {error}") from error
    return path.read_bytes()


def _row(answer: Completion) -> dict[str, Any]:
    return {
        "text": answer.text,
        "reasoning": answer.reasoning,
        "tool_calls": [[call.id, call.name, call.arguments] for call in answer.tool_calls],
        "finish": [answer.finish_reason, answer.raw_finish_reason],
        "usage": {name: getattr(answer.usage, name) for name in answer.usage.__dataclass_fields__}
        if answer.usage
        else None,
        "id": answer.id,
        "model": answer.model,
        "parts": answer.reasoning_parts,
        "images": [image.to_dict() for image in answer.images],
        "raw": answer.raw,
    }


def _completion(row: dict[str, Any]) -> Completion:
    answer = Completion(
        row["text"],
        reasoning=row["reasoning"],
        tool_calls=[ToolCall(*fields) for fields in row["tool_calls"]],
        finish_reason=row["finish"][0],
        raw_finish_reason=row["finish"][1],
        usage=Usage(**row["usage"]) if row["usage"] else None,
        id=row["id"],
        model=row["model"],
        reasoning_parts=row["parts"],
        images=_images(row["images"]),
        raw=row["raw"],
    )
    answer.cached = True
    return answer


def _images(rows: list[dict[str, Any]]) -> list[Any]:
    if not rows:
        return []
    from heavenbase.image import LLMImage

    return [LLMImage.from_any(row) for row in rows]


def _chunk_row(chunk: Chunk) -> dict[str, Any]:
    row = {
        name: getattr(chunk, name)
        for name in ("text", "reasoning", "finish_reason", "raw_finish_reason", "id", "model", "reasoning_parts", "raw")
    }
    row = {name: value for name, value in row.items() if value}
    if chunk.tool_calls:
        row["tool_calls"] = [[d.index, d.id, d.name, d.arguments] for d in chunk.tool_calls]
    if chunk.usage is not None:
        row["usage"] = _usage_row(chunk.usage)
    if chunk.images:
        row["images"] = [image.to_dict() for image in chunk.images]
    return row


def _usage_row(usage: Usage | None) -> dict[str, Any] | None:
    return {name: getattr(usage, name) for name in usage.__dataclass_fields__} if usage is not None else None


async def _replay(row: dict[str, Any]) -> AsyncIterator[Chunk]:
    """The stored chunks; an answer that was not streamed comes as one."""
    if "chunks" in row:
        for stored in row["chunks"]:
            fields = dict(stored)
            if "tool_calls" in fields:
                fields["tool_calls"] = [ToolCallDelta(*delta) for delta in fields["tool_calls"]]
            if "usage" in fields:
                fields["usage"] = Usage(**fields["usage"])
            if "images" in fields:
                fields["images"] = _images(fields["images"])
            yield Chunk(**fields)
        return
    answer = _completion(row)
    yield Chunk(
        answer.text,
        reasoning=answer.reasoning,
        tool_calls=[ToolCallDelta(i, c.id, c.name, c.arguments) for i, c in enumerate(answer.tool_calls)] or None,
        finish_reason=answer.finish_reason,
        raw_finish_reason=answer.raw_finish_reason,
        usage=answer.usage,
        id=answer.id,
        model=answer.model,
        images=answer.images or None,
        reasoning_parts=answer.reasoning_parts or None,
        raw=answer.raw,
    )
