"""How many tokens a request may come to, which is set aside before it is sent, and how many it came to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hb_limits.lengths import longest_answer
from heavenbase.errors import ConnectError, ConnectTimeout, HBError, PoolTimeout, ProviderError
from heavenbase.operations import estimated_text, estimated_tokens

if TYPE_CHECKING:
    from heavenbase.call import Call
    from heavenbase.types import Usage

UNSENT = (ConnectError, ConnectTimeout, PoolTimeout)


def reserved(call: Call) -> dict[str, int]:
    """What is set aside for a request, by unit: its prompt as estimated, and the longest answer that it may have.

    The longest answer is what the call asks for, else what the model is known for; where neither says anything it is
    not counted before it is there.
    """
    prompt = answer = 0
    if call.verb == "complete":
        prompt = estimated_tokens(call)
        answer = longest_answer(call) or 0
    elif call.verb == "embed":
        prompt = sum(map(estimated_text, call.inputs))
    elif call.verb == "imagen":
        prompt = estimated_text(call.prompt)
    return {"requests": 1, "tokens": prompt + answer, "input_tokens": prompt, "output_tokens": answer}


def used(usage: Usage | None) -> dict[str, int]:
    """What a provider says that a request came to, by unit; without what it did not say."""
    if usage is None:
        return {}
    found: dict[str, Any] = {"tokens": usage.total_tokens}
    found |= {"input_tokens": usage.prompt_tokens, "output_tokens": usage.completion_tokens}
    return {unit: count for unit, count in found.items() if count is not None}


def unused(error: BaseException) -> dict[str, int]:
    """What a failed request surely did not use, as what it came to: nothing at all where it was never sent."""
    is_ours = isinstance(error, HBError) and not isinstance(error, ProviderError)
    if isinstance(error, UNSENT) or (is_ours and not getattr(error, "maybe_billed", False)):
        return {"requests": 0, "tokens": 0, "input_tokens": 0, "output_tokens": 0}
    if isinstance(error, ProviderError) and not error.maybe_billed:
        return {"tokens": 0, "input_tokens": 0, "output_tokens": 0}
    return {}
