"""A batch of many calls: hb.batch against the raw openai SDK in one run, and the memory of a process that runs it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import openai

import heavenbase as hb
from bench.calls import targets
from bench.measure import Result, ratio

ITEMS, FLIGHT = 10_000, 100
CHILD = """
import sys, tempfile, json, pathlib
import heavenbase as hb
kind, url, items, flight = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
kernel = hb.Kernel({"heavenbase.llm.cache.enabled": False, "heavenbase.llm.providers": {
    "acme": {"base_url": url, "api_key": "k"}}})
if kind == "memory":
    found = hb.batch([f"hi {n}" for n in range(items)], model="acme/m", kernel=kernel, max_concurrency=flight)
    assert found.succeeded == items
else:
    from hb_batch.runs import FileRun, Settings
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "in.jsonl")
        with source.open("w") as file:
            for n in range(items):
                body = {"model": "acme/m", "messages": [{"role": "user", "content": f"hi {n}"}]}
                file.write(json.dumps({"custom_id": str(n), "url": "/v1/chat/completions", "body": body}) + "\\n")
        found = FileRun(kernel).begin(str(source), str(pathlib.Path(folder, "out.jsonl")), Settings(concurrency=flight))
        assert found.counts == {"success": items}
# What getrusage tells is at least what the parent had when it was forked.
told = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print(int(told["VmHWM"].split()[0]) / 1024)
"""


def batches(url: str, rounds: int, scale: float) -> Iterator[Result]:
    """The ratio of CPU, and the most resident memory of a batch from file to file and of one in memory."""
    items = max(FLIGHT * 5, int(ITEMS * scale))
    llm, _ = targets(url)
    texts = [f"hi {number}" for number in range(items)]

    def ours() -> None:
        assert hb.batch(texts, llm=llm, max_concurrency=FLIGHT).succeeded == items

    def theirs() -> None:
        async def run() -> list[Any]:
            async with openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0) as client:
                gate = asyncio.Semaphore(FLIGHT)

                async def one(text: str) -> Any:
                    messages: Any = [{"role": "user", "content": text}]
                    async with gate:
                        return await client.chat.completions.create(
                            model="m", messages=messages, temperature=0, seed=42
                        )

                return await asyncio.gather(*map(one, texts))

        assert len(asyncio.run(run())) == items

    yield ratio(f"batch, {items} at {FLIGHT}", ours, theirs, 0.30, rounds=min(rounds, 5), per=items)
    for kind in ("file", "memory"):
        command = [sys.executable, "-c", CHILD, kind, url, str(items), str(FLIGHT)]
        told = subprocess.run(command, capture_output=True, text=True, check=True)
        name = "from file to file" if kind == "file" else "with all answers kept"
        yield Result(f"batch, RSS {name}", float(told.stdout), 90, "MB", f"{items} items, most at any time")
