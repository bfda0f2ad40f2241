"""The kernel: flows, middlewares, several kernels at once, forks, threads, loops, closing, and nothing that grows."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
from dataclasses import FrozenInstanceError, fields
from inspect import signature
from typing import Any

import pytest

from heavenbase import functions
from heavenbase.call import Call, new_call
from heavenbase.config.config import Config
from heavenbase.errors import (
    InputError,
    InputTypeError,
    KernelClosed,
    LossyRequestError,
    LossyRequestWarning,
    PluginContractError,
    PluginLoadError,
    ServerError,
    UnknownNameError,
)
from heavenbase.kernel import Kernel
from heavenbase.llm import LLM
from heavenbase.middleware import Middleware
from heavenbase.plugin import Plugin
from heavenbase.types import Attempt, Chunk, Completion, ToolCall, Usage

from .support import SETTINGS, CodeProvider, FakeTime, ScriptedGateway, both_colours, make_kernel, scripted

VERBS = ("chat", "stream", "embed", "imagen")


def test_a_call_that_the_kernel_makes_is_the_one_that_is_made_by_hand() -> None:
    house = scripted()
    made = house.kernel.call("imagen", house.llm.spec, {"n": 1}, is_async=False, prompt="hi")
    values = {"args": made.args, "controls": made.controls, "explicit": made.explicit}
    assert type(made) is Call
    assert made == Call("imagen", house.llm.spec, made.context, prompt="hi", **values)
    assert set(signature(new_call).parameters) == {field.name for field in fields(Call)}
    with pytest.raises(FrozenInstanceError):
        made.stream = True  # type: ignore[misc]


# What an answer carries


def test_an_answer_carries_what_only_the_kernel_knows() -> None:
    time = FakeTime()

    def slow(call: Any) -> str:
        time.now += 2.0
        return "hello"

    house = scripted(slow, time=time)
    for ask in both_colours(house.llm, "complete"):
        answer = ask("x", seed=7)
        assert (answer.provider, answer.gateway, answer.model) == ("acme", "scripted", "tiny")
        assert (answer.elapsed, answer.text, answer.finish_reason) == (2.0, "hello", "stop")
        [attempt] = answer.attempts
        assert (attempt.elapsed, attempt.error, attempt.usage) == (2.0, None, Usage(2, 3))
        assert answer.report.names("sent") == ["temperature", "seed"]
        assert answer.messages == [{"role": "user", "content": "x"}, {"role": "assistant", "content": "hello"}]


def test_a_streams_answer_carries_the_same() -> None:
    time = FakeTime()

    def slow(call: Any) -> str:
        time.now += 2.0
        return "hi"

    house = scripted(ServerError("no"), slow, time=time)
    [answer] = [found for found in house.llm.stream("x", include="completion") if found]
    assert (answer.text, answer.usage, answer.provider) == ("hi", Usage(2, 3), "acme")
    assert [attempt.error for attempt in answer.attempts] == ["server", None]
    assert answer.attempts[-1].usage == Usage(2, 3)
    assert answer.attempts[-1].elapsed == 2.0  # of the attempt, without the wait before it
    assert answer.elapsed > 2.0


def test_stream_chat_gathers_one_stream() -> None:
    house = scripted("hello")
    for ask in both_colours(house.llm, "complete"):
        answer = ask("x", stream_chat=True)
        assert (answer.text, answer.usage, len(answer.attempts)) == ("hello", Usage(2, 3), 1)
    assert [call.stream for call in house.gateway.calls] == [True, True]


def test_an_answer_with_tool_calls_that_says_stop_says_tool_calls() -> None:
    answer = Completion("", tool_calls=[ToolCall("a", "add")], finish_reason="stop", raw_finish_reason="stop")
    found = scripted(answer).llm.complete("x")
    assert (found.finish_reason, found.raw_finish_reason) == ("tool_calls", "stop")


def test_think_false_strips_the_reasoning() -> None:
    answer = Completion("42", reasoning="hm", finish_reason="stop")
    found = scripted(answer).llm.chat("x", think=False, include=["text", "think", "content"])
    assert found == {"text": "42", "think": "", "content": "42"}


def test_none_keeps_a_parameter_off_the_wire() -> None:
    house = scripted()
    house.llm.chat("x")
    house.llm.chat("x", temperature=None, seed=None)
    assert [dict(call.args) for call in house.gateway.calls] == [{"temperature": 0, "seed": 42}, {}]
    quiet = LLM(kernel=house.kernel, temperature=None)
    quiet.chat("x")
    assert dict(house.gateway.calls[-1].args) == {"seed": 42}


def test_hb07_controls_never_reach_the_wire() -> None:
    house = scripted()
    house.llm.chat("x", timeout=5, max_retries=1, on_lossy="allow", cache=False, stream_chat=False, mock_text=None)
    assert dict(house.gateway.calls[-1].args) == {"temperature": 0, "seed": 42}


# Middlewares


class Noting(Middleware):
    """Writes down when it begins and ends."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self.notes = notes

    async def __call__(self, call: Any, next: Any) -> Any:
        self.notes.append(f"{self.name} >")
        answer = await next(call)
        if not call.stream:
            self.notes.append(f"{self.name} <")
            return answer
        return self.through(answer)

    async def through(self, chunks: Any) -> Any:
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            self.notes.append(f"{self.name} <")


class NotingAttempts(Noting):
    around = "attempt"


@pytest.mark.parametrize("verb", VERBS)
def test_middlewares_wrap_calls_once_and_attempts_each_time_first_outermost(verb: str) -> None:
    for colour in (0, 1):
        notes: list[str] = []
        middleware = (Noting("a", notes), NotingAttempts("t", notes), Noting("b", notes))
        house = scripted(ServerError("no"), "hi", middleware=middleware)
        both_colours(house.llm, verb)[colour]("x")
        # A sync gateway that streams fails while it is read, so the first attempt ends properly.
        first = ["t >", "t <"] if verb == "stream" else ["t >"]
        assert notes == ["a >", "b >", *first, "t >", "t <", "b <", "a <"]


def test_a_plain_async_function_is_a_middleware() -> None:
    async def shout(call: Any, next: Any) -> Any:
        answer = await next(call)
        answer.text = answer.text.upper()
        return answer

    for ask in both_colours(scripted("hi", middleware=(shout,)).llm, "chat"):
        assert ask("x") == "HI"


def test_a_middleware_may_answer_itself_or_change_the_call() -> None:
    async def answer(call: Any, next: Any) -> Any:
        if call.messages[-1]["content"] == "ping":
            return Completion("pong", finish_reason="stop")
        return await next(call.replace(args={**call.args, "seed": 1}))

    house = scripted("hi", middleware=(answer,))
    assert house.llm.chat("ping") == "pong"
    assert house.gateway.calls == []
    house.llm.chat("x")
    assert house.gateway.calls[0].args["seed"] == 1


def test_an_exception_of_a_users_middleware_passes_unchanged() -> None:
    class Refused(Exception):
        pass

    async def refuse(call: Any, next: Any) -> Any:
        raise Refused

    for ask in both_colours(scripted(middleware=(refuse,)).llm, "chat"):
        with pytest.raises(Refused):
            ask("x")


def test_leaving_a_stream_closes_middlewares_and_gateway() -> None:
    notes: list[str] = []
    house = scripted("long", middleware=(Noting("a", notes),))
    for _ in house.llm.stream("x"):
        break
    assert (notes, house.gateway.closed) == (["a >", "a <"], 1)


class Sideways(Middleware):
    around = "attempts"  # type: ignore[assignment]


@pytest.mark.parametrize(
    ("wrong", "error"), [(Sideways(), UnknownNameError), (Noting, InputTypeError), ("a", PluginLoadError)]
)
def test_what_is_no_middleware_is_refused_when_the_kernel_is_made(wrong: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="middleware"):
        make_kernel(middleware=(wrong,))


class Contributed(Plugin, Noting):
    kind = "contrib"
    name = "noting"


def test_middlewares_are_listed_in_the_configuration() -> None:
    notes: list[str] = []
    plugin = Contributed("configured", notes)
    plugin.name = "noting"
    kernel = make_kernel(plugins=(plugin,), config={"heavenbase.llm.middleware": ["noting"]})
    assert LLM(kernel=kernel).chat("x") == "hello"
    assert notes == ["noting >", "noting <"]
    with pytest.raises(PluginLoadError, match="absent"):
        make_kernel(config={"heavenbase.llm.middleware": ["absent"]})


# on_lossy


class Lossy(ScriptedGateway):
    """Its wire knows no stop and no top_k."""

    def prepare(self, call: Any) -> Any:
        request = super().prepare(call)
        for name in {"stop", "top_k"} & set(call.args):
            call.context.report.dropped(name, "unknown on this wire")
        return request


def ask_lossy(config: dict[str, Any] | None = None, **options: Any) -> ScriptedGateway:
    gateway = Lossy()
    LLM(kernel=make_kernel(plugins=(gateway,), config=config)).chat("x", **options)
    return gateway


def test_a_lost_guarantee_is_an_error_and_a_lost_tuning_a_warning() -> None:
    with pytest.raises(LossyRequestError, match=r"stop is dropped for acme/tiny.*on_lossy=.allow."):
        ask_lossy(stop=["x"])
    with pytest.warns(LossyRequestWarning, match="top_k is dropped"):
        ask_lossy(top_k=3)


def test_on_lossy_of_the_call_decides() -> None:
    assert len(ask_lossy(stop=["x"], top_k=3, on_lossy="allow").calls) == 1
    with pytest.raises(LossyRequestError):
        ask_lossy(top_k=3, on_lossy={"tuning": "error"})
    with pytest.warns(LossyRequestWarning):
        ask_lossy(stop=["x"], on_lossy="warn")


def test_on_lossy_of_the_configuration_counts_where_the_call_says_nothing() -> None:
    assert len(ask_lossy({"heavenbase.llm.on_lossy": "allow"}, stop=["x"]).calls) == 1
    assert len(ask_lossy({"heavenbase.llm.on_lossy.guarantees": "allow"}, stop=["x"]).calls) == 1
    with pytest.raises(LossyRequestError):
        ask_lossy({"heavenbase.llm.on_lossy": "allow"}, stop=["x"], on_lossy="error")


class LossyVectors(Lossy):
    """Its embeddings know no stop either."""

    def prepare(self, call: Any) -> Any:
        request = super().prepare(call)
        assert "stop" in call.context.report.entries
        return request


def test_what_the_llm_was_made_with_binds_its_chats_alone() -> None:
    llm = LLM(kernel=make_kernel(plugins=(LossyVectors(),)), stop=["x"])
    assert len(llm.embed(["a", "b"])) == 2
    with pytest.raises(LossyRequestError, match="stop is dropped"):
        llm.chat("x")
    with pytest.raises(LossyRequestError, match="stop is dropped"):
        LLM(kernel=make_kernel(plugins=(LossyVectors(),))).embed("a", stop=["x"])


@pytest.mark.parametrize("wrong", ["ignore", {"guarantee": "warn"}, {"tuning": "no"}, True])
def test_a_wrong_on_lossy_is_refused_before_anything_is_sent(wrong: Any) -> None:
    house = scripted()
    with pytest.raises(InputError, match="on_lossy"):
        house.llm.chat("x", on_lossy=wrong)
    assert house.gateway.calls == []


def test_a_configuration_of_another_type_is_refused() -> None:
    with pytest.raises(InputTypeError, match="not int"):
        Kernel(5)  # type: ignore[arg-type]


# Several kernels, closing


def test_several_kernels_live_side_by_side() -> None:
    first, second = scripted("one"), scripted("two", config={"heavenbase.llm.default_args.seed": 7})
    assert (first.llm.chat("x"), second.llm.chat("x"), first.llm.chat("x")) == ("one", "two", "one")
    first.kernel.close()
    assert second.llm.chat("x") == "two"
    assert second.gateway.calls[0].args["seed"] == 7


def test_a_closed_kernel_takes_no_calls() -> None:
    house = scripted()
    with house.kernel as kernel:
        assert kernel is house.kernel
        house.llm.chat("x")
    house.kernel.close()
    for verb in VERBS:
        for ask in both_colours(house.llm, verb):
            with pytest.raises(KernelClosed, match="make a new one"):
                ask("x")


def test_a_kernel_closes_with_its_async_context() -> None:
    async def main() -> Kernel:
        async with make_kernel() as kernel:
            await LLM(kernel=kernel).achat("x")
            await kernel.aclose()
        return kernel

    with pytest.raises(KernelClosed):
        LLM(kernel=asyncio.run(main())).chat("x")


def test_config_may_be_a_mapping() -> None:
    kernel = Kernel(SETTINGS, plugins=[ScriptedGateway(), CodeProvider()], discover_plugins=False)
    assert LLM(kernel=kernel, api_key="sk-acme-000").chat("x") == "hello"


# The default kernel


def test_the_default_kernel_is_made_once_and_may_be_another(no_default_kernel: None) -> None:
    kernel = make_kernel("mine")
    assert functions.chosen_kernel() is None
    functions.set_default_kernel(kernel)
    assert functions.default_kernel() is functions.chosen_kernel() is kernel
    assert LLM().chat("x") == "mine"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_k3_a_forked_child_keeps_the_kernel_that_was_chosen_and_can_call(no_default_kernel: None) -> None:
    functions.set_default_kernel(make_kernel("mine"))
    llm = LLM()
    llm.chat("x")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, f"{llm.chat('x')} {LLM().chat('x')}".encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read, "rb") as report:
        assert report.read() == b"mine mine"
    assert llm.chat("x") == "mine"


# Threads and loops


def test_k3_threads_share_one_llm() -> None:
    house = scripted("hi")
    found: list[Any] = []

    def work() -> None:
        found.extend((house.llm.chat("x"), "".join(house.llm.stream("x"))) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [("hi", "hi")] * 160
    assert len(house.gateway.calls) == 320


def test_hb42_a_loop_of_four_asyncio_run_on_one_llm_sends_exactly_four_requests() -> None:
    house = scripted("hi")
    assert [asyncio.run(house.llm.achat("x")) for _ in range(4)] == ["hi"] * 4
    assert len(house.gateway.calls) == 4


@pytest.mark.parametrize("verb", VERBS)
def test_hb42_async_methods_equal_their_sync_twins(verb: str) -> None:
    house = scripted("hi")
    sync, twin = both_colours(house.llm, verb)
    assert sync("x") == twin("x")
    first, second = house.gateway.calls
    assert (first.is_async, second.is_async) == (False, True)
    assert (first.messages, first.inputs, first.prompt, first.args) == (
        second.messages,
        second.inputs,
        second.prompt,
        second.args,
    )


# Nothing grows


def sizes(kernel: Kernel) -> dict[str, int]:
    return {
        "clients": len(kernel.clients._entries),
        "budgets": len(kernel._retry._budgets),
        "specs": len(kernel.resolver._memo),
        "plugins": len(kernel.registry._loaded),
        "quarantine": len(kernel.registry.quarantine),
        "gates": len(kernel.registry._gates),
        "threads": threading.active_count(),
    }


def test_two_thousand_calls_leave_nothing_behind() -> None:
    house = scripted("hi")
    house.gateway.calls = Forgetful()

    def round_of_calls() -> None:
        for number in range(250):
            house.llm.chat("x")
            list(house.llm.stream("x"))
            LLM(kernel=house.kernel, seed=number).chat("x", timeout=number + 1)

        async def many() -> None:
            for _ in range(250):
                await house.llm.achat("x")

        asyncio.run(many())

    round_of_calls()
    before = sizes(house.kernel)
    gc.collect()
    alive = sum(isinstance(thing, Attempt | Completion | Chunk) for thing in gc.get_objects())
    round_of_calls()
    gc.collect()
    assert sizes(house.kernel) == before
    assert sum(isinstance(thing, Attempt | Completion | Chunk) for thing in gc.get_objects()) <= alive
    assert before["specs"] <= 256


class Forgetful(list[Any]):
    """A list that keeps nothing."""

    def append(self, item: Any) -> None:
        pass


def test_failing_calls_leave_no_references_to_their_frames() -> None:
    house = scripted(lambda call: (_ for _ in ()).throw(ServerError("no")))
    house.gateway.calls = Forgetful()
    for _ in range(3):
        with pytest.raises(ServerError):
            house.llm.chat("x", max_retries=0)
    gc.collect()
    before = sys.getallocatedblocks()
    for _ in range(200):
        with pytest.raises(ServerError):
            house.llm.chat("x", max_retries=0)
    gc.collect()
    assert sys.getallocatedblocks() - before < 500


def test_a_kernel_is_not_kept_alive_by_what_it_did() -> None:
    import weakref

    house = scripted("hi")
    house.llm.chat("x")
    list(house.llm.stream("x"))
    kernel = weakref.ref(house.kernel)
    del house
    gc.collect()
    assert kernel() is None


def test_config_is_injected_and_nothing_else_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_API_KEY", "sk-from-the-machine")
    kernel = make_kernel(environ={"ACME_API_KEY": "sk-injected-00"})
    key = kernel.resolve().api_key
    assert key is not None
    assert key.reveal() == "sk-injected-00"
    assert isinstance(kernel.config, Config)


@pytest.mark.parametrize("wrong", [None, 7, "text"])
def test_a_middleware_that_gives_no_answer_is_a_contract_error(wrong: Any) -> None:
    async def careless(call: Any, next: Any) -> Any:
        await next(call)
        return wrong

    llm = scripted(middleware=(careless,)).llm
    for ask in both_colours(llm, "chat"):
        with pytest.raises(PluginContractError, match="a middleware answered"):
            ask("x")
    with pytest.raises(PluginContractError, match="a middleware answered"):
        list(llm.stream("x"))
