"""LLMToolCallRepair: malformed arguments of tool calls mended before they are used, every change told. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, Self

from heavenbase.errors import InputTypeError, ToolArgsError, UnknownNameError
from heavenbase.schemas.lenient import read_object
from heavenbase.schemas.strict import types_of
from heavenbase.types import FREE_TEXT, ToolCall

SETTINGS = ("enabled", "strict")
EMPTY: dict[str, Any] = {"string": "", "number": 0, "integer": 0, "boolean": False, "array": [], "object": {}}


class LLMToolCallRepair:
    """Repairs the argument texts of tool calls: fences, brackets, quotes, commas, Python literals, required fields.

    `enabled` says whether calls are repaired without being asked to (off by default); `strict` that arguments which
    cannot be read raise ToolArgsError (a ValueError) instead of staying as they are. What is repaired is compact JSON.
    A required field that is missing gets the schema's default, its const or only choice, null where that is allowed,
    or the empty value of its type. Letters and digits are never lost or made up.
    """

    _current: LLMToolCallRepair | None = None

    def __init__(
        self, config: Mapping[str, Any] | None = None, *, enabled: bool | None = None, strict: bool | None = None
    ) -> None:
        given = {**_checked(config or {}), **_checked({"enabled": enabled, "strict": strict})}
        self._enabled: bool | None = given.get("enabled")
        self.strict: bool = given.get("strict", False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Made of {enabled, strict}; UnknownNameError for another key, InputTypeError for a value that is no bool."""
        return cls(data)

    def to_dict(self) -> dict[str, bool]:
        """{enabled, strict}."""
        return {"enabled": bool(self._enabled), "strict": self.strict}

    @classmethod
    def current(cls) -> LLMToolCallRepair:
        """The settings of the configuration of the default kernel, kept until `reset`."""
        if LLMToolCallRepair._current is None:
            from importlib import import_module

            # By name: this layer knows no kernel.
            kernel = import_module("heavenbase.functions").default_kernel()
            LLMToolCallRepair._current = cls(kernel.config.section("heavenbase.llm.tool_call_repair"))
        return LLMToolCallRepair._current

    @classmethod
    def reset(cls) -> None:
        """Let `current` read the configuration again."""
        LLMToolCallRepair._current = None

    def merged(self, option: Any) -> LLMToolCallRepair:
        """These settings with an option over them: None, a bool for `enabled`, {enabled, strict}, or another object."""
        if option is None:
            return self
        if isinstance(option, LLMToolCallRepair):
            return option
        given = {"enabled": option} if isinstance(option, bool) else _checked(option)
        return LLMToolCallRepair({"enabled": self._enabled, "strict": self.strict, **given})

    def enabled(self, option: Any = None) -> bool:
        """Whether calls with this option are repaired."""
        return bool(self.merged(option)._enabled)

    def repair(self, tool_calls: Any, tools: Any = None, option: Any = None) -> list[Any]:
        """The calls with their arguments repaired: ToolCalls, which list the changes, or dictionaries of the wire.

        `tools` are their schemas (dictionaries, or objects with `name` and `parameters`). Nothing is done where
        `enabled` was set to False, or by `option`.
        """
        settings = self.merged(option)
        if isinstance(tool_calls, Mapping | ToolCall):
            tool_calls = [tool_calls]
        if not isinstance(tool_calls, Iterable) or isinstance(tool_calls, str):
            raise InputTypeError(f"tool_calls must be a list of calls, not {type(tool_calls).__name__}")
        calls = list(tool_calls)
        if settings._enabled is False:
            return calls
        schemas = _schemas(tools)
        return [settings._one(call, schemas) for call in calls]

    def arguments(self, text: str, schema: Mapping[str, Any] | None = None) -> tuple[str, tuple[str, ...]] | None:
        """(compact JSON, changes) for one argument text, no changes where it only held blanks; None when unreadable."""
        found = read_object(text)
        if found is None:
            return None
        value, changes = found
        changes = [*changes, *fill_required(value, schema or {})]
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")), tuple(changes)

    def _one(self, call: Any, schemas: Mapping[str, Mapping[str, Any]]) -> Any:
        given: Any
        if (call.type if isinstance(call, ToolCall) else isinstance(call, Mapping) and call.get("type")) == FREE_TEXT:
            return call if isinstance(call, ToolCall) else dict(call)
        if isinstance(call, ToolCall):
            name, given = call.name, call.arguments
        elif isinstance(call, Mapping) and isinstance(call.get("function"), Mapping):
            name, given = str(call["function"].get("name")), call["function"].get("arguments")
        else:
            raise InputTypeError(f"{type(call).__name__} is no tool call; pass ToolCalls or dictionaries of the wire")
        text = given if isinstance(given, str) else json.dumps(given if given is not None else {}, ensure_ascii=False)
        mended = self.arguments(text, schemas.get(name))
        if mended is None:
            if self.strict:
                raise ToolArgsError(
                    f"the arguments of tool call {name!r} cannot be read as a JSON object: {text[:200]!r}; "
                    "strict=False lets the model hear of it instead"
                )
            return call if isinstance(call, ToolCall) else dict(call)
        fixed, changes = mended
        if not isinstance(call, ToolCall):
            return {**call, "function": {**call["function"], "arguments": fixed}}
        original = call.original if call.original is not None or not changes else call.arguments
        return replace(call, arguments=fixed, original=original, changes=(*call.changes, *changes))


def fill_required(value: dict[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Fill the required fields that are missing in `value`, as far as the schema says with what; the changes made."""
    properties = schema.get("properties", {})
    changes = []
    for name in schema.get("required", ()):
        if name in value:
            continue
        found = _filling(properties.get(name, {}), schema)
        if found is not None:
            value[name], why = found
            shown = json.dumps(value[name], ensure_ascii=False)
            changes.append(f"filled the missing field {name!r} with {shown} ({why})")
    return changes


def _filling(schema: Any, root: Mapping[str, Any], depth: int = 0) -> tuple[Any, str] | None:
    """(value, reason) for a missing field; None where several choices are open, as no empty value is one of them."""
    if not isinstance(schema, Mapping) or depth > 8:
        return None, "anything is allowed"
    if "default" in schema:
        return deepcopy(schema["default"]), "its default"
    if "const" in schema:
        return deepcopy(schema["const"]), "the only value"
    target = schema.get("$ref")
    if isinstance(target, str) and target.startswith("#/"):
        found: Any = root
        for part in target[2:].split("/"):
            found = found.get(part, {}) if isinstance(found, Mapping) else {}
        return _filling(found, root, depth + 1)
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        if len(choices) == 1:
            return deepcopy(choices[0]), "the only choice"
        return (None, "null is allowed") if None in choices else None
    kinds = types_of(schema)
    branches = [branch for key in ("anyOf", "oneOf") for branch in schema.get(key, ()) if isinstance(branch, Mapping)]
    if "null" in kinds or any(branch.get("type") == "null" for branch in branches):
        return None, "null is allowed"
    branches += schema.get("allOf", ())
    if branches:
        return _filling(branches[0], root, depth + 1)
    kind = next((kind for kind in kinds if kind in EMPTY), None)
    return (None, "anything is allowed") if kind is None else (deepcopy(EMPTY[kind]), f"the empty {kind}")


def _schemas(tools: Any) -> dict[str, Mapping[str, Any]]:
    """The schema of the arguments by the tool's name."""
    if tools is None:
        return {}
    found: dict[str, Mapping[str, Any]] = {}
    for item in [tools] if isinstance(tools, Mapping) or hasattr(tools, "parameters") else tools:
        data = item
        if not isinstance(item, Mapping):
            convert = getattr(item, "to_openai_tool", None)
            data = convert() if callable(convert) else {"name": item.name, "parameters": item.parameters}
        function = data.get("function", data)
        schema: Mapping[str, Any] = next(
            (function[key] for key in ("parameters", "input_schema", "schema") if function.get(key)), {}
        )
        found[str(function.get("name"))] = schema
    return found


def _checked(data: Any) -> dict[str, bool]:
    if not isinstance(data, Mapping):
        raise InputTypeError(f"tool_call_repair must be a bool or {{enabled, strict}}, not {type(data).__name__}")
    for name, value in data.items():
        if name not in SETTINGS:
            raise UnknownNameError("setting of tool_call_repair", name, SETTINGS)
        if value is not None and not isinstance(value, bool):
            raise InputTypeError(f"{name} of tool_call_repair must be True or False, not {type(value).__name__}")
    return {name: value for name, value in data.items() if value is not None}
