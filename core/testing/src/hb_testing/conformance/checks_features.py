"""Checks of what not every wire has: it is on the wire or in the report, or refused by name before it is sent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from hb_testing.conformance import samples
from hb_testing.conformance.gateway import GatewayBase
from hb_testing.conformance.needs import needs
from heavenbase.errors import InputError, UnsupportedError
from heavenbase.wires.attributes import MARKS

if TYPE_CHECKING:
    from hb_testing.conformance.rig import Rig


class FeatureChecks(GatewayBase):
    """Tools that wait, tools that take free text, marks of a prompt's cache, files that are named."""

    @needs("chat", "tools")
    def test_deferred_tools_are_deferred_or_the_report_says_not(self, plan: Rig) -> None:
        request, report = plan.prepare("complete", tools=[samples.DEFERRED])
        assert "late_tool" in samples.words_of(request.body)
        is_there = "defer_loading" in json.dumps(request.body)
        assert is_there != any("defer_loading" in name for name in report.names("dropped")), (
            "defer_loading is neither sent nor reported"
        )

    @needs("chat", "tools")
    def test_tools_in_a_group_reach_the_model(self, plan: Rig) -> None:
        group = {"type": "namespace", "name": "crm", "description": "customers", "tools": [samples.DEFERRED]}
        request, report = plan.prepare("complete", tools=[group])
        assert "late_tool" in samples.words_of(request.body)
        assert "crm" in samples.words_of(request.body) or "tools[0]" in report.names("emulated")

    @needs("chat", "tools")
    def test_a_tool_that_takes_free_text_keeps_its_grammar_or_is_refused(self, rig: Rig) -> None:
        try:
            request, _ = rig.prepare("complete", tools=[samples.FREE_TEXT])
        except UnsupportedError:
            error = rig.error("chat", tools=[samples.FREE_TEXT])
            assert isinstance(error, UnsupportedError), f"it raised {type(error).__name__}"
            assert not rig.is_wired or rig.server.request_count == 0, "the request was sent all the same"
            return
        assert samples.FREE_TEXT["format"]["definition"] in samples.words_of(request.body)

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
