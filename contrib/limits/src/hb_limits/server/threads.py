"""Work that may wait for a file or a server, in the colour of a call."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from heavenbase.colour import call_in_thread

if TYPE_CHECKING:
    import asyncio

    from heavenbase.call import Call

T = TypeVar("T")
LONG: Final = 16_384
"""Characters of a prompt; one with more is not counted in an event loop."""


async def in_colour(call: Call, work: Callable[[], T], undo: Callable[[T], None] | None = None) -> T:
    """What `work` gives; in a thread where the call is async. Of a cancelled call, what it gave is undone."""
    if not call.is_async:
        return work()
    import asyncio

    task = asyncio.ensure_future(call_in_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(partial(_give_up, undo=undo))
        raise


async def counted(call: Call, work: Callable[[], T]) -> T:
    """What `work` gives, which counts the prompt of a call; beside its loop where the prompt is long."""
    return await in_colour(call, work) if call.is_async and _size(call) > LONG else work()


def _size(call: Call) -> int:
    """About how many characters a prompt has."""
    texts: list[Any] = [call.prompt, *call.inputs]
    for message in call.messages:
        content = message.get("content")
        texts += [content] if isinstance(content, str) else [part.get("text") for part in content or ()]
    return sum(len(text) for text in texts if isinstance(text, str))


def _give_up(task: asyncio.Future[T], undo: Callable[[T], None] | None) -> None:
    if task.cancelled() or task.exception() is not None or undo is None:
        return
    threading.Thread(target=undo, args=(task.result(),), name="hb-limits-undo", daemon=True).start()
