"""Observers: they are told how calls end, and neither change, delay for long, nor fail one."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from heavenbase.errors import HBError, ServerError, StreamInterrupted
from heavenbase.middleware import Observer
from heavenbase.types import Chunk

from ..support import FakeTime, both_colours, scripted


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
