"""Reasoning parts go back to whom they came from, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from heavenbase.spec import LLMSpec
from heavenbase.types import ParameterReport
from heavenbase.wires import UNNAMED, note_lost, note_unnamed, own_parts, reasoning_part

SPEC = LLMSpec(preset=None, model="m", model_id="m", provider="p", gateway="g", requested_gateway="g")
FIELDS = {"content": list, "plan": str}


def part(**changes: Any) -> dict[str, Any]:
    return {**reasoning_part(SPEC, "content", [{"opaque": "bytes"}]), **changes}


def test_a_part_goes_back_verbatim_to_the_provider_that_wrote_it() -> None:
    parts = [part(), part(field="plan", value="first")]
    assert own_parts({"reasoning_parts": parts}, SPEC, FIELDS) == (parts, {})
    assert parts[0] == {"provider": "p", "model": "m", "field": "content", "value": [{"opaque": "bytes"}]}


@pytest.mark.parametrize("change", [{"provider": "q"}, {"field": "other"}, {"field": None}, {"value": "text"}])
def test_a_part_of_another_provider_field_or_shape_stays_behind(change: dict[str, Any]) -> None:
    found, lost = own_parts({"reasoning_parts": [part(**change)]}, SPEC, FIELDS)
    assert found == []
    assert list(lost) == [change.get("provider", "p")]


def test_thoughts_may_be_of_use_to_one_model_alone() -> None:
    parts = [part(model="n")]
    assert own_parts({"reasoning_parts": parts}, SPEC, FIELDS)[0] == parts
    assert own_parts({"reasoning_parts": parts}, SPEC, FIELDS, by_model=True) == ([], {"n": None})


def test_what_stays_behind_is_reported_once_with_whose_it_is() -> None:
    report = ParameterReport()
    note_lost({}, report)
    assert report.entries == {}
    note_lost({"q": None, "r": None}, report)
    assert report.entries["reasoning_parts"].reason == "thoughts of another provider stay behind (q, r)"


def test_thoughts_without_provenance_are_reported_where_there_are_no_parts() -> None:
    report = ParameterReport()
    note_unnamed({"reasoning_content": "x", "reasoning_parts": []}, report, UNNAMED)
    assert report.entries == {}
    note_unnamed({"reasoning_content": "x"}, report, UNNAMED)
    assert report.names("dropped") == ["reasoning_content"]
