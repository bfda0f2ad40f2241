"""Two endpoints that fail as they are told, each in a process of its own, and routes over both."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import subprocess
import sys
import time
from typing import Any

import heavenbase as hb
from bench.stub import USAGE, Connection

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


class Endpoint(Connection):
    """One connection to an endpoint that fails as the last POST to /set said; GET /count tells the requests since."""

    faults, cut, until, count = 0.0, 0.0, 0.0, 0
    chance = random.Random(7)

    def answer(self, head: bytes, body: bytes) -> None:
        """Answer one request."""
        kind = type(self)
        if head.startswith(b"post /set"):
            kind.faults, kind.cut, seconds = json.loads(body)
            kind.until, kind.count = time.monotonic() + (seconds or 1e9), 0
            self.transport.write(_whole(200, {}))
        elif head.startswith(b"get /count"):
            self.transport.write(_whole(200, kind.count))
        else:
            kind.count += 1
            drawn = kind.chance.random()
            is_stream = b'"stream":true' in body.replace(b" ", b"")
            if drawn < kind.faults and time.monotonic() < kind.until:
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
    """Two endpoints in processes of their own."""

    def __enter__(self) -> Endpoints:
        command = [sys.executable, "-m", "bench.failing"]
        pipe = subprocess.PIPE
        self.processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(2)]
        self.ports = [int(process.stdout.readline()) for process in self.processes]  # type: ignore[union-attr]
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.communicate()  # closes its standard input

    def _ask(self, port: int, request: bytes) -> Any:
        with socket.create_connection(("127.0.0.1", port)) as wire:
            wire.sendall(request)
            return json.loads(wire.recv(4096).rpartition(b"\r\n\r\n")[2])

    def set(self, faults: float, cut: float = 0.0, seconds: float | None = None) -> None:
        """The share of requests that fail (for so many seconds), and of streams that break; counts begin anew."""
        body = json.dumps([faults, cut, seconds]).encode()
        for port in self.ports:
            self._ask(port, b"POST /set HTTP/1.1\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

    def count(self) -> int:
        """Requests since then."""
        return sum(self._ask(port, b"GET /count HTTP/1.1\r\n\r\n") for port in self.ports)

    def llm(self, route: dict[str, Any] | None = None, **kernel: Any) -> hb.LLM:
        """An LLM that falls back from the first to the second, with a kernel of its own, which the caller closes."""
        providers = {
            f"end{place}": {"base_url": f"http://127.0.0.1:{port}/v1", "api_key": "sk-key"}
            for place, port in enumerate(self.ports)
        }
        config = {"heavenbase.llm.providers": providers, "heavenbase.llm.cache.enabled": False}
        targets = ["end0/m", "end1/m"]
        return hb.LLM(route={"targets": targets, **(route or {})}, kernel=hb.Kernel(config, **kernel))


if __name__ == "__main__":
    asyncio.run(serve())
