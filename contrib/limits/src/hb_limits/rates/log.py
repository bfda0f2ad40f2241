"""A sliding log: what was let through in the last stretch of time, so that no stretch ever has more than allowed."""

from __future__ import annotations

from collections import deque
from typing import Final

GRAINS: Final = 1024
"""Entries that a log has at most: what falls into one part in so many of its window is one entry, as of its last."""


class Entry:
    """What was let through at about one time. `time` is the last of it, `began` the first."""

    __slots__ = ("began", "is_over", "time", "weight")

    def __init__(self, now: float) -> None:
        self.began = self.time = now
        self.weight = 0
        self.is_over = False


class Log:
    """The log of one window of so many seconds. Not safe for threads by itself."""

    __slots__ = ("_entries", "_grain", "_seconds", "total")

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._grain = seconds / GRAINS
        self._entries: deque[Entry] = deque()
        self.total = 0

    def wait(self, now: float, weight: int, most: int) -> float:
        """Seconds until so much more may be let through, 0 for now. What is more than `most` counts as that."""
        entries, seconds = self._entries, self._seconds
        while entries and entries[0].time + seconds <= now:
            gone = entries.popleft()
            gone.is_over = True
            self.total -= gone.weight
        over = self.total + min(weight, most) - most
        if over <= 0:
            return 0.0
        for entry in entries:
            over -= entry.weight
            if over <= 0:
                return entry.time + seconds - now
        return seconds

    def add(self, now: float, weight: int) -> Entry:
        """Note what is let through."""
        last = self._entries[-1] if self._entries else None
        if last is None or now - last.began >= self._grain:
            last = Entry(now)
            self._entries.append(last)
        last.time = max(last.time, now)
        last.weight += weight
        self.total += weight
        return last

    def change(self, entry: Entry, more: int) -> None:
        """Note that something in an entry came to more, or to less."""
        if not entry.is_over:
            entry.weight += more
            self.total += more
