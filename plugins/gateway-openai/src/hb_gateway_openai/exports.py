"""Arguments for the exported SDK client."""

from __future__ import annotations

import inspect
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hb_gateway_openai.client import sdk
from hb_wire_openai import chat_fields
from heavenbase.call import split_options
from heavenbase.http import EXTRAS
from heavenbase.types import ParameterReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from heavenbase.spec import LLMSpec


def create_arguments(spec: LLMSpec, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Model and arguments for `client.chat.completions.create`.

    Controls and None are left out, but for a `seed=None` among the overrides. What the SDK's method has no parameter
    for stands in `extra_body`.
    """
    args, _ = split_options({**spec.args, **overrides})
    if args.get("response_format") is not None:
        from heavenbase.structured import to_format

        args["response_format"] = to_format(args["response_format"]).wire
    fields = chat_fields(spec, args, spec.explicit | overrides.keys(), ParameterReport())
    known = _create_parameters()
    result: dict[str, Any] = {"model": spec.model_id}
    extra = {name: value for name, value in fields.items() if name not in known}
    result.update((name, value) for name, value in fields.items() if name in known)
    if extra:
        result["extra_body"] = extra
    for name in EXTRAS - {"extra_body"}:
        if args.get(name):
            result[name] = dict(args[name])
    if "seed" in overrides and overrides["seed"] is None:
        result["seed"] = None
    return result


@lru_cache(maxsize=1)
def _create_parameters() -> frozenset[str]:
    sdk()
    from openai.resources.chat.completions import Completions

    return frozenset(inspect.signature(Completions.create).parameters)
