"""The order in which the targets of a balance are asked: by weight, load or latency; what belongs together stays so."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from hashlib import blake2b
from math import log
from typing import Any

from hb_routing.health import Health
from heavenbase.call import Call
from heavenbase.routes import Route, Target
from heavenbase.spec import LLMSpec


def ordered(
    route: Route, targets: Sequence[Target], call: Call, health: Health, spec_of: Callable[[Target], LLMSpec | None]
) -> list[Target]:
    """The targets in the order in which this call asks them.

    With an affinity, all calls of one session or prefix have one order, so that the provider's prompt cache is used as
    long as the first one is well; a target that is added or taken away moves few of them.
    """
    anchor = anchor_of(call, route.affinity)
    if anchor is not None:
        labels = [target.label for target in targets]
        names = [f"{label} {labels[:place].count(label)}" for place, label in enumerate(labels)]
        scores = {target: _score(anchor, name, target.weight) for target, name in zip(targets, names, strict=True)}
        return sorted(targets, key=lambda target: -scores[target])
    by_chance = _by_chance(targets, call.services.random)
    if route.by == "weights":
        return by_chance

    def known(target: Target) -> float:
        spec = spec_of(target)
        if spec is None:
            return float("inf")
        if route.by == "least_busy":
            return health.busy(spec) / max(target.weight, 1e-9)
        seconds = health.latency(spec)
        return -1.0 if seconds is None else seconds  # who was never asked is asked first

    return sorted(by_chance, key=known)


def anchor_of(call: Call, affinity: str) -> str | None:
    """What calls have in common that belong together; None where nothing is to be kept together.

    A session is known by how it begins: instructions and the first message of the user. A prefix is instructions and
    tools. `prompt_cache_key` names either.
    """
    if affinity == "none":
        return None
    if (named := call.args.get("prompt_cache_key")) is not None:
        return str(named)
    head: list[Any] = []
    for message in call.messages:
        if message["role"] in ("system", "developer"):
            head.append(message)
        else:
            if affinity == "session":
                head.append(message)
            break
    if affinity == "prefix" and call.args.get("tools"):
        head.append(call.args["tools"])
    return json.dumps(head, sort_keys=True, default=str) if head else None


def _score(anchor: str, name: str, weight: float) -> float:
    """Rendezvous hashing: the highest score of an anchor takes it, in proportion to the weights."""
    digest = blake2b(f"{name}\n{anchor}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    share = (int.from_bytes(digest, "big") + 1) / (2**64 + 2)
    return -weight / log(share) if weight > 0 else 0.0


def _by_chance(targets: Sequence[Target], random: Callable[[], float]) -> list[Target]:
    """A random order in which heavier targets tend to come first; those of weight 0 come last."""
    keyed = [(random() ** (1 / target.weight) if target.weight > 0 else -1.0, target) for target in targets]
    return [target for _, target in sorted(keyed, key=lambda pair: -pair[0])]
