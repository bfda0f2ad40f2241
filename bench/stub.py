"""A fast stub of the OpenAI wire in a process of its own: the same bytes each time, so that only clients count."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import subprocess
import sys
from typing import Any

CHUNKS = 1000
VECTORS, DIMENSIONS = 2048, 1536
USAGE = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}


def _chat() -> bytes:
    message = {"role": "assistant", "content": "Hello! How can I help you today?"}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return _json(
        {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}
    )


def _stream() -> bytes:
    def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
        data = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
        return b"data: " + json.dumps(data).encode() + b"\n\n"

    usage = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE}
    body = [event({"role": "assistant", "content": ""}), *[event({"content": " word"}) for _ in range(CHUNKS)]]
    body += [event({}, "stop"), b"data: " + json.dumps(usage).encode() + b"\n\n", b"data: [DONE]\n\n"]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    framed = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in body)
    return head + framed + b"0\r\n\r\n"


def _embeddings(count: int, encoded: bool) -> bytes:
    values = [((i * 37) % 2000 - 1000) / 1000 for i in range(DIMENSIONS)]
    vector: Any = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *values)).decode() if encoded else values
    data = [{"object": "embedding", "index": i, "embedding": vector} for i in range(count)]
    return _json({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}})


def _json(data: Any) -> bytes:
    body = json.dumps(data).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


class Connection(asyncio.Protocol):
    """Reads requests; `answer` gets head (in lower case) and body of each, and writes to `transport`."""

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
        raise NotImplementedError


class _Same(Connection):
    chat, stream, embeddings = _chat(), _stream(), {}

    def answer(self, head: bytes, body: bytes) -> None:
        """The same bytes each time."""
        self.transport.write(self._bytes(head, body))

    def _bytes(self, head: bytes, body: bytes) -> bytes:
        if b"/embeddings" in head[:80]:
            request = json.loads(body)
            key = (len(request["input"]), request.get("encoding_format") == "base64")
            if key not in self.embeddings:
                self.embeddings[key] = _embeddings(*key)
            return self.embeddings[key]
        return self.stream if b'"stream":true' in body.replace(b" ", b"") else self.chat


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Same, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


class Stub:
    """The stub as a context manager; `url` is its base URL."""

    def __enter__(self) -> Stub:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.stub"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()


if __name__ == "__main__":
    asyncio.run(_serve())
