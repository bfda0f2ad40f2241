"""Sync tools in threads of their own: beside an event loop, or with a time limit, after which they are left behind.

No pool: a tool that hangs for ever must neither hold a worker of a pool nor the end of the program, and one that asks a
model itself must not wait for the thread that it stands on.
"""

from __future__ import annotations

import contextvars
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class TimeUp(Exception):
    """The tool had no result within its limit."""


class _Run:
    """One run of a function in a daemon thread, in the caller's context; `notify` is called at its end."""

    def __init__(self, function: Callable[[], Any], notify: Callable[[], object]) -> None:
        self._function = function
        self._notify = notify
        self._value: Any = None
        self._error: BaseException | None = None
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(self._work,), name="hb-tool", daemon=True).start()

    def _work(self) -> None:
        try:
            self._value = self._function()
        except BaseException as error:
            self._error = error
        finally:
            self._notify()

    def outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


def run_limited(function: Callable[[], Any], seconds: float) -> Any:
    """The result of a function; TimeUp after `seconds`, while the function goes on unheard."""
    done = threading.Event()
    run = _Run(function, done.set)
    if not done.wait(seconds):
        raise TimeUp
    return run.outcome()


async def arun_limited(function: Callable[[], Any], seconds: float | None) -> Any:
    """Async form of `run_limited`, also without a limit."""
    import asyncio

    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def notify() -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(done.set)

    run = _Run(function, notify)
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        raise TimeUp from None
    return run.outcome()
