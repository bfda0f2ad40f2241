"""Ctrl-C and SIGTERM during a run: the first asks it to end in order, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import threading
from asyncio import AbstractEventLoop
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any, Self

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Calls `first` on the first signal, and ends the process on the second, saying `last`; only in the main thread.

    What was answered is on disk already, so that nothing is lost by ending at once. A handler may come between two
    halves of a write to standard error, so that `first` must not write there, and `last` goes past its buffer.
    """

    def __init__(self, loop: AbstractEventLoop, first: Callable[[], None], last: str) -> None:
        self.number: int | None = None
        """The signal that came."""
        self._loop, self._first, self._last = loop, first, last
        self._before: dict[int, Any] = {}

    @property
    def code(self) -> int | None:
        """The exit code of a process that a signal ended; None where none came."""
        return 128 + self.number if self.number is not None else None

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._before[number] = signal.getsignal(number)
                with suppress(NotImplementedError):  # Windows, where the loop looks for signals by itself
                    # A signal may reach another thread first: this wakes the loop, so that the handler is run at once.
                    self._loop.add_signal_handler(number, lambda: None)
                signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            with suppress(NotImplementedError):
                self._loop.remove_signal_handler(number)
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.number is not None:
            try:
                os.write(2, f"\n{self._last}\n".encode())
            finally:
                os._exit(128 + number)
        self.number = number
        self._first()
