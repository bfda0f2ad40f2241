"""What comes back for a call: the shape that a plugin must answer in, and what only the kernel can add to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from heavenbase.errors import HBError, PluginContractError, ProviderError
from heavenbase.types import Completion, Embedding, ImageResult

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.gather import Gathering

SHAPES: dict[str, type] = {"complete": Completion, "embed": Embedding, "imagen": ImageResult}


def check_colour(call: Call, answer: Any) -> None:
    """PluginContractError unless a hook answered in the colour of the call.

    That is a value, an awaitable, an iterator or an async iterator; what an awaitable brings is for `check_value`.
    """
    if call.stream:
        method, wanted = ("__aiter__", "an async iterator") if call.is_async else ("__iter__", "an iterator")
    elif call.is_async:
        method, wanted = "__await__", "an awaitable"
    else:
        check_value(call, answer)
        return
    if not hasattr(answer, method):
        raise _contract(call, answer, wanted)


def check_value(call: Call, answer: Any) -> None:
    """PluginContractError unless a hook answered the type of its verb."""
    if not isinstance(answer, SHAPES[call.verb]):
        raise _contract(call, answer, SHAPES[call.verb].__name__)


def stamp(call: Call, answer: Any) -> Any:
    """Put on an answer what only the kernel knows."""
    context = call.context
    answer.provider = answer.provider or call.spec.provider
    answer.gateway = answer.gateway or call.spec.gateway
    if answer.model is None:
        answer.model = call.spec.model_id
    answer.created_at = context.created_at
    answer.elapsed = context.clock() - context.started
    answer.attempts = context.attempts
    answer.report = context.report
    if isinstance(answer, Completion):
        if answer.tool_calls and answer.finish_reason == "stop":
            answer.finish_reason = "tool_calls"
        if call.args.get("think") is False:
            answer.reasoning = ""
        message = answer.message
        answer.delta = [message]
        answer.messages = [*call.messages, message]
    return answer


def annotate(call: Call, error: HBError, gathering: Gathering | None = None) -> HBError:
    """Put on an error what only the kernel knows: target, ledger, what had come."""
    error.provider = error.provider or call.spec.provider
    error.model = error.model or call.spec.model_id
    error.attempts = tuple(call.context.attempts)
    if gathering is not None and error.partial is None and gathering.chunks:
        error.partial = gathering.completion(call)
    return error


def foreign(call: Call, error: Exception) -> ProviderError:
    """What leaves hb for an exception that a gateway should have mapped."""
    return ProviderError(
        f"gateway {call.spec.gateway!r} raised {type(error).__name__}: {error}", provider=call.spec.provider
    )


def _contract(call: Call, answer: Any, wanted: str) -> PluginContractError:
    close = getattr(answer, "close", None)
    if hasattr(answer, "cr_frame") and close is not None:
        close()  # a coroutine that nobody will await
    colour = f"{'an async' if call.is_async else 'a sync'} {'stream' if call.stream else 'call'}"
    return PluginContractError(
        f"gateway {call.spec.gateway!r} answered {call.verb} with {type(answer).__name__}; "
        f"{colour} wants {wanted}; answer in the colour of the call",
        provider=call.spec.provider,
    )
