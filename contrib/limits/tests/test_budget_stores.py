"""The three stores keep the same accounts in the same way, and what follows where one is away."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hb_limits.budgets.accounts import LATE, SESSION, Account, Spent, StoreError, Want
from hb_limits.budgets.amounts import PARTS
from hb_limits.budgets.memory import MemoryStore
from hb_limits.budgets.rules import read_rules
from hb_limits.budgets.sqlite import SQLiteStore
from hb_limits.budgets.windows import FOR_EVER, Window, window_at
from hb_limits.server.circuit import FAILURES
from hb_limits.server.settings import ServerSettings
from hb_testing.redis_server import RedisServer
from heavenbase.errors import BudgetExceeded, RequestRejected

from .budget_support import MONDAY, House

RULE = read_rules([{"name": "r", "money": "9000000000.000000000003", "tokens": 1000}])[0]
BIG = 9_000_000_000 * PARTS
"""Far more parts than a number of Lua holds exactly."""


class Kept:
    """A store with a clock; that of Redis goes by itself."""

    def __init__(self, store: Any, now: float | None) -> None:
        self.store = store
        self._now = now
        self.is_redis = now is None

    @property
    def now(self) -> float:
        return time.time() if self._now is None else self._now

    def reserve(self, name: str, *wants: Want) -> list[Spent]:
        """What was used of those that refused."""
        return [each.used for each in self.store.reserve(name, lambda now: wants, self.now).refused]

    def settle(self, name: str, want: Want, spent: Spent) -> None:
        self.store.settle(name, [want], [spent], self.now)

    def row(self) -> tuple[Spent, Spent]:
        row = self.store.rows(self.now)[0]
        return row.spent, row.reserved

    def wait(self, seconds: float) -> None:
        assert self._now is not None
        self._now += seconds


@pytest.fixture(params=["memory", "sqlite", "redis"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kept]:
    if request.param == "redis":
        from hb_limits.budgets.shared import SharedStore

        server: RedisServer = request.getfixturevalue("shared_server")
        found = Kept(SharedStore(ServerSettings(server.url, uuid.uuid4().hex, 2.0), 60, lambda: 0.0), None)
    elif request.param == "sqlite":
        found = Kept(SQLiteStore(str(tmp_path / "b.db"), 60), MONDAY)
    else:
        found = Kept(MemoryStore(60), MONDAY)
    yield found
    found.store.close()


def want(money: int, tokens: int = 0, **account: Any) -> Want:
    return Want(Account(**{"key": "k:0", "rule": RULE, **account}), Spent(money, tokens))


def test_sums_are_exact_to_the_last_part(kept: Kept) -> None:
    assert kept.reserve("a", want(BIG, 1)) == []
    assert kept.reserve("b", want(4)) == [Spent(BIG, 1)]
    assert kept.reserve("c", want(3)) == []
    assert kept.row() == (Spent(), Spent(BIG + 3, 1))
    kept.settle("c", want(3), Spent(1))
    assert kept.reserve("d", want(3)) == [Spent(BIG + 1, 1)]
    assert kept.reserve("e", want(2)) == []
    kept.settle("a", want(BIG, 1), Spent(BIG - PARTS - 1))
    assert kept.row() == (Spent(BIG - PARTS), Spent(2))


def test_tokens_are_bounded_beside_money(kept: Kept) -> None:
    assert kept.reserve("a", want(1, 999)) == []
    assert kept.reserve("b", want(1, 2)) == [Spent(1, 999)]
    assert kept.reserve("c", want(1, 1)) == []


def test_of_several_accounts_all_are_used_or_none(kept: Kept) -> None:
    other = want(1, 1000, key="k2:0")
    assert kept.reserve("a", want(5), other) == []
    assert kept.reserve("b", want(7), other) == [Spent(1, 1000)]
    assert {row.reserved for row in kept.store.rows(kept.now)} == {Spent(5), Spent(1, 1000)}


def test_a_request_is_settled_once(kept: Kept) -> None:
    kept.reserve("a", want(10, 10))
    for _ in range(2):
        kept.settle("a", want(10, 10), Spent(4, 2))
    kept.settle("unknown", want(10, 10), Spent(4, 2))
    assert kept.row() == (Spent(4, 2), Spent())


def test_a_reply_may_come_to_more_than_was_set_aside(kept: Kept) -> None:
    kept.reserve("a", want(10, 10))
    kept.settle("a", want(10, 10), Spent(BIG * 2, 5000))
    assert kept.row() == (Spent(BIG * 2, 5000), Spent())
    assert kept.reserve("b", want(0)) == [Spent(BIG * 2, 5000)]


def test_what_is_reset_begins_anew_but_for_what_is_reserved(kept: Kept) -> None:
    kept.reserve("a", want(10, 10))
    kept.settle("a", want(10, 10), Spent(10, 10))
    kept.reserve("b", want(7, 3))
    kept.store.reset([row.key for row in kept.store.rows(kept.now)], kept.now)
    assert kept.row() == (Spent(), Spent(7, 3))
    kept.settle("b", want(7, 3), Spent(2, 2))
    assert kept.row() == (Spent(2, 2), Spent())


def test_accounts_tell_their_rule_label_and_window(kept: Kept) -> None:
    window = window_at("month", kept.now)
    label = "acme \ud800 ü {}"
    if not kept.is_redis:
        label = "acme ü {}"
    kept.reserve("a", want(1, label=label, window=window, key="x:1"))
    row = kept.store.rows(kept.now)[0]
    assert (row.key, row.rule, row.label, row.window) == ("x:1", "r", label, window)


def test_a_lease_that_ends_is_spent_and_settled_late(kept: Kept) -> None:
    if kept.is_redis:
        kept.store._lease = 0
    kept.reserve("a", want(10, 10))
    kept.reserve("b", want(10, 10))
    if not kept.is_redis:
        kept.wait(61)
    assert kept.row() == (Spent(20, 20), Spent())
    kept.settle("a", want(10, 10), Spent(1, 1))
    assert kept.row() == (Spent(11, 11), Spent())
    if not kept.is_redis:
        kept.wait(LATE + 61)
        kept.reserve("c", want(0))
        kept.settle("b", want(10, 10), Spent(1, 1))
        assert kept.row() == (Spent(11, 11), Spent())


@pytest.mark.parametrize("kept", ["memory", "sqlite"], indirect=True)
def test_windows_and_sessions_that_are_over_are_forgotten(kept: Kept) -> None:
    session = replace(RULE, per="session")
    kept.reserve("a", want(1, key="s:0", rule=session))
    kept.reserve("b", want(1, key="d:1", window=window_at("day", kept.now)))
    kept.reserve("c", want(1))
    kept.wait(SESSION - 1)
    kept.reserve("d", want(1))
    assert {row.key for row in kept.store.rows(kept.now)} == {"s:0", "k:0"}
    kept.wait(2)
    kept.reserve("e", want(1))
    assert {row.key for row in kept.store.rows(kept.now)} == {"k:0"}


# Redis


def shared(server: RedisServer, **options: Any) -> House:
    given = {"store": "redis", "url": server.url, "namespace": uuid.uuid4().hex, **options}
    return House(given.pop("rules", [{"money": "0.1"}]), **given)


def test_redis_keys_end_with_their_windows(shared_server: RedisServer) -> None:
    import redis

    rules = [{"every": "day", "money": 9}, {"name": "s", "per": "session", "money": 9}, {"name": "e", "money": 9}]
    house = shared(shared_server, rules=rules)
    house.llm().complete("hi", session="one")
    namespace = house.budgets.options["namespace"]
    with redis.Redis.from_url(shared_server.url) as client:
        keys = sorted(client.scan_iter(f"hb:budgets:{{{namespace}}}:*"))
        left = [client.ttl(key) for key in keys if not key.endswith((b":held", b"index"))]
    assert len(left) == 3
    assert sorted(seconds == -1 for seconds in left) == [False, False, True]
    assert max(left) <= SESSION
    house.budgets.close()


def test_the_window_is_that_of_the_servers_clock(shared_server: RedisServer) -> None:
    """A machine whose clock is a year behind spends what is left today, as all others do."""
    house = shared(shared_server, rules=[{"every": "hour", "money": "0.1"}])
    assert abs(house.time() - MONDAY) < 1
    house.llm().complete("hi")
    row = house.rows()[0]
    assert row.window in {window_at("hour", time.time()), window_at("hour", time.time() - 5)}
    house.budgets.close()


def test_a_reserve_whose_answer_was_lost_is_not_made_twice(shared_server: RedisServer) -> None:
    from hb_limits.budgets.shared import SharedStore

    store = SharedStore(ServerSettings(shared_server.url, uuid.uuid4().hex, 2.0), 60, lambda: 0.0)
    for _ in range(2):
        assert store.reserve("same", lambda now: [want(5, 5)], 0.0).refused == ()
    assert store.rows(0.0)[0].reserved == Spent(5, 5)
    store.close()


ODD = (
    "a\nb\x1b[31m",
    "x" * 100_000,
    "a\ud800b",
    "\0",
    "{ns}:held",
    "'; DROP TABLE account;--",
    "\U0001f4b0",
    "e\u0301",
)
"""Names of tenants that a store or terminal may stumble over."""


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis"])
def test_whatever_a_tenant_is_called_it_has_a_budget_of_its_own(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    rules = [{"per": "tenant", "money": 1}]
    if kind == "redis":
        house = shared(request.getfixturevalue("shared_server"), rules=rules)
    else:
        house = House(rules, store=kind, path=str(tmp_path / "b.db") if kind == "sqlite" else None)
    for name in ODD:
        house.llm().complete("hi", tenant=name)
    rows = house.rows()
    assert len(rows) == len(ODD)
    assert {row.spent.money for row in rows} == {rows[0].spent.money}
    assert all(row.label.isprintable() and len(row.label) <= 101 for row in rows)
    house.budgets.close()


def test_a_key_in_redis_tells_no_credential(shared_server: RedisServer) -> None:
    import redis

    house = shared(shared_server, rules=[{"per": "key", "money": 9}])
    house.llm().complete("hi")
    target = house.llm().spec.target_key()
    with redis.Redis.from_url(shared_server.url) as client:
        for key in client.scan_iter(f"hb:budgets:{{{house.budgets.options['namespace']}}}:*"):
            told = key + repr(client.hgetall(key) if client.type(key) == b"hash" else "").encode()
            assert b"sk-" not in told
            assert target[:12].encode() not in told
    house.budgets.close()


# A store that is away


def away(server: RedisServer, **options: Any) -> House:
    house = shared(server, **options)
    server.stop()
    return house


@pytest.mark.parametrize("is_async", [False, True])
def test_while_the_store_is_away_no_request_is_sent(
    server: RedisServer, caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    house = away(server)
    llm = house.llm()
    for _ in range(5):
        with pytest.raises(BudgetExceeded, match="cannot be looked up") as caught:
            asyncio.run(llm.acomplete("hi")) if is_async else llm.complete("hi")
        assert caught.value.code == "budgets_unknown"
    assert house.bank.asked == []
    assert len([record for record in caplog.records if "meanwhile no request is sent" in record.message]) == 1
    house.budgets.close()


def test_while_the_store_is_away_a_process_goes_by_budgets_of_its_own(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    house = away(server, on_store_failure="local")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            house.llm().complete("hi")
        with pytest.raises(BudgetExceeded, match="come to"):
            house.llm().complete("hi")
    assert "goes by budgets of its own" in caplog.text
    house.budgets.close()


@pytest.mark.parametrize("kind", ["redis", "sqlite"])
def test_what_was_spent_while_the_store_was_away_is_written_when_it_is_back(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = [{"money": "9", "tokens": 10**6, "every": "day"}, {"name": "tenants", "per": "tenant", "money": "9"}]
    if kind == "redis":
        house = shared(request.getfixturevalue("shared_server"), rules=rules, on_store_failure="local")
    else:
        house = House(rules, store="sqlite", path=str(tmp_path / "b.db"), on_store_failure="local")
    house.llm().complete("hi")

    def away(*_: Any, **__: Any) -> Any:
        raise StoreError("it is away")

    with monkeypatch.context() as patch:
        patch.setattr(house.budgets.keeper.store, "reserve", away)
        for tenant in ("a", "a", "b"):
            house.llm().complete("hi", tenant=tenant)
        house.bank.says = lambda call, asked: RequestRejected("no", status=400)
        with pytest.raises(RequestRejected):
            house.llm().complete("hi")
    spent = [asked.cost for asked in house.bank.asked]
    assert house.spent("all day *") == sum(spent) == 4 * spent[0]
    assert (house.spent("tenants", "a"), house.spent("tenants", "b")) == (2 * spent[0], spent[0])
    assert (house.reserved(), house.budgets.status().get("unwritten")) == (0, None)
    house.budgets.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are begun otherwise here")
def test_a_child_that_was_forked_leaves_it_to_its_parent_what_that_spent_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House([{"tokens": 10**6}], store="sqlite", path=str(tmp_path / "b.db"), on_store_failure="local")

    def away(*_: Any, **__: Any) -> Any:
        raise StoreError("it is away")

    with monkeypatch.context() as patch:
        patch.setattr(house.budgets.keeper.store, "reserve", away)
        house.llm().complete("hi")
    child = os.fork()
    if child == 0:
        try:
            house.llm().complete("hi")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    spent = [sum(row.spent.tokens for row in house.rows())]
    assert spent == [2 * house.bank.asked[0].most_tokens]
    house.budgets.close()


@pytest.mark.parametrize("kind", ["redis", "sqlite", "memory"])
def test_what_is_spent_already_is_noted_once_and_whatever_room_there_is(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "redis":
        house = shared(request.getfixturevalue("shared_server"), rules=[{"tokens": 5, "every": "hour"}])
    else:
        more = {"store": "sqlite", "path": str(tmp_path / "b.db")} if kind == "sqlite" else {}
        house = House([{"tokens": 5, "every": "hour"}], **more)
    keeper, now = house.budgets.keeper, house.time()
    want = Want(keeper.account(house.budgets.rules[0], "", now - 7200), Spent(0, 9))  # of an hour that is over
    for _ in range(1 if kind == "memory" else 2):
        assert not keeper.store.reserve("n", lambda _: [want], now, is_spent=True).refused
    assert [(row.spent.tokens, row.reserved.tokens) for row in house.rows()] == [(0, 9)]
    keeper.store.settle("n", [want], [want.most], now)
    assert [(row.spent.tokens, row.reserved.tokens) for row in house.rows()] == [(9, 0)]
    house.budgets.close()


def test_a_store_that_was_not_even_asked_has_nothing_to_give_back(server: RedisServer) -> None:
    house = away(server, on_store_failure="local", rules=[{"tokens": 10**9}])
    for _ in range(20):
        house.llm().complete("hi")
    assert house.budgets.status()["unwritten"] <= FAILURES + 1
    house.budgets.close()


def test_what_could_not_be_written_is_written_later(server: RedisServer) -> None:
    house = shared(server, rules=[{"money": "9"}])
    house.bank.before = server.pause
    house.llm().complete("hi")
    assert house.budgets.status()["unwritten"] == 1
    server.resume()
    assert (house.spent(), house.reserved()) == (house.bank.asked[0].most, 0)
    assert "unwritten" not in house.budgets.status()
    house.budgets.close()


def test_a_file_that_cannot_be_used_sends_no_request(tmp_path: Path) -> None:
    path = tmp_path / "budgets.db"
    path.write_bytes(b"this is no database, but something of the user's" * 100)
    house = House([{"money": 9}], store="sqlite", path=str(path))
    with pytest.raises(BudgetExceeded, match="cannot be looked up"):
        house.llm().complete("hi")
    assert house.bank.asked == []
    assert path.read_bytes().startswith(b"this is no database")


def test_the_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "deep" / "budgets.db"
    house = House([{"money": 9}], store="sqlite", path=str(path))
    house.llm().complete("hi")
    assert {os.stat(each).st_mode & 0o777 for each in path.parent.iterdir()} == {0o600}
    assert {os.stat(each).st_mode & 0o777 for each in (path.parent, path.parent.parent)} == {0o700}
    house.budgets.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are begun otherwise here")
@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_a_child_that_was_forked_keeps_accounts_of_its_own_requests(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """It counts on where its parent was: what both reserve at the same time is two things."""
    if kind == "redis":
        house = shared(request.getfixturevalue("shared_server"), rules=[{"money": 9}])
    else:
        house = House([{"money": 9}], store="sqlite", path=str(tmp_path / "b.db"))
    house.llm().complete("hi")
    child = os.fork()
    if child == 0:
        house.bank.before = lambda: os._exit(7)
        house.llm().complete("hi")
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    house.llm().complete("hi")
    most = house.bank.asked[0].most
    assert (house.spent(), house.reserved()) == (2 * most, most)
    house.budgets.close()


def test_a_task_that_is_cancelled_while_it_is_asked_keeps_nothing(tmp_path: Path) -> None:
    """What a thread set aside for it is given back."""
    house = House([{"money": 9}], store="sqlite", path=str(tmp_path / "b.db"))
    store = house.budgets.keeper.store
    reserve = store.reserve
    began: list[Any] = []

    def slow(*args: Any) -> Any:
        loop.call_soon_threadsafe(began[0].set)
        gone.wait(5)
        return reserve(*args)

    gone = threading.Event()
    store.reserve = slow

    async def cancel() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        began.append(asyncio.Event())
        task = asyncio.ensure_future(house.llm().acomplete("hi"))
        await began[0].wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        gone.set()
        for _ in range(500):
            await asyncio.sleep(0.002)
            if house.rows() and house.reserved() == 0:
                break

    loop: Any = None
    asyncio.run(cancel())
    assert house.bank.asked == []
    assert (house.spent(), house.reserved(), len(house.rows())) == (Decimal(0), 0, 1)
    house.budgets.close()


def test_a_window_for_ever_has_no_end() -> None:
    assert Window() == FOR_EVER
    assert str(FOR_EVER) == "for ever"
    assert FOR_EVER.ends == ""
