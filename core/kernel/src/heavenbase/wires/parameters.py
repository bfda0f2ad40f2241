"""Arguments of a call that all wires read alike: which count, the limit of tokens, how much to think, tools. Pure.

Tools and tool_choice are checked and taken apart; each wire puts them together in its own shape.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from heavenbase.errors import InputError, InputTypeError, UnknownNameError, UnsupportedError
from heavenbase.http.rules import EXTRAS
from heavenbase.options import STEPS as STEPS
from heavenbase.wires.attributes import MARK, mark_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from heavenbase.call import Call
    from heavenbase.types import ParameterReport

LIMITS = ("max_tokens", "max_completion_tokens")
"""The two names of one limit."""
OPTIONS = ("think", "reasoning_effort", "reasoning_max_tokens", "reasoning_exclude")
AMOUNTS = ("reasoning_effort", "reasoning_max_tokens")
"""The options that say how much."""
BUDGETS: Mapping[str, int] = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 24576}
"""Tokens for thoughts by step, for models that think by budget and whose provider names no figures of its own."""
REMOVED = "removed from the answer"


def named_arguments(call: Call) -> dict[str, Any]:
    """The arguments of a call that are parameters; our default of `max_tokens` yields to its other name."""
    named = {name: value for name, value in call.args.items() if name not in EXTRAS and value is not None}
    if "wire_include" in named:
        del named["wire_include"]
        call.context.report.dropped("wire_include", "it is for the Responses wire: gateway='responses'")
    if named.get("max_completion_tokens") is not None and "max_tokens" not in call.explicit:
        named.pop("max_tokens", None)
    return named


def token_limit(named: Mapping[str, Any], wire: str, report: ParameterReport) -> int | None:
    """The limit of tokens in an answer, which stands in the field `wire`; None when there is none."""
    given = {name: whole_tokens(name, named[name]) for name in LIMITS if named.get(name) is not None}
    for place, name in enumerate(given):
        if place:
            report.dropped(name, f"{LIMITS[0]} is given too")
        elif name == wire:
            report.sent(name)
        else:
            report.renamed(name, wire)
    return next(iter(given.values()), None)


def texts(value: Any, name: str) -> list[str]:
    """A parameter that is one text or several, as a list; InputTypeError for anything else."""
    found: list[Any] = (
        [value] if isinstance(value, str) else list(value) if isinstance(value, list | tuple | set) else [None]
    )
    if not all(isinstance(item, str) for item in found):
        raise InputTypeError(f"{name} must be a str or a list of them, not {type(value).__name__}")
    return found


def whole_tokens(name: str, value: Any) -> int:
    """A number of tokens; InputTypeError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputTypeError(f"{name} must be a whole number of tokens, not {type(value).__name__}")
    return value


def thinking_off(
    args: Mapping[str, Any], explicit: frozenset[str], amounts: Sequence[str] = AMOUNTS, *, by_step: bool = False
) -> bool:
    """Whether this call is not to think: an amount that the caller gives beats a `think=False` that he inherited.

    `amounts` are those that the wire has; with `by_step` the step "none" switches thinking off too.
    """
    if by_step and args.get("reasoning_effort") == "none":
        return True
    if args.get("think") is not False:
        return False
    return "think" in explicit or not any(args.get(name) is not None and name in explicit for name in amounts)


def thoughts_hidden(
    args: Mapping[str, Any], explicit: frozenset[str], amounts: Sequence[str] = AMOUNTS, *, by_step: bool = False
) -> bool:
    """Whether thoughts are left out of the answer; the arguments are those of `thinking_off`."""
    return bool(args.get("reasoning_exclude")) or thinking_off(args, explicit, amounts, by_step=by_step)


def asked_thoughts(
    args: Mapping[str, Any],
    explicit: frozenset[str],
    report: ParameterReport,
    amounts: Sequence[str] = AMOUNTS,
    *,
    thinks: bool = True,
) -> tuple[dict[str, Any], bool]:
    """(the options that count, whether thinking is switched off); those that the switch makes void are reported.

    For a model that does not think (`thinks` is False) none counts, and all are reported.
    """
    given = {name: args[name] for name in OPTIONS if args.get(name) is not None}
    off = thinking_off(args, explicit, amounts)
    if off:
        for name in OPTIONS[1:]:
            if given.pop(name, None) is not None:
                report.dropped(name, "think=False switches thinking off")
    if thinks:
        return given, off
    for name in given:
        if name == "think":
            report.emulated(name, "the model does not think")
        else:
            report.dropped(name, "the model does not think")
    return {}, off


def nearest_step(step: Any, steps: Sequence[str]) -> str:
    """The step itself where a model has it, else the nearest of its steps.

    Of two that are equally near it is the weaker, in whatever order they are listed: it costs less. Where hb does not
    know the step, or none of the model's, it is the last of the list.
    """
    if step in steps:
        return str(step)
    known = sorted((name for name in steps if name in STEPS), key=STEPS.index)
    if step not in STEPS or not known:
        return steps[-1]
    return min(known, key=lambda name: abs(STEPS.index(name) - STEPS.index(step)))


# Tools

Kind: TypeAlias = Literal["auto", "none", "any", "tool", "allowed", "other"]
_WORDS: Mapping[str, Kind] = {"auto": "auto", "none": "none", "required": "any", "any": "any"}


def given_tools(
    args: Mapping[str, Any],
    report: ParameterReport,
    *,
    has_groups: bool = False,
    own: Collection[str] = (),
) -> list[Any]:
    """The argument `tools` as a list; without tools what was said about them is reported as lost.

    Functions in the shape of another wire are brought into that of OpenAI; `own` names the tools without a type that
    this wire has. Unless it has groups of tools (type namespace), those in them stand by themselves, which is reported.
    """
    given = args.get("tools")
    if not given:
        if given is not None:
            report.dropped("tools", "the list is empty")
        for name in ("tool_choice", "parallel_tool_calls"):
            if args.get(name) is not None:
                report.dropped(name, "there are no tools")
        return []
    if isinstance(given, str | bytes) or not hasattr(given, "__iter__"):
        raise InputTypeError(f"tools must be a list of tools, not {type(given).__name__}")
    found: list[Any] = []
    for place, tool in enumerate(given):
        if not hasattr(tool, "keys"):
            found.append(tool)
        elif tool.get("type") == "namespace" and not has_groups:
            name = tool.get("name")
            report.emulated(f"tools[{place}]", f"the wire has no groups; tools of {name} stand by themselves")
            found += tool.get("tools") or ()
        elif tool.keys() & _TYPED or tool.keys() & set(own):
            found.append(tool)
        elif "cachePoint" in tool and found and hasattr(found[-1], "keys"):
            found[-1] = {**found[-1], MARK: mark_of(tool)}
        else:
            found += _declared(tool, place)
    return found


_TYPED = frozenset({"type", "function", "name"})


def _declared(tool: Mapping[str, Any], place: int) -> list[dict[str, Any]]:
    """The functions that a tool in the shape of another wire declares; UnsupportedError for one that is run there."""
    spec: Any = tool.get("toolSpec")
    if hasattr(spec, "keys") and "name" in spec:
        return [_function(spec, (spec.get("inputSchema") or {}).get("json"))]
    declared = tool.get("functionDeclarations", tool.get("function_declarations"))
    if not isinstance(declared, list) or not all(hasattr(held, "keys") and "name" in held for held in declared):
        name = next(iter(tool), "nothing")
        raise UnsupportedError(f"tool {place} ({name}) is run by another provider; this wire has functions alone")
    names = ("parametersJsonSchema", "parameters_json_schema", "parameters")
    return [_function(held, _plain_schema(next((held[n] for n in names if n in held), None))) for held in declared]


def _function(held: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    kept = {name: held[name] for name in ("name", "description", "strict") if held.get(name) is not None}
    return {"type": "function", "function": {**kept, "parameters": schema or {"type": "object", "properties": {}}}}


def _plain_schema(schema: Any) -> Any:
    """A schema whose types are shouted, as one wire has them, in JSON Schema's own words."""
    if isinstance(schema, list):
        return [_plain_schema(held) for held in schema]
    if not hasattr(schema, "items"):
        return schema
    return {
        name: held.lower() if name == "type" and isinstance(held, str) else _plain_schema(held)
        for name, held in schema.items()
    }


def as_tool(item: Any, place: int) -> Mapping[str, Any]:
    """One of the tools; InputTypeError when it is no mapping."""
    if not hasattr(item, "keys"):
        raise InputTypeError(f"tool {place} is {type(item).__name__}, not a mapping with a name and parameters")
    return item  # type: ignore[no-any-return]


def refuse_others(tool: Mapping[str, Any], place: int) -> None:
    """UnsupportedError for a tool that takes free text, or that another provider runs, where tools are functions."""
    kind = tool.get("type", "function")
    if kind != "function" and "input_schema" not in tool:
        what = "takes free text" if kind == "custom" else "is run by another provider"
        raise UnsupportedError(f"tool {place} {what} (type {kind}); this wire has functions alone")


def function_of(tool: Mapping[str, Any], place: int, hint: str = "") -> Mapping[str, Any]:
    """The function that a tool is; InputError when it has no name. `hint` is added to what is said then."""
    function = tool.get("function", tool)
    if not hasattr(function, "keys") or not function.get("name"):
        raise InputError(f"tool {place} has no name{hint}")
    return function  # type: ignore[no-any-return]


def schema_of(function: Mapping[str, Any]) -> Mapping[str, Any]:
    """The JSON schema of a function's arguments as it was given; empty for none."""
    return function.get("parameters", function.get("input_schema", function.get("schema"))) or {}


def object_schema(function: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON schema of a function's arguments, which says that they are an object."""
    return {"type": "object", "properties": {}, **schema_of(function)}


class Choice(NamedTuple):
    """A tool_choice: its kind, the tools that it names, and its type where not every wire has such a one.

    "tool" names the one that must be called, "any" may name several; "allowed" names those that the model may choose
    from, of which `is_forced` says that it must call one.
    """

    kind: Kind
    names: tuple[str, ...] = ()
    is_forced: bool = False
    type: Any = None


def read_choice(given: Any, names: Sequence[Any]) -> Choice:
    """The choice among tools of these names.

    Taken are auto, none, required, any, a name, {type: function, tool or custom, with a name}, and {type:
    allowed_tools, mode, tools}. InputTypeError for another type of value, UnknownNameError for a name that no tool has.
    """
    if isinstance(given, str):
        return Choice(_WORDS[given]) if given in _WORDS else Choice("tool", (known_tool(given, names),))
    if not hasattr(given, "keys"):
        raise InputTypeError(f"tool_choice must be a word, a name or a mapping, not {type(given).__name__}")
    kind = given.get("type")
    if kind in _WORDS:
        return Choice(_WORDS[kind])
    if kind == "allowed_tools":
        allowed = given.get("allowed_tools", given)
        chosen = tuple(known_tool(tool_name(tool), names) for tool in allowed.get("tools", ()))
        return Choice("allowed", chosen, allowed.get("mode") == "required", kind)
    if kind in ("function", "tool", "custom"):
        return Choice("tool", (known_tool(tool_name(given), names),))
    return Choice("other", type=kind)


def known_tool(name: Any, names: Iterable[Any]) -> str:
    """The name, which one of the tools has; UnknownNameError otherwise."""
    if name not in names:
        known = [str(found) for found in names if found]
        raise UnknownNameError("tool", name, known, hint="tool_choice is auto, none, required or the name of a tool")
    return str(name)


def tool_name(tool: Any) -> Any:
    """The name in a tool, or in a choice of one."""
    if not hasattr(tool, "keys"):
        return tool
    inner = tool.get("function", tool.get("custom", tool))
    return inner.get("name") if hasattr(inner, "keys") else inner


def note_other_choice(choice: Choice, report: ParameterReport) -> None:
    """Report a choice of a type that the wire does not have, which is not sent."""
    report.dropped("tool_choice", f"the wire has no choice of the type {choice.type!r}")


def note_parallel(args: Mapping[str, Any], report: ParameterReport) -> None:
    """Report `parallel_tool_calls` for a wire that has no such switch."""
    if args.get("parallel_tool_calls"):
        report.emulated("parallel_tool_calls", "the model may always call several tools at once")
    elif args.get("parallel_tool_calls") is not None:
        report.dropped("parallel_tool_calls", "the wire cannot keep a model from calling several tools at once")
