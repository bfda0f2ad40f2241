"""The open store: every method is one exchange with the server, or raises CacheError soon.

Values carry a checksum, since others may write to the same server; one that does not fit is a miss and is deleted.
"""

from __future__ import annotations

from functools import partial
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from zlib import crc32

from redis.exceptions import ConnectionError as Disconnected
from redis.exceptions import RedisError

from hb_cache_redis import scripts
from hb_cache_redis.connections import client, place
from hb_cache_redis.settings import Limits
from heavenbase.colour import call_in_thread
from heavenbase.errors import CacheError, InputError, InputTypeError
from heavenbase.plugin import CacheEntry, CacheStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from hb_cache_redis.settings import Settings

T = TypeVar("T")
KEY_BYTES = 32
CHECK_BYTES = 4
PAGE = 256
LONGEST_TTL = 1e9
"""Seconds; what lives longer lives for ever."""
NO_LIMITS = Limits()


class Space(NamedTuple):
    """One namespace: its name and its keys on the server, in the order of the scripts, and its bounds."""

    name: bytes
    keys: list[bytes]
    limits: Limits


class RedisStore(CacheStore):
    """A response cache on the server of `settings`, for any number of threads, event loops, processes and machines."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock = settings.clock
        self._client = client(settings)
        self._root = b"hb:{" + _bytes(settings.namespace) + b"}:"
        self._spaces: dict[str, Space] = {}
        self._scripts = {
            name: self._client.register_script(getattr(scripts, name))
            for name in ("GET", "PEEK", "PUT", "DROP", "DROP_SOME", "SWEEP")
        }

    @property
    def path(self) -> str:
        """The server and the namespace, without a password."""
        return f"{place(self._settings.url)}, namespace {self._settings.namespace}"

    # One value

    def get(self, namespace: str, key: bytes) -> bytes | None:
        """The stored value, None when it is absent, expired or damaged."""
        return self._checked_value(namespace, key, self._run("GET", self._space(namespace), [key, self._now()]))

    def peek(self, namespace: str, key: bytes) -> bytes | None:
        """Like `get`, but no use of the entry."""
        return self._checked_value(namespace, key, self._run("PEEK", self._space(namespace), [key, self._now()]))

    def set(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        """Store a value for `ttl` seconds (None: for ever). Raises InputError for a key that is not 32 bytes."""
        self._run("PUT", self._space(namespace), self._put_args(namespace, key, value, ttl))

    async def aget(self, namespace: str, key: bytes) -> bytes | None:
        """Async form of `get`, through a thread."""
        return await call_in_thread(self.get, namespace, key)

    async def aset(self, namespace: str, key: bytes, value: bytes, *, ttl: float | None = None) -> None:
        """Async form of `set`, through a thread."""
        await call_in_thread(self.set, namespace, key, value, ttl=ttl)

    def delete(self, namespace: str, key: bytes) -> bool:
        """Forget one entry; whether it was there."""
        return bool(self._run("DROP", self._space(namespace), [key]))

    # Several

    def get_many(self, namespace: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """The stored values of those keys that have one, in one exchange."""
        space, now = self._space(namespace), self._now()
        found = self._run_many("GET", space, [[key, now] for key in keys])
        values = {key: self._checked_value(namespace, key, value) for key, value in zip(keys, found, strict=True)}
        return {key: value for key, value in values.items() if value is not None}

    async def aget_many(self, namespace: str, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Async form of `get_many`, through a thread."""
        return await call_in_thread(self.get_many, namespace, keys)

    def set_many(self, namespace: str, values: Mapping[bytes, bytes], *, ttl: float | None = None) -> None:
        """Store several values in one exchange."""
        self._run_many(
            "PUT", self._space(namespace), [self._put_args(namespace, key, v, ttl) for key, v in values.items()]
        )

    async def aset_many(self, namespace: str, values: Mapping[bytes, bytes], *, ttl: float | None = None) -> None:
        """Async form of `set_many`, through a thread."""
        await call_in_thread(self.set_many, namespace, values, ttl=ttl)

    # All

    def clear(self, namespace: str | None = None) -> int:
        """Forget all entries of a namespace, or all of this store's; their number."""
        done = 0
        for name in [namespace] if namespace is not None else self._names():
            space = self._space(name)
            while some := self._run("DROP_SOME", space, []):
                done += some
            self._ask(partial(_call, "srem", space.keys[5], space.name))
        return done

    def sweep(self) -> int:
        """Forget every expired entry; their number. Writing sweeps on its own."""
        done = 0
        for name in self._names():
            while some := self._run("SWEEP", self._space(name), [self._now()]):
                done += some
        return done

    def stats(self) -> dict[str, dict[str, int]]:
        """By namespace: entries and bytes on the server."""
        self.sweep()
        answer = {}
        for name in self._names():
            _, used, _, _, total, _ = self._space(name).keys
            entries: Any = self._ask(partial(_call, "zcard", used))
            size: Any = self._ask(partial(_call, "get", total))
            answer[name] = {"entries": int(entries), "bytes": int(size or 0)}
        return answer

    def entries(
        self, namespace: str | None = None, *, limit: int | None = None, offset: int = 0
    ) -> Iterator[CacheEntry]:
        """The unexpired entries of a namespace, or of all, the last used first. Raises CacheError, InputError."""
        if offset < 0 or (limit is not None and limit < 0):
            raise InputError(f"limit and offset cannot be negative: {limit}, {offset}")
        names = [namespace] if namespace is not None else self._names()
        every = merge(*(self._listed(name) for name in names), key=lambda entry: -entry.accessed)
        return islice(every, offset, None if limit is None else offset + limit)

    def close(self) -> None:
        """Close the connections; a closed store that is used again connects anew."""
        self._client.close()
        self._client.connection_pool.disconnect()

    # The server

    def _run(self, script: str, space: Space, args: list[Any]) -> Any:
        return self._ask(lambda redis: self._scripts[script](keys=space.keys, args=args, client=redis))

    def _run_many(self, script: str, space: Space, calls: list[list[Any]]) -> list[Any]:
        def together(redis: Any) -> list[Any]:
            with redis.pipeline(transaction=False) as pipe:
                for args in calls:
                    self._scripts[script](keys=space.keys, args=args, client=pipe)
                found: list[Any] = pipe.execute()
                return found

        return self._ask(together) if calls else []

    def _ask(self, action: Callable[[Any], T]) -> T:
        """What the server answers. A connection that it had closed meanwhile is made anew, once."""
        try:
            try:
                return action(self._client)
            except Disconnected:
                self._client.connection_pool.disconnect(inuse_connections=False)
                return action(self._client)
        except (RedisError, OSError) as error:
            raise CacheError(f"the cache at {place(self._settings.url)} does not work: {error}") from error

    def _names(self) -> list[str]:
        found: Any = self._ask(partial(_call, "smembers", self._root + b"spaces"))
        return sorted(name.decode("utf-8", "surrogatepass") for name in found)

    def _listed(self, namespace: str) -> Iterator[CacheEntry]:
        _, used, facts, *_ = self._space(namespace).keys
        now, start = self._now(), 0
        while True:
            page: Any = self._ask(partial(_call, "zrange", used, start, start + PAGE - 1, desc=True, withscores=True))
            if not page:
                return
            start += PAGE
            told: Any = self._ask(partial(_call, "hmget", facts, [member for member, _ in page]))
            for (member, accessed), fact in zip(page, told, strict=True):
                size, created, expires = fact.split(b" ") if fact is not None else (b"0", b"0", b"0")
                if expires and int(expires) <= now:
                    continue
                until = int(expires) / 1e6 if expires else None
                yield CacheEntry(namespace, member, int(size), int(created) / 1e6, accessed / 1e6, until)

    # Small things

    def _put_args(self, namespace: str, key: bytes, value: bytes, ttl: float | None) -> list[Any]:
        if type(key) is not bytes or type(value) is not bytes:
            raise InputTypeError(f"the cache stores bytes by bytes, not {type(value).__name__} by {type(key).__name__}")
        if len(key) != KEY_BYTES:
            raise InputError(f"a cache key has {KEY_BYTES} bytes, not {len(key)}")
        limits, now = self._space(namespace).limits, self._now()
        fits = limits.max_entries != 0 and (limits.max_bytes is None or len(value) <= limits.max_bytes)
        kept = _seal(key, value) if fits and (ttl is None or ttl > 0) else b""
        forever = ttl is None or not ttl < LONGEST_TTL
        life = "" if forever else max(1, int((ttl or 0) * 1e3))
        expires = "" if forever else now + int((ttl or 0) * 1e6)
        bounds = ["" if bound is None else bound for bound in limits]
        return [key, kept, len(value), now, expires, life, *bounds, _bytes(namespace)]

    def _checked_value(self, namespace: str, key: bytes, kept: bytes | None) -> bytes | None:
        if kept is None:
            return None
        value = kept[CHECK_BYTES:]
        if kept != _seal(key, value):
            self.delete(namespace, key)
            return None
        return value

    def _space(self, namespace: str) -> Space:
        space = self._spaces.get(namespace)
        if space is None:
            if not isinstance(namespace, str):
                raise InputTypeError(f"a cache namespace is a str, not {type(namespace).__name__}")
            name = _bytes(namespace)
            base = self._root + b"in:" + name + b":"
            parts = (b"v:", b"used", b"facts", b"deadlines", b"bytes")
            keys = [*(base + part for part in parts), self._root + b"spaces"]
            space = self._spaces[namespace] = Space(name, keys, self._settings.limits.get(namespace, NO_LIMITS))
        return space

    def _now(self) -> int:
        return int(self._clock() * 1e6)


def _call(command: str, *args: Any, **options: Any) -> Any:
    """A command of a client, which comes last where `partial` is used."""
    *given, redis = args
    return getattr(redis, command)(*given, **options)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")


def _seal(key: bytes, value: bytes) -> bytes:
    """The value behind a checksum over it and its key."""
    return crc32(value, crc32(key)).to_bytes(CHECK_BYTES, "big") + value
