"""How a request asks for the form of its answer, by what its endpoint can do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from heavenbase.call import Call
from heavenbase.structured import FormatPlan, plan_format, with_instruction
from heavenbase.types import ParameterReport

from ..support import scripted

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}, "required": []}


def call_with(response_format: Any, capability: str | None = None) -> Call:
    capabilities = {} if capability is None else {"structured": capability}
    from ..support import CodeProvider

    it = scripted(plugins=(CodeProvider("acme", capabilities=capabilities),))
    options = {} if response_format is None else {"response_format": response_format}
    return it.kernel.call("complete", it.llm.spec, options, is_async=False, messages=[{"role": "user", "content": "x"}])


@pytest.mark.parametrize("capability", [None, "json_schema"])
def test_an_endpoint_that_keeps_to_schemas_gets_the_strict_one(capability: str | None) -> None:
    call = call_with(SCHEMA, capability)
    plan = plan_format(call)
    assert (plan.strategy, plan.instruction, plan.name, plan.schema) == ("schema", "", "answer", SCHEMA)
    assert plan.response_format == call.args["response_format"]
    assert plan.response_format is not None
    assert plan.response_format["json_schema"]["schema"]["required"] == ["n"]
    report = ParameterReport()
    plan.note(report)
    assert report.entries["response_format"].outcome == "sent"
    plan.note(report, wire="responseSchema")
    assert (report.entries["response_format"].outcome, report.entries["response_format"].wire) == (
        "renamed",
        "responseSchema",
    )


def test_an_endpoint_that_keeps_to_json_has_the_schema_told_to_the_model() -> None:
    plan = plan_format(call_with(SCHEMA, "json_object"))
    assert (plan.strategy, plan.response_format, plan.schema) == ("object", {"type": "json_object"}, None)
    assert json.loads(plan.instruction.partition("\n")[2]) == SCHEMA
    assert "JSON" in plan.instruction  # a word without which OpenAI refuses json_object
    report = ParameterReport()
    plan.note(report)
    assert report.entries["response_format"].outcome == "emulated"


def test_an_endpoint_without_any_has_the_model_told() -> None:
    plan = plan_format(call_with(SCHEMA, "none"))
    assert (plan.strategy, plan.response_format, plan.schema) == ("prompt", None, None)
    assert json.loads(plan.instruction.partition("\n")[2]) == SCHEMA
    plan = plan_format(call_with("json_object", "none"))
    assert (plan.strategy, plan.response_format) == ("prompt", None)
    assert "one JSON object" in plan.instruction


@pytest.mark.parametrize("capability", [None, "json_schema", "json_object"])
def test_json_objects_are_asked_for_as_they_are(capability: str | None) -> None:
    assert plan_format(call_with("json_object", capability)) == FormatPlan("object", {"type": "json_object"})


def test_text_and_forms_of_a_provider_s_own_are_left_alone() -> None:
    assert plan_format(call_with(None)) == FormatPlan("text")
    assert plan_format(call_with("text")) == FormatPlan("text", {"type": "text"})
    own = {"type": "grammar", "grammar": "root ::= x"}
    assert plan_format(call_with(own, "none")) == FormatPlan("other", own)
    report = ParameterReport()
    plan_format(call_with(None)).note(report)
    assert report.entries == {}


def test_a_gateway_may_know_better_than_the_declaration() -> None:
    assert plan_format(call_with(SCHEMA, "json_schema"), "none").strategy == "prompt"


def test_a_call_made_by_hand_is_planned_too() -> None:
    call = call_with(SCHEMA).replace(format=None)
    assert plan_format(call).strategy == "schema"


def test_the_instruction_joins_the_system_message_or_becomes_one() -> None:
    user = {"role": "user", "content": "x"}
    assert with_instruction([user], "") == [user]
    assert with_instruction([user], "Do.") == [{"role": "system", "content": "Do."}, user]
    system = {"role": "developer", "content": "Be brief."}
    assert with_instruction([system, user], "Do.") == [{"role": "developer", "content": "Be brief.\n\nDo."}, user]
    assert system["content"] == "Be brief."
    parts = {"role": "system", "content": [{"type": "text", "text": "Be brief."}]}
    assert with_instruction([user, parts], "Do.")[1]["content"][-1] == {"type": "text", "text": "Do."}
