"""The body of a chat request, put together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_cohere.messages import wire_messages
from hb_provider_cohere.models import traits_of
from hb_provider_cohere.parameters import chat_fields
from heavenbase.http import merge_extra

if TYPE_CHECKING:
    from heavenbase.call import Call


def chat_body(call: Call) -> dict[str, Any]:
    """The body of a chat, as it will be sent; the call's report says what became of each parameter."""
    fields = chat_fields(call, traits_of(call.spec))
    body: dict[str, Any] = {
        "model": call.spec.model_id,
        "messages": wire_messages(call, fields.instruction),
        "stream": call.stream,
        **fields.wire,
    }
    merge_extra(body, call.args, call.context.report)
    return body
