"""The body of a request for a message, put together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_gateway_anthropic.caching import mark
from hb_gateway_anthropic.messages import wire_messages
from hb_gateway_anthropic.models import traits_of
from hb_gateway_anthropic.parameters import message_fields
from hb_gateway_anthropic.parts import text_block
from hb_gateway_anthropic.replay import THOUGHTS

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Message

COUNTED = frozenset(
    {"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control", "speed"}
)
"""What a request to count tokens may hold."""


def message_body(call: Call) -> dict[str, Any]:
    """The body of a call, as it will be sent; the call's report says what became of each parameter."""
    traits = traits_of(call.spec)
    system, messages = wire_messages(call, traits)
    fields = message_fields(call, traits, may_think=not _goes_on_without_thoughts(messages))
    if fields.instruction:
        system = _with_instruction(system, fields.instruction)
    body: dict[str, Any] = {"model": call.spec.model_id}
    if system is not None:
        body["system"] = system
    body["messages"] = messages
    body.update(fields.wire)
    mark(body, call.args.get("prompt_caching"), call.context.report)
    if call.stream:
        body["stream"] = True
    return body


def count_body(call: Call) -> dict[str, Any]:
    """The body of a request to count the tokens of a call."""
    from heavenbase.operations import countable

    body = message_body(call)
    return countable(call, body, (name for name in body if name in COUNTED))


def _with_instruction(system: str | list[dict[str, Any]] | None, instruction: str) -> str | list[dict[str, Any]]:
    if system is None:
        return instruction
    if isinstance(system, str):
        return f"{system}\n\n{instruction}"
    return [*system, text_block(instruction)]


def _goes_on_without_thoughts(messages: list[Message]) -> bool:
    """Whether the request answers tool calls that the model made without thoughts of its own."""
    if len(messages) < 2 or messages[-1]["role"] != "user" or messages[-2]["role"] != "assistant":
        return False
    content = messages[-2]["content"]
    if isinstance(content, str) or not any(block["type"] == "tool_use" for block in content):
        return False
    return content[0]["type"] not in THOUGHTS
