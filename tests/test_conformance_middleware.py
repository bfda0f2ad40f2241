"""The contracts of middlewares and judges pass right ones, and catch each wrong one by the check that is about it."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from hb_testing import JudgeContract, MiddlewareContract
from heavenbase.middleware import Judge, Middleware, Observer, Setting
from heavenbase.types import Completion
from tests.test_conformance_kit import RUN, checks

pytest_plugins = ("pytester",)


class Counting(Middleware):
    """Counts calls and chunks, with a setting; every request, as it stands at the attempts."""

    name = "counting"
    around = "attempt"
    settings: ClassVar[dict[str, Setting]] = {"most": Setting("int | null", 1000, "calls that are counted", minimum=1)}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.count = 0

    async def __call__(self, call: Any, next: Any) -> Any:
        self.count += 1
        answer = await next(call)
        return self.counted(answer) if call.stream else answer

    async def counted(self, chunks: Any) -> Any:
        try:
            async for chunk in chunks:
                self.count += 1
                yield chunk
        finally:
            await chunks.aclose()


class Watching(Observer):
    """Notes how calls end; its own faults are nobody's."""

    name = "watching"

    def __init__(self) -> None:
        super().__init__()
        self.ends: list[Any] = []

    def after(self, call: Any, answer: Any, error: BaseException | None, seconds: float) -> None:
        self.ends.append(answer or error)
        raise RuntimeError("an observer that fails")


class Short(Judge):
    """Rejects answers of few letters."""

    name = "short"
    settings: ClassVar[dict[str, Setting]] = {"letters": Setting("int", 20, "fewest letters that will do", minimum=0)}

    async def __call__(self, call: Any, answer: Completion) -> str | None:
        return None if len(answer.text) >= self.options["letters"] else "it is short"


class TestCounting(MiddlewareContract):
    middleware = "counting"

    def plugin(self) -> Any:
        return Counting()


class TestWatching(MiddlewareContract):
    middleware = "watching"

    def plugin(self) -> Any:
        return Watching()


class TestShort(JudgeContract):
    judge = "short"

    def plugin(self) -> Any:
        return Short()

    def bad(self) -> Completion:
        return Completion("no", finish_reason="stop")


BROKEN = """
import asyncio
import threading
from dataclasses import replace

from heavenbase.errors import HBError
from heavenbase.middleware import Judge, Middleware, Observer, Setting
from heavenbase.types import Completion
from hb_testing import JudgeContract, MiddlewareContract


class Broken(MiddlewareContract):
    made = None

    def __init_subclass__(cls):
        cls.middleware = cls.__name__.removeprefix("Test").lower()

    def plugin(self):
        found = self.made()
        found.name = self.middleware
        return found


class Swallowing(Middleware):
    async def __call__(self, call, next):
        try:
            return await next(call)
        except HBError:
            return Completion("never mind", finish_reason="stop")

class TestSwallowing(Broken):
    made = Swallowing


class Foreign(Middleware):
    async def __call__(self, call, next):
        try:
            return await next(call)
        except HBError as error:
            raise KeyError(str(error)) from None

class TestForeign(Broken):
    made = Foreign


class Streaming(Middleware):
    async def __call__(self, call, next):
        answer = await next(call)
        return self.through(answer) if call.stream else answer


class Forgetful(Streaming):
    async def through(self, source):
        async for chunk in source:
            if chunk.kind == "delta":
                yield chunk

class TestForgetful(Broken):
    made = Forgetful


class Gathering(Streaming):
    async def through(self, source):
        for chunk in [chunk async for chunk in source]:
            yield chunk

class TestGathering(Broken):
    made = Gathering


class Keeping(Streaming):
    kept = []
    async def through(self, source):
        self.kept.append(source)
        async for chunk in source:
            yield chunk

class TestKeeping(Broken):
    made = Keeping


class Looping(Middleware):
    async def __call__(self, call, next):
        if call.is_async or call.stream:
            return await next(call)
        found = []
        async def ask():
            found.append(await next(call))
        thread = threading.Thread(target=lambda: asyncio.run(ask()))
        thread.start()
        thread.join()
        return found[0]

class TestLooping(Broken):
    made = Looping


class Deaf(Middleware):
    async def __call__(self, call, next):
        try:
            return await next(call)
        except asyncio.CancelledError:
            return Completion("I heard nothing", finish_reason="stop")

class TestDeaf(Broken):
    made = Deaf


class Busy(Middleware):
    async def __call__(self, call, next):
        if call.is_async:
            self.task = asyncio.ensure_future(asyncio.sleep(30))
        return await next(call)

class TestBusy(Broken):
    made = Busy


class Threaded(Middleware):
    async def __call__(self, call, next):
        threading.Thread(target=threading.Event().wait, args=(3,), daemon=True).start()
        return await next(call)

class TestThreaded(Broken):
    made = Threaded


class Mixing(Middleware):
    async def __call__(self, call, next):
        self.call = call
        if call.is_async:
            await asyncio.sleep(0)
        return await next(self.call)

class TestMixing(Broken):
    made = Mixing


class Hiding(Middleware):
    around = "attempt"
    async def __call__(self, call, next):
        return await next(call.replace(context=replace(call.context, attempts=[])))

class TestHiding(Broken):
    made = Hiding


class Telling(Middleware):
    async def __call__(self, call, next):
        call.services.logger.debug("asked with %s", call.secrets()[0])
        return await next(call)

class TestTelling(Broken):
    made = Telling


class Alone(Middleware):
    async def __call__(self, call, next):
        return await next(call) if call.verb != "complete" or call.stream else Completion("mine", finish_reason="stop")

class TestAlone(Broken):
    made = Alone


class Careless(Middleware):
    async def __call__(self, call, next):
        next(call)
        return await next(call)

class TestCareless(Broken):
    made = Careless


class Meddling(Observer):
    async def __call__(self, call, next):
        return await next(call.replace(args={**call.args, "seed": 7}))

class TestMeddling(Broken):
    made = Meddling


class Unset(Middleware):
    settings = {"wait": Setting("float", "long", "seconds")}

class TestUnset(Broken):
    made = Unset


class Unnamed(Middleware):
    settings = {"wait": Setting("float", 1.0)}

class TestUnnamed(Broken):
    made = Unnamed


class Sideways(Middleware):
    around = "sideways"

class TestSideways(Broken):
    made = Sideways


class Judging(JudgeContract):
    made = None

    def __init_subclass__(cls):
        cls.judge = cls.__name__.removeprefix("Test").lower()

    def plugin(self):
        found = self.made()
        found.name = self.judge
        return found

    def bad(self):
        return Completion("no", finish_reason="stop")


class Falling(Judge):
    def __call__(self, call, answer):
        return None if answer.text[0] else "empty"

class TestFalling(Judging):
    made = Falling


class Nodding(Judge):
    def __call__(self, call, answer):
        return len(answer.text) < 5

class TestNodding(Judging):
    made = Nodding


class Correcting(Judge):
    def __call__(self, call, answer):
        answer.text = answer.text.strip()
        answer.finish_reason = "stop"
        return None

class TestCorrecting(Judging):
    made = Correcting


class Strict(Judge):
    async def __call__(self, call, answer):
        return "not good enough"

class TestStrict(Judging):
    made = Strict


class Waiting(Judge):
    async def __call__(self, call, answer):
        await asyncio.sleep(0)
        return None

class TestWaiting(Judging):
    made = Waiting
"""
CAUGHT = {
    "middleware:swallowing": "an_error_of_the_provider_comes_through[sync-rate_limit-chat]",
    "middleware:foreign": "an_error_of_the_provider_comes_through[sync-server-embed]",
    "middleware:forgetful": "the_end_of_a_stream_is_kept[sync]",
    "middleware:gathering": "a_stream_passes_as_it_comes[sync]",
    "middleware:keeping": "a_stream_that_the_caller_leaves_is_closed[sync-closed]",
    "middleware:looping": "an_answer_of_every_verb_passes[sync-chat]",
    "middleware:deaf": "a_cancelled_call_ends[chat]",
    "middleware:busy": "it_leaves_no_tasks_and_no_threads[async]",
    "middleware:threaded": "it_leaves_no_tasks_and_no_threads[sync]",
    "middleware:mixing": "calls_at_the_same_time_do_not_mix[async-chat]",
    "middleware:hiding": "the_ledger_has_every_request[sync-0-chat]",
    "middleware:telling": "no_log_record_holds_a_credential[sync]",
    "middleware:alone": "next_is_awaited[sync-chat]",
    "middleware:careless": "next_is_awaited[sync-embed]",
    "middleware:meddling": "an_observer_changes_nothing[sync-chat]",
    "middleware:unset": "its_defaults_are_valid",
    "middleware:unnamed": "its_settings_say_what_they_are",
    "middleware:sideways": "its_place_is_one_that_calls_have",
    "judges:falling": "it_answers_a_reason_or_none[sync-empty]",
    "judges:nodding": "it_answers_a_reason_or_none[sync-whole]",
    "judges:correcting": "it_leaves_the_answer_as_it_is[sync-cut]",
    "judges:strict": "a_good_answer_will_do[sync]",
    "judges:waiting": "it_answers_a_reason_or_none[sync-whole]",
}


def test_broken_middlewares_and_judges_are_caught_each_by_its_check(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_broken=BROKEN)
    chosen = [f"test_broken.py::Test{key.partition(':')[2].title()}::test_{check}" for key, check in CAUGHT.items()]
    # Elsewhere, as one of them writes the key into the log of the process that runs it.
    pytester.runpytest_subprocess(*RUN, "--tb=no", "--show-capture=no", "-rN", *chosen, "--hb-report", "report.json")
    for key, check in CAUGHT.items():
        found = checks(pytester.path / "report.json", key)
        assert check in found, f"{key}: {sorted(found)}"
        assert found[check]["outcome"] == "failed", f"{key} passed {check}"


@pytest.mark.parametrize("asked", ["middleware:routing", "judges:finish"])
def test_an_installed_one_is_checked_by_name(pytester: pytest.Pytester, asked: str) -> None:
    done = pytester.runpytest_inprocess(*RUN, "--hb-plugin", asked, "-k", "setting or place or default or status")
    outcomes = done.parseoutcomes()
    assert outcomes.keys() <= {"passed", "deselected"}
    assert outcomes["passed"] >= 6
