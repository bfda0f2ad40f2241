"""The gateway's method for an operation, found by its name: `count_tokens`, or `files.upload` for one of an object.

A method is called with the call, whose `messages` or `subject` say what is asked, and answers an OperationResult. As
`async def` it serves both colours, as flows do: what it waits for takes the colour of the call. A plain one is run in a
thread for async calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from heavenbase.colour import drive as drive
from heavenbase.errors import UnsupportedError

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.registry import Registry
    from heavenbase.spec import LLMSpec

WORDS = {
    "count_tokens": "endpoint that counts tokens",
    "models": "list of its models",
    "rerank": "rerank",
    "background": "answers in the background",
}
"""What is missing where an operation is, for messages."""


def method_of(gateway: Any, operation: str) -> Any:
    """The method of a gateway for an operation; None where it has none."""
    found = gateway
    for name in operation.split("."):
        found = getattr(found, name, None)
    return found if callable(found) else None


def perform(registry: Registry, call: Call) -> Any:
    """What the gateway answers to an operation, in the colour of the call: a value, or an awaitable."""
    method = method_of(registry.load("gateways", call.spec.gateway), call.verb)
    if method is None:
        raise UnsupportedError(f"gateway {call.spec.gateway!r} has no {call.verb}", provider=call.spec.provider)
    if iscoroutinefunction(method):
        flow = method(call)
        return flow if call.is_async else drive.run(flow)
    if call.is_async:
        from heavenbase.colour.parallel import call_in_thread

        return call_in_thread(method, call)
    return method(call)


def lacking(registry: Registry, spec: LLMSpec, operation: str) -> str:
    """Why a target has not this operation; "" where it has, or where nothing says that it has not."""
    ability = operation.partition(".")[0]
    what = WORDS.get(ability, ability)
    if spec.capability(ability) is False:
        return f"provider {spec.provider!r} has no {what} (capabilities.{ability})"
    if method_of(registry.load("gateways", spec.gateway), operation) is None:
        return f"gateway {spec.gateway!r} of provider {spec.provider!r} has no {what}"
    return ""


def refusal(registry: Registry, spec: LLMSpec, operation: str, reason: str) -> UnsupportedError:
    """The error for an operation that a target has not; it names who has it."""
    ability = operation.partition(".")[0]
    if isinstance(there := spec.capability(ability), str) and there in registry.names("gateways"):
        return UnsupportedError(f"{reason}; gateway={there!r} has", provider=spec.provider, model=spec.model_id)
    having = [name for name in providers_with(registry, ability) if name != spec.provider]
    hint = f"; use a provider that has: {', '.join(having)}" if having else ""
    return UnsupportedError(f"{reason}{hint}", provider=spec.provider, model=spec.model_id)


def providers_with(registry: Registry, ability: str) -> list[str]:
    """The providers whose records say that they have an ability."""
    found: list[str] = []
    for name in registry.names("providers"):
        claims = registry.inventory.claims("providers", name)
        record: Mapping[str, Any] = (claims[0].manifest or {}).get("provider", {}) if claims else {}
        if record.get("capabilities", {}).get(ability):
            found.append(name)
    return found
