"""Ports that misbehave at or below HTTP: refused, silent, reset at once, or with answers given byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence

_STALLED_AFTER = 0.03
_MOST_FILLERS = 16
_PAUSE = 0.01
_LINGER_ZERO = struct.pack("ii", 1, 0)


@contextlib.contextmanager
def refused_port() -> Iterator[int]:
    """A port nobody listens on: bound, so that nobody else gets it meanwhile, but without a listener."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@contextlib.contextmanager
def black_hole() -> Iterator[int]:
    """The port of a listener whose backlog is full: SYNs to it are dropped and connecting never ends (on Linux)."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(_MOST_FILLERS):
            filler = stack.enter_context(socket.socket())
            filler.settimeout(_STALLED_AFTER)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                break
        yield listener.getsockname()[1]


@contextlib.contextmanager
def resetting_port() -> Iterator[int]:
    """A port whose connections get a RST as soon as they are made, before anything is read."""
    listener = socket.create_server(("127.0.0.1", 0))

    def reset_all() -> None:
        while True:
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            with connected:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)

    thread = threading.Thread(target=reset_all, daemon=True, name="resetting-port")
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        # shutdown wakes the accept; close alone would leave the thread in it.
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


class RawServer:
    """Answers each request, in order, with the bytes given for it as they are; with the last of them from then on.

    An answer of several pieces is sent piece by piece; None among them closes the connection. `requests` are the
    requests as they came, `accepted` is the number of connections. Use as a context manager.
    """

    def __init__(self, *answers: bytes | Sequence[bytes | None]) -> None:
        self.requests: list[bytes] = []
        self.accepted = 0
        self._answers = answers
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []

    def url(self, path: str = "/v1") -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}{path}"

    def __enter__(self) -> RawServer:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._thread = threading.Thread(target=self._accept, daemon=True, name="raw-server")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for connection in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True, name="raw-connection").start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while request := _whole_request(connection):
                with self._lock:
                    answer = self._answers[min(len(self.requests), len(self._answers) - 1)]
                    self.requests.append(request)
                for place, piece in enumerate([answer] if isinstance(answer, bytes) else answer):
                    if piece is None:
                        return
                    if place:
                        time.sleep(_PAUSE)
                    connection.sendall(piece)


def _whole_request(connection: socket.socket) -> bytes:
    received = b""
    while True:
        head, found, body = received.partition(b"\r\n\r\n")
        if found:
            lengths = [line.partition(b":")[2] for line in head.lower().split(b"\r\n") if b"content-length:" in line]
            if len(body) >= int(lengths[0] if lengths else 0):
                return received
        data = connection.recv(65536)
        if not data:
            return b""
        received += data
