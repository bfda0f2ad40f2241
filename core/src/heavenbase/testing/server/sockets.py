"""Ports that misbehave below HTTP: refused, silent, reset at once."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator

_STALLED_AFTER = 0.03
_MOST_FILLERS = 16
_LINGER_ZERO = struct.pack("ii", 1, 0)


class RefusedPort(int):
    """A TCP port of 127.0.0.1 that refuses connections; it stays reserved as long as this number lives."""

    _holder: socket.socket

    def close(self) -> None:
        """Give the port back."""
        self._holder.close()

    def __del__(self) -> None:
        # An int cannot be weakly referenced, so there is no finalizer that could do this.
        self._holder.close()


def refused_port() -> RefusedPort:
    """A port nobody listens on: bound, so that nobody else gets it, but without a listener."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    port = RefusedPort(holder.getsockname()[1])
    port._holder = holder
    return port


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
