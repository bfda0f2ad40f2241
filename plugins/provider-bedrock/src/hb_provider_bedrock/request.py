"""The body of a chat, put together. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hb_provider_bedrock.caching import mark
from hb_provider_bedrock.messages import has_tool_blocks, in_words, wire_messages
from hb_provider_bedrock.models import traits_of
from hb_provider_bedrock.parameters import chat_fields
from heavenbase.errors import UnsupportedError
from heavenbase.http import merge_extra
from heavenbase.wires import note_history

if TYPE_CHECKING:
    from hb_provider_bedrock.models import Traits
    from heavenbase.call import Call
    from heavenbase.structured import FormatPlan
    from heavenbase.types import Message

_VERBS = {"embed": "embed()", "image": "imagen()", "other": "another API of Bedrock"}


def chat_body(call: Call) -> dict[str, Any]:
    """The body of a call, as it will be sent; the call's report says what became of each parameter."""
    traits = traits_of(call.spec)
    _check_kind(call, traits)
    plan = _plan(call, traits)
    system, messages = wire_messages(call, traits, plan.instruction if plan is not None else "")
    fields = chat_fields(call, traits, may_think=not _goes_on_without_thoughts(messages))
    if "toolConfig" not in fields.wire and has_tool_blocks(messages):
        messages = in_words(messages)
        note_history(call.context.report, "calls and results travel as text, for the request has no tools")
    body: dict[str, Any] = {"messages": messages}
    if system:
        body["system"] = system
    body.update(fields.wire)
    if plan is not None:
        _put_format(body, plan, call)
    mark(body, call.args.get("prompt_caching"), traits, call.context.report)
    merge_extra(body, call.args, call.context.report)
    return body


def _check_kind(call: Call, traits: Traits) -> None:
    spec = call.spec
    if traits.kind != "chat":
        raise UnsupportedError(
            f"{call.target} is no model for chats; it is for {_VERBS[traits.kind]}",
            provider=spec.provider,
            model=spec.model_id,
        )
    if call.stream and not traits.streams:
        raise UnsupportedError(
            f"{call.target}: the model streams no answers; call it without streaming",
            provider=spec.provider,
            model=spec.model_id,
        )


def _plan(call: Call, traits: Traits) -> FormatPlan | None:
    """How the answer's form is asked for: a schema on the wire where the model keeps to one and it can be put so."""
    if call.args.get("response_format") is None:
        return None
    from heavenbase.structured import is_open, plan_format

    declared = call.spec.capability("structured")
    plan = plan_format(call, declared if traits.structured else "none")
    if plan.strategy == "object" or (plan.schema is not None and is_open(plan.schema)):
        # The wire has schemas alone, whose objects must be closed.
        plan = plan_format(call, "none")
    return plan


def _put_format(body: dict[str, Any], plan: FormatPlan, call: Call) -> None:
    report = call.context.report
    if plan.strategy == "text":
        report.emulated("response_format", "the wire answers in text")
        return
    if plan.strategy == "other":
        # A form of the wire's own: {type: json_schema, structure: {...}}.
        body["outputConfig"] = {**body.get("outputConfig", {}), "textFormat": plan.response_format}
        report.renamed("response_format", "outputConfig.textFormat")
        return
    if plan.schema is not None:
        body["outputConfig"] = {**body.get("outputConfig", {}), "textFormat": _text_format(plan)}
    plan.note(report, wire="outputConfig.textFormat")


def _text_format(plan: FormatPlan) -> dict[str, Any]:
    from heavenbase.structured import fit_schema

    assert plan.schema is not None
    schema = fit_schema(plan.schema, unknown=_UNKNOWN, closed=True)
    written = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    definition = {"schema": written, **({"name": plan.name} if plan.name else {})}
    return {"type": "json_schema", "structure": {"jsonSchema": definition}}


_UNKNOWN = frozenset(
    {
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength"),
        *("minItems", "maxItems", "uniqueItems", "contains", "minContains", "maxContains"),
        *("minProperties", "maxProperties", "propertyNames", "patternProperties"),
    }
)
"""Keywords that the wire's schemas do not know; the model reads of them in the descriptions."""


def _goes_on_without_thoughts(messages: list[Message]) -> bool:
    """Whether the request answers tool calls that the model made without thoughts of its own."""
    if len(messages) < 2 or messages[-1]["role"] != "user" or messages[-2]["role"] != "assistant":
        return False
    blocks = messages[-2]["content"]
    if not any("toolUse" in block for block in blocks):
        return False
    return "reasoningContent" not in blocks[0]
