"""Cache hits: a whole `llm.chat` that a store with 100,000 entries answers."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import heavenbase as hb
from bench.kernel import Instant, Place
from bench.measure import Result, median_cpu
from bench.pace import slowness

ENTRIES = 100_000
CHATS = 2_000
GOALS = {"memory": 8.0, "sqlite": 30.0}
HISTORY = [
    {"role": ("user", "assistant")[place % 2], "content": "a longer turn of a conversation " * 8} for place in range(19)
]


def cache_hits(url: str, rounds: int, scale: float) -> Iterator[Result]:
    """CPU microseconds of a hit, by backend; with a history of 20 messages, and in async colour, without a goal."""
    with tempfile.TemporaryDirectory() as folder:
        for backend, goal in GOALS.items():
            with _kernel(backend, Path(folder)) as kernel:
                llm = hb.LLM(model="m", provider="place", gateway="instant", kernel=kernel)
                yield from _hits(llm, backend, goal, slowness(url), rounds, int(ENTRIES * scale))


def _kernel(backend: str, folder: Path) -> hb.Kernel:
    settings = {"heavenbase.llm.cache.backend": backend, "heavenbase.llm.cache.path": str(folder / "cache.db")}
    return hb.Kernel(settings, plugins=[Instant(), Place("bench.kernel", "place")])


def _hits(
    llm: hb.LLM, backend: str, goal: float, slow: Callable[[], float], rounds: int, entries: int
) -> Iterator[Result]:
    questions = [f"question {number}: what is the answer?" for number in range(CHATS)]
    for question in questions:
        llm.chat(question)
    long = [[*HISTORY, {"role": "user", "content": question}] for question in questions[:200]]
    for messages in long:
        llm.chat(messages)
    kernel: Any = llm.kernel
    cache = getattr(kernel, "cache", None) or kernel._cache  # as the first release called it
    store = cache.stores.open(cache.settings.configured).store
    for number in range(CHATS + len(long), entries):
        store.set("text", sha256(b"%d" % number).digest(), b"x" * 500)
    random.Random(7).shuffle(questions)
    name = f"cache hit, {backend}, {store.stats()['text']['entries']:,}"
    works: tuple[tuple[str, Callable[[str], object], list[Any], float | None], ...] = (
        ("", llm.chat, questions, goal),
        (", 20 messages", llm.chat, long, None),
        (", complete()", llm.complete, questions, None),
    )
    for what, ask, asked, limit in works:

        def work(ask: Callable[[Any], object] = ask, asked: list[Any] = asked) -> None:
            for question in asked:
                ask(question)

        yield median_cpu(f"{name}{what}", work, slow, rounds=rounds, per=len(asked), goal=limit)
    assert all(llm.complete(question).cached for question in questions[:50])
