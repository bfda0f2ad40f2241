"""The targets of a route for one call: resolved when they are needed, and looked at before anything is sent to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from hb_routing.foreign import foreign_things, stripped
from heavenbase.call import Call
from heavenbase.errors import HBError, InputError
from heavenbase.operations import estimated_tokens
from heavenbase.routes import Route, Routing, Target
from heavenbase.spec import LLMSpec

NEEDS: Final = {"tools": "tools", "vision": "images", "chat": "chats", "stream": "streams"}
PART: Final = 1000
"""Tokens at which a part of a message that is no text is estimated."""
ROOM: Final = 4
"""Tokens around each message and tool, in an estimate."""
LEARNED: Final = 1024
"""Targets whose longest prompts are remembered."""


class Unfit(Exception):
    """A target that cannot take this call; its text says why."""


def specs_of(routing: Routing, target: Target) -> list[LLMSpec]:
    """The specs of a target, one for each of its keys; kept, as what was worked out for a spec is kept with it.

    An HBError where it cannot be resolved.
    """
    found: list[LLMSpec] | None = routing.known.get(target)
    if found is None:
        if target is routing.route.first() and not (routing.is_moved or target.keys or routing.problem):
            routing.known[target] = found = [routing.first]
            return found
        connection = _shared(routing, target)
        found = [routing.spec_of(target, connection)]
        if target.keys:
            connection = {name: value for name, value in connection.items() if name not in ("api_key", "auth_token")}
            found = [routing.spec_of(target, {**connection, "api_key": key}) for key in target.keys]
        routing.known[target] = found
    return found


def _shared(routing: Routing, target: Target) -> Mapping[str, Any]:
    """The address and credentials that were given for all, where they are meant for this target.

    They belong to the first target: to its provider, at its own address, with its own account.
    """
    first = routing.route.first()
    if not routing.connection or target is first:
        return routing.connection
    own = _account(routing, target)
    try:
        home = _account(routing, first)
    except HBError:  # it cannot be used, and what was given for it is nobody else's
        return {}
    if own is None or home is None:  # an address must be given, and only targets of this provider may take this one
        is_meant = own is home and routing.spec_of(target, routing.connection).provider == routing.owner
    else:
        is_meant = own == home
    return routing.connection if is_meant else {}


def _account(routing: Routing, target: Target) -> tuple[str, str] | None:
    """Provider, and address and credentials that a target has without what was given for all."""
    try:
        spec = routing.spec_of(target)
    except InputError:
        return None
    return spec.provider, spec.target_key()


class Fitting:
    """Makes the call of one target from the call of a route, or says why there is none."""

    def __init__(self) -> None:
        self._overflowed: dict[str, int] = {}
        """By provider and model, the fewest tokens (as hb estimates them) that were too many."""

    def check(self, call: Call, spec: LLMSpec) -> None:
        """Raise Unfit where the target lacks what the call needs."""
        if reason := lacking(call, spec):
            raise Unfit(reason)
        most = self._longest(spec) if call.verb == "complete" else None
        if most is not None and _may_have(call, most) and (tokens := estimated_tokens(call)) >= most:
            raise Unfit(f"about {tokens} tokens, and its context holds {most}")

    def fitted(self, call: Call, spec: LLMSpec, route: Route, home: LLMSpec) -> Call:
        """The same request to this target. Raises Unfit, before anything is sent."""
        before = call.spec
        self.check(call, spec)
        things = foreign_things(call, spec, home)
        if things and route.on_foreign == "strip":
            call = stripped(call, things)
            for name in things:
                call.context.report.dropped(name, f"it belongs to {before.provider}, and {spec.provider} answers")
        elif things:
            whose = before.provider if spec.provider != before.provider else f"another account of {spec.provider}"
            raise Unfit(f"{', '.join(things)} {'belongs' if len(things) == 1 else 'belong'} to {whose}")
        try:
            fitted: Call = call.services.retarget(call, spec)
            # What is left behind on purpose is reported, and no guarantee that the target breaks.
            return fitted.replace(explicit=fitted.explicit - {*things}) if things else fitted
        except HBError as error:
            raise Unfit(error.message) from error

    def overflowed(self, call: Call) -> None:
        """Learn that the prompt of this call was longer than the context of its target."""
        name = f"{call.spec.provider}/{call.spec.model_id}"
        if name not in self._overflowed and len(self._overflowed) >= LEARNED:
            del self._overflowed[next(iter(self._overflowed))]
        self._overflowed[name] = min(estimated_tokens(call), self._overflowed.get(name, 1 << 62))

    def _longest(self, spec: LLMSpec) -> int | None:
        learned = self._overflowed.get(f"{spec.provider}/{spec.model_id}")
        known = spec.capability("context_window")
        return min((it for it in (learned, known) if it is not None), default=None)


def lacking(call: Call, spec: LLMSpec) -> str:
    """What a call needs that the target says it has not; "" for nothing."""
    if call.verb == "embed":
        if spec.model != call.spec.model:
            return f"its vectors are those of another model ({spec.model})"
        return "it has no embeddings" if spec.capability("embeddings") is False else ""
    if call.verb == "imagen":
        return "it generates no images" if spec.capability("images") is False else ""
    for ability, what in NEEDS.items():
        if spec.capability(ability) is False and _needs(call, ability):
            return f"it has no {what}"
    form = spec.capability("structured")
    if call.format is not None and call.format.is_json and form == "none":
        return "it keeps to no form of an answer"
    return ""


def _may_have(call: Call, tokens: int) -> bool:
    """Whether a prompt may be estimated at so many tokens: each is a character at least, so that few are counted."""
    told = [*(call.args.get("tools") or ()), call.args.get("response_format")]
    most = 0
    for message in call.messages:
        content = message.get("content")
        told += message.get("tool_calls") or ()
        if isinstance(content, str):
            most += len(content)
        else:
            most += sum(len(it["text"]) if isinstance(it.get("text"), str) else PART for it in content or ())
    most += sum(len(json.dumps(each, default=str)) for each in told if each is not None)
    return most + ROOM * (len(call.messages) + len(told)) >= tokens


def _needs(call: Call, ability: str) -> bool:
    if ability == "tools":
        return bool(call.args.get("tools"))
    if ability == "vision":
        return any(map(_shows, call.messages))
    return call.stream if ability == "stream" else call.verb == "complete"


def _shows(message: Mapping[str, Any]) -> bool:
    content = message.get("content")
    is_list = isinstance(content, list) and message.get("role") != "tool"
    return is_list and any(part.get("type") in ("image", "image_file") for part in content or ())


def check_verb(call: Call) -> None:
    """InputError for an operation on what only one target has."""
    if call.verb.partition(".")[0] in ("files", "background"):
        raise InputError(f"{call.verb} is of one target; make an LLM of it alone")
