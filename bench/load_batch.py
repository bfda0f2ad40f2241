"""Loads through `hb batch`: what interrupts and kills lose, what writing costs, how memory grows.

    python -m bench.load_batch [--items 10000] [--kills 10] [--concurrency 50] [--seed 9] [--only L9|journal|memory]
                               [--memory 1000000]

L9       `hb batch run` over many requests, ended by SIGINT or SIGKILL at random moments and gone on with by `hb batch
         resume`: every request has one row with its own answer, and no more are repeated than were in flight
journal  the same without an end: the share of the time in which writing rows holds up the requests is at most 5 %
memory   a run of many items in a process of its own: resident memory at a tenth, a half and the end

Exit code 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from bench.stub import Connection, Stub

HB = str(Path(sys.executable).with_name("hb"))
DELAY = 0.004
"""Seconds until the echo answers."""
JOURNAL_GOAL = 0.05
GROWTH_GOAL = 10.0
"""MB between a tenth of the items and all of them: what grows is a byte a line, and what the allocator keeps."""

Verdict = tuple[str, bool]


class _Echo(Connection):
    counts: ClassVar[Counter[str]] = Counter()

    def answer(self, head: bytes, body: bytes) -> None:
        """Say what was said, a moment later."""
        text = json.loads(body)["messages"][-1]["content"]
        self.counts[text] += 1
        message = {"role": "assistant", "content": f"answer to {text}"}
        usage = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        told = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
        data = json.dumps(told).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(data)
        asyncio.get_running_loop().call_later(DELAY, self.transport.write, head + data)


def echo() -> str:
    """Serve in a thread, for ever; the base URL."""
    found: list[str] = []
    ready = threading.Event()

    async def serve() -> None:
        server = await asyncio.get_running_loop().create_server(_Echo, "127.0.0.1", 0, backlog=1024)
        found.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=asyncio.run, args=(serve(),), daemon=True).start()
    ready.wait()
    return found[0]


def write_input(path: Path, items: int) -> None:
    """A file of so many requests."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(items):
            body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": f"number {number}"}]}
            row = {"custom_id": f"r{number}", "method": "POST", "url": "/v1/chat/completions", "body": body}
            file.write(json.dumps(row) + "\n")


def surroundings(url: str, folder: Path) -> dict[str, str]:
    """The variables of a process that asks the endpoint."""
    own = {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "key-0123456789", "HEAVENBASE_HOME": str(folder / "home")}
    return {**os.environ, **own, "HEAVENBASE_LLM__CACHE__ENABLED": "false"}


def rows_in(path: Path, since: list[int]) -> int:
    """Rows of a file that grows; `since` holds how far it was read, and what was found."""
    if path.exists():
        with path.open("rb") as file:
            file.seek(since[0])
            data = file.read()
        since[0] += len(data)
        since[1] += data.count(b"\n")
    return since[1]


def killed(url: str, folder: Path, items: int, kills: int, concurrency: int, seed: int) -> Iterator[Verdict]:
    """L9: ended at random moments, and gone on with."""
    chance = random.Random(seed)
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    write_input(source, items)
    env = surroundings(url, folder)
    command = [HB, "batch", "run", str(source), "-o", str(output), "--concurrency", str(concurrency), "--quiet"]
    ends, codes = Counter[str](), Counter[int]()
    _Echo.counts.clear()
    began = time.perf_counter()
    for moment in sorted(chance.randrange(1, items) for _ in range(kills)):
        number = chance.choice((signal.SIGINT, signal.SIGKILL))
        since = [0, 0]
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while rows_in(output, since) < moment and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(number)
        codes[process.wait()] += 1
        ends[number.name] += 1
        command = [HB, "batch", "resume", str(output), "--quiet"]
    last = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    wrong = doubled = 0
    seen = set()
    for line in output.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        doubled += row["custom_id"] in seen
        seen.add(row["custom_id"])
        content = row["response"]["body"]["choices"][0]["message"]["content"] if row["response"] else ""
        wrong += content != f"answer to number {row['custom_id'][1:]}"
    lost = len({f"r{number}" for number in range(items)} - seen)
    repeats = sum(_Echo.counts.values()) - items
    yield (
        f"L9: {items} items, {dict(ends)}, exit codes {dict(codes)} and {last.returncode}, {took:.0f} s: {lost} lost, "
        f"{doubled} doubled, {wrong} wrong, {repeats} repeated (at most {concurrency * kills})",
        not (lost or doubled or wrong) and repeats <= concurrency * kills and last.returncode == 0,
    )


CHILD = """
import json, os, sys
import heavenbase as hb
from hb_batch.runs import FileRun, Settings
source, output, concurrency, every = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
pages, shown = [], set()
def meter(tally):
    def show():
        if every and tally.written // every not in shown:
            shown.add(tally.written // every)
            resident = int(open('/proc/self/statm').read().split()[1]) * os.sysconf('SC_PAGE_SIZE') / 2**20
            print(json.dumps({'rows': tally.written, 'MB': round(resident, 1)}), flush=True)
    return show
run = FileRun(meter=meter, interval=0.2)
found = run.begin(source, output, Settings(concurrency=concurrency))
print(json.dumps({'counts': dict(found.counts), 'journal': found.journal_share, 'elapsed': found.elapsed}))
"""


def child(url: str, folder: Path, concurrency: int, every: int = 0) -> Iterator[dict[str, object]]:
    """What a run in a process of its own tells."""
    command = [sys.executable, "-c", CHILD, str(folder / "in.jsonl"), str(folder / "out.jsonl"), str(concurrency)]
    env = surroundings(url, folder)
    with subprocess.Popen([*command, str(every)], env=env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield json.loads(line)


def journal(url: str, folder: Path, items: int, concurrency: int) -> Iterator[Verdict]:
    """What writing costs."""
    write_input(folder / "in.jsonl", items)
    *_, last = child(url, folder, concurrency)
    share, elapsed = float(str(last["journal"])), float(str(last["elapsed"]))
    is_whole = last["counts"] == {"success": items}
    yield (
        f"journal: {items} items in {elapsed:.1f} s, {share:.2%} of it in writing rows",
        is_whole and share <= JOURNAL_GOAL,
    )


def memory(url: str, folder: Path, items: int, concurrency: int) -> Iterator[Verdict]:
    """How memory grows."""
    write_input(folder / "in.jsonl", items)
    found = list(child(url, folder, concurrency, max(1, items // 20)))
    points = [(int(str(it["rows"])), float(str(it["MB"]))) for it in found if "rows" in it]
    chosen = [min(points, key=lambda it: abs(it[0] - items * share)) for share in (0.1, 0.5, 1.0)]
    told = ", ".join(f"{rows} rows {size} MB" for rows, size in chosen)
    elapsed = float(str(found[-1]["elapsed"]))
    is_flat = chosen[-1][1] - chosen[0][1] <= GROWTH_GOAL and found[-1]["counts"] == {"success": items}
    yield f"memory: {items} items in {elapsed:.0f} s: {told}", is_flat


def main() -> int:
    """Run the programs, a line for each verdict."""
    parser = argparse.ArgumentParser(prog="python -m bench.load_batch", description=__doc__)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--concurrency", type=int, default=50)
    parser.add_argument("--seed", type=int, default=9)
    parser.add_argument("--memory", type=int, default=1_000_000, help="items of the program about memory")
    parser.add_argument("--only", choices=("L9", "journal", "memory"), help="one program alone")
    options = parser.parse_args()
    url, failed = echo(), False
    with Stub() as stub:
        for name in ("L9", "journal", "memory"):
            if options.only not in (None, name):
                continue
            with tempfile.TemporaryDirectory() as made:
                folder = Path(made)
                if name == "L9":
                    found = killed(url, folder, options.items, options.kills, options.concurrency, options.seed)
                elif name == "journal":
                    found = journal(stub.url, folder, options.items, options.concurrency)
                else:
                    found = memory(stub.url, folder, options.memory, options.concurrency)
                for text, ok in found:
                    print("ok    " if ok else "MISSED", text, flush=True)
                    failed = failed or not ok
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
