"""Arguments for the exported SDK client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_provider_gemini.models import traits_of
from hb_provider_gemini.parameters import content_fields, merge_extra
from heavenbase.call import Call, CallContext, split_options
from heavenbase.spec import Timeouts
from heavenbase.types import ParameterReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec


def generate_arguments(spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Model and config for `client.models.generate_content`, as a GenerateContentConfig takes it.

    Controls and None are left out; contents are the caller's to add.
    """
    args, controls = split_options({**spec.args, **overrides})
    context = CallContext(lambda: 0.0, Timeouts(), 0.0, 0.0, None, report=ParameterReport())
    explicit = spec.explicit | overrides.keys()
    call = Call("complete", spec, context, args=args, controls=controls, explicit=explicit)
    fields = content_fields(call, traits_of(spec))
    config: dict[str, Any] = {**fields.config, **fields.top}
    if fields.instruction:
        config["systemInstruction"] = fields.instruction
    extra: dict[str, Any] = {}
    merge_extra(extra, args, ParameterReport())
    options = {
        **({"extraBody": extra} if extra else {}),
        **({"headers": dict(args["extra_headers"])} if args.get("extra_headers") else {}),
    }
    return {"model": spec.model_id, "config": {**config, **({"httpOptions": options} if options else {})}}
