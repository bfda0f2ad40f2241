"""Routes inside routes, and what judges, accounts and shares of time come to there."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hb_routing import balance, cascade, fallback
from hb_testing.server import Reply
from heavenbase.errors import FallbackExhausted, FallbackWarning, PluginContractError, ServerError, StreamTruncated
from heavenbase.types import Completion

from .support import House, colours

WORDS = ["one ", "two ", "three ", "four"]


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", FallbackWarning)


def shown(house: House, route: Any, is_async: bool = False) -> list[tuple[str, str]]:
    """Kind and text of each chunk that says something."""
    llm = house.routed(route)

    async def gather() -> list[Any]:
        return [chunk async for chunk in llm.astream("hi", include="chunk")]

    chunks = asyncio.run(gather()) if is_async else list(llm.stream("hi", include="chunk"))
    return [(chunk.kind, chunk.text) for chunk in chunks if chunk.text or chunk.kind != "delta"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_no_text_is_delivered_twice_behind_a_route_inside_a_route(house: House, is_async: bool) -> None:
    house.servers["one"].reply("".join(WORDS), chunks=WORDS)
    house.servers["one"].strike("E1.after", "one")
    with pytest.raises(StreamTruncated):
        shown(house, fallback(fallback("one/m"), "two/m"), is_async)
    assert house.counts()[1] == 0


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_route_inside_goes_on_with_what_was_delivered_before_it(house: House, is_async: bool) -> None:
    house.servers["one"].reply("".join(WORDS), chunks=WORDS)
    house.servers["one"].strike("E2.2", "one")
    house.servers["two"].reply("three four")
    found = shown(house, fallback("one/m", fallback("two/m"), stream_fallback="user_turn"), is_async)
    assert found[:3] == [("delta", "one "), ("delta", "two "), ("continue", "")]
    said = house.servers["two"].requests[0].json["messages"]
    assert [message["role"] for message in said] == ["user", "assistant", "user"]
    assert said[1]["content"] == "one two "


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_who_goes_on_behind_two_breaks_is_sent_each_text_once(house: House, is_async: bool) -> None:
    house.servers["one"].reply("".join(WORDS), chunks=WORDS)
    house.servers["one"].strike("E2.1", "one")
    house.servers["two"].reply("two three four", chunks=WORDS[1:])
    house.servers["two"].strike("E2.2", "two")
    house.servers["three"].reply("four")
    inside = fallback("two/m", "three/m", stream_fallback="user_turn")
    found = shown(house, fallback("one/m", inside, stream_fallback="user_turn"), is_async)
    assert "".join(text for _, text in found) == "one two three four"
    assert house.servers["three"].requests[0].json["messages"][1]["content"] == "one two three "


def test_a_route_inside_that_skips_all_its_targets_keeps_a_call_from_nobody_it_is_pinned_to(house: House) -> None:
    inside = {"route": fallback("two/m", "three/m"), "weight": 1e9}
    llm = house.routed(balance("one/m", inside, on_foreign="pin"))
    assert llm.complete("hi", extra_body={"user": "of-one"}).served_by == "one/m"
    assert house.counts() == (1, 0, 0)


@pytest.mark.parametrize("form", range(4))
def test_a_target_whose_breaker_is_open_is_asked_where_a_route_inside_skips_all_of_its_own(
    house: House, form: int
) -> None:
    house.servers["one"].strike("S2.429", "one")
    llm = house.routed(fallback("one/m", fallback("two/m")), extra_body={"user": "of-one"})
    for _ in range(2):
        with pytest.raises(FallbackExhausted) as caught:
            list(colours(house, llm))[form]()
        assert caught.value.kind == "quota_exhausted"
    assert house.counts() == (2, 0, 0)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_the_error_of_a_stream_has_what_was_delivered_where_the_rest_is_refused(house: House, is_async: bool) -> None:
    house.servers["one"].reply("".join(WORDS), chunks=WORDS)
    house.servers["one"].strike("E2.2", "one")
    house.servers["two"].reply("", finish_reason="length")
    inside = fallback("two/m", judge="finish")
    with pytest.raises(FallbackExhausted) as caught:
        shown(house, fallback("one/m", inside, stream_fallback="user_turn"), is_async)
    assert caught.value.partial is not None
    assert caught.value.partial.text == "one two "


def test_an_answer_in_the_cache_is_judged_by_all_routes_around_its_target(house: House, tmp_path: Path) -> None:
    path = str(tmp_path / "answers.db")
    house.kernel = house.make({"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.path": path})
    route = fallback(cascade("one/m", "two/m", judge=_not_of("cheap")), "three/m")
    house.servers["one"].reply("a cheap answer")
    house.servers["two"].reply("a dear answer")
    llm = house.routed(route)
    assert llm.chat("hi") == "a dear answer"
    again = llm.complete("hi")
    assert (again.text, again.cached, again.served_by) == ("a dear answer", True, "two/m")
    assert house.counts() == (1, 1, 0)


def test_an_answer_from_the_cache_that_is_rejected_costs_nothing(house: House, tmp_path: Path) -> None:
    path = str(tmp_path / "answers.db")
    house.kernel = house.make({"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.path": path})
    usage = {"prompt_tokens": 10, "completion_tokens": 7}
    house.servers["one"].reply("a cheap answer", usage=usage)
    house.routed(fallback("one/m")).chat("hi")
    house.servers["two"].reply("a dear answer", usage=usage)
    answer = house.routed(cascade("one/m", "two/m", judge=_not_of("cheap"))).complete("hi")
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (10, 7)


def _not_of(word: str) -> Any:
    def judge(call: Any, answer: Completion) -> str | None:
        return "not that one" if word in answer.text else None

    return judge


def test_ids_of_files_stay_with_the_account_that_has_them(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    said = [{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-of-the-first"}}]}]
    route = fallback("one/m", {"model": "one/n", "keys": ["another-account"]})
    with pytest.raises(FallbackExhausted, match="messages belongs to another account of one"):
        house.routed(route, max_retries=0).chat(said)
    assert {request.headers["authorization"] for request in house.servers["one"].requests} == {"Bearer key-of-one"}


def test_a_judge_that_raises_loses_no_answer(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def judge(call: Any, answer: Any) -> str | None:
        raise KeyError("odd")

    house.servers["one"].reply("an answer")
    assert house.routed(fallback("one/m", "two/m", judge=judge)).chat("hi") == "an answer"
    assert "a judge of a route failed: KeyError" in caplog.text


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


async def _raise(fault: BaseException) -> None:
    raise fault


@pytest.mark.parametrize("fault", [Unspeakable(), SystemExit(3), asyncio.CancelledError()])
def test_nothing_that_a_judge_or_a_function_in_on_raises_loses_an_answer_or_an_error(
    house: House, fault: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*said: Any) -> None:
        raise fault

    def fail_later(*said: Any) -> Any:
        return _raise(fault)

    for judge in (fail, fail_later):
        for ask in colours(house, house.routed(fallback("one/m", "two/m", judge=judge))):
            assert ask() == "echo: hi"
    assert house.counts() == (8, 0, 0)
    assert caplog.text.count(f"a judge of a route failed: {type(fault).__name__}: ") == 8
    house.servers["one"].strike("S5.500", "one")
    with pytest.raises(ServerError):
        house.routed(fallback("one/m", "two/m", on=[fail]), max_retries=0).chat("hi")
    assert f"a function in `on` of a route failed: {type(fault).__name__}: " in caplog.text


def test_a_cancelled_call_ends_while_a_judge_waits(house: House) -> None:
    async def ask() -> None:
        begun = asyncio.Event()

        async def judge(call: Any, answer: Any) -> None:
            begun.set()
            await asyncio.Event().wait()

        task = asyncio.ensure_future(house.routed(fallback("one/m", "two/m", judge=judge)).achat("hi"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(ask())
    assert house.counts() == (1, 0, 0)


@pytest.mark.parametrize("given", [True, False, 0.7, "", " ", b"no", ["no"], Unspeakable()])
def test_what_is_no_reason_of_a_judge_rejects_nothing(
    house: House, given: Any, caplog: pytest.LogCaptureFixture
) -> None:
    house.servers["one"].reply("an answer")
    assert house.routed(fallback("one/m", "two/m", judge=lambda call, answer: given)).chat("hi") == "an answer"
    assert f"a judge of a route failed: TypeError: it gave {type(given).__name__}, and no reason" in caplog.text


def test_a_judge_whose_own_model_fails_loses_no_answer(house: House, caplog: pytest.LogCaptureFixture) -> None:
    def judge(call: Any, answer: Any) -> str | None:
        raise ServerError("the model that judges is down", status=500)

    house.servers["one"].reply("an answer")
    assert house.routed(fallback("one/m", "two/m", judge=judge)).chat("hi") == "an answer"
    assert "a judge of a route failed: ServerError" in caplog.text


@pytest.mark.parametrize("form", [0, 1])
@pytest.mark.parametrize("seconds", [0, 0.001])
def test_a_judge_that_waits_in_a_sync_call_is_told(house: House, seconds: float, form: int) -> None:
    async def judge(call: Any, answer: Any) -> str | None:
        await asyncio.sleep(seconds)
        return "never"

    with pytest.raises(PluginContractError, match="waited asynchronously inside a sync call"):
        list(colours(house, house.routed(fallback("one/m", "two/m", judge=judge))))[form]()
    assert house.counts() == (1, 0, 0)


@pytest.mark.parametrize("form", range(4))
@pytest.mark.parametrize("limits", [{}, {"first_token": 0.2}])
def test_nobody_waits_for_breakers_while_another_target_stands_behind(
    house: House, limits: dict[str, Any], form: int
) -> None:
    inner = {"targets": ["one/m", "two/m"], "breaker": {"failures": 1, "cooldown": 5}}
    llm = house.routed([{"route": inner, **limits}, "three/m"], max_retries=0)
    for name in ("one", "two"):
        house.servers[name].script(lambda request: Reply("down", status=500))
    llm.chat("hi")
    assert house.counts() == (1, 1, 1)
    list(colours(house, llm))[form]()
    assert (house.counts(), house.time.slept) == ((1, 1, 2), [])


@pytest.mark.parametrize("form", range(4))
def test_a_route_inside_has_its_turn_where_nobody_behind_it_can_be_asked(house: House, form: int) -> None:
    inner = {"targets": ["one/m"], "breaker": {"failures": 1, "cooldown": 5}}
    llm = house.routed([{"route": inner}, "two/m"], max_retries=0)
    house.servers["one"].reply("down", status=500)
    llm.chat("hi")
    only_one = {"extra_body": {"service_tier": "flex"}}  # which keeps the second from being asked
    assert list(colours(house, llm, **only_one))[form]()
    assert (house.counts(), house.time.slept) == ((2, 1, 0), [pytest.approx(5)])


def test_a_route_inside_waits_where_that_is_no_longer_than_a_hop(house: House) -> None:
    inner = {"targets": ["one/m"], "breaker": {"failures": 1, "cooldown": 1}}
    house.servers["one"].reply("down", status=500)
    llm = house.routed([{"route": inner}, "two/m"], max_retries=0)
    llm.chat("hi")
    assert llm.complete("hi").served_by == "one/m"
    assert house.time.slept == [pytest.approx(1)]


def test_a_function_in_on_that_raises_hides_no_error(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.servers["one"].strike("S5.500", "one")
    with pytest.raises(ServerError):
        house.routed(fallback("one/m", "two/m", on=[lambda error: 1 / 0]), max_retries=0).chat("hi")
    assert "ZeroDivisionError" in caplog.text


def test_what_was_stripped_on_purpose_breaks_no_guarantee(house: House) -> None:
    house.servers["one"].strike("S5.500", "one")
    house.kernel = house.make(more={"one": {"messages": [{"own_tools": ["web_search"]}]}})
    llm = house.routed(fallback("one/m", "two/m", on_foreign="strip"), max_retries=0)
    answer = llm.complete("hi", tools=[{"type": "web_search"}])
    assert answer.served_by == "two/m"
    assert answer.report is not None
    assert answer.report.names("dropped") == ["tools"]


def test_targets_of_one_name_share_sessions_among_their_keys(house: House) -> None:
    targets = [{"model": "one/m", "keys": [key]} for key in ("first-key", "second-key")]
    llm = house.routed(balance(*targets, affinity="session"))
    for number in range(16):
        llm.chat(f"question {number}")
    used = {request.headers["authorization"] for request in house.servers["one"].requests}
    assert used == {"Bearer first-key", "Bearer second-key"}


def test_the_answer_is_not_lost_where_warnings_are_errors(house: House) -> None:
    house.fail("one", 401)
    house.servers["two"].reply("an answer")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert house.llm("one/m", "two/m").chat("hi") == "an answer"


def test_batches_that_were_cancelled_stand_in_the_ledger(house: House) -> None:
    are_here = {"one": asyncio.Event(), "two": asyncio.Event()}

    async def refused(name: str) -> AsyncIterator[bytes]:
        await are_here[name].wait()  # so that all batches are on their way when one fails
        yield b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 2\r\n\r\n{}"

    async def silence() -> AsyncIterator[bytes]:
        await asyncio.sleep(5)
        yield b""

    def script(name: str, request: Any) -> AsyncIterator[bytes]:
        if house.servers[name].request_count >= 4:
            are_here[name].set()
        return refused(name) if "t0" in str(request.json) else silence()

    for name in ("one", "two"):
        house.servers[name].script(partial(script, name))
    llm = house.llm("one/e", "two/e", max_retries=0)
    texts = [f"t{number}" for number in range(4)]
    with pytest.raises(FallbackExhausted) as caught:
        asyncio.run(llm.aembed(texts, embedding_batch_size=1, embedding_max_workers=4))
    told = [attempt.provider for attempt in caught.value.attempts]
    assert (told.count("one"), told.count("two")) == (4, 4)
    assert [house.servers[name].request_count for name in ("one", "two")] == [4, 4]
