"""Limits that processes share, on a real server."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
from redis import Redis

from hb_testing.redis_server import RedisServer
from heavenbase.errors import RateLimitError, RequestRejected
from heavenbase.types import Usage

from .support import COLOURS, House, Make, are_kept_to, until

pytestmark = pytest.mark.xdist_group("redis")

colours = pytest.mark.parametrize("colour", COLOURS)
NAMES = (f"team {number}" for number in itertools.count())


@pytest.fixture
def namespace() -> str:
    """A name that no other test has."""
    return next(NAMES)


@pytest.fixture
def make(shared_server: RedisServer, namespace: str) -> Iterator[Make]:
    made: list[House] = []

    def house(*rules: dict[str, Any], **options: Any) -> House:
        given = {"clock": time.monotonic, "store": "redis", "url": shared_server.url, "namespace": namespace}
        made.append(House(*rules, **{**given, **options}))
        if given["url"] == options.get("url", given["url"]):
            # The bound is short, and a busy machine must not make tests of faults of these.
            limits = made[-1].limits
            assert limits._server is not None
            limits._server = replace(limits._server, timeout=10.0)
        return made[-1]

    yield house
    for each in made:
        each.close()


@pytest.fixture
def redis(shared_server: RedisServer) -> Iterator[Any]:
    with Redis.from_url(shared_server.url) as client:
        yield client


def keys_of(redis: Any, namespace: str) -> list[bytes]:
    return sorted(redis.scan_iter(f"hb:limits:{{{namespace}}}:*"))


@colours
def test_two_kernels_share_a_limit(make: Make, colour: str) -> None:
    rule = {"requests_per_minute": 3, "on_limit": "raise"}
    one, two = make(rule), make(rule)
    for house in (one, two, one):
        house.ask(colour)
    for house in (one, two):
        with pytest.raises(RateLimitError, match="requests_per_minute") as caught:
            house.ask(colour)
        assert 55 < (caught.value.retry_after or 0) <= 60
    assert two.limits.status()["circuit"] == "closed"


@colours
def test_who_waits_is_let_through_when_there_is_room(make: Make, tick: float, colour: str) -> None:
    house = make({"requests_per_second": 2, "name": "fast"})
    began = time.monotonic()
    for _ in range(5):
        house.ask(colour)
    assert are_kept_to(house.endpoint.times, began, 2, tick)


def test_kernels_and_threads_together_never_have_more_than_allowed(make: Make, tick: float) -> None:
    houses = [make({"requests_per_second": 10, "per": "all"}) for _ in range(3)]
    began = time.monotonic()
    for house in houses:
        house.ask()

    def sync(house: House) -> None:
        for _ in range(8):
            house.ask()

    def looped(house: House) -> None:
        async def run() -> None:
            await asyncio.gather(*(house.llm().acomplete("hi") for _ in range(8)))

        asyncio.run(run())

    threads = [threading.Thread(target=work, args=(house,)) for house in houses for work in (sync, looped)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = [at for house in houses for at in house.endpoint.times]
    assert len(times) == 51
    assert are_kept_to(times, began, 10, tick)


@pytest.mark.usefixtures("tick")
def test_waiters_of_two_kernels_take_turns(make: Make) -> None:
    rule = {"requests_per_second": 8, "per": "all"}
    one, two = make(rule), make(rule)
    order: list[str] = []

    async def ask(name: str, house: House) -> None:
        await house.llm().acomplete("hi")
        order.append(name)

    async def run() -> None:
        await asyncio.gather(*(ask(name, house) for _ in range(12) for name, house in (("1", one), ("2", two))))

    asyncio.run(run())
    late = order[8:]
    assert min(late.count("1"), late.count("2")) >= 4


@pytest.mark.usefixtures("tick")
def test_a_large_request_is_not_passed_over_for_ever_by_small_ones(make: Make) -> None:
    rule = {"tokens_per_second": 100, "per": "all"}
    large, small = make(rule), make(rule)
    small.endpoint.script = [Usage(10, 10)] * 500
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            small.ask(max_tokens=15)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    until(lambda: small.limits.status().get("waited"))
    began = time.monotonic()
    large.ask(max_tokens=90)
    took = time.monotonic() - began
    is_over.set()
    for thread in threads:
        thread.join()
    assert took < 5


@colours
def test_tokens_are_settled_on_the_server(make: Make, colour: str) -> None:
    one, two = (make({"tokens_per_minute": 1000, "on_limit": "raise"}) for _ in range(2))
    for house in (one, two):
        house.endpoint.script = [Usage(10, 20), RequestRejected("no", status=400), Usage(10, 20)]
    for house in (one, two):
        house.ask(colour, max_tokens=900)
        with pytest.raises(RequestRejected):
            house.ask(colour, max_tokens=900)
        house.ask(colour, max_tokens=800)
    with pytest.raises(RateLimitError, match="tokens_per_minute"):
        one.ask(colour, max_tokens=990)


@colours
def test_places_are_shared_and_free_again(make: Make, colour: str) -> None:
    one, two = (make({"concurrency": 1, "on_limit": "raise"}) for _ in range(2))
    stream = one.llm().stream("hi")
    next(stream)
    with pytest.raises(RateLimitError, match="concurrency"):
        two.ask(colour)
    stream.close()
    two.ask(colour)
    one.ask(colour)


def test_a_stream_that_is_left_early_frees_its_place(make: Make) -> None:
    one, two = (make({"concurrency": 1, "on_limit": "raise"}) for _ in range(2))

    async def run() -> None:
        async with aclosing(one.llm().astream("hi")) as stream:
            await anext(stream)
            with pytest.raises(RateLimitError):
                await two.llm().acomplete("hi")
        await two.llm().acomplete("hi")

    asyncio.run(run())


def test_a_request_that_is_cancelled_while_the_server_is_asked_leaves_nothing(
    make: Make, redis: Any, namespace: str
) -> None:
    house = make({"concurrency": 1, "requests_per_minute": 100})
    house.ask()

    async def run() -> None:
        for turns in range(12):
            task = asyncio.ensure_future(house.llm().acomplete("hi"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await asyncio.wait_for(house.llm().acomplete("hi"), 5)

    asyncio.run(run())
    until(lambda: not any(key.endswith(b":c") for key in keys_of(redis, namespace)))


@pytest.mark.parametrize("how", ["deadline", "async deadline", "cancelled"])
def test_who_waits_no_longer_is_in_no_line_on_the_server(make: Make, redis: Any, namespace: str, how: str) -> None:
    house = make({"concurrency": 1})
    stream = house.llm().stream("hi")
    next(stream)

    def lines() -> int:
        return sum(redis.zcard(key) for key in keys_of(redis, namespace) if key.endswith(b":q"))

    async def waits(timeout: float | None) -> None:
        task = asyncio.ensure_future(house.llm().acomplete("hi", timeout=timeout))
        if timeout is None:
            await asyncio.to_thread(until, lines)
            task.cancel()
        await task

    if how == "deadline":
        with pytest.raises(RateLimitError):
            house.ask(timeout=0.04)
    else:
        with pytest.raises((RateLimitError, asyncio.CancelledError)):
            asyncio.run(waits(None if how == "cancelled" else 0.04))
    assert lines() == 0
    stream.close()


def test_the_lease_of_a_process_that_died_ends(
    make: Make, shared_server: RedisServer, redis: Any, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One who gave up keeps its place for a while, as one who died: for seconds otherwise.
    monkeypatch.setattr("hb_limits.rates.shared.SLEEP", 0.01)
    monkeypatch.setattr("hb_limits.rates.shared.STAY", 0.03)
    house = make({"concurrency": 1, "per": "all", "name": "one"})
    code = f"""
import sys, time
from contrib_support import House
house = House({{"concurrency": 1, "per": "all", "name": "one"}}, clock=time.monotonic, store="redis",
              url={shared_server.url!r}, namespace={namespace!r})
stream = house.llm().stream("hi")
next(stream)
print("holds", flush=True)
sys.stdin.read()
"""
    head = "import importlib.util, sys\nfrom pathlib import Path\n"
    head += f"spec = importlib.util.spec_from_file_location('contrib_support', {str(support_file())!r})\n"
    head += "module = importlib.util.module_from_spec(spec); sys.modules['contrib_support'] = module\n"
    head += "spec.loader.exec_module(module)\n"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", head + code], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        with pytest.raises(RateLimitError, match="concurrency"):
            house.ask(timeout=0.05)
        process.kill()
    (leases,) = (key for key in keys_of(redis, namespace) if key.endswith(b":c"))
    ((_, ends),) = redis.zrange(leases, 0, -1, withscores=True)
    now = redis.time()
    assert 0 < ends / 1e6 - now[0] <= 31
    (lease,) = redis.zrange(leases, 0, -1)
    redis.zadd(leases, {lease: now[0] * 1e6 + now[1] + 20_000})  # half a minute in little
    house.ask(timeout=5)


def support_file() -> Any:
    from pathlib import Path

    return Path(__file__).with_name("support.py")


def test_a_lease_is_renewed_while_its_process_lives(make: Make, redis: Any, namespace: str) -> None:
    house = make({"concurrency": 1, "per": "all"})
    stream = house.llm().stream("hi")
    next(stream)
    (key,) = (key for key in keys_of(redis, namespace) if key.endswith(b":c"))
    ((lease, before),) = redis.zrange(key, 0, -1, withscores=True)
    (pool,) = house.limits._pools.values()
    pool._store._leases.renew([(key.removesuffix(b":c"), lease.decode())])
    assert redis.zscore(key, lease) > before
    stream.close()
    pool._store._leases.renew([(key.removesuffix(b":c"), lease.decode())])
    assert redis.zscore(key, lease) is None, "what is over is not begun again"


def test_a_pause_that_a_provider_asked_one_kernel_for_holds_for_the_others(make: Make) -> None:
    one, two = make(), make()
    one.endpoint.script = [RateLimitError("slow", status=429, retry_after=9.0)]
    with pytest.raises(RateLimitError, match="slow"):
        one.ask(max_retries=0)
    with pytest.raises(RateLimitError, match="past the deadline") as caught:
        two.ask(timeout=2)
    assert 8 < (caught.value.retry_after or 0) <= 9
    two.ask(llm=two.llm("another"))


def test_where_one_rule_refuses_nothing_is_taken_of_the_others(make: Make) -> None:
    house = make(
        {"match": "one/a", "requests_per_minute": 1, "on_limit": "raise"},
        {"per": "all", "requests_per_minute": 3, "on_limit": "raise"},
    )
    house.ask(llm=house.llm("a"))
    for _ in range(5):
        with pytest.raises(RateLimitError, match="target one/a"):
            house.ask(llm=house.llm("a"))
    house.ask()
    house.ask()
    with pytest.raises(RateLimitError, match=r"all \*"):
        house.ask()


@pytest.mark.usefixtures("tick")
def test_keys_expire_and_say_neither_credential_nor_tenant(make: Make, redis: Any, namespace: str) -> None:
    house = make(
        {"per": "key", "requests_per_minute": 100, "tokens_per_day": 10**6, "concurrency": 3},
        {"per": "tenant", "requests_per_second": 1},
    )
    for _ in range(2):
        house.ask(tenant="acme-and-sons")
    house.endpoint.script = [RateLimitError("slow", status=429, retry_after=5.0)]
    with pytest.raises(RateLimitError):
        house.ask(max_retries=0)
    stream = house.llm().stream("hi", timeout=30)
    with pytest.raises(RateLimitError):
        house.ask(timeout=1)
    stream.close()
    found = keys_of(redis, namespace)
    assert len(found) >= 6
    assert all(redis.pttl(key) > 0 for key in found)
    told = b" ".join(found)
    for word in (b"acme", b"sk-limited", b"limited.invalid", b"one/m"):
        assert word not in told


def test_a_namespace_shares_with_no_other(make: Make) -> None:
    rule = {"requests_per_minute": 1, "on_limit": "raise"}
    make(rule).ask()
    make(rule, namespace="another " + next(NAMES)).ask()
    with pytest.raises(RateLimitError):
        make(rule).ask()


def test_the_clock_of_the_server_may_be_set_back(make: Make, redis: Any, namespace: str) -> None:
    house = make({"requests_per_minute": 3, "on_limit": "raise"})
    house.ask()
    house.ask()
    (key,) = (key for key in keys_of(redis, namespace) if key.endswith(b":requests_per_minute"))
    for entry, score in redis.zrange(key, 0, -1, withscores=True):
        redis.zadd(key, {entry: score + 3600e6})  # as it is when an hour is gone back
    house.ask()
    with pytest.raises(RateLimitError) as caught:
        house.ask()
    assert (caught.value.retry_after or 0) <= 60


def test_who_died_before_the_clock_was_set_back_holds_up_nobody(make: Make, redis: Any, namespace: str) -> None:
    """A lease, a place in the line and a pause that end an hour later than they should."""
    house = make({"concurrency": 1, "name": "one", "per": "all"})
    house.ask()
    found = {bucket.rule.name: pool._store._full(bucket)  # type: ignore[union-attr]
             for pool in house.limits._pools.values() for bucket in pool._buckets.values()}  # fmt: skip
    late = (time.time() + 3600) * 1e6
    redis.zadd(found["one"] + b":q", {b"dead": 1})
    redis.hset(found["one"] + b":q:w", b"dead", f"{late:.0f}")
    assert house.ask(timeout=5.0).text == "ok"

    redis.zadd(found["one"] + b":c", {b"dead": late})
    redis.set(found["what the provider says"] + b":held", b"1", px=3_600_000)
    with pytest.raises(RateLimitError, match=r"has room in \d+\.\d s, which is past the deadline"):
        house.ask(timeout=5.0)
    (lease,) = redis.zrange(found["one"] + b":c", 0, -1, withscores=True)
    assert lease[1] <= (time.time() + 30) * 1e6
    assert redis.pttl(found["what the provider says"] + b":held") <= 300_000


def test_the_loop_is_not_held_up_by_a_server_that_hangs(server: RedisServer, make: Make) -> None:
    house = make({"requests_per_minute": 100}, url=server.url)
    house.ask()
    server.pause()
    late: list[float] = []

    async def run() -> None:
        task = asyncio.ensure_future(house.llm().acomplete("hi"))
        while not task.done():
            began = time.monotonic()
            await asyncio.sleep(0.001)
            late.append(time.monotonic() - began)
        await task

    asyncio.run(run())
    server.resume()
    assert len(late) >= 20, "the loop went on"
    assert sorted(late)[-2] < 0.05
