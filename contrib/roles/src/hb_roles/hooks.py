"""Telling hooks of calls: what they raise is logged, and neither loses an answer nor hides an error."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from heavenbase.colour import outcome
from heavenbase.errors import InputTypeError
from heavenbase.options import may_hold_secret

Hook: TypeAlias = Callable[[dict[str, Any]], Any]
"""Called with one table; may be `async def`."""

logger = logging.getLogger("hb_roles")


class Hooks:
    """The two hooks of a hub, either of which may be None."""

    def __init__(self, before: Any, after: Any) -> None:
        for name, hook in (("on_before_call", before), ("on_after_call", after)):
            if not (hook is None or callable(hook)):
                raise InputTypeError(f"{name} must be callable, not {type(hook).__name__}")
        self._before: Hook | None = before
        self._after: Hook | None = after

    @property
    def hears_after(self) -> bool:
        """Whether anybody is told what came of a call."""
        return self._after is not None

    def before(self, told: dict[str, Any]) -> None:
        """Tell of a call before its request, in sync code."""
        _finish(_call(self._before, told, "on_before_call"), "on_before_call")

    def after(self, told: dict[str, Any]) -> None:
        """Tell what came of a call, in sync code."""
        _finish(_call(self._after, told, "on_after_call"), "on_after_call")

    async def abefore(self, told: dict[str, Any]) -> None:
        """Tell of a call before its request, in async code."""
        await _finish_async(_call(self._before, told, "on_before_call"), "on_before_call")

    async def aafter(self, told: dict[str, Any]) -> None:
        """Tell what came of a call, in async code."""
        await _finish_async(_call(self._after, told, "on_after_call"), "on_after_call")


def _call(hook: Hook | None, told: dict[str, Any], name: str) -> Awaitable[Any] | None:
    if hook is None:
        return None
    try:
        found = hook(told)
        return found if inspect.isawaitable(found) else None
    except BaseException as error:  # nothing was awaited, so that it is the hook's own, whatever it is
        _log(error, name)
        return None


def _log(error: BaseException, name: str) -> None:
    if isinstance(error, KeyboardInterrupt):
        raise error
    logger.error("%s raised; the call goes on", name, exc_info=error)


def _finish(waiting: Awaitable[Any] | None, name: str) -> None:
    """Run an async hook in a sync call, as far as it goes without an event loop."""
    if waiting is None:
        return
    try:
        next(waiting.__await__())
        getattr(waiting, "close", bool)()
    except StopIteration:
        return
    except BaseException as error:
        _log(error, name)
        return
    logger.error("%s waits for an event loop, which a sync call has not; use the async methods, or a plain hook", name)


async def _finish_async(waiting: Awaitable[Any] | None, name: str) -> None:
    if waiting is not None and (error := await outcome(waiting)) is not None:
        _log(error, name)


def shown(value: Any, name: str = "") -> Any:
    """Plain data anew, so that a hook changes no call, without what may hold a credential."""
    if name and may_hold_secret(name):
        return "***"
    if type(value) is dict:
        return {key: shown(item, key if isinstance(key, str) else "") for key, item in value.items()}
    return [shown(item) for item in value] if type(value) in (list, tuple) else value
