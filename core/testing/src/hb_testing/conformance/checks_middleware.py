"""Checks of middlewares: what passes them, in every colour and as streams, and what they leave behind."""

from __future__ import annotations

import asyncio
import gc
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hb_testing.conformance.checks_settings import SettingChecks
from hb_testing.conformance.endpoint import SETTINGS, Endpoint
from hb_testing.conformance.needs import only_if
from hb_testing.conformance.rig import KEY, PROMPT
from hb_testing.conformance.sandbox import leftovers, records
from hb_testing.conformance.stacked import VERBS, Stacked, as_plain, check_type, check_words, place_in, stacked, text_of
from heavenbase.errors import (
    AuthError,
    ContentFiltered,
    HBError,
    Overloaded,
    RateLimitError,
    RequestRejected,
    ServerError,
    StreamInterrupted,
)
from heavenbase.middleware import PLACES, Observer
from heavenbase.secrets import scrubber
from heavenbase.types import Completion

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_testing.conformance.colours import Colour
    from heavenbase.kernel import Kernel

FAILURES = (
    RateLimitError("too many at once", status=429, retry_after=7.0),
    Overloaded("no room", status=529),
    ServerError("broken", status=500),
    AuthError("who is this?", status=401),
    RequestRejected("no such thing", status=400, code="kit"),
    ContentFiltered("not this", status=400),
)
PATIENCE = 5.0
BOTH = pytest.mark.parametrize("verb", ["chat", "stream"])
EVERY = pytest.mark.parametrize("verb", VERBS)
OBSERVES = only_if(lambda contract, _: "" if contract.is_observer() else "it is no Observer, and may change a call")
ASKS = only_if(lambda contract, _: "it may answer by itself" if contract.may_answer else "")
LIVE = only_if(lambda contract, _: "" if contract.live else "it holds streams back")


class MiddlewareChecks(SettingChecks):
    """The hooks for authors, and the checks."""

    kind = "middleware"
    named_by = "middleware"

    middleware: ClassVar[str] = ""
    """The middleware's name."""
    may_answer: ClassVar[bool] = False
    """Whether it may answer by itself: without the endpoint, or in the place of an error."""
    changes: ClassVar[bool] = False
    """Whether it may change what answers say, or what is asked."""
    live: ClassVar[bool] = True
    """Whether the pieces of a stream pass it as they come."""

    _traits: ClassVar[tuple[str, bool]]

    def traits(self) -> tuple[str, bool]:
        """Where it stands, and whether it only observes; found once a class."""
        known = vars(type(self)).get("_traits")
        if known is None:
            with self.bare_kernel() as kernel:
                known = place_in(kernel, self.subject()), isinstance(self.loaded(kernel), Observer)
            type(self)._traits = known
        return known

    def is_observer(self) -> bool:
        """Whether it may change nothing."""
        return self.traits()[1]

    @contextmanager
    def through(self, colour: Colour, *, without: bool = False) -> Iterator[Stacked]:
        """Calls through the middleware, or the same `without` it."""
        name = None if without else self.subject()
        plugins, place = list(self.given_plugins()), self.traits()[0]
        with stacked(colour, name, plugins=plugins, settings=self.settings(), place=place) as found:
            yield found

    @pytest.fixture
    def stack(self, colour: Colour) -> Iterator[Stacked]:
        """Calls through the middleware, in one colour."""
        with self.through(colour) as found:
            yield found

    # How it is switched on

    def test_its_place_is_one_that_calls_have(self, kernel: Kernel) -> None:
        assert place_in(kernel, self.subject()) in PLACES

    @only_if(lambda contract, _: "a route switches it on" if contract.traits()[0] == "route" else "")
    def test_the_settings_switch_it_on_and_nothing_else_does(self) -> None:
        """`heavenbase.llm.middleware` names it; being installed is not enough."""
        name, is_on = self.subject(), "heavenbase.llm.middleware"
        for given, expected in (({is_on: [name]}, 1), ({}, 0)):
            with self.bare_kernel() as plain:
                config = plain.config.with_layer("kit", {**SETTINGS, **given})
            from heavenbase.kernel import Kernel

            with Kernel(config, plugins=[Endpoint(), *self.given_plugins()]) as kernel:
                spec = kernel.resolve(model="one", provider="conformance", api_key=KEY)
                call = kernel.call("complete", spec, {}, is_async=False, messages=[{"role": "user", "content": "x"}])
                rows = [row for row in kernel.stack.described(call) if row["name"] == name]
                assert len(rows) == expected, f"with {given} the stack has it {len(rows)} times"

    # Answers

    @EVERY
    def test_an_answer_of_every_verb_passes(self, stack: Stacked, verb: str) -> None:
        """In the type of its verb, sync without any event loop."""
        answer = stack.ask(verb)
        check_type(verb, answer)
        if not (self.changes or self.may_answer):
            check_words(verb, answer)
        if stack.colour.name == "sync":
            looped = [request.verb for request in stack.endpoint.requests if request.looped]
            assert not looped, "a sync call runs in an event loop; only await next(call) and what services give"

    @EVERY
    @ASKS
    def test_next_is_awaited(self, stack: Stacked, verb: str) -> None:
        """By each call that comes to it, and no coroutine is left behind that was never awaited."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            stack.ask(verb)
            gc.collect()
        assert [str(it.message) for it in caught if issubclass(it.category, RuntimeWarning)] == []
        assert stack.outer.entered >= 1
        assert stack.inner.entered >= stack.outer.entered, "it answers without awaiting next; say may_answer = True"
        assert len(stack.endpoint.requests) >= 1

    @BOTH
    def test_tools_and_schemas_pass(self, stack: Stacked, verb: str) -> None:
        """A call with a form of its answer, which is asked for again where it does not fit."""
        texts = iter(["no JSON", '{"n": 4}'])
        stack.endpoint.says = lambda call, words: next(texts, '{"n": 4}')
        form = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
        answer = stack.completion(verb, response_format=form)
        if not (self.changes or self.may_answer):
            assert answer.structured == {"n": 4}

    # Errors

    @EVERY
    @ASKS
    @pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.kind)
    def test_an_error_of_the_provider_comes_through(self, stack: Stacked, verb: str, failure: HBError) -> None:
        """As it is, or as another error of hb."""
        kind = type(failure)
        for _ in range(8):
            again = kind(failure.message, status=failure.status, retry_after=failure.retry_after, code=failure.code)
            stack.endpoint.failures.append(again)
        with pytest.raises(Exception) as caught:
            stack.ask(verb)
        error = caught.value
        assert isinstance(error, HBError), f"{type(error).__name__} comes through, which is no error of hb"
        if type(error) is kind:
            for name in ("status", "retry_after", "code"):
                assert getattr(error, name) == getattr(failure, name)
            assert failure.message in error.message
        assert not self.is_observer() or type(error) is kind

    @ASKS
    def test_an_error_within_a_stream_comes_behind_what_was_there(self, stack: Stacked) -> None:
        stack.endpoint.cut = StreamInterrupted("cut", maybe_billed=True)
        with pytest.raises(HBError) as caught:
            stack.ask("stream")
        texts = [chunk.text for chunk in stack.outer.chunks if chunk.text]
        if self.live and not self.changes:
            assert texts == ["It", " was"]
            assert caught.value.partial is not None
            assert caught.value.partial.text == "It was"
        assert stack.outer.opened == stack.outer.closed

    # Streams

    @LIVE
    @ASKS
    def test_a_stream_passes_as_it_comes(self, stack: Stacked) -> None:
        stack.colour.take(stack.llm(), PROMPT)
        assert stack.endpoint.requests[-1].pieces <= 2, "the pieces are gathered before the first is passed on"

    @pytest.mark.parametrize("drop", [False, True], ids=["closed", "forgotten"])
    def test_a_stream_that_the_caller_leaves_is_closed(self, stack: Stacked, drop: bool) -> None:
        stack.colour.take(stack.llm(), PROMPT, drop=drop)
        stack.colour.run(gc.collect, _turns)
        opened = [request for request in stack.endpoint.requests if request.stream and not request.closed]
        assert not opened, "the stream of the endpoint stays open: close what next gave, in a finally"
        assert stack.inner.opened == stack.inner.closed

    def test_the_end_of_a_stream_is_kept(self, stack: Stacked) -> None:
        """The last chunk is of kind "end" and has the whole answer, for who stands further out."""
        stack.ask("stream")
        last = stack.outer.chunks[-1]
        assert last.kind == "end", "the chunk of kind 'end' is gone; pass on every chunk that is not yours"
        assert isinstance(last.completion, Completion)
        told = "".join(chunk.text for chunk in stack.outer.chunks if chunk.kind == "delta")
        if not self.changes:
            assert last.completion.text == told

    # Time and threads

    @BOTH
    @ASKS
    def test_a_cancelled_call_ends(self, verb: str) -> None:
        """With CancelledError, which is neither caught nor made into something else."""
        from hb_testing.conformance.colours import Async

        colour = Async()
        try:
            with self.through(colour) as stack:
                ended = colour.await_(_cancelled(stack, verb))
        finally:
            colour.close()
        assert ended == "cancelled", f"a cancelled {verb} {ended}"
        assert all(request.closed for request in stack.endpoint.requests if request.stream)

    def test_it_leaves_no_tasks_and_no_threads(self, colour: Colour) -> None:
        """Behind a closed kernel; errors and streams that were left included."""
        with leftovers() as left:
            with self.through(colour) as stack:
                for verb in VERBS:
                    stack.ask(verb)
                stack.colour.take(stack.llm(), PROMPT)
                stack.endpoint.failures += [ServerError("no", status=500) for _ in range(4)]
                with pytest.raises(HBError) if not self.may_answer else warnings.catch_warnings():
                    stack.ask("chat")
                tasks = stack.colour.run(list, _tasks)
            assert not tasks, f"tasks that nobody waits for: {tasks}"
        assert not left.threads, f"threads stay: {left.threads}"
        assert not left.warnings, f"left open: {left.warnings}"

    @BOTH
    def test_calls_at_the_same_time_do_not_mix(self, stack: Stacked, verb: str) -> None:
        names = [f"marker-{number:03}" for number in range(24)]
        llm = stack.llm()
        if stack.colour.name == "sync":
            with ThreadPoolExecutor(6) as pool:
                texts = list(pool.map(lambda name: text_of(stack.ask(verb, name, llm=llm)), names))
        else:
            texts = stack.colour.run(list, lambda: _together(llm, verb, names))
        for name, text in zip(names, texts, strict=True):
            others = [other for other in names if other != name and other in text]
            assert not others, f"the answer to {name} has {others[0]}"
            assert self.changes or self.may_answer or name in text

    # What is told

    @BOTH
    @ASKS
    @pytest.mark.parametrize("failures", [0, 1, 2])
    def test_the_ledger_has_every_request(self, stack: Stacked, verb: str, failures: int) -> None:
        stack.endpoint.failures += [ServerError("no", status=500) for _ in range(failures)]
        answer = stack.completion(verb, max_retries=2)
        told = [(attempt.model, attempt.error) for attempt in answer.attempts]
        assert told == stack.endpoint.log(), "the ledger of the answer is not what the endpoint saw"

    @ASKS
    def test_the_ledger_of_an_error_has_every_request(self, stack: Stacked) -> None:
        stack.endpoint.failures += [ServerError("no", status=500) for _ in range(9)]
        with pytest.raises(HBError) as caught:
            stack.completion("chat", max_retries=1)
        told = [(attempt.model, attempt.error) for attempt in caught.value.attempts]
        assert told == stack.endpoint.log()

    def test_no_log_record_holds_a_credential(self, stack: Stacked, capfd: pytest.CaptureFixture[str]) -> None:
        """At DEBUG, of every logger; nor does what it prints, or an error that comes through it."""
        shown: list[str] = []
        with records() as lines:
            for verb in VERBS:
                stack.ask(verb)
            for failure in (AuthError(f"the key {KEY} is refused", status=401), ServerError("no", status=500)):
                stack.endpoint.failures += [failure] * 4
                try:
                    stack.ask("chat")
                except HBError as error:
                    shown.append(f"{error!r} {error}")
                stack.endpoint.failures.clear()
        for text in (*lines, *shown, *capfd.readouterr()):
            clean = scrubber([KEY])(text)
            place = clean.find("***")
            assert clean == text, f"shows the credential: …{clean[max(0, place - 120) : place + 60]}…"

    # Observers

    @EVERY
    @OBSERVES
    def test_an_observer_changes_nothing(self, colour: Colour, verb: str) -> None:
        """Neither the answer nor what the endpoint is asked."""
        seen = []
        for without in (True, False):
            with self.through(colour, without=without) as stack:
                answer = stack.ask(verb)
                asked = [(it.verb, it.model, it.said, it.args, it.stream) for it in stack.endpoint.requests]
                seen.append((as_plain(answer), asked))
        (plain, wanted), (observed, asked) = seen
        assert observed == plain, "the answer is another one than without it"
        assert repr(asked) == repr(wanted), "the endpoint is asked something else than without it"

    @OBSERVES
    def test_an_observer_keeps_the_object_of_an_error(self, stack: Stacked) -> None:
        failure = RateLimitError("no", status=429)
        stack.endpoint.failures += [failure]
        with pytest.raises(RateLimitError):
            stack.ask("chat")
        assert stack.outer.errors[-1] is stack.inner.errors[-1]


async def _together(llm: Any, verb: str, names: list[str]) -> list[str]:
    async def one(name: str) -> str:
        if verb == "chat":
            return str((await llm.acomplete(name)).text)
        return "".join([piece async for piece in llm.astream(name)])

    return list(await asyncio.gather(*map(one, names)))


async def _cancelled(stack: Stacked, verb: str) -> str:
    """How a call ends that is cancelled while the endpoint does not answer."""
    stack.endpoint.gate = asyncio.Event()
    llm = stack.llm()

    async def ask() -> None:
        if verb == "chat":
            await llm.acomplete(PROMPT)
        else:
            async for _ in llm.astream(PROMPT):
                pass

    task = asyncio.ensure_future(ask())
    for _ in range(1000):
        if stack.endpoint.requests or task.done():
            break
        await asyncio.sleep(0)
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=PATIENCE)
    if not done:
        stack.endpoint.gate.set()
        await asyncio.wait([task], timeout=PATIENCE)
        return "goes on"
    if task.cancelled():
        return "cancelled"
    error = task.exception()
    return f"ends with {type(error).__name__}" if error is not None else "ends as if nothing had happened"


async def _turns() -> None:
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)


async def _tasks() -> list[str]:
    await _turns()
    return [str(task.get_coro()) for task in asyncio.all_tasks() if task is not asyncio.current_task()]
