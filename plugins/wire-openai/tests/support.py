"""Specs and calls, for the tests of this folder."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from hb_wire_openai import WireGateway
from heavenbase.call import Call, CallContext, WireRequest, split_options
from heavenbase.spec import LLMSpec, Timeouts

USER = {"role": "user", "content": "hi"}
CUSTOM: Mapping[str, Any] = MappingProxyType({"api_key_optional": True})
OPENAI: Mapping[str, Any] = MappingProxyType({"thinking_control": "reasoning_effort", "image_endpoint": "images"})
OPENROUTER: Mapping[str, Any] = MappingProxyType({"thinking_control": "extra_body_reasoning", "image_endpoint": "chat"})
DEEPSEEK: Mapping[str, Any] = MappingProxyType({"thinking_control": "extra_body_thinking_type"})


def make_spec(**fields: Any) -> LLMSpec:
    """A spec of provider "custom", at an address where nobody is asked."""
    known = {"provider": "custom", "provider_record": CUSTOM, "model_id": "gpt-4o-mini"}
    known["base_url"] = "http://127.0.0.1:1/v1"
    return LLMSpec(None, "m", gateway="openai", requested_gateway="openai", **{**known, **fields})


def make_call(spec: LLMSpec, verb: Any = "complete", *, stream: bool = False, **options: Any) -> Call:
    """A call with these options and content."""
    content = {name: options.pop(name) for name in ("messages", "inputs", "prompt", "images") if name in options}
    if verb == "complete":
        content.setdefault("messages", [USER])
    explicit = frozenset(options.pop("explicit", options.keys()))
    args, controls = split_options({**spec.args, **options})
    context = CallContext(time.monotonic, Timeouts(), 0.0, 0.0, None)
    return Call(verb, spec, context, False, stream, args=args, controls=controls, explicit=explicit, **content)


def prepared(spec: LLMSpec, verb: Any = "complete", **options: Any) -> tuple[WireRequest, dict[str, str]]:
    """The request of a call and the outcome of each parameter."""
    call = make_call(spec, verb, **options)
    request = WireGateway().prepare(call)
    return request, {name: entry.outcome for name, entry in call.context.report.entries.items()}
