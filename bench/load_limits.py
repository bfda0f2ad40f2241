"""Many processes under one limit on a real Redis server, some with a clock that is set an hour forth or back.

L8: eight processes want all that they can get of 100 requests a second for a minute. Two of them have their clocks
stepped in the middle, by libfaketime (Debian's `faketime`) where it is there, which steps the clock of the whole
process, or else by the clock that the kernel is given. Judged is what the server itself did at what time, as its
command MONITOR tells it: no second, wherever it begins, may have more than the limit and 1 %, and at least 95 % of what
is allowed must be used. Each process's share shows whether any was left behind.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import glob
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TASKS = 25
"""Requests that each process wants at once."""
STEP = 3600
GRANT = re.compile(rb'^\+(\d+\.\d+) \[\d+ lua\] "(?i:zadd)" "([^"]*):requests_per_second" ')
LIBRARIES = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


@contextlib.contextmanager
def server() -> Iterator[Path]:
    """A Redis server for a block; the path of its socket."""
    program = next((found for name in ("redis-server", "valkey-server") if (found := shutil.which(name))), None)
    if program is None:
        raise SystemExit("needs a Redis server: apt-get install -y redis-server")
    with tempfile.TemporaryDirectory(prefix="hb-load-") as folder:
        place = Path(folder, "s")
        command = [program, "--port", "0", "--unixsocket", str(place), "--save", "", "--appendonly", "no"]
        process = subprocess.Popen([*command, "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            while not place.exists() or not _answers(place):
                time.sleep(0.01)
            yield place
        finally:
            process.kill()
            process.wait()


def _answers(place: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(place))
            probe.sendall(b"PING\r\n")
            return probe.recv(16) == b"+PONG\r\n"
        except OSError:
            return False


class Judge:
    """Notes when the server let a request through, by the server's own clock."""

    def __init__(self, place: Path) -> None:
        self.times: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(place))
        self._socket.sendall(b"MONITOR\r\n")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._socket.makefile("rb"):
            if (found := GRANT.match(line)) is not None:
                self.times.append(float(found[1]))

    def close(self) -> list[float]:
        """The times, in order."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        return sorted(self.times)


def most_in(times: list[float], seconds: float) -> int:
    """The most of these times within any stretch of so many seconds."""
    first = most = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def work(url: str, rate: int, step: str) -> None:
    """One process: as many requests as it gets, until it is told to end; then how many those were."""
    import heavenbase as hb
    from hb_limits import Limits

    logging.getLogger("heavenbase").setLevel(logging.ERROR)  # while they all begin, connecting may take too long
    ahead = 0.0
    limits = Limits(
        rules=[{"name": "all", "per": "all", "requests_per_second": rate}], store="redis", url=url, namespace="load"
    )
    settings = {"heavenbase.llm.cache.enabled": False, "heavenbase.llm.timeouts.total": None}
    kernel = hb.Kernel(settings, wall=lambda: time.time() + ahead, middleware=[limits])
    llm = hb.LLM(provider="mock", model="mock", kernel=kernel, mock_text="x")
    count, began, is_over = 0, time.time(), False

    async def one() -> None:
        nonlocal count
        while not is_over:
            await llm.achat("hi")
            count += 1

    async def run() -> None:
        nonlocal is_over, ahead
        await llm.achat("warm up")
        tasks = [asyncio.ensure_future(one()) for _ in range(TASKS)]
        loop = asyncio.get_running_loop()
        print("ready", flush=True)
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            if line.strip() == "step" and not LIBRARIES:
                ahead = float(step)
            if line.strip() == "end":
                break
        is_over = True
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await kernel.aclose()

    asyncio.run(run())
    limits.close()
    print(f"{count} {limits.status()['circuit']} {time.time() - began:.0f}", flush=True)


def limited(processes: int, rate: int, seconds: float) -> tuple[str, bool]:
    """L8: the verdict."""
    steps = {0: f"{STEP:+}", 1: f"{-STEP:+}"}
    with server() as place, tempfile.TemporaryDirectory() as folder:
        judge = Judge(place)
        workers = []
        for number in range(processes):
            env: dict[str, str] = dict(os.environ)
            if number in steps and LIBRARIES:
                clock = Path(folder, str(number))
                clock.write_text("+0")
                env |= {"LD_PRELOAD": LIBRARIES[0], "FAKETIME_TIMESTAMP_FILE": str(clock)}
                env["FAKETIME_CACHE_DURATION"] = "1"
                # What is stepped is the clock on the wall; the monotonic one never is, on any machine.
                env["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"
            own = [f"unix://{place}", str(rate), steps.get(number, "0")]
            command = [sys.executable, "-m", "bench.load_limits", "--work", *own]
            pipe = subprocess.PIPE
            workers.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=env))
        try:
            for worker in workers:
                _line(worker)
            began = time.time()
            time.sleep(seconds / 2)
            for number, value in steps.items():
                if LIBRARIES:
                    Path(folder, str(number)).write_text(value)
                else:
                    _say(workers[number], "step")
            time.sleep(seconds / 2)
            times = [at for at in judge.close() if began <= at < began + seconds]
            for worker in workers:
                _say(worker, "end")
            told = [_line(worker).split() for worker in workers]
        finally:
            for worker in workers:
                worker.send_signal(signal.SIGKILL)
                worker.communicate()
    most, share = most_in(times, 1.0), len(times) / (rate * seconds)
    counts, circuits = [int(it[0]) for it in told], Counter(it[1] for it in told)
    stepped = [int(it[2]) for it in told[:2]]
    how = "libfaketime" if LIBRARIES else "the kernel's clock"
    return (
        f"L8: {processes} processes, {rate} a second for {seconds:g} s, the clocks of two stepped by {how} (they took "
        f"{stepped[0]} and {stepped[1]} s by their own): at most {most} in any second, {share:.1%} used, "
        f"{min(counts)} to {max(counts)} each, circuits {dict(circuits)}",
        most <= rate * 1.01 and share >= 0.95 and circuits.keys() == {"closed"} and min(counts) > 0,
    )


def _line(worker: Any) -> str:
    line: str = worker.stdout.readline()
    if not line:
        raise SystemExit("a process ended before its time")
    return line


def _say(worker: Any, word: str) -> None:
    worker.stdin.write(f"{word}\n")
    worker.stdin.flush()


def main() -> int:
    """Run the program, with a line for its verdict."""
    parser = argparse.ArgumentParser(prog="python -m bench.load_limits", description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--rate", type=int, default=100, help="requests a second that are allowed")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work[0], int(options.work[1]), options.work[2])
        return 0
    text, ok = limited(options.processes, options.rate, options.seconds)
    print("ok    " if ok else "MISSED", text, flush=True)
    return int(not ok)


if __name__ == "__main__":
    sys.exit(main())
