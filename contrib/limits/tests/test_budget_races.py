"""What is left of a budget is spent once, however many want it: threads, tasks, kernels and processes."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from hb_limits import Budgets
from hb_testing.redis_server import RedisServer
from heavenbase.errors import BudgetExceeded, HBError, Overloaded, RequestRejected, ServerError
from heavenbase.types import Usage

from .budget_support import Asked, House

DOLLAR = Decimal(1)
STORES = ("memory", "sqlite", "redis")


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """The settings of each store, fresh."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("shared_server")
        return {"store": "redis", "url": server.url, "namespace": uuid.uuid4().hex}
    return {"store": "sqlite", "path": str(tmp_path / "b" / "budgets.db")} if request.param == "sqlite" else {}


def race_threads(house: House, count: int) -> list[Any]:
    ready = threading.Barrier(count)

    def one(number: int) -> Any:
        ready.wait()
        try:
            return house.llm().complete("the last dollar")
        except BudgetExceeded as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def race_tasks(house: House, count: int) -> list[Any]:
    async def all_() -> list[Any]:
        llm = house.llm()
        return await asyncio.gather(*(llm.acomplete("the last dollar") for _ in range(count)), return_exceptions=True)

    return asyncio.run(all_())


@pytest.mark.parametrize("race", [race_threads, race_tasks])
def test_64_tasks_racing_for_the_last_dollar_overspend_by_nothing(
    store: dict[str, Any], race: Callable[[House, int], list[Any]]
) -> None:
    house = House([{"money": "1.00"}], **store)
    found = race(house, 64)
    most = house.bank.asked[0].most
    fits = int(DOLLAR / most)
    served = [answer for answer in found if not isinstance(answer, Exception)]
    assert 1 < fits < 64
    assert len(served) == len(house.bank.asked) == fits
    assert all(isinstance(error, BudgetExceeded) for error in found if error not in served)
    assert house.spent() == fits * most == sum(answer.cost.amount for answer in served) <= DOLLAR
    assert house.reserved() == 0
    house.budgets.close()


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_kernels_of_several_processes_racing_for_one_budget_overspend_by_nothing(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    where: dict[str, Any] = {"store": kind}
    if kind == "redis":
        where |= {"url": request.getfixturevalue("shared_server").url, "namespace": uuid.uuid4().hex}
    else:
        where["path"] = str(tmp_path / "budgets.db")
    # Each has connections and a memory of its own, as processes have.
    houses = [House([{"money": "1.00"}], **where) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = [each for part in pool.map(lambda house: race_threads(house, 12), houses) for each in part]
    asked = [each for house in houses for each in house.bank.asked]
    assert len(asked) == int(DOLLAR / asked[0].most) == sum(not isinstance(each, Exception) for each in found)
    assert houses[0].spent() == sum(each.most for each in asked) <= DOLLAR
    for house in houses:
        house.budgets.close()


def test_several_budgets_are_all_asked_or_none(store: dict[str, Any]) -> None:
    """Of a request that one refuses, nothing stays set aside in the others."""
    rules = [{"name": "all", "money": "5"}, {"name": "t", "per": "tenant", "tokens": 3000}, {"per": "call", "money": 2}]
    house = House(rules, **store)

    async def race() -> list[Any]:
        llm = house.llm()
        return await asyncio.gather(
            *(llm.acomplete("x", tenant=f"t{number % 4}") for number in range(64)), return_exceptions=True
        )

    served = [answer for answer in asyncio.run(race()) if not isinstance(answer, Exception)]
    assert len(served) == 4 * (3000 // house.bank.asked[0].most_tokens) == 8
    assert house.spent("all") == sum(answer.cost.amount for answer in served)
    assert house.reserved() == 0
    assert [row.spent.tokens <= 3000 for row in house.rows() if row.rule == "t"] == [True] * 4
    house.budgets.close()


@pytest.mark.parametrize("seed", range(12))
def test_whatever_happens_spent_and_reserved_are_never_over_the_budget(store: dict[str, Any], seed: int) -> None:
    """Failures, repetitions, streams that break or are left, cancelled tasks: and in the end every amount is exact."""
    draw = random.Random(f"{seed} {store.get('store')}")
    limit = Decimal(draw.randint(5, 60)) / 100
    # The clocks of tests stand still, and Redis has its own: no window is to end meanwhile.
    house = House([{"name": "all", "money": str(limit)}, {"name": "each", "per": "call", "money": "0.1"}], **store)
    most_used: list[Decimal] = []

    def watch() -> None:
        most_used.append(house.spent() + house.reserved())

    def says(call: Any, asked: Asked) -> Any:
        kind = draw.random()
        if kind < 0.15:
            return ServerError("broken", status=500, maybe_billed=True)
        if kind < 0.3:
            return Overloaded("no room", status=529)
        if kind < 0.35:
            return RequestRejected("no", status=400)
        if kind < 0.4:
            return None  # an answer without its usage
        prompt = draw.randint(0, 32)
        if call.verb == "embed":
            return Usage(prompt)
        return Usage(prompt, draw.randint(0, 500), reasoning=draw.choice([None, draw.randint(0, 500)]))

    house.bank.says, house.bank.turns = says, lambda: draw.randint(0, 9)
    house.bank.before = watch if "store" not in store else lambda: None

    async def one(number: int) -> Any:
        llm = house.llm(draw.choice(["dear", "cheap"]), max_retries=draw.randint(0, 2), max_tokens=1000)
        kind = draw.random()
        try:
            if kind < 0.5:
                return await llm.acomplete(f"request {number}")
            if kind < 0.6:
                # Of batches side by side, nobody can tell which of them was sent when they are cancelled.
                alone = {"embedding_batch_size": 1, "embedding_max_workers": 1}
                return await llm.aembed(["a", "b", "c"], **alone)
            async for _ in llm.astream(f"request {number}"):
                if draw.random() < 0.1:
                    break
        except HBError as error:
            return error

    async def all_() -> None:
        tasks = [asyncio.ensure_future(one(number)) for number in range(40)]
        for _ in range(draw.randint(0, 6)):
            await asyncio.sleep(0)
            draw.choice(tasks).cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(1000):  # threads may still write for tasks that were cancelled
            if house.reserved() == 0:
                break
            await asyncio.sleep(0.002)

    asyncio.run(all_())
    assert all(used <= limit for used in most_used)
    known = house.spent() + house.reserved()
    assert known == sum(each.cost for each in house.bank.asked) <= limit
    assert house.reserved() == 0
    house.budgets.close()


@pytest.mark.parametrize("race", [race_threads, race_tasks])
def test_without_failures_spent_is_what_the_ledger_says(store: dict[str, Any], race: Any) -> None:
    house = House([{"money": "100"}], **store)
    draw = random.Random(7)
    house.bank.says = lambda call, asked: Usage(draw.randint(0, 30), draw.randint(0, 1000))
    found = race(house, 24)
    assert house.spent() == sum(attempt.cost.amount for answer in found for attempt in answer.attempts)
    house.budgets.close()


DIES = """
import os, sys
from contrib.limits.tests.budget_support import House
house = House([{"money": "1.00"}], store="sqlite", path=sys.argv[1], lease_seconds=60)
house.bank.before = lambda: os._exit(9)
house.llm().complete("never answered")
"""


def test_what_a_process_that_died_had_reserved_is_spent_when_its_lease_ends(tmp_path: Path) -> None:
    """It may have been billed."""
    path = str(tmp_path / "budgets.db")
    root = Path(__file__).parents[3]
    died = subprocess.run([sys.executable, "-c", DIES, path], cwd=root, env={**os.environ}, timeout=60, check=False)
    assert died.returncode == 9
    house = House([{"money": "1.00"}], store="sqlite", path=path, lease_seconds=60)
    held = house.reserved()
    assert held > 0
    assert house.spent() == 0
    house.time.advance(61)
    assert (house.spent(), house.reserved()) == (held, 0)
    assert os.stat(path).st_mode & 0o777 == 0o600
    house.budgets.close()


def test_budgets_of_a_file_survive_a_restart(tmp_path: Path) -> None:
    where = {"store": "sqlite", "path": str(tmp_path / "budgets.db")}
    first = House([{"money": "0.1", "every": "day"}], **where)
    for _ in range(3):
        first.llm().complete("hi")
    first.kernel.close()
    first.budgets.close()
    again = House([{"money": "0.1", "every": "day"}], **where)
    assert again.spent() == first.bank.asked[0].most * 3
    with pytest.raises(BudgetExceeded):
        again.llm().complete("hi")
    again.budgets.close()


def test_two_budget_objects_are_two_budgets_and_one_is_one(tmp_path: Path) -> None:
    """Kernels that are given the same object share what it keeps."""
    shared = Budgets(rules=[{"money": "0.05"}])
    one, two = House(shared), House(shared)
    one.llm().complete("hi")
    with pytest.raises(BudgetExceeded):
        two.llm().complete("hi")
