"""What a route may come to at worst, and what is wrong with targets before anybody asks them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any

from hb_routing.bill import bill_of
from hb_routing.candidates import Fitting, Unfit, specs_of
from hb_routing.foreign import foreign_things
from hb_routing.run import load_judge
from heavenbase.call import Call
from heavenbase.errors import HBError
from heavenbase.ledger import Cost
from heavenbase.middleware import name_of
from heavenbase.routes import Route, Routing, Target

UNASKED = 4
"""Requests that are repeated without what nobody gave and an endpoint refuses, at most, for each target: temperature,
seed, what a gateway adds, and the limit of tokens."""


@dataclass(frozen=True, slots=True)
class Step:
    """One target: its name, how many requests it may cost, and what keeps it from being asked ("" for nothing).

    `middleware` are the names of those that stand around this target alone. `cost` is the most that is paid for it by
    estimate; where that is None, `unknown` says what is not known.
    """

    target: str
    requests: int
    problem: str = ""
    depth: int = 0
    middleware: tuple[str, ...] = ()
    cost: Cost | None = None
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Bench:
    """Who judges the answers of a route, and what keeps it from that ("" for nothing)."""

    route: str
    judge: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """Name and kind of a route, its targets in order, the worst case of requests, seconds (None: no limit) and money.

    The seconds are those of the total limit, which holds for the route as a whole. `judges` has a row for each judge of
    this route and of those in it, outermost first. Without a route the kind is "single", and the one target its own.
    """

    name: str
    kind: str
    requests: int
    seconds: float | None
    steps: list[Step] = field(default_factory=list)
    judges: list[Bench] = field(default_factory=list)

    @property
    def cost(self) -> Cost | None:
        """The most that is paid for all targets, by estimate; at least that where some of it is not known."""
        known = [step.cost for step in self.steps if step.cost is not None]
        total = Cost.total(known)
        return total if total is None or len(known) == len(self.steps) else replace(total, at_least=True)

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data."""
        rows = [
            {
                "target": it.target,
                "requests": it.requests,
                "problem": it.problem,
                "depth": it.depth,
                "middleware": list(it.middleware),
                "cost": it.cost.to_dict() if it.cost is not None else None,
                "unknown": it.unknown,
            }
            for it in self.steps
        ]
        return {
            "name": self.name,
            "kind": self.kind,
            "requests": self.requests,
            "seconds": self.seconds,
            "cost": self.cost.to_dict() if self.cost is not None else None,
            "judges": [{"route": it.route, "judge": it.judge, "problem": it.problem} for it in self.judges],
            "targets": rows,
        }


def plan_of(call: Call, fitting: Fitting) -> Plan:
    """The plan of a call."""
    routing: Routing | None = call.spec.route
    if routing is None:
        step = _priced(Step(call.target, attempts_of(call)), call, 1)
        return Plan(call.target, "single", step.requests, call.context.timeouts.total, [step])
    owner = call.replace(spec=routing.first)
    steps = list(_steps(routing.route, owner, routing, fitting, 0))
    # A target that cannot be asked costs nothing today, but may be mended tomorrow: it counts.
    total = sum(step.requests for step in steps)
    judges = _judges(call, routing.route) if call.verb == "complete" else []
    return Plan(routing.route.label, routing.route.kind, total, call.context.timeouts.total, steps, judges)


def _judges(call: Call, route: Route) -> list[Bench]:
    found = []
    for each in route.routes():
        if each.judge_name:
            problem = ""
            try:
                load_judge(each, call.services)
            except HBError as error:
                problem = error.message
            found.append(Bench(each.label, each.judge_name, problem))
        elif each.judge is not None:
            found.append(Bench(each.label, name_of(each.judge)))
    return found


def _steps(route: Route, owner: Call, routing: Routing, fitting: Fitting, depth: int) -> list[Step]:
    found: list[Step] = []
    for target in route.targets:
        if target.route is not None:
            found += _steps(target.route, owner, routing, fitting, depth + 1)
        else:
            found.append(_step(target, route, owner, routing, fitting, depth))
    return found


def _step(target: Target, route: Route, owner: Call, routing: Routing, fitting: Fitting, depth: int) -> Step:
    label, problem, keys = target.label, "", max(len(target.keys), 1)
    around: tuple[str, ...] = ()
    try:
        spec = specs_of(routing, target)[0]
        label = f"{spec.provider}/{spec.model_id}"
        around = tuple(it if isinstance(it, str) else name_of(it) for it in spec.args.get("middleware") or ())
        call = owner if spec is routing.first else fitting.fitted(owner, spec, route, routing.first)
        variables = spec.provider_record.get("api_key_env")
        if spec.api_key is None and variables and not spec.provider_record.get("api_key_optional"):
            problem = f"no key is set ({' or '.join(variables)})"
    except (HBError, Unfit) as error:
        problem, call = str(error), owner
        if things := _foreign(routing, target, owner):
            problem = f"{problem} ({', '.join(things)})" if things[0] not in problem else problem
    return _priced(Step(label, keys * attempts_of(call), problem, depth, around), call, keys)


def _priced(step: Step, call: Call, keys: int) -> Step:
    if step.problem and call.target != step.target:
        return replace(step, unknown="it cannot be used")
    cost, unknown = bill_of(call, keys * billed_of(call), 1 + repairs_of(call))
    return replace(step, cost=cost, unknown=unknown)


def _foreign(routing: Routing, target: Target, owner: Call) -> list[str]:
    try:
        return foreign_things(owner, specs_of(routing, target)[0], routing.first)
    except HBError:
        return []


def _policy(call: Call) -> dict[str, Any]:
    own = call.controls.get("retry") or {}
    return {**(call.services.setting("heavenbase.llm.retry") or {}), **own}


def billed_of(call: Call) -> int:
    """How often a request of a call may be paid for: what may have been is repeated so many times and no more."""
    most, repeats = _policy(call).get("billed_repeats"), repeats_of(call)
    return repeats if most is None else min(repeats, int(most) + 1)


def repairs_of(call: Call) -> int:
    """How often a call asks again for an answer that has the form."""
    if call.verb != "complete" or call.format is None or not call.format.is_json:
        return 0
    asked = call.controls.get("structured_retries")
    return 1 if asked is None else int(asked)


def repeats_of(call: Call) -> int:
    """How often a call may be sent to one target with one key, the first time included."""
    retries, own = call.controls.get("max_retries"), call.controls.get("retry") or {}
    attempts = int(_policy(call)["max_attempts"])
    if retries is not None and "max_attempts" not in own:
        attempts = retries + 1 if "max_retries" in call.explicit else min(attempts, retries + 1)
    return attempts


def attempts_of(call: Call) -> int:
    """The most requests that a call may cost at one target with one key; of an embedding, with all its batches."""
    if call.verb == "embed":
        count = len(set(call.inputs))
        size = call.spec.batch_size(count, call.controls.get("embedding_batch_size"))
        return (repeats_of(call) + UNASKED) * ceil(count / size)
    return (repeats_of(call) + UNASKED) * (1 + repairs_of(call))
