"""Observers: they are told how calls end, and neither change, delay for long, nor fail one."""

from __future__ import annotations

import asyncio
import copy
import logging
import pickle
from dataclasses import fields
from typing import Any

import pytest

from heavenbase.errors import HBError, ServerError, StreamInterrupted
from heavenbase.middleware import Observer
from heavenbase.types import Chunk, Completion

from ..support import FakeTime, both_colours, calling, scripted


class Watch(Observer):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Any] = []

    def before(self, call: Any) -> None:
        self.told.append(("before", call.verb))

    def after(self, call: Any, answer: Any, error: BaseException | None, seconds: float) -> None:
        self.told.append((getattr(answer, "text", None), type(error).__name__ if error else None, seconds))


@pytest.mark.parametrize("verb", ["chat", "stream"])
@pytest.mark.parametrize("colour", [0, 1])
def test_it_is_told_of_the_answer_once_and_how_long_it_took(verb: str, colour: int) -> None:
    watch, time = Watch(), FakeTime()

    def slow(call: Any) -> str:
        time.now += 2.0
        return "hello"

    house = scripted(slow, middleware=(watch,), time=time)
    both_colours(house.llm, verb)[colour]("x")
    assert watch.told == [("before", "complete"), ("hello", None, 2.0)]


@pytest.mark.parametrize("verb", ["chat", "stream", "embed"])
@pytest.mark.parametrize("colour", [0, 1])
def test_it_is_told_of_an_error_which_stays_the_callers(verb: str, colour: int) -> None:
    watch = Watch()
    house = scripted(ServerError("no"), middleware=(watch,))
    with pytest.raises(ServerError, match="no"):
        both_colours(house.llm, verb)[colour]("x", max_retries=0)
    assert watch.told[1:] == [(None, "ServerError", 0.0)]


@pytest.mark.parametrize("colour", [0, 1])
def test_it_is_told_of_an_error_within_a_stream(colour: int) -> None:
    watch = Watch()
    house = scripted([Chunk("a"), StreamInterrupted("cut")], middleware=(watch,))
    with pytest.raises(StreamInterrupted):
        both_colours(house.llm, "stream")[colour]("x")
    assert watch.told[1:] == [(None, "StreamInterrupted", 0.0)]


def test_a_stream_left_early_has_neither_answer_nor_error() -> None:
    watch = Watch()
    house = scripted("long", middleware=(watch,))
    for _ in house.llm.stream("x"):
        break
    assert watch.told[1:] == [(None, None, 0.0)]

    async def leave() -> None:
        stream = house.llm.astream("x")
        async for _ in stream:
            break
        await stream.aclose()

    watch.told.clear()
    asyncio.run(leave())
    assert watch.told[1:] == [(None, None, 0.0)]
    assert house.gateway.opened == house.gateway.closed == 2


class Raising(Observer):
    def before(self, call: Any) -> None:
        raise RuntimeError(f"before, with {call.spec.secrets()}")

    def after(self, *_: Any) -> None:
        raise RuntimeError("after")


class RaisingLater(Observer):
    async def before(self, call: Any) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("before")

    async def after(self, *_: Any) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("after")


@pytest.mark.parametrize("verb", ["chat", "stream"])
@pytest.mark.parametrize(("kind", "colour"), [(Raising, 0), (Raising, 1), (RaisingLater, 1)])
def test_what_its_hooks_raise_is_logged_and_nobody_elses(
    verb: str, kind: type[Observer], colour: int, caplog: pytest.LogCaptureFixture
) -> None:
    house = scripted("hi", middleware=(kind(),))
    assert "".join(both_colours(house.llm, verb)[colour]("x")) == "hi"
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert [text.partition(":")[0] for text in told] == [f"observer {kind.__name__} failed"] * 2
    assert "sk-acme-000" not in caplog.text


@pytest.mark.parametrize("verb", ["chat", "stream"])
@pytest.mark.parametrize("kind", [Raising, RaisingLater])
def test_the_errors_of_its_hooks_do_not_hide_the_providers(verb: str, kind: type[Observer]) -> None:
    house = scripted(ServerError("the provider's"), middleware=(kind(),))
    with pytest.raises(ServerError, match="the provider's"):
        both_colours(house.llm, verb)[1]("x", max_retries=0)


def test_an_async_hook_in_a_sync_call_is_logged_and_not_run(caplog: pytest.LogCaptureFixture) -> None:
    house = scripted("hi", middleware=(RaisingLater(),))
    assert house.llm.chat("x") == "hi"
    assert "RaisingLater.before is async, and this call is not" in caplog.text


class Hanging(Observer):
    """Its hooks never end."""

    patience = 0.01

    async def before(self, call: Any) -> None:
        await asyncio.Event().wait()

    async def after(self, *_: Any) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("verb", ["chat", "stream"])
def test_an_async_hook_that_hangs_is_given_up(verb: str, caplog: pytest.LogCaptureFixture) -> None:
    house = scripted("hi", middleware=(Hanging(),))
    assert "".join(both_colours(house.llm, verb)[1]("x")) == "hi"
    assert caplog.text.count("observer Hanging failed: TimeoutError") == 2


def test_a_cancelled_call_is_told_of_and_ends() -> None:
    watch = Watch()

    async def ask() -> None:
        begun = asyncio.Event()

        async def wait(call: Any, next: Any) -> Any:
            begun.set()
            await asyncio.Event().wait()

        house = scripted(middleware=(watch, wait))
        task = asyncio.ensure_future(house.llm.achat("x"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    assert watch.told[1:] == [(None, "CancelledError", 0.0)]


@pytest.mark.parametrize("verb", ["chat", "stream", "embed"])
@pytest.mark.parametrize("failure", [ServerError("sk-acme-000 is wrong"), ValueError("sk-acme-000")])
def test_an_error_is_clean_of_credentials_before_it_is_told(verb: str, failure: Exception) -> None:
    told: list[str] = []

    class Telling(Observer):
        around = "attempt"

        def after(self, call: Any, answer: Any, error: BaseException | None, seconds: float) -> None:
            told.append(f"{error} {error!r} {error.__cause__!r}" if error else "")

    house = scripted(failure, middleware=(Telling(),))
    for ask in both_colours(house.llm, verb):
        with pytest.raises(HBError):
            ask("x", max_retries=0)
    assert len(told) == 2
    assert all("***" in text and "sk-acme-000" not in text for text in told)


# What its hooks get is theirs


class Spoiling(Observer):
    """Changes in place all that it can reach, and what it made of it."""

    def __init__(self, place: str) -> None:
        super().__init__()
        self.around = place  # type: ignore[misc]
        self.seen: list[Any] = []

    def before(self, call: Any) -> None:
        self.spoil(call)

    def after(self, call: Any, answer: Any, error: BaseException | None, seconds: float) -> None:
        self.spoil(call)
        self.seen.append(answer)
        answer.text = "spoilt"
        answer.tool_calls[0].arguments = "spoilt"
        answer.tool_calls.append("spoilt")
        answer.usage.input = -1
        if answer.raw is not None:
            answer.raw.append("spoilt")
        answer.reasoning_parts.append("spoilt")
        answer.finish_reason = "other"
        if answer.report is not None:
            answer.report.entries.clear()

    def spoil(self, call: Any) -> None:
        call.args["temperature"] = 2.0
        call.args["stop"].append("spoilt")
        call.args["tools"][0]["function"]["name"] = "spoilt"
        call.controls["max_retries"] = 9
        call.messages[0]["content"] = "spoilt"
        call.messages[0]["content"] = [{"type": "text"}]
        call.messages.append({"role": "user", "content": "spoilt"})


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


@pytest.mark.parametrize("place", ["call", "target", "attempt"])
@pytest.mark.parametrize("verb", ["complete", "stream"])
@pytest.mark.parametrize("colour", [0, 1])
def test_it_changes_neither_call_nor_answer(
    place: str, verb: str, colour: int, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Spoiling(place)
    house = scripted(calling(("look", {}), text="hello"), middleware=(watch,))
    options = {"temperature": 0.5, "stop": ["end"], "tools": [copy.deepcopy(TOOL)], "tool_choice": "auto"}
    include = {"include": "chunk"} if verb == "stream" else {}
    found = both_colours(house.llm, verb)[colour]("hi", **options, **include)
    assert "failed" not in caplog.text
    assert len(watch.seen) == 1
    (asked,) = house.gateway.calls
    assert (asked.args["temperature"], asked.args["stop"], asked.args["tools"]) == (0.5, ["end"], [TOOL])
    assert (asked.messages, "max_retries" in asked.controls) == ([{"role": "user", "content": "hi"}], False)
    assert options["stop"] == ["end"]
    if verb == "stream":
        assert [chunk.text for chunk in found if chunk.text] == ["hello"]
        assert [chunk.usage.input for chunk in found if chunk.usage] == [2]
    else:
        assert (found.text, found.usage.input, found.finish_reason) == ("hello", 2, "tool_calls")
        assert [(made.name, made.arguments) for made in found.tool_calls] == [("look", "{}")]
        assert found.reasoning_parts == []
        assert "temperature" in found.report.entries


@pytest.mark.parametrize("verb", ["embed", "imagen"])
def test_answers_of_other_verbs_are_the_callers_too(verb: str) -> None:
    def spoil(call: Any, answer: Any, *_: Any) -> None:
        if verb == "embed":
            answer.vectors[0][0] = 99.0
            answer.vectors.clear()
            call.inputs.append("spoilt")
        else:
            answer.images.append("spoilt")

    watch = Observer()
    watch.after = spoil  # type: ignore[method-assign]
    house = scripted([] if verb == "imagen" else "hi", middleware=(watch,))
    found = both_colours(house.llm, verb)[0]("hi", include="embeddings" if verb == "embed" else "images")
    assert found in ([[2.0, 1.0]], [2.0, 1.0], [])
    assert all(call.inputs in ([], ["hi"]) for call in house.gateway.calls)


def test_what_it_gets_is_read_compared_copied_and_pickled_as_what_it_stands_for() -> None:
    kept: list[Any] = []

    class Keeping(Observer):
        around = "attempt"

        def after(self, call: Any, answer: Any, error: BaseException | None, seconds: float) -> None:
            kept[:] = call, answer, call.context

    house = scripted("hello", middleware=(Keeping(),))
    found = house.llm.complete("hi")
    call, answer, context = kept
    assert isinstance(answer, Completion)
    assert type(answer).__name__ == "Completion"
    assert context.attempts == found.attempts  # the ledger is the call's own
    assert call.target == found.served_by
    assert call.services is house.kernel.services
    assert call.replace(prompt="x").messages == call.messages
    assert (getattr(answer, "vectors", None), answer.message["content"], str(answer)) == (None, "hello", "hello")
    whole = Completion(**{it.name: getattr(answer, it.name) for it in fields(Completion)})
    assert answer == whole
    for same in (copy.copy(answer), copy.deepcopy(answer), pickle.loads(pickle.dumps(answer))):  # noqa: S301
        assert type(same) is Completion
        assert same == answer


# What its hooks raise, whatever it is


class Unspeakable(Exception):
    """Can neither be read nor shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


FAULTS = [SystemExit(3), GeneratorExit(), asyncio.CancelledError(), Unspeakable(), BaseException("bare")]


class Failing(Observer):
    """Raises one thing in both hooks."""

    def __init__(self, fault: BaseException) -> None:
        super().__init__()
        self.fault = fault

    def before(self, call: Any) -> None:
        raise self.fault

    def after(self, *_: Any) -> None:
        raise self.fault


class FailingLater(Failing):
    async def before(self, call: Any) -> None:  # type: ignore[override]
        await asyncio.sleep(0)
        raise self.fault

    async def after(self, *_: Any) -> None:  # type: ignore[override]
        raise self.fault


@pytest.mark.parametrize("verb", ["chat", "stream"])
@pytest.mark.parametrize(("kind", "colour"), [(Failing, 0), (Failing, 1), (FailingLater, 1)])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
def test_nothing_that_its_hooks_raise_ends_a_call(
    fault: BaseException, kind: type[Failing], colour: int, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    house = scripted("hi", ServerError("the provider's"), middleware=(kind(fault),))
    assert "".join(both_colours(house.llm, verb)[colour]("x")) == "hi"
    with pytest.raises(ServerError, match="the provider's"):
        both_colours(house.llm, verb)[colour]("x", max_retries=0)
    assert caplog.text.count(f"observer {kind.__name__} failed: {type(fault).__name__}: ") == 4


@pytest.mark.parametrize(("kind", "colour"), [(Failing, 0), (Failing, 1), (FailingLater, 1)])
def test_a_keyboard_interrupt_in_a_hook_passes(kind: type[Failing], colour: int) -> None:
    house = scripted("hi", middleware=(kind(KeyboardInterrupt()),))
    with pytest.raises(KeyboardInterrupt):
        both_colours(house.llm, "chat")[colour]("x")


class Odd:
    """Awaited, it gives what no event loop knows."""

    def __await__(self) -> Any:
        yield "odd"

    def close(self) -> None:
        raise SystemExit("odd")


class Broken:
    """Cannot be awaited after all."""

    def __await__(self) -> Any:
        return 5


@pytest.mark.parametrize("colour", [0, 1])
@pytest.mark.parametrize("strange", [Odd, Broken])
def test_a_hook_that_returns_a_strange_awaitable_is_logged(
    strange: Any, colour: int, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch()
    watch.after = lambda *_: strange()  # type: ignore[method-assign]
    house = scripted("hi", middleware=(watch,))
    assert both_colours(house.llm, "chat")[colour]("x") == "hi"
    assert caplog.text.count("observer Watch failed") == 1


class Swallowing(Observer):
    """Minds no cancellation."""

    patience = 0.01

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.over = asyncio.Event(), asyncio.Event()

    async def before(self, call: Any) -> None:
        while not self.over.is_set():
            self.begun.set()
            try:
                await self.over.wait()
            except asyncio.CancelledError:
                continue


def test_an_async_hook_that_swallows_its_cancellation_is_left_behind(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> str:
        watch = Swallowing()
        found: str = await scripted("hi", middleware=(watch,)).llm.achat("x")
        watch.over.set()
        return found

    assert asyncio.run(ask()) == "hi"
    assert "observer Swallowing failed: TimeoutError: it took longer than 0.01 s" in caplog.text


def test_a_cancellation_of_the_caller_is_not_a_hooks_to_swallow() -> None:
    async def ask() -> None:
        watch = Swallowing()
        watch.patience = 60.0  # type: ignore[misc]
        house = scripted("hi", middleware=(watch,))
        task = asyncio.ensure_future(house.llm.achat("x"))
        await watch.begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert house.gateway.calls == []
        watch.over.set()

    asyncio.run(ask())
