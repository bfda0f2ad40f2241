"""Checks of judges: what they say of answers, in both colours, and that they leave them as they are."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from hb_testing.conformance.checks_settings import SettingChecks
from hb_testing.conformance.endpoint import SETTINGS, Endpoint
from hb_testing.conformance.needs import only_if
from hb_testing.conformance.rig import KEY, PROMPT, Clock, make_kernel
from hb_testing.conformance.sandbox import leftovers, records
from heavenbase.colour import drive
from heavenbase.llm import LLM
from heavenbase.secrets import scrubber
from heavenbase.types import Completion, ToolCall, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hb_testing.conformance.colours import Colour
    from heavenbase.call import Call
    from heavenbase.kernel import Kernel

ANSWERS: dict[str, Completion] = {
    "whole": Completion("Paris is the capital of France.", finish_reason="stop", usage=Usage(9, 8)),
    "refused": Completion("I\u2019m sorry, I cannot help with that.", finish_reason="refusal", usage=Usage(9, 9)),
    "empty": Completion("", finish_reason="stop", usage=Usage(9, 0)),
    "cut": Completion("Paris is the", finish_reason="length", usage=Usage(9, 3)),
    "calling": Completion("", tool_calls=[ToolCall("a", "get_time", "{}")], finish_reason="tool_calls"),
    "untold": Completion("Paris, of course, is the capital.", finish_reason="other"),
    "filtered": Completion("Par", finish_reason="content_filter", usage=Usage(9, 1)),
    "long": Completion("word " * 20_000, finish_reason="stop", usage=Usage(9, 20_000)),
    "odd": Completion("\ud800 \x00 \u202e {{x}} %s", finish_reason="stop", usage=Usage(None, None)),
}
"""Answers of every kind that a judge may be asked about."""
EACH = pytest.mark.parametrize("kind", list(ANSWERS))
HAS_BAD = only_if(lambda contract, _: "" if contract.bad() is not None else "no answer is known that it rejects: bad()")


class JudgeChecks(SettingChecks):
    """The hooks for authors, and the checks."""

    kind = "judges"
    named_by = "judge"

    judge: ClassVar[str] = ""
    """The judge's name."""

    def good(self) -> Completion:
        """An answer that will do."""
        return copy.deepcopy(ANSWERS["whole"])

    def bad(self) -> Completion | None:
        """An answer that it rejects; None: none is known."""
        return None

    @pytest.fixture
    def house(self) -> Iterator[Kernel]:
        """A kernel with the judge, and an endpoint that notes its requests."""
        plugins = [Endpoint(), *self.given_plugins()]
        with make_kernel(Clock(), settings={**SETTINGS, **self.settings()}, plugins=plugins) as kernel:
            yield kernel

    def verdict(self, kernel: Kernel, colour: Colour, answer: Completion) -> Any:
        """What the judge says of an answer in a colour; in sync it may wait for nothing."""
        spec = kernel.resolve(model="one", provider="conformance", api_key=KEY)
        is_async = colour.name == "async"
        said = [{"role": "user", "content": PROMPT}]
        call: Call = kernel.call("complete", spec, {}, is_async=is_async, messages=said)
        judge = kernel.services.load(self.kind, self.subject())

        async def ask() -> Any:
            found = judge(call, answer)
            return await found if hasattr(found, "__await__") else found

        return colour.run(lambda: drive.run(ask()), ask)

    @EACH
    def test_it_answers_a_reason_or_none(self, house: Kernel, colour: Colour, kind: str) -> None:
        """Whatever the answer: it raises nothing, and says in words what is wrong."""
        found = self.verdict(house, colour, copy.deepcopy(ANSWERS[kind]))
        assert found is None or isinstance(found, str), f"the verdict is {type(found).__name__}, not a text or None"
        assert found is None or found.strip(), "a reason of no words; None is the word for an answer that will do"

    @EACH
    def test_it_leaves_the_answer_as_it_is(self, house: Kernel, colour: Colour, kind: str) -> None:
        answer = copy.deepcopy(ANSWERS[kind])
        self.verdict(house, colour, answer)
        answer.structured = None  # reading it once is no change
        assert answer.to_dict() == ANSWERS[kind].to_dict()

    def test_a_good_answer_will_do(self, house: Kernel, colour: Colour) -> None:
        reason = self.verdict(house, colour, self.good())
        assert reason is None, f"it rejects the answer of good(): {reason}"

    @HAS_BAD
    def test_a_bad_answer_is_rejected(self, house: Kernel, colour: Colour) -> None:
        answer = self.bad()
        assert answer is not None
        assert self.verdict(house, colour, answer), "it accepts the answer of bad()"

    @pytest.mark.parametrize("verb", ["chat", "stream"])
    @HAS_BAD
    def test_a_cascade_goes_on_where_it_rejects(self, house: Kernel, colour: Colour, verb: str) -> None:
        """Through hb-routing, where that is installed."""
        if not house.registry.inventory.claims("middleware", "routing"):
            pytest.skip("hb-routing is not installed")
        bad, good = self.bad(), self.good()
        assert bad is not None
        texts = {"one": bad.text, "two": good.text}
        endpoint: Endpoint = house.registry.load("gateways", Endpoint.name)
        endpoint.says = lambda call, words: texts[call.spec.model_id]
        targets = [{"provider": "conformance", "model": name} for name in texts]
        route = {"kind": "cascade", "targets": targets, "judge": self.subject()}
        llm = LLM(route=route, kernel=house, api_key=KEY, max_retries=0)
        if verb == "chat":
            answer = colour.chat(llm, PROMPT)
            assert [hop.outcome for hop in answer.hops] == ["rejected", "served"]
            text = answer.text
        else:
            text = "".join(chunk.text for chunk in colour.stream(llm, PROMPT))
        assert text == good.text

    def test_it_leaves_nothing_and_tells_no_credential(self, colour: Colour) -> None:
        """No thread, nothing open, and no credential in any log record."""
        with leftovers() as left, records() as lines:
            plugins = [Endpoint(), *self.given_plugins()]
            with make_kernel(Clock(), settings={**SETTINGS, **self.settings()}, plugins=plugins) as kernel:
                for answer in ANSWERS.values():
                    self.verdict(kernel, colour, copy.deepcopy(answer))
        assert not left.threads, f"threads stay: {left.threads}"
        assert not left.warnings, f"left open: {left.warnings}"
        scrub = scrubber([KEY])
        assert all(scrub(line) == line for line in lines), "a log record shows the credential"
