"""The body of a request for content, put together. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.contents import wire_contents
from hb_provider_gemini.models import traits_of
from hb_provider_gemini.parameters import content_fields, merge_extra

if TYPE_CHECKING:
    from heavenbase.call import Call


def content_body(call: Call) -> dict[str, Any]:
    """The body of a chat, as it will be sent; the call's report says what became of each parameter."""
    traits = traits_of(call.spec)
    fields = content_fields(call, traits)
    system, contents = wire_contents(call, traits, fields.instruction)
    body: dict[str, Any] = {"contents": contents}
    if system is not None:
        body["systemInstruction"] = system
    body.update(fields.top)
    if fields.config:
        body["generationConfig"] = fields.config
    merge_extra(body, call.args, call.context.report)
    return body


def model_path(model_id: str) -> str:
    """The path of a model: `models/NAME`, or one that says itself where the model lies."""
    return model_id if "/" in model_id else f"models/{model_id}"
