"""Code of users that is told something, or asked, within a call: what it raises is not the call's own end."""

from __future__ import annotations

import sys
from collections.abc import Awaitable
from typing import Any


async def outcome(waiting: Awaitable[Any], patience: float | None = None) -> BaseException | None:
    """What an async hook raised, a TimeoutError after `patience` seconds, None where it ended well.

    It runs in a task of its own: so what it raises is never taken for a cancellation of the caller, a cancellation of
    the caller is not the hook's to swallow, and a hook that does not end is left behind.
    """
    import asyncio

    async def heard() -> BaseException | None:
        try:
            await waiting
        except BaseException as error:  # a SystemExit that leaves a task stops its loop
            return error
        return None

    task = asyncio.ensure_future(heard())
    try:
        done, _ = await asyncio.wait((task,), timeout=patience)
        if done:
            return task.result()
    finally:
        task.cancel()
    await asyncio.wait((task,), timeout=0)  # one that minds its cancellation ends here
    return TimeoutError(f"it took longer than {patience} s")


def is_callers(error: BaseException) -> bool:
    """Whether an error out of such code comes from outside: a KeyboardInterrupt, a cancellation of the running task."""
    if isinstance(error, KeyboardInterrupt | GeneratorExit):
        return True
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not isinstance(error, asyncio.CancelledError):
        return False
    try:
        task = asyncio.current_task()
    except RuntimeError:  # a sync call, which nobody cancels
        return False
    return task is not None and task.cancelling() > 0
