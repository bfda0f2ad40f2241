"""Batches in memory: requests from any iterable, answers in their order."""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, MappingView, Sequence, Set
from contextlib import suppress
from typing import Any, Final

from hb_batch.engine import Workers
from hb_batch.private import Feed, run_privately
from hb_batch.requests import Targets, ask, ask_within, limit_of, read_request, shown
from hb_batch.results import Answer, BatchError, BatchResult, Costs, Lean, Progress, lighten
from heavenbase.errors import InputError, InputTypeError
from heavenbase.functions import kernel_of
from heavenbase.llm import LLM
from heavenbase.secrets import text_of
from heavenbase.types import Usage

CONCURRENCY: Final = 16
"""Requests in flight where nothing else is said."""
_DEFAULTS: Final[Mapping[str, Any]] = {
    "llm": None,
    "max_concurrency": CONCURRENCY,
    "fail_fast": False,
    "timeout": None,
    "on_progress": None,
    "keep_raw": False,
    "kernel": None,
}


async def abatch(
    requests: Iterable[Any] | AsyncIterable[Any],
    *,
    llm: LLM | None = None,
    max_concurrency: int = CONCURRENCY,
    fail_fast: bool = False,
    timeout: float | None = None,
    on_progress: Callable[[Progress], object] | None = None,
    keep_raw: bool = False,
    kernel: Any = None,
    **options: Any,
) -> BatchResult:
    """Answer many requests, some at a time; the answers stand in the order of the requests.

    Args:
        requests: Any iterable, taken as workers become free. A request is a text, messages, or a mapping with
            `messages`, `input` (embeddings) or `prompt` (images), and beside it names and options as `LLM` takes them.
        llm: Who answers requests that name no model of their own; by default the preset.
        max_concurrency: Most requests in flight.
        fail_fast: Raise the first failure at once, and cancel what is in flight; `error.batch` is the result so far.
        timeout: Seconds for each request, from when it is begun; one of its own wins.
        on_progress: Told after each request.
        keep_raw: Keep the `raw` of answers and images, which is as large as all the rest of them; else it is None.
        kernel: Instead of the default one, or that of `llm`.
        options: What all requests are asked with, as `LLM` takes it; those of a request win.

    Raises:
        InputError: What was given to the batch as a whole is wrong. What is wrong with one request is its error.
        HBError: With `fail_fast`, the first failure.
    """
    run = _Run(requests, llm, max_concurrency, fail_fast, timeout, on_progress, keep_raw, kernel, options)
    return await run.all(requests)


def batch(requests: Iterable[Any], **options: Any) -> BatchResult:
    """Sync form of `abatch`, with the same arguments; it works inside a running event loop too, such as Jupyter's."""
    settings = {name: options.pop(name, default) for name, default in _DEFAULTS.items()}
    run = _Run(requests, **settings, options=options)
    if not isinstance(requests, Iterable):
        raise InputTypeError("an async iterable of requests is for hb.abatch")
    if isinstance(requests, Sequence | Set | MappingView):  # is read where it is; a generator may belong to its thread
        return run_privately(lambda: run.all(requests), run.kernel.clients)
    feed = Feed(requests, run.most)
    return run_privately(lambda: run.all(feed), run.kernel.clients, feed)


def _length(requests: Any) -> int | None:
    """How many requests there are; None where nobody knows, such as what shows the progress of a generator."""
    try:
        return len(requests)
    except TypeError:
        return None


class _Run:
    """One batch as it goes on."""

    def __init__(
        self,
        requests: Any,
        llm: LLM | None,
        max_concurrency: int,
        fail_fast: bool,
        timeout: float | None,
        on_progress: Callable[[Progress], object] | None,
        keep_raw: bool,
        kernel: Any,
        options: Mapping[str, Any],
    ) -> None:
        if isinstance(requests, str | bytes | Mapping) or not hasattr(requests, "__iter__") | hasattr(
            requests, "__aiter__"
        ):
            raise InputTypeError(f"requests must be a list or another iterable, not {type(requests).__name__}")
        if llm is not None and not isinstance(llm, LLM):
            raise InputTypeError(f"llm must be an LLM, not {type(llm).__name__}")
        if isinstance(max_concurrency, bool) or not isinstance(max_concurrency, int) or max_concurrency < 1:
            raise InputError(f"max_concurrency must be a whole number from 1, not {max_concurrency!r}")
        if timeout is not None:
            is_number = isinstance(timeout, int | float) and not isinstance(timeout, bool)
            if not is_number or not 0 < timeout < math.inf:
                raise InputError(f"timeout must be seconds above 0, not {timeout!r}")
        if not isinstance(fail_fast, bool):
            raise InputTypeError(f"fail_fast must be True or False, not {type(fail_fast).__name__}")
        if not isinstance(keep_raw, bool):
            raise InputTypeError(f"keep_raw must be True or False, not {type(keep_raw).__name__}")
        if on_progress is not None and not callable(on_progress):
            raise InputTypeError(f"on_progress must be callable, not {type(on_progress).__name__}")
        self.kernel = llm.kernel if kernel is None and llm is not None else kernel_of(kernel)
        if llm is not None and llm.kernel is not self.kernel:
            raise InputError("llm belongs to another kernel than the one that is given")
        self.most = max_concurrency
        self._timeout, self._fail_fast, self._on_progress = timeout, fail_fast, on_progress
        self._lean = Lean(keep_raw=keep_raw)
        self._targets = Targets(self.kernel, llm, options)
        if options:
            self._targets.check()
        self._total = _length(requests)
        self._results: list[Answer | None] = []
        self._answered = 0
        self._errors: list[BatchError] = []
        self._begun = 0
        self._tokens = 0
        self._costs = Costs()
        self._started = self.kernel.clock()
        self._workers: Workers[Any] | None = None

    async def all(self, requests: Any) -> BatchResult:
        """Everything."""
        self._workers = Workers(requests, self._one, most=self.most)
        try:
            await self._workers.run()
        except Exception as error:  # of the iterable
            self._keep_in(error)
            raise
        if self._fail_fast and self._errors:
            failure = self._errors[0].error
            self._keep_in(failure)
            raise failure
        return self._found(self._begun)

    def _keep_in(self, error: Any) -> None:
        """What was paid for is not lost where the batch ends with an error."""
        with suppress(AttributeError, TypeError):
            error.batch = self._found(max(self._total or 0, self._begun))

    def _found(self, count: int) -> BatchResult:
        """What came of so many requests."""
        self._results += [None] * (count - len(self._results))
        return BatchResult(
            self._results,
            sorted(self._errors, key=lambda it: it.index),
            count - self._answered - len(self._errors),
            Usage.total(*(answer.usage for answer in self._results if answer is not None)),
            self._costs.total(),
            self.kernel.clock() - self._started,
        )

    async def _one(self, place: int, given: Any) -> None:
        self._begun += 1
        self._results.append(None)  # places come in order
        try:
            request = read_request(given)
            llm, options = self._targets.of(request)
            options = dict(options)
            if self._timeout is not None:
                options.setdefault("timeout", self._timeout)
            limit = limit_of(options)
            if limit is None:
                answer = await ask(llm, request, options)
            else:
                answer = await ask_within(limit, llm, request, options)
        except Exception as error:
            if self._fail_fast and self._errors:
                return
            self._costs.add_failed(error)
            if not self._fail_fast:
                lighten(error)
            self._errors.append(BatchError(place, type(error).__name__, text_of(error), error, shown(given)))
            if self._fail_fast and self._workers is not None:
                self._workers.abort()
        else:
            self._results[place] = self._lean.made(answer)
            self._answered += 1
            self._costs.add(answer)
            if answer.usage is not None:
                self._tokens += answer.usage.total_tokens or 0
        if self._on_progress is not None:
            self._tell(self._on_progress)

    def _tell(self, hook: Callable[[Progress], object]) -> None:
        elapsed = self.kernel.clock() - self._started
        done, failed = self._answered + len(self._errors), len(self._errors)
        try:
            hook(Progress(done, failed, self._total, elapsed, self._tokens, self._costs.total()))
        except Exception:
            # Who looks on must not cost the answers.
            self.kernel.services.logger.exception("on_progress of a batch failed")
