"""Calls through a fallback of two endpoints that fail: how many requests, how much memory, how soon all is well again.

    python -m bench.load_routes [--calls 100000] [--storm 1000] [--faults 0.1]

Four programs, each against endpoints in a process of their own:

S5  every answer of both endpoints is a 503: calls one after the other make at most 1.2 requests each
L7  calls at once meet 503s for two seconds, then all is well: at most 1.2 requests each while it lasts, and 99 % of the
    calls that are made then succeed within ten seconds
E2  streams whose connection breaks after some pieces: with stream_fallback="restart" no text twice without that word
L5  many calls and streams, some of them left early or cancelled, a tenth of the answers broken: memory, descriptors,
    threads and tasks stay where they were

Exit code 1 when an invariant does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
import tracemalloc
import warnings
from collections import Counter
from typing import Any

import heavenbase as hb
from bench.stub import USAGE
from heavenbase.errors import FallbackWarning, HBError

WORDS = ("one ", "two ", "three ", "four ", "five")
TEXT = "".join(WORDS)


def _head(status: int, kind: str, length: int | None) -> bytes:
    size = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
    return b"HTTP/1.1 %d X\r\ncontent-type: %s\r\n%s\r\n\r\n" % (status, kind.encode(), size)


def _whole(status: int, data: Any) -> bytes:
    body = json.dumps(data).encode()
    return _head(status, "application/json", len(body)) + body


def _event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    data = (
        b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"
    )
    return b"%x\r\n%s\r\n" % (len(data), data)


MESSAGE = {"role": "assistant", "content": TEXT}
CHAT = _whole(200, {"id": "c", "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}], "usage": USAGE})
ERROR = _whole(503, {"error": {"message": "overloaded"}})
PIECES = [_event({"content": word}) for word in WORDS]
END = _event({}, "stop") + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Endpoint(asyncio.Protocol):
    """One connection to an endpoint that fails as the last POST to /set said; GET /count tells the requests."""

    faults, cut, count = 0.0, 0.0, 0
    chance = random.Random(7)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport: Any = transport
        self.buffer = bytearray()

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = bytes(self.buffer[:end]).lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + length:
                return
            body = bytes(self.buffer[end + 4 : end + 4 + length])
            del self.buffer[: end + 4 + length]
            self.answer(head, body)

    def answer(self, head: bytes, body: bytes) -> None:
        """Answer one request."""
        kind = type(self)
        if head.startswith(b"post /set"):
            kind.faults, kind.cut, kind.count = *json.loads(body), 0
            self.transport.write(_whole(200, {}))
        elif head.startswith(b"get /count"):
            self.transport.write(_whole(200, kind.count))
        else:
            kind.count += 1
            drawn = kind.chance.random()
            is_stream = b'"stream":true' in body.replace(b" ", b"")
            if drawn < kind.faults:
                self.transport.write(ERROR)
            elif not is_stream:
                self.transport.write(CHAT)
            elif kind.chance.random() < kind.cut:
                self.transport.write(_head(200, "text/event-stream", None) + b"".join(PIECES[:2]))
                self.transport.close()
            else:
                self.transport.write(_head(200, "text/event-stream", None) + b"".join(PIECES) + END)


async def serve() -> None:
    """Listen, say where, and end with standard input."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Endpoint, "127.0.0.1", 0, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


class Endpoints:
    """Two endpoints in processes of their own, and a kernel that falls back from one to the other."""

    def __enter__(self) -> Endpoints:
        command = [sys.executable, "-m", "bench.load_routes", "--serve"]
        pipe = subprocess.PIPE
        self.processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
        self.ports = [int(process.stdout.readline()) for process in self.processes]  # type: ignore[union-attr]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.communicate()

    def _ask(self, port: int, request: bytes) -> Any:
        import socket

        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.sendall(request)
            return json.loads(wire.recv(4096).rpartition(b"\r\n\r\n")[2])

    def set(self, faults: float, cut: float = 0.0) -> None:
        """The share of requests that fail, and of streams that break; counts begin anew."""
        body = json.dumps([faults, cut]).encode()
        for port in self.ports:
            self._ask(port, b"POST /set HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    def count(self) -> int:
        """Requests since then."""
        return sum(self._ask(port, b"GET /count HTTP/1.1\r\n\r\n") for port in self.ports)

    def llm(self, **route: Any) -> hb.LLM:
        """An LLM over both."""
        providers = {
            f"end{place}": {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "sk-key"}
            for place, port in enumerate(self.ports)
        }
        config = {"heavenbase.llm.providers": providers, "heavenbase.llm.cache.enabled": False}
        return hb.LLM(route={"targets": ["end0/m", "end1/m"], **route}, kernel=hb.Kernel(config))


def dead(ends: Endpoints, calls: int) -> list[tuple[str, bool]]:
    """S5: all is dead, for ever."""
    ends.set(1.0)
    llm = ends.llm(max_wait=0.0)
    kinds = Counter(_error(llm) for _ in range(calls))
    count = ends.count()
    ok = count <= 1.2 * calls and kinds["none"] == 0
    return [(f"S5: {calls} calls to dead endpoints: {count} requests, errors {dict(kinds)}", ok)]


def storm(ends: Endpoints, calls: int) -> list[tuple[str, bool]]:
    """L7: calls at once while all is dead, then recovery."""
    ends.set(1.0)
    llm = ends.llm(max_wait=0.0)

    async def ask(count: int) -> Counter[str]:
        found = await asyncio.gather(*(_aerror(llm) for _ in range(count)))
        return Counter(found)

    async def run() -> list[tuple[str, bool]]:
        await ask(calls)
        during = ends.count()
        ends.set(0.0)
        recovered = time.perf_counter()
        good = total = 0
        while time.perf_counter() - recovered < 10 and (total == 0 or good < 0.99 * total):
            found = await ask(200)
            good, total = found["none"], 200
            await asyncio.sleep(0.1)
        took = time.perf_counter() - recovered
        text = (
            f"L7: {calls} calls at once, all 503: {during} requests; {good} of {total} well {took:.1f} s after recovery"
        )
        return [(text, during <= 1.2 * calls and good >= 0.99 * total)]

    return asyncio.run(run())


def cuts(ends: Endpoints, calls: int) -> list[tuple[str, bool]]:
    """E2: streams that break are begun again, announced."""
    ends.set(0.0, 0.3)
    llm = ends.llm(stream_fallback="restart")
    twice = lost = restarts = 0
    for _ in range(calls):
        parts = [""]
        try:
            for chunk in llm.stream("hi", include="chunk"):
                if chunk.kind == "restart":
                    restarts += 1
                    parts.append("")
                parts[-1] += chunk.text
        except HBError:
            lost += 1
            continue
        twice += any(not TEXT.startswith(part) for part in parts) or parts[-1] != TEXT
    text = f"E2: {calls} streams, {restarts} restarts, {lost} failed typed, {twice} with text twice or lost"
    return [(text, twice == 0 and restarts > 0)]


def endless(ends: Endpoints, calls: int, faults: float) -> list[tuple[str, bool]]:
    """L5: a day in miniature."""
    ends.set(faults, faults)
    llm = ends.llm(stream_fallback="restart", breaker={"failures": 1000})
    chance = random.Random(11)
    outcomes: Counter[str] = Counter()

    async def one(place: int) -> None:
        try:
            drawn = chance.random()
            if drawn < 0.05:
                outcomes["abandoned"] += 1
                stream: Any = llm.astream("hi")
                async for _ in stream:
                    break
                await stream.aclose()
            elif drawn < 0.10:
                outcomes["cancelled"] += 1
                task = asyncio.ensure_future(llm.achat("hi"))
                await asyncio.sleep(0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            elif drawn < 0.4:
                async for _ in llm.astream("hi"):
                    pass
                outcomes["streamed"] += 1
            else:
                await llm.achat("hi")
                outcomes["whole"] += 1
        except HBError as error:
            outcomes[error.kind] += 1

    async def rounds(count: int) -> None:
        for begin in range(0, count, 50):
            await asyncio.gather(*(one(place) for place in range(begin, begin + 50)))

    def state() -> dict[str, float]:
        gc.collect()
        return {
            "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "traced MB": tracemalloc.get_traced_memory()[0] / 1e6,
            "descriptors": len(os.listdir("/proc/self/fd")),
            "threads": threading.active_count(),
            "tasks": len(asyncio.all_tasks()) - 1,
        }

    async def run() -> tuple[dict[str, float], dict[str, float]]:
        await rounds(max(2000, calls // 10))
        tracemalloc.start()
        await rounds(1000)
        before = state()
        await rounds(calls)
        return before, state()

    began = time.perf_counter()
    before, after = asyncio.run(run())
    grown = {name: round(after[name] - before[name], 2) for name in before}
    per = 100_000 / max(calls, 1)
    ok = (
        grown["MB"] * per <= 10
        and grown["traced MB"] * per <= 1
        and abs(grown["descriptors"]) <= 5
        and abs(grown["threads"]) <= 2
        and after["tasks"] == 0
    )
    took = time.perf_counter() - began
    return [(f"L5: {calls} calls in {took:.0f} s, grown by {grown}, outcomes {dict(outcomes)}", ok)]


def _error(llm: hb.LLM) -> str:
    try:
        llm.chat("hi")
    except HBError as error:
        return error.kind
    return "none"


async def _aerror(llm: hb.LLM) -> str:
    try:
        await llm.achat("hi")
    except HBError as error:
        return error.kind
    return "none"


def main() -> int:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m bench.load_routes", description=__doc__)
    parser.add_argument("--calls", type=int, default=100_000, help="calls of L5")
    parser.add_argument("--storm", type=int, default=1000, help="calls of S5, L7 and E2")
    parser.add_argument("--faults", type=float, default=0.1, help="share of broken answers in L5")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    warnings.simplefilter("ignore", FallbackWarning)
    warnings.simplefilter("error", ResourceWarning)
    failed = False
    with Endpoints() as ends:
        for work in (dead, storm, cuts):
            for text, ok in work(ends, options.storm):
                failed = failed or not ok
                print("ok    " if ok else "MISSED", text, flush=True)
        for text, ok in endless(ends, options.calls, options.faults):
            failed = failed or not ok
            print("ok    " if ok else "MISSED", text, flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
