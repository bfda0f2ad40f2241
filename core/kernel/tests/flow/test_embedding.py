"""The embedding flow: equal inputs once, batches, several at a time, order kept, one error for one failure."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import threading
import warnings
from typing import Any

import pytest

from heavenbase.colour import drive as drive
from heavenbase.colour import parallel as parallel
from heavenbase.errors import AuthError, InputError, InputTypeError, ResponseShapeError
from heavenbase.types import Embedding, Usage

from ..support import CodeProvider, both_colours, scripted


def nothing(call: Any) -> None:
    return None


def test_hb19_one_text_gives_one_vector_and_a_list_a_list() -> None:
    for ask in both_colours(scripted(nothing).llm, "embed"):
        assert ask("four") == [4.0, 1.0]
        assert ask(["four"]) == [[4.0, 1.0]]
        assert ask(text for text in ("a", "bb")) == [[1.0, 1.0], [2.0, 1.0]]


def test_hb19_equal_inputs_are_sent_once_and_come_back_in_order() -> None:
    house = scripted(nothing)
    for ask in both_colours(house.llm, "embed"):
        assert ask(["a", "bb", "a"]) == [[1.0, 1.0], [2.0, 1.0], [1.0, 1.0]]
        assert house.gateway.calls[-1].inputs == ["a", "bb"]
    assert len(house.gateway.calls) == 2


def test_hb19_five_inputs_in_batches_of_two_are_three_requests() -> None:
    house = scripted(nothing)
    for ask in both_colours(house.llm, "embed"):
        house.gateway.calls.clear()
        found = ask(["a", "bb", "ccc", "dddd", "eeeee"], embedding_batch_size=2, include=["embeddings", "raw", "usage"])
        assert [vector[0] for vector in found["embeddings"]] == [1, 2, 3, 4, 5]
        assert sorted(len(call.inputs) for call in house.gateway.calls) == [1, 2, 2]
        assert found["raw"] == {
            "cached": 0,
            "misses": 5,
            "embedding_batch_size": 2,
            "embedding_max_workers": 8,
            "batches": 3,
        }
        assert found["usage"]["input"] == 5


def test_hb19_no_inputs_make_no_request() -> None:
    house = scripted(nothing)
    for ask in both_colours(house.llm, "embed"):
        assert ask([]) == []
        assert ask([], include="usage") == {}
    assert house.gateway.calls == []


def test_a_repeated_input_gets_a_vector_of_its_own() -> None:
    first, _, third = scripted(nothing).llm.embed(["a", "b", "a"])
    first.append(9.0)
    assert third == [1.0, 1.0]


def test_the_providers_batch_limit_beats_the_callers_size() -> None:
    provider = CodeProvider(capabilities={"embedding_batch_limit": 2})
    house = scripted(nothing, plugins=(provider,))
    house.llm.embed(["a", "b", "c"], embedding_batch_size=100)
    assert len(house.gateway.calls) == 2


@pytest.mark.parametrize("wrong", [b"bytes", 7, None, ["a", 7], [["a"]]])
def test_wrong_inputs_are_typed_errors_before_anything_is_sent(wrong: Any) -> None:
    house = scripted(nothing)
    for ask in both_colours(house.llm, "embed"):
        with pytest.raises(InputTypeError, match=r"not a str|must be an iterable of str"):
            ask(wrong)
    assert house.gateway.calls == []


@pytest.mark.parametrize(("name", "value"), [("embedding_batch_size", 0), ("embedding_max_workers", "8")])
def test_wrong_sizes_are_typed_errors_before_anything_is_sent(name: str, value: Any) -> None:
    house = scripted(nothing)
    with pytest.raises(InputError, match=name):
        house.llm.embed("x", **{name: value})
    assert house.gateway.calls == []


def test_a_wrong_number_of_vectors_is_an_error() -> None:
    for ask in both_colours(scripted(Embedding([[1.0]])).llm, "embed"):
        with pytest.raises(ResponseShapeError, match="1 vectors for 2 inputs"):
            ask(["a", "b"])


def test_usage_of_batches_adds_up_and_stays_unknown_when_nobody_says() -> None:
    llm = scripted(lambda call: Embedding([[1.0]] * len(call.inputs), usage=Usage(5))).llm
    assert llm.embed(["a", "b", "c"], embedding_batch_size=1, include="usage")["input"] == 15
    silent = scripted(lambda call: Embedding([[1.0]] * len(call.inputs))).llm
    assert silent.embed("a", include="usage") == {}


def test_hb20_dim_comes_from_the_configuration_without_a_call() -> None:
    house = scripted(nothing, config={"heavenbase.llm.models.tiny": {"dim": 768, "providers": {"acme": "tiny"}}})
    assert house.llm.dim == 768
    assert house.gateway.calls == []
    asked = scripted(nothing)
    assert asked.llm.dim == 2
    assert [call.inputs for call in asked.gateway.calls] == [["<TEST>"]]


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_one_failing_batch_is_one_error_and_not_a_group(workers: int) -> None:
    def refuse(call: Any) -> None:
        if "b" in call.inputs:
            raise AuthError("refused")

    for ask in both_colours(scripted(refuse).llm, "embed"):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(AuthError):
                ask(list("abcdefgh"), embedding_batch_size=1, embedding_max_workers=workers)
            gc.collect()


def test_batches_run_at_the_same_time_but_no_more_than_allowed() -> None:
    gate = threading.Barrier(3, timeout=5)
    busy: list[int] = []

    def meet(call: Any) -> None:
        busy.append(1)
        gate.wait()
        busy.pop()

    scripted(meet).llm.embed(list("abc"), embedding_batch_size=1, embedding_max_workers=3)
    assert busy == []

    async def count() -> int:
        running = most = 0

        async def one(_: int) -> None:
            nonlocal running, most
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

        await parallel.run_many(one, range(20), workers=4, is_async=True)
        return most

    assert asyncio.run(count()) == 4


def test_threads_of_a_batch_see_the_callers_context() -> None:
    tenant = contextvars.ContextVar("tenant", default="nobody")
    seen: list[str] = []
    house = scripted(lambda call: seen.append(tenant.get()))
    token = tenant.set("acme")
    house.llm.embed(list("ab"), embedding_batch_size=1, embedding_max_workers=2)
    tenant.reset(token)
    assert seen == ["acme", "acme"]


def test_after_the_first_failure_no_new_batch_begins() -> None:
    begun: list[int] = []
    release = threading.Event()

    async def one(item: int) -> int:
        begun.append(item)
        if item == 1:
            raise AuthError("refused")
        release.wait(5)
        return item

    def let_go() -> None:
        release.set()

    timer = threading.Timer(0.03, let_go)
    timer.start()
    with pytest.raises(AuthError):
        drive.run(parallel.run_many(one, range(50), workers=2, is_async=False))
    timer.join()
    assert len(begun) < 50


def test_cancelling_a_parallel_embedding_cancels_its_batches() -> None:
    cancelled: list[str] = []

    class Hanging(type(scripted().gateway)):  # type: ignore[misc]
        async def aembed_batch(self, call: Any, request: Any) -> Any:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                cancelled.extend(call.inputs)
                raise

    house = scripted(plugins=(Hanging(),))

    async def main() -> None:
        task = asyncio.ensure_future(house.llm.aembed(list("abc"), embedding_batch_size=1))
        for _ in range(5):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert sorted(cancelled) == ["a", "b", "c"]
