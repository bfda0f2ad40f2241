"""Arguments for the exported SDK client."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hb_provider_mistral.models import traits_of
from hb_provider_mistral.parameters import chat_fields
from heavenbase.call import Call, CallContext, split_options
from heavenbase.errors import ExportError
from heavenbase.spec import Timeouts
from heavenbase.types import ParameterReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec


def complete_arguments(spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Model and fields for `client.chat.complete` and `client.chat.stream`; messages are the caller's to add.

    ExportError for fields that these methods have no parameter for.
    """
    args, controls = split_options({**spec.args, **overrides})
    context = CallContext(lambda: 0.0, Timeouts(), 0.0, 0.0, None, report=ParameterReport())
    explicit = spec.explicit | overrides.keys()
    call = Call("complete", spec, context, args=args, controls=controls, explicit=explicit)
    fields, _ = chat_fields(call, traits_of(spec))
    unknown = sorted(fields.keys() - _parameters())
    if unknown:
        raise ExportError(f"the SDK's method has no {', '.join(unknown)}; leave it out, or let hb make the call")
    headers = args.get("extra_headers")
    return {"model": spec.model_id, **fields, **({"http_headers": dict(headers)} if headers else {})}


@lru_cache(maxsize=1)
def _parameters() -> frozenset[str]:
    from mistralai.client.chat import Chat

    return frozenset(inspect.signature(Chat.complete).parameters)
