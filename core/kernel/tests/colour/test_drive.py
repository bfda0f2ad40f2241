"""One source, two colours: the drivers, and the shapes in which a plugin may answer."""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from heavenbase.call import Call
from heavenbase.colour import drive as drive
from heavenbase.errors import PluginContractError, ProviderError
from heavenbase.llm import LLM
from heavenbase.types import Chunk, Completion

from ..support import ScriptedGateway, make_kernel, scripted


def test_a_sync_flow_runs_without_an_event_loop() -> None:
    async def leaf() -> str:
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return "done"

    async def flow() -> str:
        return await leaf()

    assert drive.run(flow()) == "done"


def test_a_sync_call_inside_a_running_event_loop_works() -> None:
    house = scripted("hi")

    async def cell_of_a_notebook() -> tuple[str, list[str]]:
        return house.llm.chat("x"), list(house.llm.stream("x"))

    assert asyncio.run(cell_of_a_notebook()) == ("hi", ["h", "i"])


def test_a_flow_that_suspends_in_a_sync_call_is_named() -> None:
    async def greedy_plugin() -> None:
        await asyncio.sleep(0)

    with pytest.raises(PluginContractError, match="greedy_plugin waited asynchronously") as caught:
        drive.run(greedy_plugin())
    assert "achat" in str(caught.value)


class AsyncOnly(ScriptedGateway):
    """A gateway that answers every call in async colour."""

    def complete(self, call: Call) -> Any:
        if call.spec.gateway != self.name:
            return None
        request = self.prepare(call)
        return self.astream(call, request) if call.stream else self.achat(call, request)


AsyncOnly.complete.heavenbase_impl = ScriptedGateway.complete.heavenbase_impl  # type: ignore[attr-defined]


class SyncOnly(ScriptedGateway):
    """A gateway that answers every call in sync colour."""

    def complete(self, call: Call) -> Any:
        if call.spec.gateway != self.name:
            return None
        request = self.prepare(call)
        return self.stream(call, request) if call.stream else self.chat(call, request)


SyncOnly.complete.heavenbase_impl = ScriptedGateway.complete.heavenbase_impl  # type: ignore[attr-defined]


@pytest.mark.parametrize("stream", [False, True])
def test_a_plugin_that_answers_a_sync_call_in_async_colour_is_named(stream: bool) -> None:
    llm = LLM(kernel=make_kernel(plugins=(AsyncOnly(),)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PluginContractError, match=r"gateway 'scripted'.*sync (call|stream)"):
            list(llm.stream("x")) if stream else llm.chat("x")
        gc.collect()


@pytest.mark.parametrize("stream", [False, True])
def test_a_plugin_that_answers_an_async_call_in_sync_colour_is_named(stream: bool) -> None:
    llm = LLM(kernel=make_kernel(plugins=(SyncOnly(),)))

    async def ask() -> Any:
        return [c async for c in llm.astream("x")] if stream else await llm.achat("x")

    with pytest.raises(PluginContractError, match=r"gateway 'scripted'.*async (call|stream)"):
        asyncio.run(ask())


class Suspending(ScriptedGateway):
    """Waits asynchronously behind a sync face."""

    def stream(self, call: Call, request: Any) -> Any:
        stream: Any = self.astream(call, request)
        return drive.iterate(stream)


def test_a_stream_that_waits_asynchronously_in_a_sync_call_is_named() -> None:
    llm = LLM(kernel=make_kernel(plugins=(Suspending(),)))
    with pytest.raises(PluginContractError, match="waited asynchronously inside a sync call"):
        list(llm.stream("x"))


@pytest.mark.parametrize("answer", ["text", {"text": "x"}, 7])
def test_an_answer_of_the_wrong_type_is_a_contract_error(answer: Any) -> None:
    class Odd(ScriptedGateway):
        def chat(self, call: Call, request: Any) -> Any:
            return answer

        async def achat(self, call: Call, request: Any) -> Any:
            return answer

    llm = LLM(kernel=make_kernel(plugins=(Odd(),)))
    with pytest.raises(PluginContractError, match=f"with {type(answer).__name__}.*Completion"):
        llm.chat("x")
    with pytest.raises(PluginContractError, match=f"with {type(answer).__name__}.*Completion"):
        asyncio.run(llm.achat("x"))


def test_an_async_iterator_without_aclose_is_read_to_its_end() -> None:
    class Bare:
        def __init__(self) -> None:
            self.left = [Chunk("a"), Chunk("b", finish_reason="stop")]

        def __aiter__(self) -> Bare:
            return self

        async def __anext__(self) -> Chunk:
            if not self.left:
                raise StopAsyncIteration
            return self.left.pop(0)

    class Plain(ScriptedGateway):
        def astream(self, call: Call, request: Any) -> Any:
            return Bare()

        def stream(self, call: Call, request: Any) -> Any:
            return [Chunk("a"), Chunk("b", finish_reason="stop")]

    llm = LLM(kernel=make_kernel(plugins=(Plain(),)))

    async def ask() -> list[str]:
        return [text async for text in llm.astream("x")]

    assert asyncio.run(ask()) == list(llm.stream("x")) == ["a", "b"]


def test_foreign_exceptions_of_a_gateway_leave_as_provider_errors_in_all_shapes() -> None:
    house = scripted(RuntimeError("boom"))

    async def astream() -> list[Any]:
        return [c async for c in house.llm.astream("x")]

    asks: list[Callable[[], Any]] = [
        lambda: house.llm.chat("x"),
        lambda: list(house.llm.stream("x")),
        lambda: house.llm.embed("x"),
        lambda: asyncio.run(house.llm.achat("x")),
        lambda: asyncio.run(astream()),
    ]
    for ask in asks:
        with pytest.raises(ProviderError, match="gateway 'scripted' raised RuntimeError: boom") as caught:
            ask()
        assert isinstance(caught.value.__cause__, RuntimeError)
        assert [attempt.error for attempt in caught.value.attempts] in (["provider"], [None])
    assert len(house.gateway.calls) == len(asks)


def test_e10_dropping_a_sync_iterator_closes_the_plugins_generator_at_once() -> None:
    house = scripted("a long answer")
    stream = house.llm.stream("x")
    assert next(stream) == "a"
    assert (house.gateway.opened, house.gateway.closed) == (1, 0)
    del stream
    assert house.gateway.closed == 1

    for piece in house.llm.stream("x"):
        assert piece == "a"
        break
    assert house.gateway.closed == 2

    stream = house.llm.stream("x")
    next(stream)
    stream.close()
    assert house.gateway.closed == 3


def test_e10_leaving_an_async_iterator_closes_the_plugins_generator_at_once() -> None:
    house = scripted("a long answer")

    async def leave() -> None:
        stream = house.llm.astream("x")
        async for _ in stream:
            break
        await stream.aclose()
        assert house.gateway.closed == 1
        async for _ in house.llm.astream("x"):
            break
        for _ in range(5):  # the loop closes a dropped generator in a task of its own
            await asyncio.sleep(0)
        assert house.gateway.closed == 2

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(leave())


def test_a_stream_that_was_never_started_makes_no_request_and_no_warning() -> None:
    house = scripted("x")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        house.llm.stream("x")
        house.llm.astream("x")
        gc.collect()
    assert house.gateway.calls == []


def test_cancellation_passes_through_unchanged() -> None:
    class Hanging(ScriptedGateway):
        async def achat(self, call: Call, request: Any) -> Completion:
            await asyncio.sleep(60)
            raise AssertionError

        async def astream(self, call: Call, request: Any) -> Any:
            self.opened += 1
            try:
                yield Chunk("a")
                await asyncio.sleep(60)
            finally:
                self.closed += 1

    gateway = Hanging()
    llm = LLM(kernel=make_kernel(plugins=(gateway,)))

    async def read() -> None:
        async for _ in llm.astream("x"):
            pass

    async def cancel(coroutine: Any) -> None:
        task = asyncio.ensure_future(coroutine)
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel("from outside")
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
        assert caught.value.args == ("from outside",)

    async def main() -> None:
        await cancel(llm.achat("x"))
        await cancel(read())

    asyncio.run(main())
    assert (gateway.opened, gateway.closed) == (1, 1)


def test_keyboard_interrupt_passes_through_unchanged() -> None:
    with pytest.raises(KeyboardInterrupt):
        scripted(KeyboardInterrupt()).llm.chat("x")


async def sleeps() -> None:
    await asyncio.sleep(0.01)


async def yields() -> None:
    await asyncio.sleep(0)


async def threads() -> None:
    await asyncio.to_thread(int)


async def limits() -> None:
    async with asyncio.timeout(1):
        await yields()


async def starts() -> None:
    asyncio.get_running_loop().create_task(yields())


@pytest.mark.parametrize("wait", [sleeps, yields, threads, limits, starts])
@pytest.mark.parametrize("stream", [False, True])
def test_every_wait_that_is_not_of_hb_names_the_function_that_waits(wait: Any, stream: bool) -> None:
    house = scripted("hi")

    async def innocent(call: Call, next: Any) -> Any:
        return await next(call)

    async def waiting(call: Call, next: Any) -> Any:
        await wait()
        return await next(call)

    ask = house.llm.stream if stream else house.llm.complete
    for around in ([waiting], [innocent, waiting], [waiting, innocent]):
        with pytest.raises(PluginContractError, match=r"<locals>\.waiting waited asynchronously") as caught:
            list(ask("x", middleware=around))
        assert "achat" in str(caught.value)
    assert house.gateway.calls == []


def test_a_wait_between_chunks_is_named_too() -> None:
    house = scripted("hi")

    async def late(source: Any) -> Any:
        async for chunk in source:
            await asyncio.sleep(0.01)
            yield chunk

    async def slow(call: Call, next: Any) -> Any:
        return late(await next(call))

    with pytest.raises(PluginContractError, match=r"<locals>\.late waited asynchronously"):
        list(house.llm.stream("x", middleware=[slow]))


def test_other_runtime_errors_and_those_of_a_running_loop_stay_as_they_are() -> None:
    async def fails(text: str) -> None:
        raise RuntimeError(text)

    with pytest.raises(RuntimeError, match=r"^broken$") as caught:
        drive.run(fails("broken"))
    assert not isinstance(caught.value, PluginContractError)

    async def cell_of_a_notebook() -> None:
        drive.run(fails("no running event loop"))

    with pytest.raises(RuntimeError, match=r"^no running event loop$"):
        asyncio.run(cell_of_a_notebook())
