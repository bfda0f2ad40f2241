"""What a call says about tools, checked and brought into wire shape before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError, UnknownNameError, UnsupportedError
from heavenbase.options import check_slips
from heavenbase.schemas.arguments import is_plain, tool_schema
from heavenbase.schemas.strict import strict_schema
from heavenbase.spec import check_seconds
from heavenbase.tools.base import SCHEMA_KEYS, Tool, each_tool, is_async, to_tools
from heavenbase.types import FREE_TEXT, ParameterReport

if TYPE_CHECKING:
    from heavenbase.spec import LLMSpec

WORDS = ("auto", "none", "required")
CALLBACKS = ("confirm", "on_round")
_UNLESS = {"defer_loading": "deferred_tools", "cache_control": "prompt_marks"}
"""Attributes of tools, and the capability without which they stay behind."""


def prepare_tools(
    verb: str, args: dict[str, Any], controls: Mapping[str, Any], report: ParameterReport, *, is_async_call: bool
) -> Mapping[str, Tool]:
    """Bring `tools` and `tool_choice` of `args` into wire shape; returns the tools that hb runs, by name.

    InputTypeError for an async tool or callback in a sync call, UnknownNameError for a choice that is no tool.
    """
    given = [name for name in ("tools", "tool_choice") if args.get(name) is not None]
    tools = to_tools(args.pop("tools", None))
    choice = args.pop("tool_choice", None)
    if verb != "complete":  # the defaults of a model that can do more than chat
        for name in given:
            report.dropped(name, "only chats have tools")
        return MappingProxyType({})
    names = [made.name for made in each_tool(tools)]
    if choice is not None:
        single = choice.get("disable_parallel_tool_use") if isinstance(choice, Mapping) else None
        if isinstance(single, bool) and tools:
            args.setdefault("parallel_tool_calls", not single)
        choice = wire_choice(choice, names)
        if isinstance(choice, dict) and choice.get("type") == "function":
            chosen = next(made for made in each_tool(tools) if made.name == choice["function"]["name"]).to_openai_tool()
            if chosen.get("type") == FREE_TEXT and "input_schema" not in chosen:
                choice = {"type": FREE_TEXT, FREE_TEXT: choice["function"]}
    if not tools:
        if is_forced(choice):
            raise InputError(f"tool_choice is {choice!r}, but there are no tools; pass tools=")
        if choice is not None:
            report.emulated("tool_choice", "without tools none is called")
        return MappingProxyType({})
    args["tools"] = [_fitted(made, report) for made in tools]
    if choice is not None:
        args["tool_choice"] = choice
    runners = {made.name: made for made in each_tool(tools) if made.run is not None}
    if runners:
        _check_controls(controls, runners, is_async_call)
    return MappingProxyType(runners)


def _fitted(made: Tool, report: ParameterReport) -> dict[str, Any]:
    """The tool in wire shape, its schema as the wires take it; what is changed is reported."""
    holder = wire = made.to_openai_tool()
    if made._signature is not None and made._wire is None:
        return wire  # read from a function, so that it is as the wires take it
    if made._grouped:
        wire["tools"] = [_fitted(each, report) for each in made._grouped]
        return wire
    if isinstance(wire.get("function"), Mapping):
        wire["function"] = holder = dict(wire["function"])
    key = next((key for key in SCHEMA_KEYS if isinstance(holder.get(key), Mapping)), None)
    strict = holder.get("strict") is True
    if key is None or (is_plain(holder[key]) and not strict):
        return wire
    given = holder[key]
    schema, words = tool_schema(given, made.name)
    if strict:
        if (closed := strict_schema(schema)) is None:
            del holder["strict"]
            report.dropped("strict", f"the schema of {made.name} is open; strict decoding wants all fields told")
        schema = closed or schema
    if words:
        about = holder.get("description")
        holder["description"] = f"{about} ({words})" if about else words
    if schema != given:
        report.emulated("tools.parameters", f"{made.name}: {words or 'its schema is put as the wires take it'}")
    holder[key] = schema
    return wire


def _check_controls(controls: Mapping[str, Any], runners: Mapping[str, Tool], is_async_call: bool) -> None:
    check_seconds("tool_timeout", controls.get("tool_timeout"))
    for name in CALLBACKS:
        callback = controls.get(name)
        if callback is not None and not callable(callback):
            raise InputTypeError(f"{name} must be callable, not {type(callback).__name__}")
    if is_async_call:
        return
    waiting = [f"tool {made.name!r}" for made in runners.values() if made.is_async]
    waiting += [name for name in CALLBACKS if is_async(controls.get(name))]
    waiting += [f"confirm of tool {made.name!r}" for made in runners.values() if is_async(made.confirm)]
    if waiting:
        raise InputTypeError(f"{waiting[0]} is async, and this call is not; use achat, astream or acomplete")


def wire_choice(choice: Any, names: list[str]) -> Any:
    """`tool_choice` in the shape of the OpenAI wire: a word, or {type: function, function: {name}}.

    Taken are auto, none, required (any), a tool or its name, and the dictionaries of the OpenAI and Anthropic wires.
    """
    if isinstance(choice, Mapping):
        kind = choice.get("type")
        if kind in ("auto", "none", "any", "required"):
            return wire_choice(kind, names)
        check_slips("type of tool_choice", (kind,), ("function", "auto", "none", "required"), ("tool", "any"))
        if kind is None:
            check_slips("key of tool_choice", choice.keys(), ("type", "function", "name", "mode"))
        if kind not in ("function", "tool"):
            return dict(choice)  # a form of the provider's own, such as allowed_tools
        function = choice.get("function", choice)
        choice = function.get("name") if isinstance(function, Mapping) else function
    elif callable(choice):
        choice = choice.name if isinstance(choice, Tool) else getattr(choice, "__name__", None)
    if not isinstance(choice, str):
        raise InputTypeError(f"tool_choice must be {', '.join(WORDS)}, or name a tool; not {type(choice).__name__}")
    if choice in names and choice not in WORDS:
        return {"type": "function", "function": {"name": choice}}
    word = choice.lower()  # some wires shout
    if word in WORDS:
        return word
    if word == "any":  # what some providers call it
        return "required"
    raise UnknownNameError("tool in tool_choice", choice, [*WORDS, *names])


def is_forced(choice: Any) -> bool:
    """Whether a choice in wire shape makes the model call a tool."""
    if isinstance(choice, Mapping):
        modes = [item.get("mode") for item in (choice, choice.get("allowed_tools")) if isinstance(item, Mapping)]
        return choice.get("type") in ("function", FREE_TEXT) or "required" in modes
    return choice is not None and choice not in ("auto", "none")


def fitted_tools(tools: list[dict[str, Any]], spec: LLMSpec, report: ParameterReport) -> list[dict[str, Any]]:
    """Tools in wire shape as this target takes them, by its capabilities and the rules of its provider.

    UnsupportedError for tools that take free text, or that somebody else runs, where they say that it has none such.
    """
    rules = [rule["own_tools"] for rule in spec.message_rules() if "own_tools" in rule]
    for kind in {str(tool.get("type", "function")) for tool in tools} - {"function", "namespace"}:
        is_text = kind == FREE_TEXT
        if not is_text and all(any(fnmatchcase(kind, each) for each in known) for known in rules):
            continue
        if not is_text or spec.capability("free_text_tools") is False:
            has = ", ".join(each for known in rules for each in known) or "functions alone"
            what = f"{kind!r}{' (free text)' if is_text else ''}; it has {has} (extra_body sends anything)"
            text = f"{spec.provider}/{spec.model_id} through gateway {spec.gateway!r} has no tool of the type {what}"
            raise UnsupportedError(text, provider=spec.provider, model=spec.model_id)
    lost = [name for name, cap in _UNLESS.items() if spec.capability(cap) is False]
    return [_without(tool, f"tools[{n}]", lost, report) for n, tool in enumerate(tools)] if lost else tools


def _without(tool: dict[str, Any], where: str, names: list[str], report: ParameterReport) -> dict[str, Any]:
    held = [name for name in names if tool.get(name)]
    for name in held:
        report.dropped(f"{where}.{name}", f"capability {_UNLESS[name]} is false")
    found = {name: value for name, value in tool.items() if name not in held}
    if isinstance(tool.get("function"), dict):
        found["function"] = _without(tool["function"], f"{where}.function", names, report)
    if isinstance(tool.get("tools"), list):
        found["tools"] = [_without(each, f"{where}.tools[{n}]", names, report) for n, each in enumerate(tool["tools"])]
    return found


def schema_names(schemas: Iterable[Mapping[str, Any]]) -> set[Any]:
    """The names of tools in the shape of any wire, and of those that are grouped in them."""
    names: set[Any] = set()
    for schema in schemas:
        inner = [value for key, value in schema.items() if isinstance(value, Mapping) and key not in SCHEMA_KEYS]
        names.update(held["name"] for held in (schema, *inner) if isinstance(held.get("name"), str))
        for value in schema.values():
            if isinstance(value, list):
                names |= schema_names(held for held in value if isinstance(held, Mapping))
    return names
