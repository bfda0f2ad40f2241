"""A circuit: what failed three times in a row is left alone, but for one probe every five seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from hb_limits.forks import Lock

FAILURES: Final = 3
PROBE_AFTER: Final = 5.0


class Circuit:
    """Closed while all is well. Times are seconds on the kernel's clock; safe for threads."""

    __slots__ = ("_clock", "_lock", "_next_probe", "failures")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.failures = 0
        """Failures in a row."""
        self._clock = clock
        self._next_probe = 0.0
        self._lock = Lock()

    @property
    def is_open(self) -> bool:
        """Whether it failed so often that it is left alone."""
        return self.failures >= FAILURES

    def ready(self) -> bool:
        """Whether to try. While it is open, one caller in five seconds is sent to see."""
        if not self.is_open:
            return True
        with self._lock:
            now = self._clock()
            if now < self._next_probe:
                return False
            self._next_probe = now + PROBE_AFTER
            return True

    def succeeded(self) -> bool:
        """Note that it worked; whether it had not, the last time."""
        had, self.failures = self.failures, 0
        return had > 0

    def failed(self) -> None:
        """Note that it did not."""
        with self._lock:
            self.failures += 1
            self._next_probe = self._clock() + PROBE_AFTER
