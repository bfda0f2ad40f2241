"""The redis cache: who may share it, what a server that is gone or hangs costs, damage, expiry on the server."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import pytest

from hb_cache_redis import RedisCache
from hb_cache_redis.store import RedisStore
from hb_testing.caches import cache_key
from hb_testing.redis_server import RedisServer
from hb_testing.server import LoopbackServer
from heavenbase.errors import CacheError, CacheWarning, ConfigError
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM

pytestmark = pytest.mark.xdist_group("redis")

LIMIT = 0.25
"""Seconds that a server may cost a call."""


def store_of(url: str, namespace: str = "tests", **settings: Any) -> RedisStore:
    options = {"url": url, **settings.pop("options", {})}
    return RedisCache().open({"namespace": namespace, "options": options, **settings})


@pytest.mark.parametrize("namespace", [None, "", "  ", 7])
def test_it_refuses_to_start_without_a_named_namespace(namespace: Any) -> None:
    with pytest.raises(ConfigError, match=r"heavenbase\.llm\.cache\.namespace"):
        RedisCache().open({"namespace": namespace})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "http://:secret@host"}, "redis://"),
        ({"url": 7}, "redis://"),
        ({"timeout_ms": 500}, "at most 100"),
        ({"timeout_ms": True}, "timeout_ms"),
        ({"timeout": 1}, "unknown"),
    ],
)
def test_wrong_options_are_errors_that_repeat_no_password(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        RedisCache().open({"namespace": "n", "options": options})
    assert "secret" not in str(caught.value)


def test_wrong_limits_are_errors() -> None:
    with pytest.raises(ConfigError, match="max_entries"):
        RedisCache().open({"namespace": "n", "namespaces": {"text": {"max_entries": "many"}}})


def test_no_repr_and_no_error_shows_the_password() -> None:
    store = store_of("redis://user:secret-pw@127.0.0.1:1/0")
    with pytest.raises(CacheError) as caught:
        store.get("text", cache_key(1))
    for shown in (str(caught.value), repr(caught.value.__cause__), store.path, repr(store), repr(store._settings)):
        assert "secret-pw" not in shown


def test_namespaces_of_two_teams_do_not_meet(shared_server: RedisServer) -> None:
    with closing(store_of(shared_server.url, "one")) as one, closing(store_of(shared_server.url, "two")) as two:
        one.set("text", cache_key(1), b"one's")
        assert two.get("text", cache_key(1)) is None
        assert two.stats() == {}
        assert two.clear() == 0
        assert one.get("text", cache_key(1)) == b"one's"


def test_a_value_that_others_changed_is_a_miss_and_deleted(shared_server: RedisServer) -> None:
    with closing(store_of(shared_server.url, "damage")) as store:
        for number, damage in enumerate((b"", b"xx", b"\x00\x00\x00\x00other", b"plain")):
            store.set("text", cache_key(number), b"value")
            place = store._space("text").keys[0] + cache_key(number)
            store._client.set(place, damage)
            assert store.get("text", cache_key(number)) is None
        assert store.stats()["text"]["entries"] == 0


def test_a_value_that_the_server_dropped_is_a_miss_and_counted_out(shared_server: RedisServer) -> None:
    with closing(store_of(shared_server.url, "dropped")) as store:
        store.set("text", cache_key(1), b"value")
        store._client.delete(store._space("text").keys[0] + cache_key(1))
        assert store.get("text", cache_key(1)) is None
        assert store.stats()["text"] == {"entries": 0, "bytes": 0}


def test_the_server_itself_forgets_what_has_expired(shared_server: RedisServer) -> None:
    with closing(store_of(shared_server.url, "expiry")) as store:
        store.set("text", cache_key(1), b"value", ttl=3600)
        assert 3590_000 < int(store._client.pttl(store._space("text").keys[0] + cache_key(1))) <= 3600_000


def test_a_restarted_server_is_used_again_without_a_failure(server: RedisServer) -> None:
    with closing(store_of(server.url)) as store:
        store.set("text", cache_key(1), b"one")
        server.stop()
        server.start()
        assert store.get("text", cache_key(1)) is None
        store.set("text", cache_key(1), b"two")
        assert store.get("text", cache_key(1)) == b"two"


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes a connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


@pytest.fixture
def refused() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_a_server_that_is_down_or_silent_costs_a_quarter_of_a_second(silent: str, refused: str) -> None:
    for url in (silent, refused):
        with closing(store_of(url)) as store:
            actions: list[Callable[[], object]] = [
                partial(store.get, "text", cache_key(1)),
                partial(store.set, "text", cache_key(1), b"x"),
            ]
            for action in actions:
                started = time.monotonic()
                with pytest.raises(CacheError, match="does not work"):
                    action()
                assert time.monotonic() - started < LIMIT


def test_a_name_that_is_not_resolved_in_time_costs_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def slow(*args: Any, **kwargs: Any) -> Any:
        released.wait(5)
        raise socket.gaierror("no such name")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with closing(store_of("redis://cache.invalid:6379/0")) as store:
        for _ in range(2):
            started = time.monotonic()
            with pytest.raises(CacheError):
                store.get("text", cache_key(1))
            assert time.monotonic() - started < LIMIT
        released.set()


# In a kernel


def house(url: str, model_url: str, **options: Any) -> LLM:
    settings = {
        "heavenbase.llm.cache.backend": "redis",
        "heavenbase.llm.cache.namespace": "team",
        "heavenbase.llm.cache.options.url": url,
    }
    kernel = Kernel(settings, **options)
    return LLM(preset="custom", model="m", base_url=model_url, api_key="sk-1", kernel=kernel)


def test_two_kernels_with_different_keys_share_a_named_namespace(server: RedisServer) -> None:
    with LoopbackServer() as model:
        one, two = (house(server.url, model.url("openai")) for _ in range(2))
        first = one.chat("hi")
        other = LLM(preset="custom", model="m", base_url=model.url("openai"), api_key="sk-2", kernel=two.kernel)
        assert other.complete("hi").cached
        assert other.chat("hi") == first
        assert one.embed(["a", "b"]) == other.embed(["a", "b"])
        assert len(model.requests) == 2
        for llm in (one, two):
            llm.kernel.close()


def test_without_a_namespace_calls_go_on_and_one_warning_says_why(shared_server: RedisServer) -> None:
    settings = {"heavenbase.llm.cache.backend": "redis", "heavenbase.llm.cache.options.url": shared_server.url}
    with LoopbackServer() as model, Kernel(settings) as kernel:
        llm = LLM(preset="custom", model="m", base_url=model.url("openai"), api_key="sk-1", kernel=kernel)
        with pytest.warns(CacheWarning, match=r"cache\.namespace") as told:
            answers = [llm.chat("hi") for _ in range(3)]
        assert (len(told), len(model.requests)) == (1, 3)
        assert all(answers)
