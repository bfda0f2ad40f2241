"""Tool: something that a model may call, and how hb calls it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, overload

from heavenbase.errors import InputError, InputTypeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from heavenbase.schemas.functions import Signature

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
    `timeout` is seconds. `accept_repaired=False` refuses arguments that were repaired.
    """

    __slots__ = (
        *("accept_repaired", "confirm", "description", "is_async", "name", "parameters", "run", "timeout"),
        *("_signature", "_wire"),
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
        self._wire = dict(wire) if wire is not None else None

    def bind(self, arguments: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """(positional, named) arguments for `run`; ToolArgsError, for the model to read, when they do not fit."""
        return self._signature.bind(arguments) if self._signature is not None else ([], arguments)

    def to_openai_tool(self) -> dict[str, Any]:
        """The tool in the shape of the OpenAI wire."""
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


def check_seconds(what: str, value: Any) -> float | None:
    """A time limit in seconds, or None; InputError for what is none."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputTypeError(f"{what} must be seconds, not {type(value).__name__}")
    if not 0 < value < float("inf"):
        raise InputError(f"{what} must be a positive number of seconds, not {value}")
    return value


def _name_of(run: Any) -> Any:
    while isinstance(run, partial):
        run = run.func
    return getattr(run, "__name__", None) or (type(run).__name__ if run is not None else None)


def _checked_name(name: Any) -> str:
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    raise InputError(f"{name!r} is no name of a tool; give one of letters, digits, _ and -, as in Tool(name=…, run=…)")
