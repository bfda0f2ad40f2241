"""What a kernel lends to middlewares: waiting in both colours, chance, clocks, other targets, the cache, settings."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.errors import DeadlineExceeded, PluginContractError, UnknownNameError
from heavenbase.llm import LLM
from heavenbase.middleware import Middleware
from heavenbase.services import Services
from heavenbase.types import Completion

from ..cache.dict_cache import DictCache
from ..support import CodeProvider, FakeTime, both_colours, scripted

CACHED = {"heavenbase.llm.cache.enabled": True, "heavenbase.llm.cache.backend": "dict"}


class Doing(Middleware):
    """Does what it is given, before it goes on with what that answers."""

    def __init__(self, act: Any) -> None:
        super().__init__()
        self.act = act
        self.found: list[Any] = []

    async def __call__(self, call: Any, next: Any) -> Any:
        return await next(await self.act(call, self.found))


@pytest.mark.parametrize("colour", [0, 1])
def test_sleep_waits_in_the_colour_of_the_call(colour: int) -> None:
    async def wait(call: Any, found: list[Any]) -> Any:
        before = call.services.clock(), call.services.wall()
        await call.services.sleep(call, 3.0)
        found.append((call.services.clock() - before[0], call.services.wall() - before[1]))
        return call

    doing, time = Doing(wait), FakeTime()
    house = scripted(middleware=(doing,), time=time)
    answer = both_colours(house.llm, "complete")[colour]("x")
    assert (time.naps, doing.found) == ([3.0], [(3.0, 3.0)])
    assert answer.attempts[0].waited == 3.0, "the ledger tells of the wait"


@pytest.mark.parametrize("colour", [0, 1])
def test_sleep_does_not_outlast_the_deadline(colour: int) -> None:
    async def wait(call: Any, found: list[Any]) -> Any:
        await call.services.sleep(call, 10.0)
        return call

    time = FakeTime()
    house = scripted(middleware=(Doing(wait),), time=time)
    with pytest.raises(DeadlineExceeded, match=r"10.00 s would pass"):
        both_colours(house.llm, "chat")[colour]("x", timeout=9)
    assert (time.naps, house.gateway.calls) == ([], [])


def test_random_and_settings_are_those_of_the_kernel(caplog: pytest.LogCaptureFixture) -> None:
    async def look(call: Any, found: list[Any]) -> Any:
        services = call.services
        services.logger.warning("seen")
        found += [services.random(), services.setting("heavenbase.llm.retry.max_attempts"), services.logger.name]
        return call

    doing, time = Doing(look), FakeTime()
    time.drawn = [0.25]
    scripted(middleware=(doing,), time=time).llm.chat("x")
    assert doing.found == [0.25, 3, "heavenbase"]
    assert "seen" in caplog.text


@pytest.mark.parametrize("colour", [0, 1])
def test_a_call_goes_to_another_target_with_what_the_caller_gave(colour: int) -> None:
    async def elsewhere(call: Any, found: list[Any]) -> Any:
        spec = call.services.resolve(model="other/large", seed=9, top_p=0.5)
        return call.services.retarget(call, spec)

    other = CodeProvider("other", api_key_env=["OTHER_API_KEY"])
    environ = {"OTHER_API_KEY": "key-of-other"}
    house = scripted(middleware=(Doing(elsewhere),), plugins=(other,), environ=environ)
    llm = LLM(kernel=house.kernel, seed=1, api_key="key-of-acme")
    answer = both_colours(llm, "complete")[colour]("x", max_tokens=5)
    [call] = house.gateway.calls
    assert (call.spec.provider, call.spec.model_id) == ("other", "large")
    # What the caller gave goes along, over the defaults of the new target; the credential stays behind.
    assert {name: call.args.get(name) for name in ("seed", "top_p", "max_tokens")} == {
        "seed": 1,
        "top_p": 0.5,
        "max_tokens": 5,
    }
    assert "api_key" not in {**call.args, **call.controls}
    assert call.spec.api_key.reveal() == "key-of-other"
    assert all("acme" not in str(secret) for secret in call.secrets())
    assert [(it.provider, it.model) for it in answer.attempts] == [("other", "large")]


def test_a_wrong_name_is_told_before_anything_is_sent() -> None:
    async def slip(call: Any, found: list[Any]) -> Any:
        call.services.resolve(model="x", provider="acmee")

    house = scripted(middleware=(Doing(slip),))
    with pytest.raises(UnknownNameError, match="acme"):
        house.llm.chat("x")
    assert house.gateway.calls == []


@pytest.mark.parametrize("colour", [0, 1])
def test_the_cache_is_looked_into_for_another_target(colour: int) -> None:
    async def look(call: Any, found: list[Any]) -> Any:
        kept, looked_up = await call.services.recall(call)
        found.append((getattr(kept, "text", None), looked_up.missed is not None))
        return looked_up

    doing = Doing(look)
    house = scripted("hello", middleware=(doing,), plugins=(DictCache(),), config=CACHED)
    ask = both_colours(house.llm, "complete")[colour]
    assert ask("x").text == ask("x").text == "hello"
    assert doing.found == [(None, True), ("hello", False)]
    assert len(house.gateway.calls) == 1


def test_services_without_a_kernel_say_so() -> None:
    alone = Services(lambda *_: None, lambda *_: None, lambda: 0.0, lambda: 0.0)
    with pytest.raises(PluginContractError, match="belong to no kernel"):
        alone.random()


def test_an_answer_may_be_made_without_a_request() -> None:
    async def answer(call: Any, next: Any) -> Any:
        return Completion("from here", finish_reason="stop")

    house = scripted()
    for ask in both_colours(house.llm, "complete"):
        found = ask("x", middleware=[answer])
        assert (found.text, found.attempts, found.report.stack) == ("from here", [], ("answer",))
