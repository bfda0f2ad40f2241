"""What callers pass as `tools=`, turned into Tools: functions, schemas, Tools of other libraries, toolkits."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from heavenbase.errors import InputError, InputTypeError
from heavenbase.tools.base import PAUSE, REFUSE, RUN, Decision, Tool, ToolPause, tool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["PAUSE", "REFUSE", "RUN", "Decision", "Tool", "ToolPause", "to_tools", "tool"]

SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema", "schema")


def to_tools(source: Any) -> list[Tool]:
    """The Tools of one tool, a toolkit, or an iterable of them.

    InputTypeError for what is none of them, InputError for two of one name.
    A tool is a function (also a method, a partial or an object that can be called), a Tool, a function schema as a
    dictionary (OpenAI's, or flat: name, description, parameters), a pydantic model (a schema only), or an object with
    `to_openai_tool()` and `run` or `run_to_str`. A toolkit has `.tools`, a mapping or an iterable.
    """
    found = list(_of(source))
    seen: set[str] = set()
    for made in found:
        if made.name in seen:
            raise InputError(f"two tools are named {made.name!r}; give one of them another name: Tool(name=…, run=…)")
        seen.add(made.name)
    return found


def _of(source: Any) -> Iterator[Tool]:
    if source is None:
        return
    single = _one(source)
    if single is not None:
        yield from single
    elif isinstance(source, Iterable) and not isinstance(source, str | bytes):
        for item in source:
            made = _one(item)
            if made is None:
                raise _not_a_tool(item)
            yield from made
    else:
        raise _not_a_tool(source)


def _one(source: Any) -> Iterable[Tool] | None:
    """The Tools of a single object, None when it is not one that stands for tools."""
    if isinstance(source, Tool):
        return (source,)
    if isinstance(source, Mapping):
        return _of_mapping(source)
    if isinstance(source, type):
        return (_of_model(source),)
    if callable(getattr(source, "to_openai_tool", None)):
        return (_of_foreign(source),)
    kit = getattr(source, "tools", None)
    if isinstance(kit, Mapping):
        return _named(kit)
    if isinstance(kit, Iterable) and not inspect.isroutine(source):
        return _of(kit)
    return (Tool(run=source),) if callable(source) else None


def _not_a_tool(source: Any) -> InputTypeError:
    return InputTypeError(
        f"{type(source).__name__} is no tool; pass a function, a Tool, a function schema, or a toolkit with .tools"
    )


def _named(kit: Mapping[Any, Any]) -> Iterator[Tool]:
    """The tools of a mapping by name; a plain function gets the name that it has there."""
    for name, item in kit.items():
        if callable(item) and not isinstance(item, Tool | type) and not hasattr(item, "to_openai_tool"):
            yield Tool(name=name, run=item)
        else:
            yield from _of(item)


def _of_mapping(data: Mapping[str, Any]) -> Iterable[Tool]:
    kind = data.get("type", "function")
    function = data.get("function", data)
    if kind == "function" and isinstance(function, Mapping) and isinstance(function.get("name"), str):
        return (_of_schema(data, function),)
    if isinstance(kind, str) and kind != "function" and "type" in data:
        # A tool that the provider itself runs, such as a search: nothing of it is ours to read.
        name = data.get("name")
        return (Tool(name if isinstance(name, str) else kind, wire=data),)
    if data and all(callable(item) or hasattr(item, "to_openai_tool") for item in data.values()):
        return _named(data)
    raise InputError('a tool schema needs a name: {"name": …, "description": …, "parameters": {…}}')


def _of_schema(data: Mapping[str, Any], function: Mapping[str, Any]) -> Tool:
    key = next((key for key in SCHEMA_KEYS if function.get(key) is not None), None)
    parameters: Any = function[key] if key is not None else {"type": "object", "properties": {}}
    if isinstance(parameters, type):
        parameters = _schema_of(parameters)
    if not isinstance(parameters, Mapping):
        raise InputTypeError(
            f"{key} of tool {function['name']!r} must be a JSON schema, not {type(parameters).__name__}"
        )
    run = data.get("run")
    made = Tool(function["name"], function.get("description"), parameters, run if callable(run) else None)
    if function is not data:
        wire = {name: value for name, value in data.items() if name != "run"}
        return Tool(made.name, made.description, parameters, made.run, wire=wire) if key == "parameters" else made
    extra = {name: data[name] for name in ("strict",) if name in data}
    if not extra:
        return made
    shape = made.to_openai_tool()
    return Tool(
        made.name,
        made.description,
        parameters,
        made.run,
        wire={**shape, "function": {**shape["function"], **extra}},
    )


def _of_model(source: type) -> Tool:
    """A pydantic model as the schema of a tool that the caller runs."""
    from inspect import cleandoc

    return Tool(source.__name__, cleandoc(source.__doc__ or ""), _schema_of(source))


def _schema_of(source: type) -> dict[str, Any]:
    if not hasattr(source, "model_json_schema"):
        raise InputTypeError(f"class {source.__name__} is no tool; pass a function, or an object that can be called")
    from heavenbase.schemas.functions import model_schema

    return model_schema(source)


def _of_foreign(source: Any) -> Tool:
    """A Tool of another library: its own schema, and `run_to_str` or `run` to run it."""
    schema = source.to_openai_tool()
    if not isinstance(schema, Mapping):
        raise InputTypeError(f"to_openai_tool() of {type(source).__name__} gave {type(schema).__name__}, not a mapping")
    (made,) = _of_mapping(schema)
    run = next((f for f in (getattr(source, n, None) for n in ("run_to_str", "run")) if callable(f)), None)
    if run is None:
        return made
    return Tool(made.name, made.description, made.parameters, _by_name(run, made.parameters), wire=schema)


def _by_name(run: Callable[..., Any], schema: Mapping[str, Any]) -> Callable[..., Any]:
    """`run` as a function of named arguments; some libraries take them as one mapping."""
    try:
        parameters = list(inspect.signature(run).parameters.values())
    except (TypeError, ValueError):
        return run
    names = schema.get("properties", {})
    if len(parameters) != 1 or parameters[0].name in names or parameters[0].kind in (2, 4):
        return run
    if inspect.iscoroutinefunction(run):

        async def run_async(**arguments: Any) -> Any:
            return await run(arguments)

        return run_async
    return lambda **arguments: run(arguments)
