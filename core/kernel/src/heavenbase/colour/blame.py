"""Who waited asynchronously inside a sync call: found in what is suspended, or in where an error comes from."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from heavenbase.errors import PluginContractError

LACKING = ("no running event loop", "no current event loop", "asynchronous event loop", "async context")
"""How asyncio, and the libraries that wait on whatever loop is there, say that there is none."""


def check_loop(error: RuntimeError) -> None:
    """PluginContractError in the place of an error that says that there is no event loop, where there is none."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or not any(words in str(error) for words in LACKING):
        return
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise _waited(_raised(error)) from error


def suspended(flow: Any) -> PluginContractError:
    """The error that names what suspended a flow."""
    return _waited(_awaited(flow))


def _waited(frames: Iterable[FrameType]) -> PluginContractError:
    """The error that names the function not ours that waited, as what it calls is its libraries.

    That is the innermost one with the call in its hands, as those around it only wait for the next; else the outermost.
    """
    last = outermost = holder = ""
    for frame in frames:
        module = str(frame.f_globals.get("__name__", "?"))
        last = f"{module}.{frame.f_code.co_qualname}"
        if module.partition(".")[0] != "heavenbase":
            outermost = outermost or last
            if any(type(value).__module__ == "heavenbase.call" for value in frame.f_locals.values()):
                holder = last
    found = holder or outermost or last or "a plugin"
    return PluginContractError(
        f"{found} waited asynchronously inside a sync call; answer sync calls in sync colour "
        "(a value or an iterator), or use the async methods (achat, astream, aembed, aimagen)"
    )


def _awaited(flow: Any) -> Iterator[FrameType]:
    while flow is not None:
        frame = _first(flow, "cr_frame", "ag_frame", "gi_frame")
        if frame is not None:
            yield frame
        flow = _first(flow, "cr_await", "ag_await", "gi_yieldfrom")


def _raised(error: BaseException) -> Iterator[FrameType]:
    place = error.__traceback__
    while place is not None:
        yield place.tb_frame
        place = place.tb_next


def _first(holder: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(holder, name, None)) is not None), None)
