"""Loads through a route of two endpoints that fail: how many requests, how much memory, how soon all is well again.

    python -m bench.load_routes [--calls 100000] [--storm 1000] [--outage 2] [--faults 0.1]

Four programs, against endpoints in processes of their own:

S5  both endpoints answer 503 for ever: calls one after the other make at most 1.2 requests each, and each ends with a
    typed error. Time is virtual: only waiting moves it.
L7  both answer 503 for two seconds, then well, while fifty workers make calls: at most 1.2 requests a call in all, 99 %
    of the calls are answered, and 99 % of the answers are there within ten seconds of the recovery
E2  streams whose connection breaks after some pieces, with stream_fallback "restart" and "user_turn": no text twice
    without that word
L5  calls and streams, some of them left early or cancelled, a tenth of the answers broken: memory, descriptors, threads
    and tasks stay where they were, and (in a shorter run) no line of code allocates more and more

The goals are those of a thousand calls and more: what each target may be asked again before its share of retries counts
is much for a few. Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import random
import sys
import threading
import time
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from pathlib import Path

from bench.failing import TEXT, Endpoints
from heavenbase.errors import FallbackWarning, HBError

WORKERS = 50
WARM_UP = 10_000
ALLOCATED = 0.02
"""Blocks for each call that a line of code may come to hold more: a twentieth of the calls leak, and it shows."""

Verdict = tuple[str, bool]


def dead(ends: Endpoints, calls: int) -> Iterator[Verdict]:
    """S5: all is dead, for ever."""
    ends.set(1.0)
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    llm = ends.llm(clock=lambda: now, sleep=sleep)
    kinds: Counter[str] = Counter()
    with llm.kernel:
        for _ in range(calls):
            try:
                llm.chat("hi")
                kinds["none"] += 1
            except HBError as error:
                kinds[f"{type(error).__name__} ({error.kind})"] += 1
    count = ends.count()
    told = f"S5: {calls} calls to dead endpoints in {now:.0f} virtual s: {count} requests ({count / calls:.2f} each)"
    yield f"{told}, {dict(kinds)}", count <= 1.2 * calls and not kinds["none"]


def storm(ends: Endpoints, calls: int, outage: float) -> Iterator[Verdict]:
    """L7: many workers, an outage, and recovery."""
    # What is measured are the defaults; a shorter outage than two seconds is the same thing in little.
    llm = ends.llm({} if outage >= 2 else {"breaker": {"cooldown": 2.5 * outage}})
    outcomes: Counter[str] = Counter()
    answered: list[float] = []

    async def one() -> None:
        try:
            await llm.achat("hi")
            answered.append(time.monotonic())
            outcomes["answered"] += 1
        except HBError as error:
            outcomes[f"{type(error).__name__} ({error.kind})"] += 1

    async def run() -> tuple[float, float]:
        ends.set(0.0)
        await llm.achat("hi")  # what the first call loads takes as long as the outage
        began = time.monotonic()
        await work(calls, one)
        quiet = time.monotonic() - began
        outcomes.clear()
        answered.clear()
        ends.set(1.0, seconds=outage)
        began = time.monotonic()
        await work(calls, one)
        await llm.kernel.aclose()
        return began, quiet

    began, quiet = asyncio.run(run())
    answered.sort()
    share, count = len(answered) / calls, ends.count()
    took = answered[max(int(len(answered) * 0.99) - 1, 0)] - began - outage if answered else float("inf")
    yield (
        f"L7: {calls} calls of {WORKERS} workers, all dead for {outage:g} s: {count} requests "
        f"({count / calls:.2f} each), {share:.1%} answered, 99 % of them {took:.1f} s after recovery "
        f"(without an outage they take {quiet:.1f} s), {dict(outcomes)}",
        count <= 1.2 * calls and share >= 0.99 and took <= 10,
    )


def cuts(ends: Endpoints, calls: int, mode: str) -> Iterator[Verdict]:
    """E2: streams that break are begun again, or gone on with, announced."""
    ends.set(0.0, 0.3)
    llm = ends.llm({"stream_fallback": mode})
    wrong = failed = announced = 0
    with llm.kernel:
        for _ in range(calls):
            parts, told = [""], 0
            try:
                for chunk in llm.stream("hi", include="chunk"):
                    if chunk.kind in ("restart", "continue"):
                        told += 1
                        parts = [*parts, ""] if chunk.kind == "continue" else [""]
                    parts[-1] += chunk.text
            except HBError as error:
                failed += 1
                wrong += error.partial is None or error.partial.text != "".join(parts)
            else:
                wrong += parts[-1] != TEXT
            # Each target gives the same text: what is delivered is made of its beginnings, each of them once.
            wrong += any(not TEXT.startswith(part) for part in parts)
            announced += told
    text = f'E2: {calls} streams with "{mode}", {announced} announced, {failed} failed typed, {wrong} wrong'
    yield text, wrong == 0 and announced > 0


class Life:
    """L5: a day in miniature, with one LLM on one loop."""

    def __init__(self, ends: Endpoints) -> None:
        self.llm = ends.llm({"stream_fallback": "restart"})
        self.outcomes: Counter[str] = Counter()
        self.chance = random.Random(11)

    async def one(self) -> None:
        """One call: whole, streamed, abandoned or cancelled."""
        drawn = self.chance.random()
        kind = "abandoned" if drawn < 0.05 else "cancelled" if drawn < 0.1 else "streamed" if drawn < 0.4 else "whole"
        try:
            await getattr(self, f"_{kind}")()
        except HBError as error:
            kind = error.kind
        self.outcomes[kind] += 1

    async def _whole(self) -> None:
        await self.llm.achat("hi")

    async def _streamed(self) -> None:
        async for _ in self.llm.astream("hi"):
            pass

    async def _abandoned(self) -> None:
        async for _ in self.llm.astream("hi"):
            break

    async def _cancelled(self) -> None:
        task = asyncio.ensure_future(self.llm.achat("hi"))
        await asyncio.sleep(self.chance.choice((0.0, 0.002, 0.01)))
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # it was over before

    async def close(self) -> None:
        """Close the kernel; the streams that nobody read to their end may still be closing."""
        await asyncio.sleep(0)
        await self.llm.kernel.aclose()


def endless(ends: Endpoints, calls: int, faults: float) -> Iterator[Verdict]:
    """L5: what many calls leave behind."""
    ends.set(faults, faults)

    async def state() -> dict[str, float]:
        gc.collect()
        await asyncio.sleep(0.1)  # what was left early is closed by now
        return {"MB": resident(), **handles(), "tasks": len(asyncio.all_tasks()) - 1}

    async def run() -> tuple[list[dict[str, float]], Counter[str]]:
        life = Life(ends)
        await work(min(WARM_UP, max(calls // 10, WORKERS)), life.one)
        life.outcomes.clear()
        states = [await state()]
        for part in parts(calls, max(4, min(20, calls // 1000))):
            await work(part, life.one)
            states.append(await state())
        await life.close()
        return states, life.outcomes

    before, began = handles(), time.perf_counter()
    states, outcomes = asyncio.run(run())
    took = time.perf_counter() - began
    grown = {name: states[-1][name] - states[0][name] for name in states[0]}
    left = {name: count - before[name] for name, count in handles().items()}
    memory = slope([it["MB"] for it in states]) * (len(states) - 1) / calls * 100_000
    # A connection that waits for its next call is no leak, and each worker may have left one at each endpoint; more
    # than those are, and so is what is there when all is closed.
    most = max(it["descriptors"] for it in states) - before["descriptors"]
    stays = memory <= 10 and most <= 2 * WORKERS + 5 and abs(grown["threads"]) <= 2 and grown["tasks"] == 0
    closes = abs(left["descriptors"]) <= 5 and abs(left["threads"]) <= 2
    told = ", ".join(f"{name} {grown[name]:+} and once closed {left[name]:+}" for name in left)
    yield (
        f"L5: {calls} calls in {took:.0f} s: RSS {grown['MB']:+.1f} MB ({memory:+.1f} MB for 100,000 calls), "
        f"{told}, at most {most:.0f} descriptors, tasks {grown['tasks']:+}, {dict(outcomes)}",
        stays and closes,
    )


def allocations(ends: Endpoints, calls: int, faults: float) -> Iterator[Verdict]:
    """L5: the lines of code that hold more blocks at each look."""
    ends.set(faults, faults)

    def blocks() -> Counter[str]:
        gc.collect()
        sys._clear_type_cache()  # which holds names that str.format made, up to some thousands
        ours = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, tracemalloc.__file__)])
        return Counter({str(it.traceback): it.count for it in ours.statistics("lineno")})

    async def run() -> list[Counter[str]]:
        life = Life(ends)
        tracemalloc.start()
        await work(max(calls // 4, WORKERS), life.one)
        looks = []
        for part in parts(calls, 5):
            await work(part, life.one)
            await asyncio.sleep(0.1)
            looks.append(blocks())
        tracemalloc.stop()
        await life.close()
        return looks

    looks = asyncio.run(run())
    between = calls * (len(looks) - 1) / len(looks)
    growing = []
    for line in looks[-1]:
        counts = [look[line] for look in looks]
        rises = all(before < after for before, after in pairwise(counts))
        if rises and counts[-1] - counts[0] >= max(ALLOCATED * between, 10):
            growing.append(f"{line} {counts}")
    yield (
        f"L5: {calls} calls: {len(growing)} lines of code hold more with each {' '.join(growing)}".rstrip(),
        not growing,
    )


async def work(calls: int, one: Callable[[], Awaitable[None]]) -> None:
    """So many calls, made by the workers."""
    left = iter(range(calls))

    async def worker() -> None:
        for _ in left:
            await one()

    await asyncio.gather(*(worker() for _ in range(min(WORKERS, calls))))


def parts(calls: int, number: int) -> list[int]:
    """The calls in so many parts."""
    edges = [calls * place // number for place in range(number + 1)]
    return [after - before for before, after in pairwise(edges) if after > before]


def resident() -> float:
    """The resident memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def handles() -> dict[str, int]:
    """Descriptors and threads of this process."""
    return {"descriptors": len(os.listdir("/proc/self/fd")), "threads": threading.active_count()}


def slope(values: list[float]) -> float:
    """The least squares slope of values at equal distances."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    above = sum((place - middle) * (value - mean) for place, value in enumerate(values))
    return above / sum((place - middle) ** 2 for place in range(len(values)))


def main() -> int:
    """Run the programs, a line for each verdict."""
    parser = argparse.ArgumentParser(prog="python -m bench.load_routes", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="calls of L5")
    parser.add_argument("--storm", type=int, default=1000, help="calls of S5, L7 and E2")
    parser.add_argument("--outage", type=float, default=2.0, help="seconds of L7 in which all is dead")
    parser.add_argument("--faults", type=float, default=0.1, help="share of broken answers in L5")
    parser.add_argument("--only", choices=("S5", "L7", "E2", "L5"), help="one program alone")
    options = parser.parse_args()
    warnings.simplefilter("ignore", FallbackWarning)
    logging.getLogger("heavenbase").setLevel(logging.ERROR)  # of each restart, which the programs count
    warnings.simplefilter("error", ResourceWarning)
    leaks: list[str] = []
    sys.unraisablehook = lambda it: leaks.append(f"{it.exc_value!r}")
    failed = False
    calls, storms = options.calls, options.storm
    with Endpoints() as ends:
        programs = [
            dead(ends, storms),
            storm(ends, storms, options.outage),
            cuts(ends, storms, "restart"),
            cuts(ends, storms, "user_turn"),
            endless(ends, calls, options.faults),
            allocations(ends, max(calls // 20, min(calls, 1000)), options.faults),
        ]
        for name, program in zip(("S5", "L7", "E2", "E2", "L5", "L5"), programs, strict=True):
            if options.only not in (None, name):
                continue
            for text, ok in program:
                gc.collect()
                ok = ok and not leaks
                print("ok    " if ok else "MISSED", text, *leaks, flush=True)
                failed = failed or not ok
                leaks.clear()
                gc.freeze()  # modules, which would be looked through each time
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
