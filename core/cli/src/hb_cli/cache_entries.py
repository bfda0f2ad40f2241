"""Entries of the response cache as people see them: found by the beginning of their key, told, compared."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hb_cli import output
from heavenbase.errors import CacheError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_cli.state import State
    from heavenbase.cache.settings import CacheSettings
    from heavenbase.plugin import CacheEntry, CacheStore

SHORTEST = 4
PREVIEW = 60
SHOWN_NUMBERS = 6
AROUND = 24


class Shelf:
    """An open store, and the settings that opened it."""

    def __init__(self, store: CacheStore, settings: CacheSettings) -> None:
        self.store = store
        self.settings = settings

    def summary(self) -> dict[str, Any]:
        """What is kept and what the settings allow."""
        settings, counts = self.settings, self.store.stats()
        names = [*settings.limits, *(name for name in counts if name not in settings.limits)]
        return {
            "enabled": settings.enabled,
            "policy": settings.policy,
            "backend": settings.backend,
            "place": getattr(self.store, "path", None),
            "namespaces": {
                name: {"entries": 0, "bytes": 0, **counts.get(name, {}), **settings.limits.get(name, {})}
                for name in names
            },
        }

    def find(self, beginning: str) -> CacheEntry:
        """The one entry whose key begins so. Raises InputError."""
        wanted = beginning.strip().lower()
        if len(wanted) < SHORTEST or any(character not in "0123456789abcdef" for character in wanted):
            raise InputError(f"{beginning!r} is no key: give at least {SHORTEST} of its hexadecimal digits")
        found = [entry for entry in self.store.entries() if entry.key.hex().startswith(wanted)]
        if not found:
            raise InputError(f"no entry begins with {wanted}; `hb cache list` shows the keys")
        if len(found) > 1:
            keys = ", ".join(entry.key.hex()[:16] for entry in found[:5])
            raise InputError(f"{len(found)} entries begin with {wanted}: {keys}; give more digits")
        return found[0]

    def row(self, entry: CacheEntry) -> dict[str, Any]:
        """An entry on one line: what is known of it, its model, and how its request begins."""
        whole = self.whole(entry) or {}
        request = whole.get("request", {})
        return {**facts(entry), "model": request.get("model"), "about": about(request)}

    def full(self, entry: CacheEntry, *, raw: bool = False) -> dict[str, Any]:
        """An entry with request and answer. Raises CacheError when it cannot be read."""
        whole = self.whole(entry, raw=raw)
        if whole is None:
            raise CacheError(f"entry {entry.key.hex()[:16]} is gone or damaged; run the call again")
        return whole

    def whole(self, entry: CacheEntry, *, raw: bool = False) -> dict[str, Any] | None:
        """Like `full`; None when the entry cannot be read."""
        from heavenbase.cache import rows as cache_rows

        value = self.store.peek(entry.namespace, entry.key)
        if value is None:
            return None
        try:
            found = {**facts(entry), **described(value)}
            if raw and found["kind"] == "text":
                found["raw"] = cache_rows.raw_of(value)
        except (ValueError, KeyError, IndexError, TypeError):
            return None
        return found


@contextmanager
def opened(state: State) -> Iterator[Shelf]:
    """The store that the settings name, open for a block. What the backend says is raised."""
    cache = state.kernel.cache
    settings = cache.settings.configured
    store = cache.stores.make(settings)
    try:
        yield Shelf(store, settings)
    finally:
        store.close()


def facts(entry: CacheEntry) -> dict[str, Any]:
    """What the store itself knows of an entry."""
    return {**entry._asdict(), "key": entry.key.hex()}


def about(request: dict[str, Any]) -> str:
    """How a request begins: its last message, its prompt or its input, on one line."""
    text = request.get("input") or request.get("prompt")
    if text is None and request.get("messages"):
        content = request["messages"][-1].get("content")
        if isinstance(content, list):
            content = " ".join(str(part.get("text", f"<{part.get('type')}>")) for part in content)
        text = content
    line = " ".join(str(text or "").split())
    return line if len(line) <= PREVIEW else f"{line[: PREVIEW - 1]}…"


def described(value: bytes) -> dict[str, Any]:
    """An entry as plain data: kind, request, answer. Images are told by size, vectors by length."""
    import json

    from heavenbase.cache import rows as cache_rows

    found: dict[str, Any] = {"kind": cache_rows.KINDS.get(value[0]), "request": cache_rows.request_of(value)}
    if value[0] == cache_rows.VECTOR:
        vector, model = cache_rows.vector_of(value)
        return {**found, "answer": {"model": model, "length": len(vector), "vector": vector.tolist()}}
    if value[0] == cache_rows.IMAGES:
        result = cache_rows.images_of(value)
        images = [{"media_type": i.media_type, "bytes": len(i.to_bytes()), "sha256": i.digest()} for i in result.images]
        return {**found, "answer": {"model": result.model, "images": images}}
    text, head, _ = value[1:].split(b"\n", 2)
    answer = {"text": json.loads(text), **json.loads(head)}
    answer["finish_reason"] = answer.pop("finish")[0]
    return {**found, "answer": answer}


def when(seconds: float | None) -> str:
    """A time in this machine's zone; nothing for none."""
    from datetime import datetime

    return datetime.fromtimestamp(seconds).isoformat(" ", "seconds") if seconds is not None else ""


def shortened(value: Any) -> Any:
    """Plain data for reading: long vectors cut to their beginning."""
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        if len(value) > SHOWN_NUMBERS and all(isinstance(item, int | float) for item in value):
            return [*value[:SHOWN_NUMBERS], f"… {len(value)} numbers"]
        return [shortened(item) for item in value]
    return value


def differences(a: Any, b: Any, path: str = "") -> list[dict[str, Any]]:
    """The fields in which two requests differ, as rows of field, a, b; a missing one is not in its row."""
    if isinstance(a, dict) and isinstance(b, dict):
        names = [*a, *(name for name in b if name not in a)]
        rows = []
        for name in names:
            here = f"{path}.{name}" if path else str(name)
            if name not in b:
                rows.append({"field": here, "a": a[name]})
            elif name not in a:
                rows.append({"field": here, "b": b[name]})
            else:
                rows += differences(a[name], b[name], here)
        return rows
    if isinstance(a, list) and isinstance(b, list):
        rows = [
            row for place in range(min(len(a), len(b))) for row in differences(a[place], b[place], f"{path}[{place}]")
        ]
        rows += [{"field": f"{path}[{place}]", "a": a[place]} for place in range(len(b), len(a))]
        rows += [{"field": f"{path}[{place}]", "b": b[place]} for place in range(len(a), len(b))]
        return rows
    return [] if type(a) is type(b) and a == b else [{"field": path, "a": a, "b": b}]


def sentence(row: dict[str, Any]) -> str:
    """A difference on one line; of long texts, the place where they part."""
    field = row["field"]
    if "b" not in row:
        return f"{field}: {_brief(row['a'])} only in the first"
    if "a" not in row:
        return f"{field}: {_brief(row['b'])} only in the second"
    a, b = row["a"], row["b"]
    if field == "credential":
        return "credential: made with different keys"
    if field.startswith(("records.", "headers.")):
        return f"{field}: differs (only a fingerprint of it is kept)"
    if isinstance(a, str) and isinstance(b, str) and max(len(a), len(b)) > PREVIEW:
        place = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
        start = max(0, place - AROUND // 2)
        parts = [output.to_json(text[start : place + AROUND]) for text in (a, b)]
        return f"{field}: from character {place} on, {parts[0]} and {parts[1]}"
    return f"{field}: {_brief(a)} and {_brief(b)}"


def _brief(value: Any) -> str:
    text = output.to_json(value)
    return text if len(text) <= 2 * PREVIEW else f"{text[: 2 * PREVIEW - 1]}…"
