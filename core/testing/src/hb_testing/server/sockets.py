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
