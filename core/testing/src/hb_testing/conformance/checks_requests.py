"""Checks of requests: prepare is pure, every parameter is accounted for, what is lost is refused before it is sent."""

from __future__ import annotations

import copy
import json
import warnings
from typing import TYPE_CHECKING, Any, get_args

import pytest

from hb_testing.conformance import parameters, samples
from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import ABILITIES, needs, only_if
from hb_testing.conformance.rig import KEY, Rig, shortened
from hb_testing.conformance.sandbox import no_network
from heavenbase.errors import (
    HBError,
    InputError,
    LossyRequestError,
    LossyRequestWarning,
    UnknownNameError,
    UnsupportedError,
)
from heavenbase.plugin import GUARANTEES
from heavenbase.types import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hb_testing.conformance.colours import Colour
    from hb_testing.conformance.parameters import Sample
    from heavenbase.call import WireRequest

STOP: Mapping[str, Any] = {"stop": ["\n\n"]}
NO_STOP = [{"drop": {"stop": "the conformance kit says so"}}]


class RequestChecks(GatewayBase):
    """From a call to the request."""

    @pytest.mark.parametrize("verb", ["complete", "stream", "embed", "imagen"])
    @needs("verb")
    def test_prepare_is_pure(self, rig: Rig, verb: str) -> None:
        """No I/O, the same request for the same call, and the call is as it was."""
        stream, verb = verb == "stream", "complete" if verb == "stream" else verb
        given: dict[str, Any] = (
            {"messages": samples.every_role(), **parameters.WITH_TOOLS} if verb == "complete" else {}
        )
        call = rig.make_call(verb, stream=stream, **given)
        gateway = rig.gateway
        before = copy.deepcopy((call.messages, call.inputs, call.prompt, dict(call.args), dict(call.controls)))
        with no_network() as tried:
            first = gateway.prepare(call)
            second = gateway.prepare(call)
        assert not tried, f"prepare does {', '.join(tried)}; it may only compute"
        assert first == second, "the same call prepared twice gives two different requests"
        after = (call.messages, call.inputs, call.prompt, dict(call.args), dict(call.controls))
        assert after == before, "prepare changed the call; retries and other gateways use it too"

    @needs("chat")
    def test_no_credential_is_in_the_prepared_request(self, plan: Rig) -> None:
        """`hb explain` prints it."""
        request, _ = plan.prepare("complete")
        shown = repr((request.url, request.headers, request.body))
        assert KEY not in shown, "prepare puts the credential into the request; the client adds it when it sends"

    @needs("chat")
    def test_what_prepare_shows_is_what_is_sent(self, wired: Rig) -> None:
        shown, _ = wired.prepare("complete", temperature=0.5, messages=samples.every_role(), **parameters.WITH_TOOLS)
        wired.call("chat", content=samples.every_role(), temperature=0.5, **parameters.WITH_TOOLS)
        sent = wired.server.requests[0]
        assert sent.method == shown.method
        assert shown.url.endswith(sent.path), f"prepared {shown.url}, sent {sent.path}"
        assert sent.json == json.loads(json.dumps(shown.body))

    @pytest.mark.parametrize(("verb", "sample"), parameters.EVERY, ids=lambda value: getattr(value, "id", value))
    @needs("verb")
    def test_a_parameter_ends_in_exactly_one_outcome(self, plan: Rig, verb: str, sample: Sample) -> None:
        """Sent, renamed, clamped, emulated, dropped or unknown, and the request agrees with the report."""
        without, _ = plan.prepare(verb, **sample.others)
        try:
            request, report = plan.prepare(verb, **sample.others, **{sample.name: sample.value})
        except (InputError, UnsupportedError):
            return  # refused by name, before anything is sent
        entry = report.entries.get(sample.name)
        assert entry is not None, f"nothing is reported about {sample.name}; call context.report.dropped or .sent"
        assert entry.outcome in get_args(Outcome)
        changed = _wire(request) != _wire(without)
        if entry.outcome in ("sent", "renamed"):
            assert changed, f"{sample.name} is reported as {entry.outcome}, but the request is the same without it"
        else:
            assert entry.reason, f"{sample.name} is {entry.outcome} without a reason"
        if entry.outcome == "dropped":
            assert not changed, f"{sample.name} is reported as dropped, but the request is another one with it"
        # Tools and schemas have another shape on each wire.
        plain = isinstance(sample.value, str | int | float)
        if plain and entry.outcome == "sent" and entry.wire is not None and entry.wire in request.body:
            found = request.body[entry.wire]
            assert found == sample.value, f"{sample.name} is reported as sent, but its value became {shortened(found)}"

    @pytest.mark.parametrize("verb", ["complete", "embed", "imagen"])
    @needs("verb")
    def test_the_report_covers_all_parameters_together(self, plan: Rig, verb: str) -> None:
        table = {"complete": parameters.CHAT, "embed": parameters.EMBED, "imagen": parameters.IMAGEN}[verb]
        # Those that clash with another one are left to the checks that send them alone.
        clashing = {"max_completion_tokens", "n", "reasoning_max_tokens", "prediction"}
        given = {sample.name: sample.value for sample in table if sample.name not in clashing}
        _, report = plan.prepare(verb, allow_unknown=True, **given)
        missing = sorted(set(given) - set(report.entries))
        assert not missing, f"nothing is reported about {', '.join(missing)}"

    @needs("chat")
    def test_none_keeps_a_parameter_off_the_wire(self, plan: Rig) -> None:
        without, _ = plan.prepare("complete")
        request, _ = plan.prepare("complete", temperature=None, stop=None, tools=None, response_format=None)
        assert _wire(request) == _wire(without)

    @needs("chat")
    def test_a1_a_misspelt_option_is_refused_before_sending(self, rig: Rig) -> None:
        for slip in ("temprature", "max_token", "tool_choise", "sytem", "max_retrys"):
            options: dict[str, Any] = {slip: 1}
            error = rig.error("chat", **options)
            assert isinstance(error, UnknownNameError), f"{slip} raised {type(error).__name__}"
            assert error.nearest, f"{slip} was refused without the name that is meant"
        with pytest.raises(UnknownNameError, match="temperature"):
            rig.llm(temprature=1)
        assert not rig.is_wired or rig.server.request_count == 0

    @needs("chat")
    def test_a1_a_parameter_that_nothing_knows_is_sent_only_where_that_is_allowed(self, rig: Rig) -> None:
        if rig.gateway.parameters is None:
            return  # it lists none, so that nobody can tell
        assert isinstance(rig.error("chat", frobnicate=1), UnknownNameError)
        _, report = rig.prepare("complete", frobnicate=1, allow_unknown=True)
        assert report.entries["frobnicate"].outcome in ("unknown", "dropped")
        _, report = rig.prepare("complete", extra_body={"frobnicate": 1})
        assert report.entries["frobnicate"].outcome == "unknown"

    @needs("chat")
    def test_a_lost_guarantee_is_refused_before_sending(self, wired: Rig, colour: Colour) -> None:
        with self.open_rig(colour, record={"parameters": NO_STOP}) as rig:
            error = rig.error("chat", **STOP)
            assert type(error) is LossyRequestError, f"a stop sequence that is dropped raised {type(error).__name__}"
            assert "stop" in str(error)
            assert rig.server.request_count == 0, "the request was sent all the same"

    @needs("chat")
    def test_a_loss_is_warned_of_or_allowed_as_asked(self, wired: Rig, colour: Colour) -> None:
        with self.open_rig(colour, record={"parameters": NO_STOP}) as rig:
            with pytest.warns(LossyRequestWarning, match="stop"):
                rig.call("chat", on_lossy="warn", **STOP)
            with warnings.catch_warnings():
                warnings.simplefilter("error", LossyRequestWarning)
                answer = rig.call("chat", on_lossy="allow", **STOP)
            assert answer.report.names("dropped") == ["stop"]
            assert "stop" not in rig.server.requests[1].json

    @needs("chat")
    def test_guarantees_that_it_cannot_keep_are_refused(self, rig: Rig) -> None:
        """The gateway's own losses, whatever the provider says."""
        for sample in parameters.CHAT:
            if sample.name not in GUARANTEES:
                continue
            try:
                _, report = rig.prepare("complete", **sample.others, **{sample.name: sample.value})
            except HBError:
                continue
            entry = report.entries.get(sample.name)
            if entry is not None and entry.outcome in ("dropped", "clamped"):
                error = rig.error("chat", **sample.others, **{sample.name: sample.value})
                assert isinstance(error, LossyRequestError), f"{sample.name} is {entry.outcome} without an error"
        assert not rig.is_wired or rig.server.request_count == 0

    @needs("chat", "tools")
    def test_every_role_reaches_the_wire_in_order(self, wired: Rig) -> None:
        wired.call("chat", content=samples.every_role(), **parameters.WITH_TOOLS)
        body = {name: value for name, value in wired.server.requests[0].json.items() if name != "tools"}
        # Some wires have one text a message, in which parts stand side by side.
        words = "\n".join(samples.words_of(body))
        assert "system-words" in words
        places = [words.find(word) for word in samples.ORDERED_WORDS]
        lost = [word for word, place in zip(samples.ORDERED_WORDS, places, strict=True) if place < 0]
        assert not lost, f"{', '.join(lost)} did not reach the wire"
        assert places == sorted(places), "the messages reach the wire in another order"

    @pytest.mark.parametrize("is_last", [False, True], ids=["between", "last"])
    @pytest.mark.parametrize("role", ["system", "developer"])
    @needs("chat")
    def test_late_instructions_reach_the_wire_and_a_move_is_told(self, wired: Rig, role: str, is_last: bool) -> None:
        """In their place, or elsewhere with an entry in the report; never as an answer to be gone on with."""
        answer = wired.call("chat", content=samples.late_system(role, is_last=is_last))
        words = "\n".join(samples.words_of(wired.server.requests[0].json))
        order = ["system-words", "first-question", "first-answer", "late-words", "last-question"][: 4 + (not is_last)]
        assert words.count("late-words") == 1, "the instructions are sent once"
        places = [words.find(word) for word in order]
        assert -1 not in places, "a message did not reach the wire"
        assert places == sorted(places) or answer.report.entries.keys() & {"system", "messages"}, "moved and not told"

    @needs("chat", "vision")
    def test_images_reach_the_wire(self, wired: Rig) -> None:
        wired.call("chat", content=samples.with_images(urls=self.image_urls))
        sent = wired.server.requests[0].body
        assert b"compare-them" in sent
        assert samples.with_images()[0]["content"][1]["image"].to_b64().encode() in sent, "the bytes were not sent"
        assert not self.image_urls or samples.URL.encode() in sent, "the URL was not sent"

    @needs("chat", "tools")
    def test_an_answer_can_be_sent_back(self, wired: Rig) -> None:
        """With thoughts and tool calls in it: the provider must accept its own words."""
        calls = [{"name": "get_weather", "arguments": {"city": "Köln"}}, {"name": "ring_bell", "arguments": {}}]
        wired.server.reply(tool_calls=calls, **({"reasoning": "thought"} if self.can(wired, "reasoning") else {}))
        first = wired.call("chat", **parameters.WITH_TOOLS)
        results = [{"role": "tool", "tool_call_id": call.id, "content": "done"} for call in first.tool_calls]
        wired.call("chat", content=[*first.messages, *results], **parameters.WITH_TOOLS)
        assert wired.server.request_count == 2

    @needs("chat")
    def test_foreign_thoughts_are_not_sent(self, wired: Rig) -> None:
        """Opaque thoughts of one provider are worthless, or refused, at another."""
        part = {"provider": "elsewhere", "field": "reasoning_content", "value": "opaque-thought"}
        before = {"role": "assistant", "content": "words", "reasoning_parts": [part]}
        wired.call("chat", content=[{"role": "user", "content": "one"}, before, {"role": "user", "content": "two"}])
        assert b"opaque-thought" not in wired.server.requests[0].body

    @pytest.mark.parametrize("verb", ["embed", "imagen"])
    @only_if(lambda contract, given: "" if contract.lacks(ABILITIES[given["verb"]]) else "it can")
    def test_what_it_cannot_do_is_refused_before_sending(self, rig: Rig, verb: str) -> None:
        error = rig.error(verb)
        name = {"embed": "EmbeddingsNotSupported", "imagen": "ImageGenerationNotSupported"}[verb]
        assert type(error).__name__ == name, f"{verb} raised {type(error).__name__} instead of {name}"
        assert isinstance(error, NotImplementedError)
        assert not rig.is_wired or rig.server.request_count == 0

    @needs("chat")
    def test_any_text_reaches_the_wire_unchanged(self, plan: Rig) -> None:
        llm = plan.llm()
        for text in samples.TEXTS:
            try:
                request, _ = plan.prepare("complete", llm=llm, messages=[{"role": "user", "content": text}])
            except InputError:
                assert not text.strip(), "a text that says something was refused"
                continue
            words = samples.words_of(json.loads(json.dumps(request.body)))
            assert text in words, f"{shortened(text)} became {shortened(words)}"


def _wire(request: WireRequest) -> tuple[str, str, Any, dict[str, str]]:
    return request.method, request.url, request.body, dict(request.headers)
