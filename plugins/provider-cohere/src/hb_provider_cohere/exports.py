"""Arguments for the exported SDK client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_cohere.models import traits_of
from hb_provider_cohere.parameters import chat_fields
from heavenbase.call import Call, CallContext, split_options
from heavenbase.http import mapping
from heavenbase.spec import Timeouts
from heavenbase.types import ParameterReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec

_SDK_FIELDS = frozenset(
    {
        *("tools", "strict_tools", "documents", "citation_options", "response_format", "safety_mode", "max_tokens"),
        *("stop_sequences", "temperature", "seed", "frequency_penalty", "presence_penalty", "k", "p", "logprobs"),
        *("tool_choice", "thinking", "priority"),
    }
)
"""What `client.chat` has a parameter for; the rest travels in its request options."""


def chat_arguments(spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Model and fields for `client.chat` and `client.chat_stream`; messages are the caller's to add."""
    args, controls = split_options({**spec.args, **overrides})
    context = CallContext(lambda: 0.0, Timeouts(), 0.0, 0.0, None, report=ParameterReport())
    explicit = spec.explicit | overrides.keys()
    call = Call("complete", spec, context, args=args, controls=controls, explicit=explicit)
    fields = chat_fields(call, traits_of(spec)).wire
    found = {name: value for name, value in fields.items() if name in _SDK_FIELDS}
    rest = {name: value for name, value in fields.items() if name not in _SDK_FIELDS}
    options = {
        "additional_body_parameters": {**rest, **mapping(args, "extra_body")},
        "additional_headers": dict(mapping(args, "extra_headers")),
        "additional_query_parameters": dict(mapping(args, "extra_query")),
    }
    options = {name: value for name, value in options.items() if value}
    return {"model": spec.model_id, **found, **({"request_options": options} if options else {})}
