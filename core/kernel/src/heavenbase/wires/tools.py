"""Tools and tool_choice of a call, checked and taken apart; each wire puts them together in its own shape. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from heavenbase.errors import InputError, InputTypeError, UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from heavenbase.types import ParameterReport

Kind: TypeAlias = Literal["auto", "none", "any", "tool", "allowed", "other"]
_WORDS: Mapping[str, Kind] = {"auto": "auto", "none": "none", "required": "any", "any": "any"}


def given_tools(args: Mapping[str, Any], report: ParameterReport) -> list[Any]:
    """The argument `tools` as a list; without tools what was said about them is reported as lost."""
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
    return list(given)


def as_tool(item: Any, place: int) -> Mapping[str, Any]:
    """One of the tools; InputTypeError when it is no mapping."""
    if not hasattr(item, "keys"):
        raise InputTypeError(f"tool {place} is {type(item).__name__}, not a mapping with a name and parameters")
    return item  # type: ignore[no-any-return]


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
