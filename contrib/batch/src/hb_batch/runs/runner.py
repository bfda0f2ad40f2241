"""Answers the requests of shards, on a loop of its own: reads lines, asks, and writes a row for each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, suppress
from decimal import Decimal
from typing import Any, Final

from hb_batch.engine import Workers
from hb_batch.errors import JournalError
from hb_batch.journal import Journal
from hb_batch.lines import Line, lines_of, opened
from hb_batch.requests import Request, Targets, ask, ask_within
from hb_batch.rows import DONE, BadRow, Row, error_row, output_row, read_row, success_row
from hb_batch.runs.budget import Budget, CapReached
from hb_batch.runs.settings import Settings
from hb_batch.runs.tally import Tally
from hb_batch.shards import Shard, ShardResult
from heavenbase.errors import HBError
from heavenbase.kernel import Kernel
from heavenbase.ledger import cost_of
from heavenbase.llm import LLM
from heavenbase.resolution import check_options

INTERRUPT: Final = "interrupt"
RETRIED: Final = frozenset({"error", "expired", "cancelled"})
"""Statuses that are asked again when failures are retried."""
RETRIED_HERE: Final = RETRIED | {"invalid"}
"""Those of calls one by one: a plugin, a setting or an option that made requests invalid may be there now."""


def check_target(kernel: Kernel, settings: Settings) -> None:
    """Raise what keeps all requests from being sent, such as a model that does not exist, before the first is."""
    targets = Targets(kernel, None, settings.target)
    targets.check()
    check_options(settings.options)
    if settings.model is not None or settings.preset is not None:
        targets.of(Request("complete", "", {}, {}))


class Runner:
    """Runs shards of one input file, one at a time, and appends their rows to a journal.

    `again` has the statuses of rows that are asked anew, and `spent` is what earlier runs came to. `stopped` is why the
    run ended before its end: INTERRUPT, or the message of a cap that was reached.
    """

    def __init__(
        self,
        kernel: Kernel,
        path: str,
        settings: Settings,
        journal: Journal,
        tally: Tally,
        *,
        again: Collection[str] = (),
        spent: Decimal = Decimal(0),
        show: Callable[[], None] | None = None,
        interval: float = 5.0,
    ) -> None:
        self._kernel, self._path, self._settings, self._journal = kernel, path, settings, journal
        self.tally = tally
        self.stopped: str | None = None
        self._again = again
        self._before = spent
        self._targets = Targets(kernel, None, settings.target)
        self._show, self._interval = show, interval
        self._budget: Budget | None = None
        self._workers: Workers[Line] | None = None
        self._loop = asyncio.Runner()

    def run(self, shard: Shard) -> ShardResult:
        """Answer a shard."""
        if self.stopped is None:
            self._loop.run(self._run(shard))
        counts = self._journal.states.counts_of(shard.first_line, shard.lines)
        return ShardResult(shard.index, counts, self.stopped is None)

    @property
    def spent(self) -> Decimal | None:
        """What the budget says is spent, and what was set aside for requests whose end nobody heard; None without."""
        return self._budget.spent + self._budget.reserved if self._budget is not None else None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop on which requests are answered."""
        return self._loop.get_loop()

    def close(self) -> None:
        """Close the loop, and the connections that were made on it."""
        self._loop.run(self._kernel.clients.aclose(only_loop=True))
        self._loop.close()

    # Ending early; from a signal's handler

    def stop(self, told: Callable[[str], None]) -> None:
        """Send nothing more; what is in flight gets the grace of the settings. Says so, when the loop has its turn."""
        self.stopped = self.stopped or INTERRUPT
        if self.loop.is_running():
            self.loop.call_soon_threadsafe(self._stop_in_loop, told)

    def _stop_in_loop(self, told: Callable[[str], None]) -> None:
        grace = self._settings.grace
        if self._workers is not None:
            self._workers.stop()
            asyncio.get_running_loop().call_later(grace, self._workers.abort)
        told(f"stopping: {self.tally.in_flight} in flight get {grace:g} s; another interrupt ends at once")

    # One shard

    async def _run(self, shard: Shard) -> None:
        settings = self._settings
        if settings.max_cost is not None and self._budget is None:
            allows = settings.unknown_cost == "allow"
            self._budget = Budget(self._kernel, settings.cap, allows_unknown=allows, spent=self._before)
        with opened(self._path) as file:
            lines = lines_of(file, first=shard.first_line, offset=shard.offset, size=shard.end)
            repeated = shard.repeated

            async def one(place: int, line: Line) -> None:
                await self._one(line, repeated.get(line.number))

            self._workers = Workers(self._wanted(lines, shard.done), one, most=settings.concurrency)
            async with self._shown():
                await self._workers.run()

    def _wanted(self, lines: Iterator[Line], done: Collection[int]) -> Iterator[Line]:
        states, again = self._journal.states, self._again
        for line in lines:
            state = states[line.number]
            if line.number not in done and (state is None or state not in DONE or state in again):
                yield line

    async def _one(self, line: Line, earlier: int | None) -> None:
        if self.stopped is not None:
            return
        try:
            row = read_row(line.data, line.number)
            if earlier is not None:
                told = f"line {line.number} has the custom_id of line {earlier}"
                raise BadRow(told, line=line.number, code="duplicate_custom_id")
            request = Request(row.verb, row.content, self._named(row), row.options)
            llm, options = self._targets.of(request)
            reserved = await self._budget.reserve(llm.spec, row, options) if self._budget else Decimal(0)
        except BadRow as error:
            self.write(error_row(line.number, error.custom_id, error, status="invalid"))
        except CapReached as error:
            self._cap_reached(error)
        except Exception as error:  # whatever is wrong with one row is told in its own
            self.write(error_row(row.line, row.custom_id, error))
        else:
            await self._ask(row, llm, request, options, reserved)

    def _named(self, row: Row) -> dict[str, Any]:
        is_ours = self._settings.model is not None or row.model is None
        return {} if is_ours else {"model": row.model}

    async def _ask(self, row: Row, llm: LLM, request: Request, options: dict[str, Any], reserved: Decimal) -> None:
        if self.stopped is not None and self._budget is not None:  # it waited for its share of the budget
            await self._budget.settle(reserved, None, may_be_billed=False)
            return
        clock, limit = self._kernel.clock, self._settings.timeout
        began = clock()
        self.tally.in_flight += 1
        cost, may_be_billed = None, True
        try:
            if limit is None:
                answer = await ask(llm, request, dict(options))
            else:
                answer = await ask_within(limit, llm, request, dict(options))
            cost = answer.cost
            told = success_row(row, answer, elapsed=clock() - began)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or not task.cancelling():  # of something in the call, and none of this run's doing
                told = error_row(row.line, row.custom_id, error, elapsed=clock() - began)
            else:
                why = {"code": "cancelled", "message": "the run was interrupted before the answer came"}
                with suppress(JournalError):
                    self.write(output_row(row.line, row.custom_id, "cancelled", error=why, elapsed=clock() - began))
                raise
        except Exception as error:
            may_be_billed = not isinstance(error, HBError) or error.maybe_billed
            cost = cost_of(getattr(error, "attempts", ()))
            told = error_row(row.line, row.custom_id, error, elapsed=clock() - began)
        finally:
            self.tally.in_flight -= 1
        self.write(told)
        if self._budget is not None:
            await self._budget.settle(reserved, cost, may_be_billed=may_be_billed)

    def write(self, row: dict[str, Any]) -> None:
        """Append a row, and count it."""
        before = self._journal.states[row["line"]]
        self._journal.append(row)
        self.tally.add(row, before)

    def _cap_reached(self, error: CapReached) -> None:
        self.stopped = self.stopped or error.message
        if self._workers is not None:
            self._workers.stop()

    @asynccontextmanager
    async def _shown(self) -> AsyncIterator[None]:
        """Show how far it is, now and then."""
        if self._show is None:
            yield
            return
        show, interval = self._show, self._interval

        def try_to_show() -> None:
            try:
                show()
            except Exception:  # such as of a terminal that was closed: who looks on must not cost the answers
                self._kernel.services.logger.exception("the meter of a batch failed")

        async def always() -> None:
            while True:
                await asyncio.sleep(interval)
                try_to_show()

        task = asyncio.ensure_future(always())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            try_to_show()
