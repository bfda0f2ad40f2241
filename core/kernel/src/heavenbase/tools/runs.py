"""Tool calls carried out: checked, agreed to, run in the colour of the call."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from heavenbase.colour.parallel import run_many
from heavenbase.errors import InputTypeError, ToolArgsError
from heavenbase.schemas.lenient import CUT
from heavenbase.spec import EMPTY
from heavenbase.tools.base import Decision, Tool, ToolPause
from heavenbase.tools.results import failure, failure_of, result_content
from heavenbase.types import FREE_TEXT, ToolCall

if TYPE_CHECKING:
    from concurrent.futures import Future


CONCURRENCY = 8
UNDECIDED: Any = object()
_UNRUN = "no call of this answer was run, all are in `pending`: see `LLM.resume`"


class WrongColour(InputTypeError):
    """Something async turned up in a sync call: the mistake of a program, which no model can mend."""


class _TimeUp(Exception):
    """The tool had no result within its limit."""


class _Plan(NamedTuple):
    call: ToolCall
    tool: Tool
    work: partial[Any]


class ToolRuns:
    """Runs the calls of one conversation's tools, by name in `tools`; `controls` of the call set the limits."""

    def __init__(self, tools: Mapping[str, Tool], controls: Mapping[str, Any], *, is_async: bool) -> None:
        self._tools = tools
        self._is_async = is_async
        self._confirm = controls.get("confirm")
        self._timeout = controls.get("tool_timeout")
        self._workers = (controls.get("tool_concurrency") or CONCURRENCY) if is_async else 1

    async def run(self, calls: Sequence[ToolCall], decided: Mapping[str, Any] = EMPTY) -> list[Any]:
        """The results as contents of messages, in order; None for a call that waits.

        `decided` are answers of people by id of the call: a Decision, or the result itself. ToolArgsError, and nothing
        is run, where it is not sure what the model asked for.
        """
        # People are asked about one call after the other, before any of them runs.
        plans = [await self._plan(call, decided.get(call.id, UNDECIDED)) for call in calls]
        ready = [plan for plan in plans if isinstance(plan, _Plan)]
        done = iter(await run_many(self._carry_out, ready, workers=self._workers, is_async=self._is_async))
        return [next(done) if isinstance(plan, _Plan) else plan for plan in plans]

    async def _plan(self, call: ToolCall, decision: Any) -> Any:
        """What is to be run, or the result of a call that is not run, or None for one that waits."""
        if decision is not UNDECIDED and not isinstance(decision, Decision):
            return result_content(decision)
        tool = self._tools.get(call.name)
        if tool is None:
            return failure("UnknownTool", f"there is no tool {call.name!r}; tools: {', '.join(self._tools)}")
        if call.repaired and not tool.accept_repaired:
            return failure("RepairedArguments", f"arguments that need repair are refused ({'; '.join(call.changes)})")
        if decision is UNDECIDED and call.reason is not None:
            raise ToolArgsError(f"tool call {call.name!r}: {call.reason}; {_UNRUN}", code="ambiguous")
        if CUT in call.changes:
            return failure("RepairedArguments", "the arguments were cut off; call again with one whole JSON object")
        try:
            positional, named = ([call.arguments], {}) if call.type == FREE_TEXT else tool.bind(call.parse())
        except ToolArgsError as error:
            if error.code == "ambiguous":
                raise ToolArgsError(f"{error}; {_UNRUN}", code=error.code) from error
            kind = "JSONDecodeError" if isinstance(error.__cause__, ValueError) else "ValidationError"
            return failure(kind, f"{error}; call again with one JSON object that fits the schema")
        verdict = await self._ask(tool, call) if decision is UNDECIDED else decision
        if verdict is Decision.PAUSE:
            return None
        if verdict is not Decision.RUN:
            return failure("Refused", verdict if isinstance(verdict, str) else "the user does not allow this call")
        function: Any = tool.run
        return _Plan(call, tool, partial(function, *positional, **named))

    async def _carry_out(self, plan: _Plan) -> Any:
        """The result of a call or how it failed, as the content of a message; None for one whose tool wants to wait."""
        plan.call.reason = None
        limit = plan.tool.timeout if plan.tool.timeout is not None else self._timeout
        run = self._run_async if self._is_async else self._run_sync
        try:
            return result_content(await run(plan, limit))
        except ToolPause as pause:
            plan.call.reason = str(pause) or None
            return None
        except _TimeUp:
            return failure("ToolTimeout", f"no result within {limit:g} s")
        except WrongColour:
            raise
        except Exception as error:
            return failure_of(error)

    async def _ask(self, tool: Tool, call: ToolCall) -> Any:
        """A Decision, or the reason of a refusal."""
        confirm = tool.confirm if callable(tool.confirm) else self._confirm
        if tool.confirm is False or (confirm is None and not tool.confirm):
            return Decision.RUN
        if confirm is None:
            return Decision.PAUSE
        verdict = confirm(call)
        if inspect.isawaitable(verdict):
            verdict = await self._awaited(verdict, "confirm")
        if isinstance(verdict, bool):
            return Decision.RUN if verdict else Decision.REFUSE
        if isinstance(verdict, Decision | str):
            return verdict
        raise InputTypeError(
            f"confirm answered {verdict!r} for {tool.name!r}; answer True, False, a reason to refuse, or hb.PAUSE"
        )

    async def _run_sync(self, plan: _Plan, limit: float | None) -> Any:
        value = plan.work() if limit is None else _run_limited(plan.work, limit)
        if not inspect.isawaitable(value):
            return value
        function = plan.work.func
        return await self._awaited(value, f"tool {getattr(function, '__name__', type(function).__name__)!r}")

    async def _run_async(self, plan: _Plan, limit: float | None) -> Any:
        import asyncio

        if plan.tool.is_async:
            return await _within(plan.work(), limit)
        value = await _arun_limited(plan.work, limit)
        if inspect.isawaitable(value):
            return await _within(asyncio.ensure_future(value), limit)
        return value

    async def _awaited(self, value: Any, what: str) -> Any:
        if self._is_async:
            return await value
        if (close := getattr(value, "close", None)) is not None:
            close()
        raise WrongColour(f"{what} is async; use achat, astream or acomplete")


def _in_thread(function: Callable[[], Any]) -> Future[Any]:
    """A function under way in a daemon thread of its own, in the caller's context.

    No pool: a tool that hangs for ever must neither hold a worker of a pool nor the end of the program, and one that
    asks a model itself must not wait for the thread that it stands on.
    """
    from concurrent.futures import Future

    future: Future[Any] = Future()

    def work() -> None:
        try:
            future.set_result(function())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=copy_context().run, args=(work,), name="hb-tool", daemon=True).start()
    return future


def _run_limited(function: Callable[[], Any], seconds: float) -> Any:
    """The result of a function; _TimeUp after `seconds`, while the function goes on unheard."""
    from concurrent.futures import wait

    future = _in_thread(function)
    if not wait([future], seconds).done:
        raise _TimeUp
    return future.result()


async def _arun_limited(function: Callable[[], Any], seconds: float | None) -> Any:
    """Async form of `_run_limited`, also without a limit."""
    import asyncio

    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def notify(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            loop.call_soon_threadsafe(done.set)

    future = _in_thread(function)
    future.add_done_callback(notify)
    await _within(done.wait(), seconds)
    return future.result()


async def _within(work: Any, limit: float | None) -> Any:
    import asyncio

    try:
        async with asyncio.timeout(limit) as clock:
            return await work
    except TimeoutError:
        if clock.expired():
            raise _TimeUp from None
        raise
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        # The tool gave itself up; nobody cancelled the call.
        raise RuntimeError("the tool was cancelled") from None
