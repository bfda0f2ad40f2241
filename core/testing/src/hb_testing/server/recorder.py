"""What the server saw: requests, connections, and waiting for either."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(slots=True)
class Peer:
    """One accepted connection: its ordinal and when (monotonic seconds) it was opened and closed by the peer."""

    id: int
    opened_at: float
    closed_at: float | None = None


@dataclass(repr=False)
class RecordedRequest:
    """One request as it came over the wire.

    `number` counts the server's requests from 1; `path` is the request target with its query; `headers` has lower-case
    names, `raw_headers` every header as sent and in order. `time` is monotonic seconds at the end of the head.
    `complete` tells whether the whole body arrived; `connection` is the ordinal of the connection.
    """

    number: int
    method: str
    path: str
    headers: dict[str, str]
    raw_headers: list[tuple[str, str]]
    time: float
    peer: Peer
    version: str = "HTTP/1.1"
    body: bytes = b""
    complete: bool = field(default=False)

    @cached_property
    def json(self) -> Any:
        """The body as JSON; ValueError when it is none."""
        return json.loads(self.body)

    @property
    def connection(self) -> int:
        """Ordinal of the connection that carried the request, from 1."""
        return self.peer.id

    @property
    def closed_at(self) -> float | None:
        """When the peer closed (or half-closed, or reset) the connection; None while open or closed by the server."""
        return self.peer.closed_at

    @property
    def bearer(self) -> str | None:
        """The key of `Authorization: Bearer`, or None."""
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        return key if scheme.lower() == "bearer" and key else None

    def __repr__(self) -> str:
        # Headers hold credentials, which must not reach the output of a failing assertion.
        return f"<{self.method} {self.path}: {len(self.body)} bytes on connection {self.connection}>"


class Recorder:
    """Requests and connection counters. Written by the server's thread, read by any."""

    def __init__(self, *, keep: bool = True) -> None:
        self.keep = keep
        self.requests: list[RecordedRequest] = []
        self.numbered = 0
        self.accepted = 0
        self.open = 0
        self.peak = 0
        self._waiters = 0
        self._changed = threading.Condition()

    def connected(self) -> Peer:
        """Count a new connection."""
        self.accepted += 1
        self.open += 1
        self.peak = max(self.peak, self.open)
        peer = Peer(self.accepted, time.monotonic())
        self.changed()
        return peer

    def disconnected(self) -> None:
        """Count a connection that is gone."""
        self.open -= 1
        self.changed()

    def next_number(self) -> int:
        """The number of the next request."""
        self.numbered += 1
        return self.numbered

    def add(self, request: RecordedRequest) -> None:
        """Keep a request whose head has arrived."""
        if self.keep:
            self.requests.append(request)
        self.changed()

    def changed(self) -> None:
        """Wake whoever waits."""
        # A waiter registers before it looks, so a change it did not see finds it registered.
        if self._waiters:
            with self._changed:
                self._changed.notify_all()

    def wait(self, condition: Callable[[], object], timeout: float) -> bool:
        """Block the calling thread until `condition()` holds; False after `timeout` seconds."""
        with self._changed:
            self._waiters += 1
            try:
                return bool(self._changed.wait_for(condition, timeout))
            finally:
                self._waiters -= 1

    async def wait_async(self, condition: Callable[[], object], timeout: float) -> bool:
        """As `wait`, without blocking the caller's event loop and without a helper thread."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(0.002)
        return True
