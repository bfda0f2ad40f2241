"""Leases of requests that run: a process that lives renews them, and those of one that died end."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from hb_limits.forks import Lock
from hb_limits.rates import scripts
from hb_limits.server.connections import ServerError

if TYPE_CHECKING:
    from hb_limits.server.connections import Server

LEASE: Final = 30.0
"""Seconds for which a place is kept for a request whose process says nothing."""
RENEW_EVERY: Final = LEASE / 3


class Leases:
    """The leases of one process. Safe for threads; a thread renews them while there are any."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._held: dict[str, list[bytes]] = {}
        self._lock = Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def add(self, run: str, keys: list[bytes]) -> None:
        """Renew a lease from now on: it is known by its name, in these buckets."""
        with self._lock:
            self._held[run] = keys
            if self._thread is None or not self._thread.is_alive():  # as in a child that was forked
                self._closed.clear()
                self._thread = threading.Thread(target=self._renew, name="hb-limits-leases", daemon=True)
                self._thread.start()

    def drop(self, run: str) -> None:
        """Renew a lease no more."""
        with self._lock:
            self._held.pop(run, None)

    def _renew(self) -> None:
        while not self._closed.wait(RENEW_EVERY):
            with self._lock:
                held = [(key, run) for run, keys in self._held.items() for key in keys]
                if not held:
                    self._thread = None
                    return
            try:
                self.renew(held)
            except ServerError:  # the next time, perhaps; those who ask for grants say what there is to say
                continue

    def renew(self, held: list[tuple[bytes, str]]) -> None:
        """Renew these leases, each in its bucket, now. Raises ServerError."""
        self._server.run(scripts.RENEW, [key for key, _ in held], [int(LEASE * 1e6), *(run for _, run in held)])

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)
