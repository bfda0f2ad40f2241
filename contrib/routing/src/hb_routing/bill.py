"""What one target may cost a call at worst: the prompt as hb estimates it, and the longest answer that it may have."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from heavenbase.call import Call
from heavenbase.ledger import Cost
from heavenbase.types import Usage
from heavenbase.wires import LIMITS

REPAIR = 60
"""Tokens of what is said of an answer that has not the form, beside the answer."""
NO_PRICE = "its price is not known"


class Bill(NamedTuple):
    """The most that is paid, or what of it is not known ("" for nothing)."""

    cost: Cost | None
    unknown: str = ""


def bill_of(call: Call, times: int, rounds: int) -> Bill:
    """What a call costs at one target where each of its rounds is paid for so many times.

    A round is asking again for an answer that has the form; each has the answers before it in its prompt.
    """
    if call.verb == "embed":
        from heavenbase.operations import estimated_text

        return _priced(call, [Usage(sum(map(estimated_text, dict.fromkeys(call.inputs))), 0)], times)
    if call.verb != "complete":
        return Bill(None, "what it makes is not priced before it is there")
    limit = _longest(call)
    if limit is None:
        return Bill(None, "how long an answer may be is not known: give max_tokens")
    if _priced(call, [Usage(1, 1)], 1).cost is None:
        return Bill(None, NO_PRICE)  # so that no prompt is counted for nothing
    from heavenbase.operations import estimated_tokens

    prompt = estimated_tokens(call)
    usages = [Usage(prompt + number * (limit + REPAIR), limit) for number in range(rounds)]
    return _priced(call, usages, times)


def _priced(call: Call, usages: list[Usage], times: int) -> Bill:
    spec, services = call.spec, call.services
    at = services.wall()
    cost = Cost.total(services.cost(spec.provider, spec.model_id, usage, at) for usage in usages)
    if cost is None:
        return Bill(None, NO_PRICE)
    return Bill(replace(cost, amount=cost.amount * times))


def _longest(call: Call) -> int | None:
    """The most tokens of an answer, of all that are asked for at once; None where nobody sets a limit."""
    given = [call.args[name] for name in LIMITS if isinstance(call.args.get(name), int)]
    limit = min(given) if given else call.spec.capability("max_output_tokens")
    return None if limit is None else limit * (call.args.get("n") or 1)
