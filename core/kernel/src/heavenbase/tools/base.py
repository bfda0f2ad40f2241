"""Tool: something that a model may call, how hb calls it, and what callers pass as `tools=` in place of one.

Taken are functions, schemas, Tools of other libraries, toolkits.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from heavenbase.errors import InputError, InputTypeError
from heavenbase.options import check_slips
from heavenbase.schemas.arguments import fitting
from heavenbase.spec import check_seconds
from heavenbase.types import FREE_TEXT

if TYPE_CHECKING:
    from heavenbase.schemas.functions import Signature

_TEXT = {"type": "object", "properties": {}}
_OURS = frozenset(
    {"name", "description", "function", "type", "parameters", "input_schema", "inputSchema", "schema", "run"}
)
SCHEMA_KEYS = ("parameters", "input_schema", "inputSchema", "schema")
_NAMED = ("name", "description", "parameters", "input_schema", "inputSchema", "strict", "function")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Decision(Enum):
    """What becomes of a tool call: the answer of a `confirm` callback, or of a person on `resume`."""

    RUN = "run"
    REFUSE = "refuse"
    PAUSE = "pause"


RUN, REFUSE, PAUSE = Decision.RUN, Decision.REFUSE, Decision.PAUSE


class ToolPause(Exception):
    """Raised by a tool that cannot answer yet: the loop ends with the call among `Completion.pending`.

    The message is kept as the call's `reason`. `LLM.resume` goes on with the result.
    """


class Tool:
    """A function with the description that a model reads; calling the tool calls the function.

    Without `parameters` (a JSON schema of an object), name, description and schema come from the type hints and the
    docstring of `run`, and arguments are checked and converted by them before each call. Without `run` the tool is a
    schema only: calls of it are returned to the caller. `confirm` is True (somebody must agree to each call), False
    (nobody is asked), a callable asked with the ToolCall, or None (the call's own `confirm` is asked, if it has one).
    `timeout` is seconds. `accept_repaired=False` refuses arguments that were repaired. `attributes` are what the
    provider is told beside, such as `{"defer_loading": True}`.
    """

    __slots__ = (
        *("accept_repaired", "confirm", "description", "is_async", "name", "parameters", "run", "timeout"),
        *("_grouped", "_is_named", "_signature", "_wire"),
    )

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        run: Callable[..., Any] | None = None,
        *,
        confirm: bool | Callable[..., Any] | None = None,
        timeout: float | None = None,
        accept_repaired: bool = True,
        wire: Mapping[str, Any] | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        if run is not None and not callable(run):
            raise InputTypeError(f"run of a tool must be callable, not {type(run).__name__}")
        self._signature: Signature | None = None
        if parameters is None and run is not None:
            from heavenbase.schemas.functions import signature_of

            self._signature = signature_of(run)
            parameters = self._signature.parameters
            description = self._signature.description if description is None else description
        if parameters is not None and not isinstance(parameters, Mapping):
            raise InputTypeError(f"parameters of a tool are a JSON schema, not {type(parameters).__name__}")
        self.name = _checked_name(name if name is not None else _name_of(run))
        self.description = description or ""
        self.parameters: Mapping[str, Any] = parameters or {"type": "object", "properties": {}}
        self.run = run
        self.confirm = confirm
        self.timeout = check_seconds("timeout of a tool", timeout)
        self.accept_repaired = accept_repaired
        self.is_async = run is not None and is_async(run)
        self._is_named = True
        self._grouped: list[Tool] = []
        self._wire = dict(wire) if wire is not None else None
        if attributes:
            self._wire = {**self.to_openai_tool(), **attributes}

    def bind(self, arguments: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """(positional, named) arguments for `run`; ToolArgsError, for the model to read, when they do not fit."""
        return self._signature.bind(arguments) if self._signature else ([], fitting(arguments, self.parameters))

    def to_openai_tool(self) -> dict[str, Any]:
        """The tool in the shape of the OpenAI wire."""
        if self._grouped:
            return {**(self._wire or {}), "tools": [made.to_openai_tool() for made in self._grouped]}
        if self._wire is not None:
            return dict(self._wire)
        function: dict[str, Any] = {"name": self.name}
        if self.description:
            function["description"] = self.description
        return {"type": "function", "function": {**function, "parameters": dict(self.parameters)}}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.run is None:
            raise InputError(f"tool {self.name!r} is a schema only; there is nothing to run")
        return self.run(*args, **kwargs)

    def __repr__(self) -> str:
        return f"Tool({self.name!r}{'' if self.run is not None else ', schema only'})"


@overload
def tool(function: Callable[..., Any], **settings: Any) -> Tool: ...
@overload
def tool(**settings: Any) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, **settings: Any) -> Any:
    """Decorator that makes a Tool of a function: `@tool`, or `@tool(confirm=True, timeout=5)`."""
    if function is None:
        return partial(tool, **settings)
    return Tool(run=function, **settings)


def is_async(function: Any) -> bool:
    """Whether calling this gives something to await."""
    while isinstance(function, partial):
        function = function.func
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _name_of(run: Any) -> Any:
    while isinstance(run, partial):
        run = run.func
    return getattr(run, "__name__", None) or (type(run).__name__ if run is not None else None)


def _checked_name(name: Any) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise InputError(f"{name!r} is no name of a tool; give one of letters, digits, _ and -, as in Tool(name=…, run=…)")


def to_tools(source: Any) -> list[Tool]:
    """The Tools of one tool, a toolkit, or an iterable of them.

    InputTypeError for what is none of them, InputError for two of one name.
    A tool is a function (also a method, a partial or an object that can be called), a Tool, a function schema as a
    dictionary (OpenAI's, or flat: name, description, parameters), a pydantic model (a schema only), or an object with
    `to_openai_tool()` and `run` or `run_to_str`; a dictionary of another type may group tools in its `tools`. A toolkit
    has `.tools`, a mapping or an iterable.
    """
    found = list(_of(source))
    seen: set[str] = set()
    for made in each_tool(found):
        if made.name in seen and made._is_named:
            raise InputError(f"two tools are named {made.name!r}; give one of them another name: Tool(name=…, run=…)")
        seen.add(made.name)
    return found


def each_tool(tools: Iterable[Tool]) -> Iterator[Tool]:
    """The tools, and those that are grouped in them."""
    for made in tools:
        yield made
        yield from made._grouped


def _of(source: Any, *, is_item: bool = False) -> Iterator[Tool]:
    if isinstance(source, Tool):
        yield source
    elif source is None and not is_item:
        return
    elif isinstance(source, Mapping):
        yield from _of_mapping(source)
    elif isinstance(source, type):
        yield Tool(source.__name__, inspect.cleandoc(source.__doc__ or ""), _schema_of(source))
    elif callable(getattr(source, "to_openai_tool", None)):
        yield _of_foreign(source)
    elif isinstance(kit := getattr(source, "tools", None), Mapping):
        yield from _named(kit)
    elif isinstance(kit, Iterable) and not inspect.isroutine(source):
        yield from _of(kit)
    elif callable(source):
        yield Tool(run=source)
    elif isinstance(source, Iterable) and not isinstance(source, str | bytes) and not is_item:
        for item in source:
            yield from _of(item, is_item=True)
    else:
        raise InputTypeError(
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
    if kind == FREE_TEXT and isinstance(data.get("input_schema"), Mapping):
        kind = "function"  # as one wire calls it
    function = data.get("function", data)
    if kind == "function" and isinstance(function, Mapping) and isinstance(function.get("name"), str):
        return (_of_schema(data, function),)
    if isinstance(kind, str) and kind != "function" and "type" in data:
        check_slips("type of a tool", (kind,), ("function", FREE_TEXT))
        # A tool that the provider itself runs, such as a search, or one that takes free text, which may be run here.
        inner = data.get(kind)
        name = data.get("name") or (inner.get("name") if isinstance(inner, Mapping) else None)
        run = data.get("run")
        made = Tool(name if isinstance(name, str) else kind, parameters=_TEXT, run=run if callable(run) else None)
        made._wire = {name: value for name, value in data.items() if name != "run"} if made.run else dict(data)
        made._is_named = isinstance(name, str)
        if isinstance(data.get("tools"), list | tuple):  # a group of tools under one name
            made._grouped = to_tools(data["tools"])
        return (made,)
    if data and not _OURS & data.keys() and all(isinstance(value, Mapping | list) for value in data.values()):
        # A tool without a type, as Gemini and Bedrock have them: {"google_search": {}}, {"toolSpec": {...}}.
        inner = next((value for value in data.values() if isinstance(value, Mapping) and "name" in value), {})
        made = Tool(str(inner.get("name") or next(iter(data))), wire=data)
        made._is_named = "name" in inner
        return (made,)
    if data and all(callable(item) or hasattr(item, "to_openai_tool") for item in data.values()):
        return _named(data)
    raise InputError('a tool schema needs a name: {"name": …, "description": …, "parameters": {…}}')


def _of_schema(data: Mapping[str, Any], function: Mapping[str, Any]) -> Tool:
    for held in (function, data):
        check_slips(f"attribute of tool {function['name']!r}", held.keys(), _NAMED)
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
    # What else a schema says goes to the provider as it is.
    if function is not data and key == "parameters":
        made._wire = {name: value for name, value in data.items() if name != "run"}
        return made
    read = {*SCHEMA_KEYS, "type", "function", "name", "description", "run", "strict"}
    rest = {name: value for name, value in {**function, **data}.items() if name not in read}
    said = {name: function[name] for name in ("description", "strict") if function.get(name) is not None}
    if rest or "strict" in said or said.get("description") == "":
        shape = made.to_openai_tool()
        made._wire = {**shape, **rest, "function": {**shape["function"], **said}}
    return made


def _schema_of(source: type) -> dict[str, Any]:
    if not hasattr(source, "model_json_schema"):
        raise InputTypeError(f"class {source.__name__} is no tool; pass a function, or an object that can be called")
    from heavenbase.schemas.functions import class_schema

    return class_schema(source)


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
