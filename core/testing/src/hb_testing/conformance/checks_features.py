"""Checks of what not every wire has: it is on the wire or in the report, or refused by name before it is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from hb_testing.conformance import parameters, samples
from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import needs
from hb_testing.conformance.rig import PROMPT
from heavenbase.errors import InputError, ProviderError, UnsupportedError
from heavenbase.wires.attributes import MARKS

if TYPE_CHECKING:
    from hb_testing.conformance.rig import Rig


class FeatureChecks(GatewayBase):
    """Tools that wait, tools that take free text, marks of a prompt's cache, files that are named."""

    @needs("chat", "tools")
    def test_deferred_tools_are_deferred_or_the_report_says_not(self, plan: Rig) -> None:
        request, report = plan.prepare("complete", tools=[samples.DEFERRED])
        if "tools" in report.names("dropped"):
            return  # all of them, so that the call is refused
        assert "late_tool" in samples.words_of(request.body)
        is_there = "defer_loading" in json.dumps(request.body)
        assert is_there != any("defer_loading" in name for name in report.names("dropped")), (
            "defer_loading is neither sent nor reported"
        )

    @needs("chat", "tools")
    def test_tools_in_a_group_reach_the_model(self, plan: Rig) -> None:
        group = {"type": "namespace", "name": "crm", "description": "customers", "tools": [samples.DEFERRED]}
        request, report = plan.prepare("complete", tools=[group])
        if "tools" in report.names("dropped"):
            return
        assert "late_tool" in samples.words_of(request.body)
        assert "crm" in samples.words_of(request.body) or "tools[0]" in report.names("emulated")

    @needs("chat", "tools")
    def test_a_tool_that_takes_free_text_keeps_its_grammar_or_is_refused(self, rig: Rig) -> None:
        try:
            request, report = rig.prepare("complete", tools=[samples.FREE_TEXT])
        except UnsupportedError:
            error = rig.error("chat", tools=[samples.FREE_TEXT])
            assert isinstance(error, UnsupportedError), f"it raised {type(error).__name__}"
            assert not rig.is_wired or rig.server.request_count == 0, "the request was sent all the same"
            return
        if "tools" not in report.names("dropped"):
            assert samples.FREE_TEXT["format"]["definition"] in samples.words_of(request.body)

    @needs("background", "server")
    def test_an_answer_in_the_background_is_made_once_and_found_by_its_id(self, rig: Rig) -> None:
        rig.server.reply("made in the background")
        llm = rig.llm()
        job = self.asked(rig, llm, "submit", PROMPT)
        assert not job.is_done
        assert self.asked(rig, llm, "retrieve", job.id).id == job.id
        answer = self.asked(rig, rig.llm(), "poll", job.id)
        assert answer.text == "made in the background"
        made = [request for request in rig.server.requests if request.body and b"background" in request.body]
        assert len(made) == 1, "the job was made more than once"
        other = self.asked(rig, llm, "submit", PROMPT)
        assert self.asked(rig, llm, "cancel", other).status == "cancelled"
        with pytest.raises(ProviderError):
            self.asked(rig, llm, "poll", other)

    @needs("background", "server")
    def test_b6_a_job_that_may_have_been_made_is_not_made_again(self, rig: Rig) -> None:
        with pytest.raises(ProviderError):
            self.asked(rig, rig.llm("N2.b"), "submit", PROMPT, max_retries=2)
        assert rig.server.request_count == 1

    def asked(self, rig: Rig, llm: Any, method: str, *content: Any, **options: Any) -> Any:
        """What a method of an LLM answers in the rig's colour."""
        plain, twin = getattr(llm, method), getattr(llm, f"a{method}")
        return rig.colour.run(lambda: plain(*content, **options), lambda: twin(*content, **options))

    @needs("chat", "tools")
    def test_calls_and_results_as_a_vendors_own_blocks_reach_the_wire(self, wired: Rig) -> None:
        wired.call("chat", content=samples.native_blocks(), **parameters.WITH_TOOLS)
        words = "\n".join(samples.words_of(wired.server.requests[0].json))
        for word in ("first-question", "first-answer", "get_weather", "Köln", "rain-result", "last-question"):
            assert word in words, f"{word} did not reach the wire"

    @pytest.mark.parametrize("mark", sorted(MARKS))
    @needs("chat")
    def test_a_mark_of_the_prompts_cache_is_sent_or_reported(self, plan: Rig, mark: str) -> None:
        part = {"type": "text", "text": "stable-words", mark: {"type": "ephemeral"}}
        request, report = plan.prepare("complete", messages=[{"role": "user", "content": [part]}])
        assert "stable-words" in "\n".join(samples.words_of(request.body))
        is_there = any(name in json.dumps(request.body) for name in MARKS)
        assert is_there != any(name.endswith(mark) for name in report.names("dropped")), (
            "the mark is neither sent nor reported"
        )

    @pytest.mark.parametrize("name", samples.REFERENCES)
    @pytest.mark.parametrize("kind", ["file", "image_file"])
    @needs("chat")
    def test_a_file_that_is_named_is_named_on_the_wire_or_refused(self, plan: Rig, kind: str, name: str) -> None:
        field = "uri" if kind == "image_file" and "://" in name else "file_data" if "://" in name else "file_id"
        content = [{"type": "text", "text": "read it"}, {"type": kind, kind: {field: name, "filename": "a.pdf"}}]
        try:
            request, _ = plan.prepare("complete", messages=[{"role": "user", "content": content}])
        except (InputError, UnsupportedError):
            return  # refused by name, before anything is sent
        assert name in "\n".join(samples.words_of(request.body)), f"{name} did not reach the wire"
