"""No stretch of time ever has more than allowed: whatever is asked, given back and let pass, in any order."""

from __future__ import annotations

import threading
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hb_limits.rates.log import GRAINS, Log

from .support import most_in

STEPS = st.lists(
    st.tuples(st.integers(1, 12), st.sampled_from([0.0, 0.0, 0.01, 0.3, 1.0, 7.0]), st.integers(0, 12)), max_size=80
)


@given(STEPS, st.integers(1, 20))
@settings(max_examples=200, deadline=None)
def test_no_stretch_has_more_than_allowed(steps: list[tuple[int, float, int]], most: int) -> None:
    log, now = Log(10.0), 1000.0
    times: list[float] = []
    weights: list[int] = []
    kept: list[Any] = []
    for weight, passes, comes_to in steps:
        weight = min(weight, most)
        wait = log.wait(now, weight, most)
        if wait:
            assert deepcopy(log).wait(now + wait + 1e-6, weight, most) == 0, "the wait is long enough"
            assert deepcopy(log).wait(now + wait - 1e-3, weight, most) > 0, "and no longer than needed"
        else:
            kept.append((log.add(now, weight), weight, len(times)))
            times.append(now)
            weights.append(weight)
        if comes_to and kept:  # something is settled: it came to less
            entry, was, place = kept.pop(0)
            less = min(comes_to, was)
            log.change(entry, less - was)
            weights[place] = less
        now += passes
        assert most_in(times, 10.0, weights) <= most


def test_a_log_stays_small() -> None:
    log = Log(60.0)
    now = 0.0
    for _ in range(100_000):
        log.wait(now, 1, 10**9)
        log.add(now, 1)
        now += 0.001
    assert len(log._entries) <= GRAINS + 1
    # Entries are as of their last, so that what is counted is never less than what there was.
    assert 60_000 <= log.total <= 60_000 * (1 + 2 / GRAINS)


def test_many_threads_never_have_more_than_allowed() -> None:
    from hb_limits.rates.buckets import Bucket, Demand
    from hb_limits.rates.memory import MemoryStore
    from hb_limits.rates.rules import read_rules

    (rule,) = read_rules([{"requests_per_second": 50, "concurrency": 7}])
    lock, now, times, running = threading.Lock(), [0.0], [], [0, 0]
    store, bucket = MemoryStore(lock), Bucket(rule, "")
    demand = Demand((bucket,), {"requests": 1, "tokens": 0, "input_tokens": 0, "output_tokens": 0})

    call: Any = SimpleNamespace(context=SimpleNamespace(clock=lambda: now[0]))

    def ask() -> Any:
        try:
            store.ask(call, demand, None).send(None)
        except StopIteration as done:
            return done.value

    def work() -> None:
        for _ in range(300):
            verdict = ask()
            if verdict.grant is not None:
                with lock:
                    times.append(now[0])
                    running[0] += 1
                    running[1] = max(running)
                with lock:
                    running[0] -= 1
                verdict.grant.end({})
            with lock:
                now[0] += 0.0005

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) >= 50
    assert most_in(times, 1.0) <= 51  # a look at the clock just behind the grant may be a step late
    assert running[1] <= 7
    assert bucket.running == 0
