"""How one request asks for the form of its answer, by what its endpoint can do. Pure; for gateways.

    plan = plan_format(call)
    body["system"] = system + plan.instruction
    if plan.schema is not None:
        body["schema"] = plan.schema
    plan.note(call.context.report, wire="schema")

Gateways of OpenAI's wire use `plan.response_format` and `with_instruction(messages, plan.instruction)`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from heavenbase.spec import LLMSpec
from heavenbase.structured.format import OutputFormat, to_format
from heavenbase.types import Message, ParameterReport


class Request(Protocol):
    """What a plan needs to know of a Call."""

    @property
    def args(self) -> Mapping[str, Any]: ...
    @property
    def format(self) -> OutputFormat | None: ...
    @property
    def spec(self) -> LLMSpec: ...


Strategy: TypeAlias = Literal["text", "schema", "object", "prompt", "other"]

ONLY_JSON = "Answer with one JSON object and nothing else: no other text, no Markdown fence."
BY_SCHEMA = "Answer with one JSON value that fits this JSON schema and nothing else: no other text, no Markdown fence."


@dataclass(frozen=True, slots=True)
class FormatPlan:
    """What a request says about the form of its answer.

    `strategy` is "schema" (the endpoint keeps to a schema), "object" (to JSON), "prompt" (the model is told), "text"
    (nothing is asked for) or "other" (a form of the provider's own). `response_format` is what a wire of OpenAI's shape
    sends, None for nothing; `schema` the declared schema, with `name`, where the endpoint keeps to it; `instruction`
    what the model has to be told, "" for nothing.
    """

    strategy: Strategy
    response_format: dict[str, Any] | None = None
    schema: dict[str, Any] | None = None
    name: str = ""
    instruction: str = ""
    reason: str = ""

    def note(self, report: ParameterReport, wire: str = "response_format") -> None:
        """Write into the report what became of `response_format`, which this wire calls `wire`."""
        if self.instruction:
            report.emulated("response_format", self.reason)
        elif self.response_format is None:
            return
        elif wire == "response_format":
            report.sent("response_format")
        else:
            report.renamed("response_format", wire)


def plan_format(call: Request, capability: Any = None) -> FormatPlan:
    """The plan for a call, by its spec's capability `structured` or the one given.

    json_schema (also where nothing is declared), json_object or none. Where less can be kept to than is asked for, the
    model is told the schema in words; the kernel reads and checks the answer in either case.
    """
    given = call.args.get("response_format")
    wanted = call.format if call.format is not None else to_format(given) if given is not None else None
    if wanted is None:
        return FormatPlan("text")
    if capability is None:
        capability = call.spec.capability("structured")
    wire, schema = wanted.wire, wanted.schema
    if wanted.kind == "text":
        return FormatPlan("text", wire)
    if wanted.kind == "other":
        return FormatPlan("other", wire)
    if schema is None:
        if capability in ("none", False):
            return FormatPlan("prompt", instruction=ONLY_JSON, reason="the model is told to answer in JSON")
        return FormatPlan("object", wire)
    if capability not in ("json_object", "none", False):
        return FormatPlan("schema", wire, schema, wanted.name)
    written = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    told = f"{BY_SCHEMA}\n{written}"
    if capability == "json_object":
        reason = "the endpoint keeps to JSON, and the model is told the schema"
        return FormatPlan("object", {"type": "json_object"}, name=wanted.name, instruction=told, reason=reason)
    return FormatPlan("prompt", name=wanted.name, instruction=told, reason="the model is told the schema")


def with_instruction(messages: list[Message], instruction: str) -> list[Message]:
    """The messages with an instruction at the end of the first system message, or as one; the same list for none."""
    if not instruction:
        return messages
    for place, message in enumerate(messages):
        if message["role"] not in ("system", "developer"):
            continue
        content = message["content"]
        added = (
            f"{content}\n\n{instruction}"
            if isinstance(content, str)
            else [*(content or ()), {"type": "text", "text": instruction}]
        )
        return [*messages[:place], {**message, "content": added}, *messages[place + 1 :]]
    return [{"role": "system", "content": instruction}, *messages]
